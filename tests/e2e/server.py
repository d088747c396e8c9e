"""The program behind ``processes``: imports finestflow once, and forks a process for each command that it is told.

Reads one JSON line a request from its standard input and answers with one on its standard output. A child waits for its
threads and calls its exit handlers as any Python process does, but leaves out the 40 ms of taking modules apart.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import sysconfig
import threading
import time
import traceback
from types import ModuleType
from typing import Any, NoReturn

_LOADED = ("git", "dulwich.object_store", "dulwich.diff_tree", "importlib.metadata", "resource", "tomllib")
_NOT_LOADED = (
    "finestflow.__main__",
    "finestflow.reproduce_child",
    "finestflow.integrations.",
)  # programs, and what needs extras


def load() -> None:
    """Import all of finestflow and the libraries that most commands ask for, and look at what is installed, so that no command does it again."""
    import finestflow
    from finestflow import environment

    for module in pkgutil.walk_packages(finestflow.__path__, "finestflow."):
        if not module.name.startswith(_NOT_LOADED):
            importlib.import_module(module.name)
    for name in _LOADED:
        importlib.import_module(name)
    sysconfig.get_config_vars()
    environment.read_packages()


def serve() -> None:
    """Answer requests until the input ends; a child runs its command and ends."""
    load()
    from finestflow import Param, Pipeline, Task  # noqa: F401 - they are loaded when they are looked at

    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    answers = os.dup(1)
    os.dup2(2, 1)
    os.write(answers, b"null\n")
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                os.close(answers)
                _end(request)
        os.write(answers, f"{answer}\n".encode())


def _end(request: dict[str, Any]) -> NoReturn:
    """Do what was asked for, and end as Python would."""
    try:
        code = _become(request)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _become(request: dict[str, Any]) -> int:
    """Turn this fork into the process that was asked for, and do its work."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    importlib.import_module("finestflow").STARTED = time.time()
    for descriptor, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, request["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["finestflow", *request["argv"]]
    sys.dont_write_bytecode = True
    if "code" in request:
        sys.argv = ["-c", *request["argv"]]
        sys.path.insert(0, request["cwd"])
        main_module = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(request["code"], "<string>", "exec"), vars(main_module))
        return 0
    from finestflow.cli import main

    return main(request["argv"])


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[0] = os.getcwd()
    serve()
