"""finestflow."""
