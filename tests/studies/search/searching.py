"""A search over pretended runs, and processes that do it, forked from a warm one: ``python searching.py SOCKET``.

The file ``asked.json`` in a request's folder says how they search there, and how many of them.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from optuna.pruners import NopPruner

from assay.base.json_files import write_json
from assay.recipe.recipe import Recipe
from assay.run.folder import RunFolder
from assay.studies.conduct import Execute
from assay.studies.execution import child, fork_server
from assay.studies.execution.local import Watch
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.search.budget import Budget
from assay.studies.search.result import SearchResult
from assay.studies.search.search import search
from assay.studies.search.workers import Workers

BASE = Recipe().but({"train.epochs": 4, "optim.lr": 0.01})
OVER = ["optim.lr=0.001..1", "augment.cutout=0..8"]


def by_rate(recipe: Recipe) -> list[float]:
    """Best at a rate of 0.1; cutout hardly matters."""
    best = 0.95 - 0.1 * math.log10(recipe.optim.lr / 0.1) ** 2 - 0.0001 * recipe.augment.cutout
    return [best * epoch / 4 for epoch in range(1, 5)]


def look(
    tmp_path: Path,
    execute: Execute,
    over: Sequence[str] = OVER,
    *,
    storage: str | None = None,
    workers: Workers | None = None,
    **budget: Any,
) -> SearchResult:
    """Search with the recipe of these tests, in that folder, without the confirmation."""
    return search(
        BASE,
        over,
        out=tmp_path / "studies" / "search",
        storage=storage,
        budget=Budget(**{"trials": 12, "confirm_seeds": (), **budget}),
        workers=replace(workers or Workers(), execute=execute),
        progress=False,
    )


@dataclass(frozen=True)
class Asked:
    """What the processes of a request do.

    Attributes:
        trials: of the search.
        storage: of the trials.
        processes: that search; in its first run each waits until the others have begun one, so that all take part.
        dies_in: the run, counted from 1, after whose first epoch the process kills itself.
    """

    trials: int
    storage: str | None
    processes: int = 1
    dies_in: int | None = None

    def write(self, folder: Path) -> None:
        """Leave it where the processes find it."""
        (folder / "asked.json").write_text(json.dumps(asdict(self)))


def _search(folder: Path, asked: Asked) -> None:
    begun = folder / "begun.txt"

    def execute(jobs: Sequence[Job], store: Store, watch: Watch) -> Iterator[tuple[Job, Outcome]]:
        [job] = jobs
        files = RunFolder(store.folder(job))
        files.path.mkdir(parents=True, exist_ok=True)
        with begun.open("a") as file:
            file.write(f"{job.key}\n")
        (folder / f"{os.getpid()}.searcher").touch()
        end = time.monotonic() + 60
        while len(list(folder.glob("*.searcher"))) < asked.processes:
            assert time.monotonic() < end, "the others never came"
            time.sleep(0.02)
        accuracies = by_rate(job.recipe)
        for epoch, accuracy in enumerate(accuracies, 1):
            files.metrics.append({"epoch": epoch, "held_out_accuracy": accuracy})
            watch(job)
            if len(begun.read_text().split()) == asked.dies_in:
                os.kill(os.getpid(), signal.SIGKILL)
        write_json(files.summary, {"status": "finished", "held_out": {"accuracy": max(accuracies)}})
        yield job, Outcome("finished")

    look(folder, execute, trials=asked.trials, storage=asked.storage, pruner=NopPruner())


def main(folder: Path) -> int:
    """Search as it was asked for; 0 where all processes came to their end."""
    asked = Asked(**json.loads((folder / "asked.json").read_text()))
    for _ in range(1, asked.processes):
        if os.fork() == 0:
            _search(folder, asked)
            return 0
    _search(folder, asked)
    others = [os.wait()[1] for _ in range(1, asked.processes)]
    return int(any(others))


if __name__ == "__main__":
    child.main = main
    fork_server._LAZY = ()  # a run is only pretended
    fork_server.main(socket.socket(fileno=int(sys.argv[1])))
