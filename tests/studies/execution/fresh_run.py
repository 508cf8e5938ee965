"""What a run imports in a process that has imported nothing else, and what state a fork server is in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CODE = """
import json, os, sys
from pathlib import Path
from assay.studies.execution import fork_server
at_first = [*sys.modules]
fork_server.import_all()
import torch
gpu = torch.cuda.is_initialized()
tasks = [number for number in os.listdir("/proc/self/task") if int(number) != os.getpid()]
threads = sorted({Path(f"/proc/self/task/{number}/comm").read_text().strip() for number in tasks})
before = set(sys.modules)
from assay.recipe.recipe import Recipe
recipe = {"data.size": 16, "train.epochs": 1, "train.threads": 1, "probe.every": 10}
fork_server.child.run(Recipe().but(recipe), Path(sys.argv[1]))
print(json.dumps([at_first, gpu, threads, [*sys.modules], sorted(set(sys.modules) - before)]))
"""


@dataclass(frozen=True)
class FreshRun:
    """A run in a new process that is warmed up as a fork server is.

    Attributes:
        imported_at_first: modules before it is warmed up.
        has_touched_the_gpu: after that.
        threads: names of those beside the main one, likewise.
        imported: all modules after the run.
        imported_late: those that the run has imported.
    """

    imported_at_first: list[str]
    has_touched_the_gpu: bool
    threads: list[str]
    imported: list[str]
    imported_late: list[str]


def do_fresh_run(folder: Path) -> FreshRun:
    """Do the run in that folder."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CODE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return FreshRun(*json.loads(done.stdout.splitlines()[-1]))
