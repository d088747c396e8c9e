"""What was run: records, the chain of run commits, live runs, annotations, and the index over them.

The format is described in docs/reference/journal-format.md. Modules here import ``finestflow.git``, ``model`` and
``errors`` only; clock, environment and random bytes are passed in.
"""
