"""Runs of others, and the row and the seed that each is of."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What tells runs of one row apart in the names of folders: seeds, and the numbers that loggers give.
_SEED = re.compile(r"(?:^|[-_. ])seed[-_=. ]?(\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"^(?:version|run|trial|rep|fold)[-_]?(\d+)$", re.IGNORECASE)
_SEED_FIELDS = ("seed", "random_seed", "train.seed", "args.seed")


@dataclass(frozen=True)
class Run:
    """A run with its score.

    Attributes:
        row: the name of what was run; runs of one row differ by the seed alone.
        seed: distinguishes the runs of a row; None where the source does not tell it.
        score: as it was written; nan where the run was lost.
        answers: whether each image was classified correctly, by the image's name; empty where it is unknown.
    """

    row: str
    seed: int | None
    score: float
    answers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class LoggedRun:
    """What a logger left of a run.

    Attributes:
        folder: that holds it.
        figures: each metric's values, in the order in which they were logged.
        fields: the run's settings, by name; empty where the logger keeps none.
    """

    folder: Path
    figures: Mapping[str, Sequence[float]]
    fields: Mapping[str, Any] = field(default_factory=dict)


def named(logged: Sequence[LoggedRun]) -> list[tuple[str, int | None]]:
    """Return the row and the seed of each logged run.

    Rows are named by the settings in which runs differ, but for the seed, where all runs have settings that differ;
    else by their folders, without the parts that tell a seed or a number, and without what all have in common.
    """
    fields = [{str(name): run.fields[name] for name in run.fields} for run in logged]
    names = sorted({name for own in fields for name in own} - {*_SEED_FIELDS})
    differing = [name for name in names if len({repr(own.get(name)) for own in fields}) > 1]
    seeds = [_seed(run) for run in logged]
    if differing and all(fields):
        rows = [", ".join(f"{name} {own.get(name, 'unset')}" for name in differing) for own in fields]
        return list(zip(rows, seeds, strict=True))
    return list(zip(_folders([run.folder for run in logged]), seeds, strict=True))


def _seed(run: LoggedRun) -> int | None:
    given = next((run.fields[name] for name in _SEED_FIELDS if name in run.fields), None)
    if given is not None and re.fullmatch(r"\d+", str(given)):
        return int(given)
    for pattern in (_SEED, _NUMBER):
        for part in reversed(run.folder.parts):
            if match := pattern.search(part):
                return int(match[1])
    return None


def _folders(folders: Sequence[Path]) -> list[str]:
    """Name rows by folders: of runs in ``logs/plain/seed0`` and ``logs/mixup-seed0``, ``plain`` and ``mixup``."""
    cleaned = []
    for folder in folders:
        parts = [_SEED.sub("", part) for part in folder.parts if not _NUMBER.match(part)]
        cleaned.append(Path(*(part for part in parts if part)))
    common = os.path.commonpath(cleaned)
    rows = [str(path.relative_to(common)) for path in cleaned]
    return [Path(common).name or "runs" if row == "." else row for row in rows]


def numbered(runs: Sequence[Run]) -> dict[str, dict[int, Run]]:
    """Group runs by row and seed; runs without a seed get the lowest free numbers of their row.

    Raises:
        ValueError: two runs of a row have the same seed.
    """
    rows: dict[str, dict[int, Run]] = {}
    for (row, seed), count in Counter((run.row, run.seed) for run in runs if run.seed is not None).items():
        if count > 1:
            raise ValueError(f"row {row!r}: {count} runs have seed {seed}; each seed is expected once")
    for run in runs:
        own = rows.setdefault(run.row, {})
        taken = {other.seed for other in runs if other.row == run.row} | own.keys()
        seed = next(number for number in itertools.count() if number not in taken) if run.seed is None else run.seed
        own[seed] = run
    return rows


def answers_in_order(runs: Sequence[Run]) -> list[NDArray[np.bool_] | None]:
    """Return each run's answers to the images that all runs have, in one order; None where a run has none.

    Raises:
        ValueError: two runs answer for different images.
    """
    known = [run for run in runs if run.answers]
    images = sorted(known[0].answers) if known else []
    for run in known:
        if run.answers.keys() != known[0].answers.keys():
            raise ValueError(
                f"row {run.row!r}: its {len(run.answers)} images are not the {len(images)} of row {known[0].row!r}"
            )
    return [np.array([run.answers[image] for image in images]) if run.answers else None for run in runs]
