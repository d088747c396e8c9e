"""The words of finestflow as data: runs, nodes, outputs, metrics, snapshots.

Frozen; nothing here touches a disk, a clock or a terminal. Everybody imports it. What there is one of for each call is a named tuple, made by
keywords: that takes a third of the time of a frozen dataclass, and a run may have 10,000 calls.
Times are seconds since the epoch (UTC, float), sizes are bytes, digests are 64 hexadecimal digits of blake3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, NewType

__all__ = [
    "FORMAT",
    "WHY_HIT",
    "Attempt",
    "Digest",
    "Fingerprint",
    "InputRecord",
    "Metric",
    "NodeRecord",
    "NodeStatus",
    "Omitted",
    "OutputRecord",
    "Resource",
    "Run",
    "RunId",
    "RunStatus",
    "RunSummary",
    "Snapshot",
]

FORMAT = 1
"""The format of the records that this version writes."""
WHY_HIT = "same code, params and inputs"
"""Why a node is a hit, where nothing else is said."""

RunId = NewType("RunId", str)
"""Identity of a run: 12 letters from k to z, independent of the commit that records it."""
Digest = NewType("Digest", str)
"""blake3 of a value's content."""
Fingerprint = NewType("Fingerprint", str)
"""Identity of a computation before it runs: code, params and inputs."""


class RunStatus(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    KILLED = "killed"


class NodeStatus(StrEnum):
    """How one call of a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    OK = "ok"
    HIT = "hit"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    KILLED = "killed"


for _status in (
    *RunStatus,
    *NodeStatus,
):  # Python 3.11 finds a member by a property written in Python: 165 ns, this way 20
    type.__setattr__(type(_status), _status.name, _status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Omitted:
    """A file that a snapshot leaves out, and why.

    ``digest`` is blake3 of the file's bytes, where it could be read within reason.
    """

    path: str
    reason: str
    size: int | None = None
    digest: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The files as they were, as a git tree.

    ``tree`` is the tree's object id, ``base`` HEAD's commit (None on an unborn branch), ``branch`` None when detached.
    ``changed`` and ``untracked`` count files that differ from ``base``; ``stable`` is false when files changed meanwhile.
    """

    tree: str
    base: str | None = None
    branch: str | None = None
    changed: int = 0
    untracked: int = 0
    omitted: tuple[Omitted, ...] = ()
    stable: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that a run reports: its last and best values, and how many there were.

    ``values`` holds (step, value, time) where the whole series was read; listings leave it empty.
    """

    name: str
    last: float
    best: float | None = None
    count: int = 1
    values: tuple[tuple[float | None, float, float], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a run used of one resource of its machine, such as ``system/cpu``.

    ``values`` holds (time, value) of the samples, at most a thousand of them in a record: of more, the highest of each stretch.
    """

    name: str
    mean: float
    peak: float
    values: tuple[tuple[float, float], ...] = ()


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class InputRecord(NamedTuple):
    """What one call was given under one name.

    ``source`` names the node (and part, ``load[0]``) it came from; None for a value given directly.
    """

    digest: Digest | None
    source: str | None = None
    preview: str = ""


class OutputRecord(NamedTuple):
    """What one call returned.

    ``object`` is the name of the store's file where the value is too large to lie in the database.
    ``parts`` holds the digests of the elements of a tuple, list, dict or dataclass.
    ``note`` says why a value is not cached. ``names`` are those that its task has for the parts, in their order (``Meta.outputs``).
    """

    digest: Digest | None
    size: int | None = None
    object: str | None = None
    type: str = ""
    preview: str = ""
    parts: Mapping[str, Digest] = _NOTHING
    note: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a task."""

    started: float
    seconds: float
    status: NodeStatus
    error: str = ""


class NodeRecord(NamedTuple):
    """One call of a task in a run.

    ``code`` maps each function, constant and package that the call depends on to its hash or version.
    ``why`` says why it ran or, for a hit, what was found; ``hit_of`` is the run that computed the output. ``after`` names the nodes that the
    body looked at between the call before and this one. ``cpu`` is in seconds, with child processes; ``memory`` the most bytes that its worker had
    meanwhile; None where it was not measured: in a hit, and in a call of less than a millisecond.
    """

    path: str
    task: str
    kind: str = "task"
    status: NodeStatus = NodeStatus.PENDING
    key: Fingerprint | None = None
    why: str = ""
    hit_of: RunId | None = None
    params: Mapping[str, Any] = _NOTHING
    code: Mapping[str, str] = _NOTHING
    inputs: Mapping[str, InputRecord] = _NOTHING
    output: OutputRecord | None = None
    started: float | None = None
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    seed: int | None = None
    after: tuple[str, ...] = ()
    cpu: float | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a list of runs shows of one: everything that is in its commit message, and what people said of it.

    ``dirty`` is the (changed, untracked) count; ``code`` the tree id of the snapshot; ``origin`` the clone it came from.
    ``metrics`` holds last values; ``params`` values as they were given, by path (``svm.C``).
    """

    id: RunId
    name: str
    pipeline: str
    status: RunStatus
    started: float
    seconds: float
    commit: str = ""
    base: str | None = None
    branch: str | None = None
    code: str = ""
    dirty: tuple[int, int] = (0, 0)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    note: str = ""
    star: bool = False
    removed: bool = False
    error: str = ""
    reproduces: RunId | None = None
    origin: str | None = None
    hits: int = 0
    nodes: int = 0
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, whole.

    ``target`` imports the pipeline again (``file.py:Class`` or ``module:Class``); ``inputs`` are the values of the call that JSON can
    hold, others are named by digest in ``input_digests``. ``settings`` are the seed, executor, jobs and flags of the run.
    ``environment`` describes interpreter, platform and packages. ``outputs`` maps names of results to ``node[.part]``, ``returned`` shows in
    one line what the pipeline returned. ``files`` holds the files and folders of the project that it was given or that its tasks opened, by
    path from the root, with the digest of each.
    ``metrics`` are those that the program reported; ``resources`` what was sampled beside it.
    """

    summary: RunSummary
    target: str = ""
    argv: tuple[str, ...] = ()
    description: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    input_digests: Mapping[str, Digest] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    returned: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ended: float | None = None
    traceback: str = ""
    reproduction: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
