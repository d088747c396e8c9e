"""Callbacks for frameworks that have their own training loop: one small module each, imported only by who uses that framework."""
