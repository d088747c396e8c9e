"""Makes the pictures of the terminal UI: ``python docs/screenshots.py``.

What is shown are real runs of the digits example, with a clock, ids and names that are always the same. ``tests/docs`` makes them again and
compares what they say.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tui")]

from finestflow_tui.screens import run_outputs  # noqa: E402 - found through the path above
from tests.conftest import IDENTITY  # noqa: E402
from tests.tui.build_lab import NOW, run  # noqa: E402
from tests.tui.driving import drive  # noqa: E402

__all__ = ["IMAGES", "make_lab", "take", "words_of"]

IMAGES = ROOT / "docs" / "images"
SETTINGS = """\
default-pipeline = "digits"

[pipelines.digits]
target = "digits.py:Digits"
"""
EDIT = ("StandardScaler", "MinMaxScaler")
TOUR: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tui-runs", ()),
    ("tui-run", ("enter", "j", "j", "j")),
    ("tui-graph", ("2",)),
    ("tui-outputs", ("9", "G")),
    ("tui-diff", ("escape", "j", "j", "space", "home", "d")),
    ("tui-compare", ("escape", "space", "j", "j", "space", "space", "c", "v")),
)
SIZE = (116, 30)
_TEXT = re.compile(r"<text [^>]*>([^<]*)</text>")


def make_lab(folder: Path) -> Path:
    """Make the repository, in a process that forks for each run."""
    home = folder / "home"
    home.mkdir()
    lab = home / "digits-lab"
    environ = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, __file__, "--lab", str(lab)], cwd=ROOT, env=environ, check=True)
    return lab


def build(lab: Path) -> None:
    """Make the runs: two models are tuned, one run fails, and then the scaling is edited."""
    lab.mkdir(parents=True)
    sys.dont_write_bytecode = True
    os.environ.update(IDENTITY)
    day = "2026-01-01T12:00:00+0000"
    environ = {**os.environ, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
    text = (ROOT / "docs" / "examples" / "digits.py").read_text(encoding="utf-8")
    _write(lab / "digits.py", text, NOW - 30 * 86_400)
    (lab / ".finestflow.toml").write_text(SETTINGS, encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Read digits"]):
        subprocess.run(["git", *words], cwd=lab, env=environ, check=True)
    run(lab, 1, "baseline-1", {})
    run(lab, 2, "calm-wren-2", {"forest.trees": "50"})
    run(lab, 3, "brisk-lynx-3", {"svm.C": "10"}, tags=("best",), note="a narrower margin")
    run(lab, 4, "icy-owl-4", {"test_size": "2"})
    _write(lab / "digits.py", text.replace(*EDIT), NOW - 4 * 86_400)
    run(lab, 5, "dusty-fox-5", {"svm.C": "10"}, note="pixels from 0 to 1")


def _write(path: Path, text: str, when: float) -> None:
    """Write a file at a time of the lab: what is younger than the process was edited under it."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (when, when))


async def take(lab: Path) -> dict[str, str]:
    """Return the pictures by name."""
    pictures = {}
    run_outputs.QUIET = 0.001
    async with drive(lab, SIZE, environ={"HOME": str(lab.parent), "COLORTERM": "truecolor"}) as ui:
        for name, keys in TOUR:
            await ui.press(*keys)
            for screen in ui.app.screen_stack:
                getattr(screen, "_hush", lambda: None)()  # what was said goes by the clock
            await ui.until_still()
            picture = ui.app.export_screenshot(title="finestflow tui")
            pictures[name] = re.sub(r"terminal-\d+", "terminal", picture)
    return pictures


def words_of(picture: str) -> list[str]:
    """Return what a picture says: its words, without numbers, digests and drawing, which depend on versions of libraries and on fonts."""
    text = unescape(" ".join(_TEXT.findall(picture))).replace("\xa0", " ")
    return re.findall(r"[A-Za-z_]{3,}", re.sub(r"\b[0-9a-f]{6,}\b|…\S*", " ", text))


def main() -> None:
    """Write the pictures."""
    if sys.argv[1:2] == ["--lab"]:
        build(Path(sys.argv[2]))
        return
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in asyncio.run(take(make_lab(Path(folder)))).items():
            (IMAGES / f"{name}.svg").write_text(picture, encoding="utf-8")
            sys.stdout.write(f"{name}.svg\n")


if __name__ == "__main__":
    main()
