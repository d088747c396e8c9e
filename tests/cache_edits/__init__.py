"""Edits of small projects, and whether a task must run again after each."""
