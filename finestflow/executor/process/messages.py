"""What pool and workers say to each other: plain data, each message one pickle.

Named tuples, since thousands are made a second. Called by ``pool``, ``executor`` and ``worker``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from finestflow.cache.codec import INLINE
from finestflow.executor.process.imports import Loaded

__all__ = ["Begin", "Done", "Equipment", "Large", "Live", "Refused", "Setup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What the workers of a pool work with.

    Attributes:
        root: Top of the project.
        objects: Where large outputs lie.
        definitions: Folder that keeps what is known of source files.
        scratch: Where the pool makes a folder of its own.
        started: When the runner's process began, in seconds since the epoch.
        salt: That of the runner's fingerprints.
        verify_always: Whether each object that is read is hashed.
        inline: Containers of more bytes are objects.
    """

    root: Path
    objects: Path
    definitions: Path
    scratch: Path
    started: float
    salt: str
    verify_always: bool = False
    inline: int = INLINE


class Setup(NamedTuple):
    """What all jobs of a run share.

    Attributes:
        number: Tells the set-ups of a pool apart.
        path: ``sys.path``.
        folder: The working directory.
        argv: ``sys.argv``.
        variables: The environment variables.
        filters: The filters of warnings.
        levels: The levels of loggers, by name; the root has the empty one.
        main: Attributes of ``__main__`` that name it.
        loaded: The sources that the runner has loaded.
        texts: File with their texts.
        began: When the run began.
        origins: The files of the modules that a fork server was to load in advance.
    """

    number: int
    path: list[str]
    folder: str
    argv: list[str]
    variables: dict[str, str]
    filters: list[Any]
    levels: dict[str, int]
    main: dict[str, Any]
    loaded: Mapping[str, Loaded]
    texts: str
    began: float
    origins: Mapping[str, str | None]


class Begin(NamedTuple):
    """A job.

    Attributes:
        serial: Its number.
        setup: The set-up, when the worker has another one.
        definitions: What has to be defined before: token, head, body.
        forgets: Whether the tasks that were sent before are not needed any more.
        path: Path of the node.
        task: The task, pickled; None where the worker has it.
        code: Fingerprint of the task's code in the runner; empty when it is not compared.
        warm_key: Identity of the initialised task.
        arguments: Each argument: its name, or None for a positional one, and the value: as it is, pickled, or ``Large``.
        seed: Seed of the call.
        setup_seed: Seed of ``initialize``.
        store: Folder of the store for the output; empty for the run's own.
        context: Given values, written values and scope, pickled; None when there are none.
    """

    serial: int
    setup: Setup | None
    definitions: list[tuple[str, bytes, bytes]]
    forgets: bool
    path: str
    task: bytes | None
    code: str
    warm_key: str
    arguments: list[tuple[str | None, Any]]
    seed: int
    setup_seed: int
    store: str
    context: bytes | None


class Large(NamedTuple):
    """An argument with large buffers, each of which lies in the store as an object of its own."""

    data: bytes
    objects: list[str]


class Live(NamedTuple):
    """What a call reports while it runs: the name of the method of the sink, and what it takes."""

    serial: int
    method: str
    values: tuple[Any, ...]


class Done(NamedTuple):
    """What came of a job.

    Attributes:
        serial: Its number.
        outcome: The fields of the outcome that are plain.
        encoded: The output.
        metrics: The numbers that it reported.
        special: Error, shared output, and context values that were written or deleted, pickled; None where there are none.
        reads: Names of the given context values that it read.
        is_hidden: Whether it read what another task wrote.
        log: Where its text in the log of the worker ends.
    """

    serial: int
    outcome: dict[str, Any]
    encoded: tuple[Any, ...] | None
    metrics: list[tuple[str, float, float | None]]
    special: bytes | None
    reads: tuple[str, ...]
    is_hidden: bool
    log: int


class Refused(NamedTuple):
    """A job that cannot run in a worker, and why.

    Attributes:
        serial: Its number.
        reason: Why.
        is_final: Whether it would be the same in another worker.
        is_unfit: Whether it is the worker: what it has loaded is not what the runner has.
    """

    serial: int
    reason: str
    is_final: bool = False
    is_unfit: bool = False
