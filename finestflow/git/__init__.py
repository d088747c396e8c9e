"""The only door to git: repositories, refs, snapshots, objects, history, patches, work trees, upkeep.

Two libraries, two jobs. GitPython runs the git binary for whatever must obey the user's git; dulwich reads and writes
objects in this process. Invariant: nothing here writes to the user's HEAD, index, work tree, stash or refs.

What every listing needs (``repository``, ``history`` and the reading half of ``refs``) imports neither library.
"""
