"""Cells of a notebook: tasks that are defined, run in workers, and defined anew."""

import json

from IPython.core.interactiveshell import InteractiveShell

CELLS = [
    "import dataclasses, os\nfrom finestflow import Pipeline, Task\nFACTOR = 3",
    "@dataclasses.dataclass\nclass Point:\n    x: int = 1",
    "def scaled(x):\n    return x * FACTOR",
    """
class Make(Task):
    def run(self, x):
        return Point(scaled(x)), os.getpid()

class Whole(Pipeline):
    make: Make

    def __call__(self):
        return [self.make(x).value for x in (1, 2)]

def run():
    found = whole()
    return [[type(point) is Point, point.x, pid != os.getpid()] for point, pid in found]

whole = Whole().options(jobs=2)
results = [run()]
""",
    "def scaled(x):\n    return x * FACTOR + 1\nresults.append(run())",
    "FACTOR = 10\nresults.append(run())",
    "print(json.dumps([results, [note for node in whole.last_run.nodes.values() for note in node.notes if 'ran in' in note]]))",
]

shell = InteractiveShell.instance()
shell.user_ns["json"] = json
for cell in CELLS:
    shell.run_cell(cell, store_history=True).raise_error()
