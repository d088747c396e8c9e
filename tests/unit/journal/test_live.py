"""Live folders: locks, events, logs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from finestflow.journal import live as live_module
from finestflow.journal.live import (
    EventReader,
    LiveFolder,
    iter_live,
    read_events,
    read_logs,
    remove_leftovers,
    take_over,
)

from .made import new_id


def test_a_folder_is_alive_until_it_is_closed(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    assert [entry.is_alive for entry in iter_live(tmp_path)] == [True]
    live.close()
    assert [entry.is_alive for entry in iter_live(tmp_path)] == [False]


def test_closing_with_remove_leaves_nothing(tmp_path: Path) -> None:
    LiveFolder.create(tmp_path, new_id()).close(remove=True)
    assert list((tmp_path / "live").iterdir()) == []


def test_no_folders_where_there_is_no_state(tmp_path: Path) -> None:
    assert list(iter_live(tmp_path)) == []


def test_events_come_back_in_order(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    live.emit({"e": "run"})
    live.emit({"e": "metric", "value": 1}, lazy=True)
    live.emit({"e": "metric", "value": float("nan")}, lazy=True)
    path = live.path / "events.jsonl"
    live.emit({"e": "end", "path": Path("x")})
    events = list(read_events(path))
    assert [event["e"] for event in events] == ["run", "metric", "metric", "end"]
    assert events[2]["value"] != events[2]["value"]
    live.emit({"e": "note"}, lazy=True)
    live.flush()
    assert len(list(read_events(path))) == 5
    live.close()


def test_lazy_events_are_written_soon_also_when_nothing_follows(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    path = live.path / "events.jsonl"
    for _ in range(2):
        before = len(list(read_events(path)))
        live.emit({"e": "progress"}, lazy=True)
        deadline = time.monotonic() + 20
        while len(list(read_events(path))) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(list(read_events(path))) == before + 1
    live.close()


def test_closing_writes_lazy_events(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    live.emit({"e": "metric"}, lazy=True)
    live.close()
    assert len(list(read_events(live.path / "events.jsonl"))) == 1


def test_damaged_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"e":"run"}\n{"e":\n\xff\xfe\n[1]\n{"x":1}\n\n{"e":"end"}\n{"e":"no')
    reader = EventReader(path)
    assert [event["e"] for event in reader.read_new(whole=True)] == ["run", "end"]
    assert reader.damaged == 5


def test_a_follower_leaves_the_torn_last_line_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert reader.read_new() == []
    path.write_bytes(b'{"e":"run"}\n{"e":"en')
    assert [event["e"] for event in reader.read_new()] == ["run"]
    assert reader.read_new() == []
    path.write_bytes(b'{"e":"run"}\n{"e":"end"}\n')
    assert [event["e"] for event in reader.read_new()] == ["end"]
    assert reader.damaged == 0


def test_a_full_disk_is_told_and_later_events_stay_readable(tmp_path: Path, monkeypatch) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    live.emit({"e": "run"})

    def fail(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:4])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(live_module, "_write_all", fail)
        live.emit({"e": "metric"})
    assert "No space left" in live.problem
    live.emit({"e": "end"})
    assert [event["e"] for event in read_events(live.path / "events.jsonl")] == ["run", "end"]
    live.close()


def test_logs_are_appended_and_read_by_node(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    names = ["train/fit", "Train/Fit", "embed[3]", "größe", "x" * 300, "../../up"]
    for name in names:
        live.write_log(name, "one\n")
        live.write_log(name, b"\xfftwo")
    assert read_logs(live.path, names) == dict.fromkeys(names, b"one\n\xfftwo")
    live.close()


def test_logs_of_more_nodes_than_files_may_be_open(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    names = [f"embed[{item}]" for item in range(200)]
    for _ in range(2):
        for name in names:
            live.write_log(name, "x")
    assert read_logs(live.path, names) == dict.fromkeys(names, b"xx")
    live.close()


def test_only_one_takes_an_abandoned_folder_over(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    (entry,) = iter_live(tmp_path)
    assert take_over(entry) is None
    live.close()
    first = take_over(entry)
    assert first is not None
    assert take_over(entry) is None
    os.close(first)


def test_a_folder_that_was_removed_meanwhile_cannot_be_taken_over(tmp_path: Path) -> None:
    live = LiveFolder.create(tmp_path, new_id())
    (entry,) = iter_live(tmp_path)
    live.close(remove=True)
    assert take_over(entry) is None


def test_a_forked_child_does_not_keep_a_dead_run_alive(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom finestflow.journal.live import LiveFolder\n"
        f"live = LiveFolder.create(Path({str(tmp_path)!r}), 'kkkkkkkkkkkk')\nlive.write_log('a', 'x')\n"
        "child = os.fork()\n"
        "if child == 0:\n    live.emit({'e': 'note'})\n    live.write_log('a', 'y')\n    os.close(1)\n    time.sleep(60)\n"
        "print(child, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        assert [entry.is_alive for entry in iter_live(tmp_path)] == [True]
        parent.kill()
        parent.wait()
        os.kill(child, 0)  # the child lives on
        deadline = time.monotonic() + 20  # the child lets go as soon as it is scheduled
        while any(entry.is_alive for entry in iter_live(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [entry.is_alive for entry in iter_live(tmp_path)] == [False]
        assert list(read_events(tmp_path / "live/kkkkkkkkkkkk/events.jsonl")) == []
    finally:
        parent.kill()
        parent.stdout.close()
        os.kill(child, signal.SIGKILL)


def test_leftovers_of_crashes_go_but_not_what_is_being_made(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    for name in (".new-kkkkkkkkkkkk", ".gone-llllllllllll", "mmmmmmmmmmmm"):
        (folder / name).mkdir(parents=True)
    remove_leftovers(tmp_path, older_than=time.time() - 3600)
    assert sorted(path.name for path in folder.iterdir()) == [".new-kkkkkkkkkkkk", "mmmmmmmmmmmm"]
    remove_leftovers(tmp_path, older_than=time.time() + 3600)
    assert sorted(path.name for path in folder.iterdir()) == ["mmmmmmmmmmmm"]
