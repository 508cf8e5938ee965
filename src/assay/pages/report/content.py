"""What a page says: plain values of runs and studies, with a remark wherever something is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.analysis.errors.results import Errors
from assay.classifier.evaluation import Evaluation
from assay.models.kernels import Kernels
from assay.run.record import RunRecord
from assay.studies.api import StudyReport


@dataclass(frozen=True)
class RunPart:
    """A run's part of the page.

    Attributes:
        key: unique in the page, and valid as an HTML id.
        name: what the page calls the run.
        folder: the run folder.
        record: None if it cannot be read.
        split: the split of the errors and the confusions.
        errors: what the run gets wrong; None if it left no scores.
        evaluation: on the split; None if the run left no scores.
        kernels: of its first layer; None if there is no model, or its first layer has none.
        remarks: what is missing, and why, a line each.
    """

    key: str
    name: str
    folder: Path
    record: RunRecord | None
    split: str = "test"
    errors: Errors | None = None
    evaluation: Evaluation | None = None
    kernels: Kernels | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyPart:
    """A study's part of the page; ``report`` is None if it cannot be read, and the remarks then say why."""

    key: str
    name: str
    folder: Path
    report: StudyReport | None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class JointErrors:
    """What several runs get wrong on the same images.

    Attributes:
        names: of the runs, in the order of ``errors.runs``.
        errors: None if the runs cannot be compared.
        remark: why they cannot be compared; else empty.
    """

    names: tuple[str, ...]
    errors: Errors | None
    remark: str = ""


@dataclass(frozen=True)
class Report:
    """All that a page says.

    Attributes:
        title: of the page.
        command: the command that makes the page again.
        runs: those that were named, and those of the studies.
        studies: in the order in which they were named.
        together: for each set of images that several runs were measured on, what they get wrong.
    """

    title: str
    command: str
    runs: tuple[RunPart, ...]
    studies: tuple[StudyPart, ...]
    together: tuple[JointErrors, ...] = ()
