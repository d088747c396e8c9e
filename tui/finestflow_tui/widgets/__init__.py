"""Widgets that draw line by line: nothing here asks for data, screens give it."""
