"""Which code decides the numbers of a run."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from assay.run.environment import LIBRARIES

ROOMS = ("base", "classifier", "data", "models", "recipe", "run", "training")
EXEMPT = {
    "base.allocator": "where freed memory goes",
    "base.moderated": "tests of finished runs",
    "base.palette": "the colours of pictures",
    "base.row_files": "tables of results",
    "base.statistics": "intervals and tests of finished runs",
    "base.superiority": "how often finished runs beat others",
    "base.text": "the words of messages",
    "base.user_errors": "which errors are explained without a traceback",
    "classifier.accuracy": "how an accuracy is written",
    "classifier.prediction": "labels for new images",
    "data.check": "findings about a set of images",
    "data.inputs": "images for a finished network",
    "recipe.commented": "a recipe as people read it",
    "recipe.named": "a run's key holds the whole recipe, wherever it is from",
    "run.benchmark": "the speed of a machine",
    "run.adapt": "a run's key holds the whole recipe, however it was changed",
    "run.cross_validation": "several runs one after another",
    "run.environment": "on what a run ran",
    "run.folder": "the names of files, and whether a run may begin or continue",
    "run.group": "which processes there are, and how they meet",
    "run.launch": "how processes are started",
    "run.lengths": "a run's key holds the whole recipe, however it was changed",
    "run.out_of_fold": "the answers of several finished runs",
    "run.precision": "a run's key holds the type that was chosen",
    "run.progress": "what the terminal shows",
    "run.propose": "a run's key holds the whole recipe, whoever chose it",
    "run.record": "how a finished run is read",
    "run.resumption": "whether a run may continue",
    "run.tracking": "the log for TensorBoard, which only watches",
    "studies": "which runs there are, and where they run",
    "training.arithmetic": "which type is fastest: a run's key holds the one that was chosen",
    "training.lr_finder": "a sweep of its own, before any run",
    "version": "the release, which is older than its code",
}
"""Modules and packages that change no number of a run, with the reason: what they are about."""


@cache
def code_version() -> str:
    """Return 16 hexadecimal digits that change with the code that decides a run's numbers, and with its libraries.

    That is the code of the rooms but for what is exempt: it may change without a run being done again. A file that
    moves changes the version too, as its path within the package is hashed with its content.
    """
    root = Path(__file__).parents[2]
    versions = "\0".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    digest = hashlib.sha256(versions.encode())
    for file in sorted(file for room in ROOMS for file in (root / room).rglob("*.py")):
        path = file.relative_to(root)
        if is_hashed(".".join(path.with_suffix("").parts)):
            digest.update(str(path).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def is_hashed(module: str) -> bool:
    """Whether a module, named from within the package, is part of the version."""
    names = module.split(".")
    return names[0] in ROOMS and not any(".".join(names[:count]) in EXEMPT for count in range(1, len(names) + 1))
