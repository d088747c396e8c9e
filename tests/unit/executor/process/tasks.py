"""Tasks that run in workers."""

from __future__ import annotations

import ctypes
import importlib
import logging
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

from finestflow import Pipeline, Task

FACTOR = 10


class Add(Task):
    k: int = 1

    def run(self, x, y=0):
        return x + y + self.k


class Fill(Task):
    """Use so many MB of memory for a moment."""

    def run(self, size):
        data = b"x" * (size << 20)
        time.sleep(0.002)
        return len(data) >> 20


class Rude(Exception):
    """Ends the process that makes it again."""

    def __reduce__(self):
        return sys.exit, (8,)


def be_rude(message):
    raise Rude(message)


class Where(Task):
    """The process that it runs in."""

    def run(self, *ignored):
        return os.getpid()


class Look(Task):
    """What a module saw when it was loaded, and whether that was in the process that this one was forked from."""

    module: str = ""

    def run(self):
        seen = importlib.import_module(self.module).SEEN
        return {**seen, "preloaded": seen["pid"] == os.getppid()}


class Multiply(Task):
    """Whether numpy was there before the process was, and how many threads it has after some work."""

    def run(self):
        before = "numpy" in sys.modules
        import numpy as np

        matrix = np.ones((600, 600))
        return before, float((matrix @ matrix)[0, 0]), len(os.listdir("/proc/self/task"))


class Model(Task):
    k: int = 1

    def initialize(self):
        self.home = os.getpid(), time.monotonic_ns()

    def run(self, x):
        return self.home


class Draw(Task):
    def run(self):
        return random.random(), self.seed, self.rng.random()


class Talk(Task):
    def run(self, word):
        print("out", word)
        print("err", word, file=sys.stderr)
        os.write(1, f"raw {word}\n".encode())
        ctypes.CDLL(None).puts(f"c {word}".encode())
        ctypes.CDLL(None).fflush(None)
        subprocess.run(["echo", "child", word], check=True)
        logging.getLogger("lab").warning("log %s", word)
        warnings.warn(f"warned {word}", stacklevel=1)


class Report(Task):
    def run(self, path):
        self.log(loss=0.5, step=3)
        self.progress(1, 4)
        print("still here", flush=True)
        wait_for(path)
        self.log(loss=0.25, step=4)
        return "reported"


class Contexts(Task):
    def run(self):
        self.context["written"] = [self.context["given"], self.context.get("nothing")]
        del self.context["old"]
        return list(self.context["other"])


class WriteLock(Task):
    def run(self):
        self.context["lock"] = threading.Lock()
        return os.getpid()


class Raise(Task):
    def run(self, x):
        try:
            return 1 / x
        except ZeroDivisionError as error:
            raise OwnError("cannot", code=7) from error


class OwnError(Exception):
    def __init__(self, text, *, code):
        super().__init__(text)
        self.code = code
        self.add_note("a note of its own")


class Unpicklable(Task):
    def run(self):
        error = ValueError("bad", threading.Lock())
        error.lock = threading.Lock()
        raise error


class End(Task):
    """Ends its process in one of many ways."""

    def run(self, how):
        print("last words")
        if how == "_exit":
            os._exit(3)
        if how == "exit":
            sys.exit(4)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        if how == "segfault":
            ctypes.string_at(0)
        if how == "abort":
            os.abort()


class Busy(Task):
    """Never ends, and tells in files which processes it has."""

    def run(self, folder, how="sleep"):
        folder = Path(folder)
        if how == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        (folder / "child").write_text(str(child.pid))
        (folder / "worker").write_text(str(os.getpid()))
        if how == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        if how == "gil":
            ctypes.PyDLL(None).sleep(600)
        time.sleep(600)


class Give(Task):
    """Returns what cannot be stored."""

    def run(self, what):
        if what == "lambda":
            return lambda x: x * FACTOR
        if what == "lock":
            return threading.Lock()
        return (x for x in range(3))


class Call(Task):
    def run(self, function, x):
        return function(x)


class Held(Task):
    """Says whether a lock is one, and where."""

    def run(self, lock):
        with lock:
            return os.getpid()


class Fork(Task):
    def run(self):
        child = os.fork()
        if child == 0:
            return "child"
        os.waitpid(child, 0)
        return "parent"


class Children(Task):
    """Has processes of its own, as data loaders do."""

    def run(self):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, -2])


class Threads(Task):
    def run(self):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        found = []
        thread = threading.Thread(target=lambda: found.append(os.getpid()))
        thread.start()
        thread.join()
        return found == [os.getpid()]


class Wait(Task):
    def run(self, path):
        wait_for(path)
        return os.getpid()


class Sum(Task):
    def run(self, array, *others):
        array[0] += 1
        return float(array.sum()), all(array is not other for other in others)


class Change(Task):
    def run(self, first, second):
        first.append(1)
        return second


class ReadFile(Task):
    def run(self, path):
        return Path(path).read_text()


class Environment(Task):
    def run(self):
        return {
            "hash": os.environ.get("PYTHONHASHSEED"),
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "group": os.getpgid(0) == os.getpid(),
            "folder": os.getcwd(),
            "stdin": sys.stdin.read(),
            "given": os.environ.get("LAB_GIVEN"),
            "daemon": multiprocessing.current_process().daemon,
        }


class Inner(Pipeline):
    add: Add

    def __call__(self, x):
        return self.add(self.add(x))


class Nested(Task):
    def run(self, x):
        return Inner()(x)


def local_classes(offset):
    """Return classes that only this call knows."""

    class Point:
        def __init__(self, x):
            self.x = x

        def moved(self):
            return Point(self.x + offset)

    class Move(Task):
        def run(self, point):
            return point.moved().x if isinstance(point, Point) else "another class"

    return Point, Move


def wait_for(path):
    """Return when a file is there."""
    while not os.path.exists(path):
        time.sleep(0.005)
