"""The process executor: a pool of worker processes that survives what happens to processes.

``pool`` owns the workers of one runner, ``executor`` runs the jobs of one run on them, ``worker`` is what they do. ``portable`` says how code
travels, ``imports`` which version of it, ``channel`` carries messages, ``launch`` starts processes, ``guard`` ends them when the runner is gone.
"""
