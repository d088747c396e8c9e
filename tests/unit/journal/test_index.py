"""The index: listing, querying, naming; freshness, damage."""

from __future__ import annotations

import math
import random
import sqlite3
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from finestflow.errors import LockedError, NotFoundError, QueryError
from finestflow.git.objects import Objects
from finestflow.git.refs import JOURNAL_REF, update_ref
from finestflow.journal import index_rows as rows_of
from finestflow.journal.annotations import Annotations, Change
from finestflow.journal.index import Index
from finestflow.journal.index_update import fields_of
from finestflow.journal.journal import Journal
from finestflow.journal.listing import Group, Listing, Range, Stat, count_groups, gather, members_of
from finestflow.journal.query import parse
from finestflow.model import RunStatus

from .made import NOW, make_run, new_id, open_repository


@pytest.fixture
def repo(repository):
    return open_repository(repository)


@pytest.fixture
def journal(repo):
    return Journal(repo)


@pytest.fixture
def index(repo):
    index = Index(repo.state_dir / "index.sqlite")
    yield index
    index.close()


def append(journal, count: int = 3, **fields):
    """Append runs that started 100 s after each other; return their ids."""
    runs = [make_run(started=NOW - 1000 + 100 * at, **fields) for at in range(count)]
    for run in runs:
        journal.append(run)
    return [run.summary.id for run in runs]


def ids_of(index, text: str | None = None, **more) -> list[str]:
    return [run.id for run in index.summaries(None if text is None else parse(text, now=NOW), **more)]


def test_an_empty_repository_has_no_runs(index, repo) -> None:
    assert not index.refresh(repo)
    assert index.summaries() == []
    assert index.count() == 0
    with pytest.raises(NotFoundError, match="no runs yet"):
        index.resolve("@")


def test_runs_are_listed_newest_first_and_whole(index, repo, journal) -> None:
    run = make_run(
        started=NOW,
        params={"svm.C": 1.0, "svm.kind": "rbf"},
        metrics={"f1": 0.9, "fit/loss": math.inf},
        tags=("wip",),
        note="n",
        error="e",
        status=RunStatus.FAILED,
        dirty=(1, 2),
        hits=1,
        nodes=3,
    )
    older = append(journal)
    journal.append(run)
    assert index.refresh(repo)
    assert not index.refresh(repo)
    newest, *others = index.summaries()
    assert [each.id for each in others] == older[::-1]
    from dataclasses import replace

    assert replace(newest, commit="") == run.summary
    assert newest.commit == journal.tip()


def test_new_runs_are_added_to_what_is_there(index, repo, journal) -> None:
    first = append(journal, 2)
    index.refresh(repo)
    second = append(journal, 2)
    index.refresh(repo)
    assert sorted(ids_of(index)) == sorted(first + second)


def test_a_rewritten_chain_is_read_again(index, repo, journal, git) -> None:
    ids = append(journal, 4)
    index.refresh(repo)
    git("update-ref", JOURNAL_REF, f"{JOURNAL_REF}~2")
    index.refresh(repo)
    assert sorted(ids_of(index)) == sorted(ids[:2])
    more = append(journal, 1)
    index.refresh(repo)
    assert sorted(ids_of(index)) == sorted(ids[:2] + more)


def test_a_chain_that_is_gone_leaves_no_runs(index, repo, journal, git) -> None:
    append(journal, 2)
    index.refresh(repo)
    git("update-ref", "-d", JOURNAL_REF)
    index.refresh(repo)
    assert index.summaries() == []


def test_a_tip_that_gc_has_taken_is_no_obstacle(index, repo, journal, git) -> None:
    ids = append(journal, 3)
    index.refresh(repo)
    git("update-ref", JOURNAL_REF, f"{JOURNAL_REF}~1")
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "--quiet", "--prune=now")
    index.refresh(repo)
    assert sorted(ids_of(index)) == sorted(ids[:2])


def test_commits_that_are_no_runs_are_told_and_the_rest_is_listed(index, repo, journal, git) -> None:
    append(journal, 1)
    with Objects(repo) as objects:
        tip = journal.tip()
        commit = objects.write_commit(
            tree=tip and objects.read_commit(tip).tree,
            parents=[tip],
            message="hello\n",
            author=("a", "b"),
            author_time=1,
            commit_time=1,
        )
    update_ref(repo, JOURNAL_REF, commit, tip, message="x")
    append(journal, 1)
    index.refresh(repo)
    assert len(index.summaries()) == 2
    assert commit[:12] in index.messages[0]


def test_a_run_that_is_in_the_chain_twice_is_listed_once(index, repo, journal) -> None:
    append(journal, 1)
    with Objects(repo) as objects:
        tip = journal.tip()
        data = objects.read_commit(tip)
        commit = objects.write_commit(
            tree=data.tree,
            parents=[tip],
            message=data.message,
            author=("a", "b"),
            author_time=1,
            commit_time=data.commit_time,
        )
    update_ref(repo, JOURNAL_REF, commit, tip, message="x")
    index.refresh(repo)
    assert index.count() == 1


def test_annotations_are_seen_whenever_they_come(index, repo, journal) -> None:
    annotations = Annotations(repo)
    early, (late, other) = new_id(), append(journal, 2, tags=("own",))
    annotations.change({early: Change(star=True, name="mine")}, "before it is published", now=NOW)
    index.refresh(repo)
    journal.append(make_run(id=early, started=NOW))
    annotations.change({late: Change(add_tags=("new",), note="n")}, "after", now=NOW)
    index.refresh(repo)
    assert ids_of(index, "is:star") == [early]
    assert ids_of(index, "#own #new n") == [late]
    assert index.resolve("mine").id == early
    annotations.undo(now=NOW)
    index.refresh(repo)
    assert ids_of(index, "#new") == []
    assert sorted(ids_of(index, "#own")) == sorted([late, other])


def test_annotations_survive_a_rewritten_chain(index, repo, journal, git) -> None:
    ids = append(journal, 3)
    Annotations(repo).change({ids[0]: Change(star=True)}, "star", now=NOW)
    index.refresh(repo)
    git("update-ref", JOURNAL_REF, f"{JOURNAL_REF}~1")
    index.refresh(repo)
    assert ids_of(index, "is:star") == [ids[0]]


def test_removed_runs_are_hidden_until_asked_for(index, repo, journal) -> None:
    ids = append(journal, 2)
    annotations = Annotations(repo)
    annotations.change({ids[0]: Change(removed=True)}, "rm", now=NOW)
    index.refresh(repo)
    assert ids_of(index) == [ids[1]]
    assert ids_of(index, "digits") == [ids[1]]
    assert ids_of(index, "is:removed") == [ids[0]]
    with pytest.raises(NotFoundError, match="was removed") as caught:
        index.resolve(ids[0])
    assert "restore" in caught.value.hint
    assert index.resolve(ids[0], removed=True).id == ids[0]
    annotations.undo(now=NOW)
    index.refresh(repo)
    assert index.count() == 2


def test_sorting_puts_runs_without_the_value_last(index, repo, journal) -> None:
    ids = [append(journal, 1, metrics=metrics)[0] for metrics in ({"f1": 0.5}, {}, {"f1": 0.9}, {"fit/f1": 0.7})]
    index.refresh(repo)
    assert ids_of(index, sort="-f1") == [ids[2], ids[3], ids[0], ids[1]]
    assert ids_of(index, sort="m.f1") == [ids[0], ids[3], ids[2], ids[1]]
    assert ids_of(index, sort="-f1", limit=1) == [ids[2]]


def test_a_second_key_orders_the_equals_of_the_first(index, repo, journal) -> None:
    both = ({"f1": 0.5, "loss": 1.0}, {"f1": 0.9, "loss": 2.0}, {"f1": 0.9, "loss": 1.0})
    ids = [append(journal, 1, metrics=metrics)[0] for metrics in both]
    index.refresh(repo)
    assert ids_of(index, sort="-f1,loss") == [ids[2], ids[1], ids[0]]
    assert ids_of(index, sort="-f1,-loss", limit=2) == [ids[1], ids[2]]
    order = Listing(index).order(sorts=["-f1", "loss"], limit=2)
    assert [run.id for _, run in sorted(Listing(index).page(order).items(), key=lambda pair: order.index(pair[0]))] == [
        ids[2],
        ids[1],
    ]
    with pytest.raises(QueryError, match="no 'lost'"):
        index.check_key("-f1,-lost")


@pytest.mark.parametrize("query", ["", "f1>0.2", "-f1>0.2", "kind:r or lr>=2", "breezy"])
@pytest.mark.parametrize("sort", ["started", "name", "status", "seconds", "m.f1", "m.odd", "p.kind", "lr"])
def test_the_first_runs_of_a_list_are_those_of_the_whole_list(index, repo, journal, query, sort) -> None:
    """By whatever is sorted and filtered, in one step or cut short: also by values that are text, or no number, or missing."""
    for at, kind in enumerate(["rbf", 3, 2.5, "linear", None, True, "poly", 3]):
        metrics = {"f1": at % 5 / 7, **({"odd": float("nan") if at % 2 else -at} if at % 3 else {})}
        params = {"kind": kind, "lr": at} if at % 4 else {"kind": kind}
        append(journal, 1, metrics=metrics, params=params, name=f"{'BbaA'[at % 4]}reezy-{at}", seconds=at % 3)
    index.refresh(repo)
    where, listing = parse(query, now=NOW) if query else None, Listing(index)
    for sorts in ([sort], [f"-{sort}"], [sort, "-lr"]):
        rows = rows_of.order_by(*sorts)
        condition, bound = index.where(where)
        sorted_plainly = [
            row[0] for row in index.fetch(f"SELECT seq FROM runs {condition} ORDER BY {rows[0]}", [*bound, *rows[1]])
        ]
        assert list(listing.order(where, sorts=sorts)) == sorted_plainly
        for limit in (1, 3, 100):
            first = listing.first(where, sorts=sorts, limit=limit)
            assert first is not None
            assert list(first) == sorted_plainly[:limit]


def test_a_question_ends_after_so_many_steps(index, repo, journal) -> None:
    """What was found until then is there, and it is said that it is not all."""
    for _ in range(30):
        append(journal, 1)
    index.refresh(repo)
    rows, is_whole = index.fetch_within("SELECT seq FROM runs ORDER BY seq", [], 40)
    assert 0 < len(rows) < 30
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert not is_whole
    assert index.fetch_within("SELECT seq FROM runs ORDER BY seq", [], 10_000) == (
        [(each,) for each in range(1, 31)],
        True,
    )


def test_rows_are_plain_tuples_of_the_columns(index, repo, journal) -> None:
    append(journal, 1, params={"svm.C": 1.0, "svm.kind": "rbf"}, metrics={"f1": 0.9}, dirty=(2, 1))
    index.refresh(repo)
    columns = ["name", "status", "C", "p.svm.kind", "m.f1", "f1", "dirty", "none", "commit"]
    row = ("brisk-lynx-41", "ok", 1.0, "rbf", 0.9, 0.9, 3, None, journal.tip())
    assert index.rows(columns) == [row]


def test_a_run_that_is_not_in_the_index_has_the_fields_of_one_that_is(index, repo, journal) -> None:
    append(journal, 1, params={"svm.C": 1.0}, metrics={"fit/f1": 0.9, "loss": 1e-9}, note="a note")
    index.refresh(repo)
    columns = ["id", "name", "status", "started", "seconds", "headline", "params", "tags", "star", "note", "commit"]

    assert index.rows(columns) == [fields_of(index.summaries()[0], columns)]
    assert index.rows(["headline"]) == [("loss=1e-09  f1=0.9",)]


def test_hostile_names_of_columns_are_names(index, repo, journal) -> None:
    name = "x') FROM runs; DROP TABLE runs; --"
    append(journal, 1, metrics={name: 1.0})
    index.refresh(repo)
    assert index.rows([name, f"m.{name}"], sort=name) == [(1.0, 1.0)]
    assert index.count() == 1


def test_names_of_values_and_pipelines_are_told(index, repo, journal) -> None:
    append(journal, 2, params={"svm.C": 1}, metrics={"fit/loss": 1.0})
    append(journal, 1, pipeline="rag")
    index.refresh(repo)
    assert index.known_names() == ({"fit/loss", "loss"}, {"svm.C", "C"})
    assert index.pipelines() == [("digits", 2), ("rag", 1)]


def test_a_run_is_named_in_many_ways(index, repo, journal) -> None:
    ids = append(journal, 3)
    rag = make_run(pipeline="rag", name="odd-owl-01", started=NOW)
    commit = journal.append(rag)
    index.refresh(repo)
    assert index.resolve("@").id == rag.summary.id
    assert index.resolve("@~1").id == index.resolve("@~").id == ids[2]
    assert index.resolve("@{digits}").id == ids[2]
    assert index.resolve("@{digits}~2").id == ids[0]
    assert index.resolve("odd-owl-01").id == rag.summary.id
    assert index.resolve(commit).id == index.resolve(commit[:8].upper()).id == rag.summary.id
    for run_id, prefix in index.prefixes(ids).items():
        assert index.resolve(prefix).id == index.resolve(run_id).id == run_id


def test_an_ambiguous_name_lists_the_candidates(index, repo, journal) -> None:
    ids = append(journal, 2)
    index.refresh(repo)
    with pytest.raises(NotFoundError, match="more than one") as caught:
        index.resolve("brisk-lynx-41")
    assert all(run_id in caught.value.hint for run_id in ids)


def test_an_ambiguous_prefix_lists_the_candidates(index, repo, journal) -> None:
    for ending in "kl":
        journal.append(make_run(id="nnnnnnnnnnn" + ending, name=ending))
    index.refresh(repo)
    with pytest.raises(NotFoundError, match="more than one"):
        index.resolve("nnnn")
    assert index.prefixes(["nnnnnnnnnnnk"]) == {"nnnnnnnnnnnk": "nnnnnnnnnnnk"}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("brisk-lynx-42", "brisk-lynx-41"),
        ("@{digit}", "digits"),
        ("digits", "@{digits}"),
        ("@~9", "log"),
        ("kl", "4 letters"),
        ("\udcff", "log"),
    ],
)
def test_what_names_no_run_gets_a_hint(index, repo, journal, text, hint) -> None:
    append(journal, 1)
    index.refresh(repo)
    with pytest.raises(NotFoundError) as caught:
        index.resolve(text)
    assert hint in caught.value.hint


def test_prefixes_of_many_runs_agree_with_those_of_few(index, repo, journal) -> None:
    ids = append(journal, 3)
    index.refresh(repo)
    many = [*ids, *(new_id() for _ in range(150))]
    assert {each: index.prefixes([each])[each] for each in ids} == index.prefixes(ids)
    assert index.prefixes(many).keys() == set(many)


@pytest.mark.parametrize("damage", [b"not a database", b"", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_made_again(repo, journal, damage) -> None:
    ids = append(journal, 2)
    path = repo.state_dir / "index.sqlite"
    path.write_bytes(damage)
    index = Index(path)
    index.refresh(repo)
    assert sorted(ids_of(index)) == sorted(ids)
    assert bool(index.messages) == bool(damage)
    index.close()


def test_damage_that_shows_when_reading_is_put_right(repo, journal) -> None:
    ids = append(journal, 30, params={f"p{at}": "x" * 50 for at in range(8)})
    path = repo.state_dir / "index.sqlite"
    index = Index(path)
    index.refresh(repo)
    index.close()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    path.write_bytes(data)
    index = Index(path)
    index.refresh(repo)
    assert sorted(ids_of(index)) == sorted(ids)
    assert "set aside" in index.messages[0]
    index.close()


def test_an_index_of_another_version_is_made_again(repo, journal) -> None:
    append(journal, 1)
    path = repo.state_dir / "index.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    index = Index(path)
    index.refresh(repo)
    assert index.count() == 1
    index.close()


def test_where_the_folder_cannot_be_written_it_is_kept_in_memory(repo, journal, tmp_path) -> None:
    append(journal, 2)
    (tmp_path / "file").write_text("in the way")
    index = Index(tmp_path / "file" / "index.sqlite")
    index.refresh(repo)
    assert index.count() == 2
    assert "in memory" in index.messages[0]
    before = index.version()
    assert index.version() == before
    append(journal, 1)
    index.refresh(repo)
    assert index.version() != before  # no other connection would tell
    index.close()


def test_a_read_only_file_is_copied_to_memory_and_brought_forward(repo, journal, monkeypatch) -> None:
    append(journal, 2)
    path = repo.state_dir / "index.sqlite"
    index = Index(path)
    index.refresh(repo)
    index.close()
    append(journal, 1)
    from finestflow.journal import index as index_module

    real = index_module._connect

    def read_only(path: str) -> sqlite3.Connection:
        database = real(path)
        if path != ":memory:":
            database.execute("PRAGMA query_only = ON")
        return database

    monkeypatch.setattr(index_module, "_connect", read_only)
    index = Index(path)
    index.refresh(repo)
    assert index.count() == 3
    assert "in memory" in index.messages[0]
    index.close()


def test_several_processes_refresh_at_once(repo, journal) -> None:
    append(journal, 5)
    path = repo.state_dir / "index.sqlite"

    def refresh(_: int) -> int:
        index = Index(path)
        index.refresh(repo)
        try:
            return index.count()
        finally:
            index.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(refresh, range(16))) == [5] * 16


def test_an_index_that_another_process_is_making_is_said_to_be_busy(repo, journal, monkeypatch) -> None:
    from finestflow.journal import index as index_module

    monkeypatch.setattr(index_module, "_PATIENCE", 0)
    path = repo.state_dir / "index.sqlite"
    append(journal, 1)
    with closing(Index(path)) as index:
        index.refresh(repo)
        append(journal, 1)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match="another process"):
            index.refresh(repo)
        other.close()
        assert index.refresh(repo)


def test_the_version_changes_when_another_has_written(index, repo, journal) -> None:
    index.refresh(repo)
    before = index.version()
    assert index.version() == before
    append(journal, 1)
    other = Index(repo.state_dir / "index.sqlite")
    other.refresh(repo)
    other.close()
    assert index.version() != before


def test_the_index_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; import finestflow.journal.index, finestflow.journal.query\n"
        "print({name.partition('.')[0] for name in sys.modules} & {'git', 'dulwich', 'tomlkit', 'click', 'textual', 'blake3'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_groups_tell_mean_and_deviation_as_statistics_does(index, repo, journal) -> None:
    """Of numbers that are large and near each other, equal, infinite or missing too; in the order of the runs that are sorted by that."""
    numbers = {
        "a": [1e9 + 1, 1e9 + 2, 1e9 + 4],
        "B": [0.1, 0.1, 0.1],
        "c": [1.0, math.inf],
        "d": [math.nan],
        "e": [7.0, -3.0],
    }
    for pipeline, values in numbers.items():
        for value in values:
            journal.append(make_run(pipeline=pipeline, params={"kind": pipeline}, metrics={"f1": value}))
    journal.append(make_run(pipeline="e"))
    index.refresh(repo)
    listing = Listing(index)
    for by in ("pipeline", "p.kind"):
        groups = {group.value: group for group in listing.groups(by, metrics=["m.f1", "seconds"])}
        assert {value: groups[value].runs for value in numbers} == {
            "a": 3,
            "B": 3,
            "c": 2,
            "d": 1,
            "e": 2 + (by == "pipeline"),
        }
        for value in ("a", "B", "e"):
            stat = groups[value].stats["m.f1"]
            assert stat.numbers == len(numbers[value])
            assert stat.mean == pytest.approx(statistics.mean(numbers[value]))
            assert stat.deviation == pytest.approx(statistics.stdev(numbers[value]), rel=1e-9)
            assert (stat.least, stat.most) == (min(numbers[value]), max(numbers[value]))
        assert groups["c"].stats["m.f1"].mean == math.inf
        assert math.isnan(groups["c"].stats["m.f1"].deviation)
        assert "m.f1" not in groups["d"].stats
        members = members_of([groups["a"]], listing.order(), listing.values(by))
        assert listing.stats_of(members[0], ["m.f1", "m.none"]) == {"m.f1": groups["a"].stats["m.f1"]}
        order = [index.rows([by], sort=by)[at][0] for at in range(index.count())]
        assert list(groups) == list(dict.fromkeys(order))
    assert groups[None].runs == 1
    assert groups[None].stats["seconds"].deviation == 0.0


@pytest.mark.parametrize("by", ["kind", "p.kind", "m.f1", "status", "seconds"])
@pytest.mark.parametrize("missing", [False, True])
def test_groups_have_the_runs_that_have_their_value(index, repo, journal, by, missing) -> None:
    """Whether an index has the groups or not; each has its runs in the order of the list, and the figures of these."""
    for at in range(40):
        params = {} if missing and at % 9 == 0 else {"kind": ["rbf", 3, 2.5, "", 3][at % 5]}
        append(
            journal,
            1,
            params=params,
            metrics={} if missing and at % 7 == 0 else {"f1": at % 6 / 4, "loss": at},
            seconds=at % 3,
        )
    index.refresh(repo)
    listing = Listing(index)
    groups = listing.groups(by, metrics=["m.f1", "m.loss"])
    order = listing.order(sorts=[by, "-m.loss"])
    found = members_of(groups, listing.order(sorts=["-m.loss"]), listing.values(by))
    assert [number for own in found for number in own] == list(order)
    assert count_groups(by, order, listing.values(by)) == [group._replace(stats={}) for group in groups]
    assert [len(own) for own in found] == [group.runs for group in groups]
    for group, own in zip(groups, found, strict=True):
        losses = [run.metrics["loss"] for run in listing.page(own).values() if "loss" in run.metrics]
        assert [stat.mean for key, stat in group.stats.items() if key == "m.loss"] == (
            [pytest.approx(statistics.mean(losses))] if losses else []
        )
        assert listing.stats_of(own, ["m.f1", "m.loss"]) == group.stats
    gathered = gather(groups, 2)
    assert sorted(number for own in members_of(gathered, order, listing.values(by)) for number in own) == sorted(order)


def test_many_values_are_gathered_into_ranges_of_as_many_runs() -> None:
    """Each range has about as many runs wherever values lie, and what parts told of metrics is told of the whole; few values stay."""
    rng = random.Random(1)
    numbers = sorted(10 ** rng.uniform(-4, 3) for _ in range(200))
    scores = [rng.random() for _ in numbers]

    def told(values: list[float]) -> Stat:
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return Stat(len(values), statistics.mean(values), deviation, min(values), max(values))

    groups = [Group(at, 1, {"acc": told([score])}) for at, score in zip(numbers, scores, strict=True)]
    made = gather([*groups, Group(None, 3, {})], 8)
    assert [group.runs for group in made] == [25] * 8 + [3]
    assert made[0].value == Range(numbers[0], numbers[24])
    assert made[-1].value is None
    for at, group in enumerate(made[:-1]):
        assert group.stats["acc"] == pytest.approx(told(scores[25 * at : 25 * at + 25]))
    heavy = gather([Group(0.0, 500, {}), *groups[:99]], 8)
    assert heavy[0] == Group(0.0, 500, {})
    assert len(heavy) <= 8
    assert gather(groups[:16], 8) == groups[:16]
    assert gather([Group("adam", 2, {})] * 40, 8) == [Group("adam", 2, {})] * 40
    assert gather([], 8) == []


def test_a_file_that_was_put_elsewhere_is_left_for_the_one_that_others_read(index, repo, journal) -> None:
    """Such as one that another process has found damaged, or that somebody deleted: what is still open says nothing any more."""
    append(journal)
    index.refresh(repo)
    with closing(Index(repo.state_dir / "index.sqlite")) as other:
        before = other.version()
        (repo.state_dir / "index.sqlite").rename(repo.state_dir / "index.damaged")
        assert other.version() != before
        assert other.is_empty
        assert index.refresh(repo)
        assert other.count() == index.count() == 3
