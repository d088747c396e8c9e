"""How code is read: its canonical form, what it names, where it comes from, and all that it reaches."""
