"""Errors as files: galleries, diagrams and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.analysis.errors.diagrams import plot_calibration, plot_wrong_in_runs
from assay.analysis.errors.galleries import galleries
from assay.analysis.errors.results import Errors
from assay.analysis.output import FORMATS, check_output, write_output
from assay.classifier.calibration import Bin

GALLERY, MOST = 40, 200  # images of a gallery: by default, and at most


@dataclass(frozen=True)
class Output:
    """Writes errors to files.

    Attributes:
        folder: of the files; made where it is missing.
        formats: of the figures: ``png``, ``svg``.
        limit: images in a gallery, from 1 to 200.
        pair: a label and an answer, whose mistakes get a gallery of their own.

    Raises:
        ValueError: a file in the folder's place, another format or limit.
    """

    folder: Path
    formats: Sequence[str] = FORMATS
    limit: int = GALLERY
    pair: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST:
            raise ValueError(f"limit: {self.limit} is not from 1 to {MOST}")
        check_output(self.folder, self.formats)

    def write(self, found: Errors) -> tuple[Path, ...]:
        """Write every table, and every figure that the opened data allow; return the files, in order.

        Raises:
            ValueError: the pair is of unknown classes, or never confused. Nothing has been written then.
        """
        figures = {one.name: one.plot(self.limit) for one in galleries(found, self.pair)}
        title = f"{f'{len(found.runs)} runs' if len(found.runs) > 1 else found.runs[0]}, {found.split}"
        figures["calibration"] = plot_calibration(found.calibration, f"{title}: calibration")
        if found.wrong_in_runs:
            figures["wrong-in-runs"] = plot_wrong_in_runs(found.wrong_in_runs, f"{title}: how many fail on an image")
        return write_output(self.folder, self.formats, figures, _tables(found))


def _of_bin(run: str, part: Bin) -> dict[str, Any]:
    low, high = part.interval or (math.nan, math.nan)
    return {"run": run, **asdict(part), "accuracy_low": low, "accuracy_high": high}


def _tables(found: Errors) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table by the name of its file; a table without rows has no file."""
    flips, issues = found.flips, found.label_issues
    tables = {
        "mistakes": [asdict(mistake) for mistake in found.mistakes],
        "confusions": [{**asdict(pair), "share": pair.share} for pair in found.confusions],
        "calibration": [_of_bin(run.run, part) for run in found.calibration for part in run.bins],
        "wrong-in-runs": [asdict(row) for row in found.wrong_in_runs],
        "always-wrong": [asdict(mistake) for mistake in found.always_wrong],
        "flips": [] if flips is None else [asdict(flip) for flip in flips.images],
        "label-errors": [] if issues is None else [asdict(issue) for issue in issues.items],
    }
    return {name: rows for name, rows in tables.items() if rows}
