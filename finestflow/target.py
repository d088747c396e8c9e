"""From what a user names to a pipeline object: ``file.py:Class``, ``module:Class``.

Owns how a user's file becomes a module: under the name of its file, with its folder first on ``sys.path``, as ``python file.py`` has it, and
a file of a package as a module of that package; so that a script, the command line and a worker agree on every identity. Invariant: importing never starts a run. A script without a
``__main__`` guard is read up to its first call of a pipeline; what it defined until then is what that call would have seen.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import linecache
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from finestflow.cache.fingerprint import task_identity
from finestflow.cache.names import module_of_file
from finestflow.errors import FinestflowError, UsageError, nearest_hint
from finestflow.pipeline.call import get_launcher, set_launcher
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.settings import required_params
from finestflow.pipeline.task import Task

__all__ = ["find_object", "import_file", "load_pipeline", "place_of", "sources_of", "target_of"]


_OWN_FOLDER = str(Path(__file__).parent) + os.sep


class _RunStarts(BaseException):
    """A module that is being imported calls a pipeline: what follows belongs to the script's own run."""


def load_pipeline(target: str, root: Path, settings: Mapping[str, Any] | None = None) -> Pipeline:
    """Return the pipeline that a target names.

    Args:
        target: ``file.py:Class``, ``module:Class``; ``:Class`` may be left out where there is only one pipeline. An instance will do too.
        root: Folder that file names are relative to.
        settings: Values by path, for params that are required.

    Raises:
        UsageError: It cannot be imported, or is no pipeline.
    """
    found = find_object(target, root)
    if isinstance(found, Pipeline):
        return found
    if isinstance(found, type) and issubclass(found, Pipeline):
        return found(**required_params(found, settings or {}))
    if isinstance(found, Task) or (isinstance(found, type) and issubclass(found, Task)):
        raise UsageError(
            f"{target!r} is a task, not a pipeline", "name a subclass of Pipeline; a task alone is called from Python"
        )
    raise UsageError(f"{target!r} is no pipeline, but a {type(found).__name__}", "name a subclass of Pipeline")


def find_object(target: str, root: Path) -> Any:
    """Return the object that ``file.py:Name`` or ``module:Name`` names; with no name, the module's only pipeline."""
    place, _, qualname = target.partition(":")
    module = import_file(_file_of(place, root)) if place.endswith(".py") else _import_module(place, root)
    if not qualname:
        return _only_pipeline(module, target)
    found: Any = module
    for part in qualname.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [name for name, value in vars(module).items() if _is_pipeline(value)]
            hint = nearest_hint(part, names, f"pipelines in {place!r}")
            raise UsageError(f"{place!r} has no {qualname!r}", hint) from None
    return found


def import_file(path: Path) -> ModuleType:
    """Import a Python file under the name of its module; a module of that file that is there already is taken."""
    name, folder = module_of_file(str(path))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if "." in name:
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # a script in a package may import its neighbours as a script does
        module = _import_module(name, Path(folder))
        if _is_of(module, path):
            return module
        name = path.stem  # another package has the name
    known = sys.modules.get(name)
    if known is not None and _is_of(known, path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    _guarded(lambda: loader.exec_module(module), str(path), lambda: sys.modules.pop(name, None))
    return module


def _is_of(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and Path(str(file)).resolve() == path


def _import_module(name: str, root: Path) -> ModuleType:
    top = name.partition(".")[0]
    folder = root / "src" if (root / "src" / top / "__init__.py").is_file() else root
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if name in sys.modules:
        return sys.modules[name]
    found: list[ModuleType] = []
    _guarded(lambda: found.append(importlib.import_module(name)), name, lambda: None)
    return found[0] if found else sys.modules[name]


def _guarded(load: Callable[[], Any], what: str, undo: Callable[[], Any]) -> None:
    """Import something of the user's: no run starts, and whatever it raises is an error that names it."""
    launcher = get_launcher()

    def refuse(*_: Any) -> Any:
        raise _RunStarts

    set_launcher(refuse)
    try:
        load()
    except _RunStarts:
        pass
    except FinestflowError as error:
        undo()
        raise type(error)(f"{error.message}{_where(error, what)}", error.hint) from error
    except ModuleNotFoundError as error:
        undo()
        raise UsageError(
            f"cannot import {what!r}: {error}", "check the name, and that its packages are installed"
        ) from error
    except (Exception, SystemExit) as error:
        undo()
        where = _where(error, what)
        said = error.msg if isinstance(error, SyntaxError) and error.lineno else error  # its text has the place too
        raise UsageError(
            f"importing {what!r} raised {type(error).__name__}: {said}{where}", "python must be able to import it"
        ) from error
    finally:
        if launcher is not None:
            set_launcher(launcher)


def _where(error: BaseException, what: str) -> str:
    if isinstance(error, SyntaxError):
        return f" ({error.filename}, line {error.lineno})"
    trace = error.__traceback__
    line = 0
    name = what
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "importlib" not in file and not file.startswith(_OWN_FOLDER):
            name, line = file, trace.tb_lineno
        trace = trace.tb_next
    return f" ({name}, line {line})" if line else ""


def _file_of(place: str, root: Path) -> Path:
    path = Path(place) if Path(place).is_absolute() else root / place
    if not path.is_file():
        raise UsageError(
            f"there is no file {place!r}", "give the path of a Python file, as in finestflow run file.py:Class"
        )
    return path.resolve()


def _is_pipeline(value: Any) -> bool:
    return isinstance(value, Pipeline) or (
        isinstance(value, type) and issubclass(value, Pipeline) and value is not Pipeline
    )


def _is_ours(value: Any) -> bool:
    return isinstance(value, type) and value.__module__.partition(".")[0] == __name__.partition(".")[0]


def _only_pipeline(module: ModuleType, target: str) -> Any:
    own = {name: value for name, value in vars(module).items() if _is_pipeline(value) and not _is_ours(value)}
    instances = {name: value for name, value in own.items() if isinstance(value, Pipeline)}
    classes = {n: v for n, v in own.items() if n not in instances and v.__module__ == module.__name__}
    for candidates in (instances, classes, own):
        if len(candidates) == 1:
            return next(iter(candidates.values()))
    if not own:
        raise UsageError(f"there is no pipeline in {target!r}", "define a subclass of Pipeline in it")
    raise UsageError(
        f"there are several pipelines in {target!r}",
        f"name one: {', '.join(f'{target}:{name}' for name in sorted(own))}",
    )


def target_of(pipeline: Pipeline, root: Path) -> str:
    """Return the target that names a pipeline's class: by file where it lies below ``root``, else by module.

    Empty where nobody can import it: a class made inside a function, or typed at a prompt; and for a chain, which is no class of its own.
    """
    cls = type(pipeline)
    if "<locals>" in cls.__qualname__ or cls.__module__.startswith("finestflow.pipeline."):
        return ""
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if file is None or file.startswith("<"):
        return ""
    path = Path(file).resolve()
    if path.is_relative_to(root.resolve()) and not _is_installed(path):
        return f"{path.relative_to(root.resolve()).as_posix()}:{cls.__qualname__}"
    spec = getattr(module, "__spec__", None)
    name = spec.name if cls.__module__ == "__main__" and spec is not None else cls.__module__
    return f"{name}:{cls.__qualname__}" if name != "__main__" else f"{path}:{cls.__qualname__}"


def place_of(thing: Any, root: Path) -> str:
    """Return the name by which ``find_object`` finds a class or function again: by file where a module's name alone would not do.

    A script in a folder below ``root`` has that folder on ``sys.path`` while it runs, and nobody else has.
    """
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if file is not None:
        path = Path(file).resolve()
        folder = Path(module_of_file(str(path))[1])
        if folder != root.resolve() and folder.is_relative_to(root.resolve()) and not _is_installed(path):
            return f"{path.relative_to(root.resolve()).as_posix()}:{thing.__qualname__}"
    return task_identity(thing)


def _is_installed(path: Path) -> bool:
    return "site-packages" in path.parts


def sources_of(pipeline: Pipeline) -> dict[str, str]:
    """Return what was typed at a prompt, given to ``python -c`` or run in cells of a notebook, by the name that tracebacks give it.

    Empty for a pipeline of a module that is a file: the snapshot has it.
    """
    module = sys.modules.get(type(pipeline).__module__)
    if module is None or Path(getattr(module, "__file__", None) or "<").is_file():
        return {}
    names = {name for value in list(vars(module).values()) for name in _code_files(value, module.__name__)}
    found = {name: "".join(linecache.getlines(name)) for name in sorted(names) if not Path(name).is_file()}
    words = sys.orig_argv
    if (
        not found.get("<string>") and "<string>" in names and "-c" in words[:-1]
    ):  # before 3.13 linecache does not know it
        found["<string>"] = words[words.index("-c") + 1]
    return {name: text for name, text in found.items() if text}


def _code_files(value: Any, module: str) -> Iterator[str]:
    """Yield the names of the files that a function, or the methods of a class, of a module were compiled from."""
    if getattr(value, "__module__", None) != module:
        return
    for part in [value, *vars(value).values()] if isinstance(value, type) else [value]:
        code = getattr(inspect.unwrap(part) if callable(part) else part, "__code__", None)
        if code is not None:
            yield code.co_filename
