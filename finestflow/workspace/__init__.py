"""What a process works with: the repository, settings, store, journal and index, found once from folder and environment.

The actions that the command line, the terminal UI and the library share stand here, thin, over the module that owns each capability.
Invariant: opening a workspace writes nothing, and loads a library only when an action needs it.
"""

from __future__ import annotations

from finestflow.workspace.actions import Workspace
from finestflow.workspace.places import SystemClock
from finestflow.workspace.process import current, launch

__all__ = ["SystemClock", "Workspace", "current", "launch"]
