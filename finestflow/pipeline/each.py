"""Fan-out: one task, many items.

``each(task, items)`` calls the task once an item; in the body of a pipeline the calls run in parallel, each with a cache entry of its own, and
what comes back is one Output of a list. ``Each(Task)`` declares the same as a child. Invariant: outside of a run it is a plain loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finestflow.errors import UsageError
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import NamedTask, Task

__all__ = ["Each", "each"]


def each(task: Any, items: Any, /, *args: Any, limit: int | None = None, **kwargs: Any) -> Any:
    """Call a task with each item of a list, in parallel where there are workers.

    Every item has a node (``ocr/0``, ``ocr/1`` ...) and a cache entry of its own, so one more file costs one more call. An error of an item is
    raised where the list is looked at, the first one first.

    Args:
        task: A task, a pipeline, or anything that ``Task.of`` takes; ``task.named("x")`` gives the node a name.
        items: What the calls get as their first input: any iterable, or an Output of one.
        args: More inputs, the same for all items.
        limit: How many calls may go on at a time; not given, as many as there are workers for.
        kwargs: More inputs by name.

    Returns:
        In the body of a pipeline an Output of a list, elsewhere a list; one result an item, in their order.
    """
    if limit is not None and (type(limit) is not int or limit < 1):
        raise UsageError(f"limit is {limit!r}", "expected a whole number, 1 or more")
    task, name = (task.task, task.name) if isinstance(task, NamedTask) else (task, None)
    made = Task.of(task)
    frame = FRAME.get()
    if frame is None:
        return [made(item, *args, **kwargs) for item in items]
    return frame.call_each(made, items, args, kwargs, limit=limit, name=name)


class Each(Pipeline):
    """A child that calls a task with each item of a list: ``ocr: Each = Each(Ocr, limit=4)``, then ``self.ocr(files)``.

    Args:
        task: What is called; a child like any other, so ``Each(Ocr)`` may be given params: ``ocr.task.language``.
        limit: How many calls may go on at a time.
    """

    task: Task
    limit: int | None = None

    def __init__(self, task: Any = None, **settings: Any) -> None:
        super().__init__(**({} if task is None else {"task": task}), **settings)

    def __call__(self, items: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the task with each item."""
        return each(self.task, items, *args, limit=self.limit, **kwargs)


_ANNOTATIONS: Mapping[str, Any] = {"task": Task, "limit": int | None}
Each.__finestflow_declare__(_ANNOTATIONS)
