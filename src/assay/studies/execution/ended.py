"""A run that has ended, as far as the tables of studies need it: read from its folder, or from a line of a file."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.base.json_files import JsonObject
from assay.base.numbers import is_count, is_number, is_whole
from assay.base.text import quoted
from assay.run.folder import RunFolder
from assay.run.record import read_environment, read_epochs, read_scores, read_summary
from assay.studies.execution.packed import packed, unpacked

if TYPE_CHECKING:
    from assay.run.probing.traces import Traces  # imports torch

STATUSES = ("finished", "diverged")


@dataclass(frozen=True)
class Answers:
    """What a finished run said of the test images, or of the held-out ones where there is no test split.

    Attributes:
        correct: whether each image was classified correctly, ``[images]``.
        most_frequent: the number of images of the most frequent class.
    """

    correct: NDArray[np.bool_]
    most_frequent: int

    @property
    def guessing(self) -> float:
        """The accuracy of always answering the most frequent class, in percent."""
        return 100 * self.most_frequent / len(self.correct)


@dataclass(frozen=True)
class EndedRun:
    """A run that has finished or diverged.

    Attributes:
        summary: its ``summary.json``: figures by split, costs, and the status.
        epochs: figures by epoch.
        environment: versions, commit, hardware, threads.
        answers: of a finished run.
        traces: of a probed run that a line tells of; those of a run folder are read from there, as they are long.
        code: the version of the code that did it; empty where the run lies in a store, whose keys tell.
    """

    summary: JsonObject
    epochs: Sequence[JsonObject] = ()
    environment: JsonObject = field(default_factory=dict)
    answers: Answers | None = None
    traces: Traces | None = None
    code: str = ""

    @property
    def status(self) -> str:
        """``finished`` or ``diverged``."""
        return str(self.summary["status"])

    def to_dict(self) -> JsonObject:
        """Plain values; the answers are packed eight to a byte, the first in its highest bit, in base64."""
        answers = self.answers and {
            "images": len(self.answers.correct),
            "most_frequent": self.answers.most_frequent,
            "correct": base64.b64encode(np.packbits(self.answers.correct).tobytes()).decode(),
        }
        about = {name: value for name, value in self.environment.items() if name != "command"}
        probed = {"traces": packed(self.traces)} if self.traces else {}
        return {
            "summary": self.summary,
            "epochs": list(self.epochs),
            "answers": answers,
            **probed,
            "environment": about,
        }


def read_ended(folder: Path) -> EndedRun | None:
    """Read a run folder; None where the run has not ended.

    Raises:
        ValueError: the record is damaged.
    """
    summary = read_summary(RunFolder(folder).summary)
    if summary.get("status") not in STATUSES:
        return None
    epochs, about = read_epochs(folder / "metrics.jsonl"), read_environment(RunFolder(folder).environment)
    if summary["status"] == "diverged":
        return EndedRun(summary, epochs, about)
    try:
        check_summary(summary)
    except ValueError as error:
        raise ValueError(f"{RunFolder(folder).summary}: {error}") from None
    scores, labels = read_scores(folder, "test" if "test" in summary else "held-out")
    answers = Answers(scores.argmax(1) == labels, int(np.bincount(labels).max()))
    return EndedRun(summary, epochs, about, answers)


def from_dict(values: Mapping[str, Any]) -> EndedRun:
    """The inverse of `EndedRun.to_dict`, with the version of the code under ``code``.

    Raises:
        ValueError: one line that names a value that is missing or of another kind.
    """
    summary, about, code = (values.get(name) for name in ("summary", "environment", "code"))
    if not (isinstance(summary, dict) and isinstance(about, dict) and isinstance(code, str)):
        raise ValueError("expected summary and environment, each a mapping, and code, a text")
    epochs = _epochs(values.get("epochs"))
    if summary.get("status") == "diverged":
        return EndedRun(summary, epochs, about, code=code)
    check_summary(summary)
    traces = unpacked(values["traces"]) if "traces" in values else None  # earlier versions wrote none
    return EndedRun(summary, epochs, about, _answers(values.get("answers")), traces, code)


def check_summary(summary: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` where the figures of a finished run are missing."""
    if summary.get("status") not in STATUSES:
        raise ValueError(f"status: expected {' or '.join(STATUSES)}, not {quoted(summary.get('status'))}")
    measured = [name for name in ("test", "held_out") if name in summary]
    needed = [summary.get(name) for name in ("parameters", "flops", "seconds", "images_per_second")]
    splits = [summary[name] for name in ("train", "test", "held_out") if name in summary]
    needed += [split.get("accuracy") if isinstance(split, dict) else None for split in splits]
    if not measured or not all(map(is_number, needed)):
        raise ValueError("figures are missing")


def _epochs(epochs: Any) -> list[JsonObject]:
    """Return the rows of epochs; raise ``ValueError`` unless all hold numbers under the names of the first."""
    if not isinstance(epochs, list) or not all(isinstance(row, dict) and is_whole(row.get("epoch")) for row in epochs):
        raise ValueError("epochs: expected a list of figures, each with the number of its epoch")
    for row in epochs:
        # A loss that was not finite is null.
        fit = (is_number(value) or (value is None and name.endswith("_loss")) for name, value in row.items())
        if row.keys() != epochs[0].keys() or not all(fit):
            raise ValueError(f"epochs: expected numbers under the same names in each, not {quoted(row)}")
    return epochs


def _answers(values: Any) -> Answers:
    if not isinstance(values, dict):
        raise ValueError(f"answers: expected a mapping, not {quoted(values)}")
    images, most, text = (values.get(name) for name in ("images", "most_frequent", "correct"))
    try:
        packed = np.frombuffer(base64.b64decode(str(text), validate=True), np.uint8)
    except (binascii.Error, ValueError):
        raise ValueError("answers: correct: expected bits in base64") from None
    if not is_count(images) or not is_count(most) or not 0 < most <= images or len(packed) != (images + 7) // 8:
        raise ValueError(f"answers: expected a bit for each image, not {len(packed)} bytes for {quoted(images)}")
    return Answers(np.unpackbits(packed, count=images).astype(bool), most)
