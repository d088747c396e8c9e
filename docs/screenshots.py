"""Makes the pictures of the terminal UI: ``python docs/screenshots.py``.

The repository that is shown is the one of its tests: real runs of a small pipeline, with a clock and ids that are always the same.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tui")]

from tests.conftest import IDENTITY  # noqa: E402 - found through the path above
from tests.tui.driving import drive  # noqa: E402

IMAGES = ROOT / "docs" / "images"
TOUR: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tui-runs", ("j",)),
    ("tui-run", ("enter", "down", "down")),
    ("tui-diff", ("escape", "d", "]")),
)


def make_lab(folder: Path) -> Path:
    """Make the repository."""
    home = folder / "home"
    home.mkdir()
    environ = {**os.environ, **IDENTITY, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    lab = home / "lab"
    subprocess.run([sys.executable, "-m", "tests.tui.build_lab", str(lab)], cwd=ROOT, env=environ, check=True)
    return lab


async def take(lab: Path) -> dict[str, str]:
    """Return the pictures by name."""
    pictures = {}
    async with drive(lab, (116, 30), environ={"HOME": str(lab.parent), "COLORTERM": "truecolor"}) as ui:
        for name, keys in TOUR:
            await ui.press(*keys)
            await ui.until_still()
            picture = ui.app.export_screenshot(title="finestflow tui")
            pictures[name] = re.sub(r"terminal-\d+", "terminal", picture)
    return pictures


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in asyncio.run(take(make_lab(Path(folder)))).items():
            (IMAGES / f"{name}.svg").write_text(picture, encoding="utf-8")
            sys.stdout.write(f"{name}.svg\n")


if __name__ == "__main__":
    main()
