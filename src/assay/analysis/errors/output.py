"""Errors as files: galleries, diagrams and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from assay.analysis.errors import plots
from assay.analysis.errors.galleries import galleries
from assay.analysis.errors.results import Errors
from assay.analysis.figures.plots import save_figure
from assay.base.registry import choose
from assay.base.row_files import write_rows

FORMATS = ("png", "svg")
GALLERY = 40
MOST = 200


@dataclass(frozen=True)
class Output:
    """Where errors are written, and in what form.

    Attributes:
        folder: of the files; made where it is missing.
        formats: of the figures: ``png``, ``svg``.
        limit: images in a gallery, from 1 to 200.
        pair: a label and an answer, whose mistakes get a gallery of their own.

    Raises:
        ValueError: one line; a file in the folder's place, another format or limit.
    """

    folder: Path
    formats: Sequence[str] = FORMATS
    limit: int = GALLERY
    pair: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        for name in self.formats:
            choose("format", name, dict.fromkeys(FORMATS))
        if not 1 <= self.limit <= MOST:
            raise ValueError(f"limit: {self.limit} is not from 1 to {MOST}")
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder}: a file, not a folder for the pictures")

    def write(self, found: Errors) -> tuple[Path, ...]:
        """Write every table, and every figure that the opened data allow; the files, in order.

        Raises:
            ValueError: the pair is of unknown classes, or never confused. Nothing has been written then.
        """
        figures = {one.name: plots.plot_gallery(one, self.limit) for one in galleries(found, self.pair)}
        figures |= _diagrams(found)
        self.folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, figure in figures.items():
            for kind in self.formats:
                files.append(self.folder / f"{name}.{kind}")
                save_figure(figure, files[-1])
        for name, rows in _tables(found).items():
            files.append(self.folder / f"{name}.csv")
            write_rows(files[-1], rows)
        return tuple(files)


def _diagrams(found: Errors) -> dict[str, Figure]:
    """The figures that take no pictures."""
    several = len(found.runs) > 1
    title = f"{f'{len(found.runs)} runs' if several else found.runs[0]}, {found.split}"
    made = {"calibration": plots.plot_calibration(found.calibration, f"{title}: calibration")}
    if several:
        made["wrong-in-runs"] = plots.plot_wrong_in_runs(found.wrong_in_runs, f"{title}: how many fail on an image")
    return made


def _tables(found: Errors) -> dict[str, list[dict[str, Any]]]:
    """Everything that was found, by the name of its file; what found nothing has no file."""
    flips, issues = found.flips, found.label_issues
    tables = {
        "mistakes": [asdict(mistake) for mistake in found.mistakes],
        "confusions": [{**asdict(pair), "share": pair.share} for pair in found.confusions],
        "calibration": [{"run": run.run, **asdict(part)} for run in found.calibration for part in run.bins],
        "wrong-in-runs": [asdict(row) for row in found.wrong_in_runs],
        "always-wrong": [asdict(mistake) for mistake in found.always_wrong],
        "flips": [] if flips is None else [asdict(flip) for flip in flips.images],
        "label-errors": [] if issues is None else [asdict(issue) for issue in issues.items],
    }
    return {name: rows for name, rows in tables.items() if rows}
