"""``python -m finestflow_tui``: the same as ``finestflow tui``."""

from __future__ import annotations

import sys

from finestflow.cli import main

if __name__ == "__main__":
    sys.exit(main(["tui", *sys.argv[1:]]))
