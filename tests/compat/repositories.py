"""Every odd repository by name, for tests that must hold in all of them.

``REPOSITORIES[name](folder)`` builds one in an empty (or missing) folder and returns its work tree; its attributes say
what a snapshot leaves out there (``omitted``, ``has_omissions``), whether a pipeline ``can_run`` there, and ``skip``
gives a reason where this machine cannot build it.
"""

from __future__ import annotations

from tests.compat import odd_files, odd_indexes, odd_states
from tests.compat.building import ENVIRON, REPOSITORIES, OddRepository

__all__ = ["ENVIRON", "REPOSITORIES", "OddRepository", "odd_files", "odd_indexes", "odd_states"]
