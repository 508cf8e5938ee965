"""From folders to what a page says: plain values, with a remark where something is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.analysis.errors.answers import Answers, Opened, answer_all, of_the_same_images
from assay.analysis.errors.api import summarise
from assay.analysis.errors.results import Errors
from assay.classifier.classifier import MODEL_FILE, load
from assay.classifier.split_request import SplitRequest
from assay.models.kernels import Kernels, first_kernels
from assay.pages.report.find import Found, find_folders
from assay.run.record import SCORES_FILE, RunRecord
from assay.studies.api import StudyReport, show_study
from assay.studies.folder import read_plan, store_of

_MOST_PICTURES, _ALL_PICTURES = 24, 200  # of one run, and of a page


@dataclass(frozen=True)
class RunPart:
    """A run's part of the page.

    Attributes:
        key: unique in the page, and fit for an id.
        name: what the page calls the run.
        folder: where it lies.
        record: what it left; None where it cannot be read.
        split: whose answers the errors and the confusions are of.
        errors: what it gets wrong; None where it left no answers.
        confusion: counts, int64 ``[K, K]``, row the label, column the answer; None likewise.
        kernels: of its first layer; None where there is no model, or none in it.
        remarks: what is missing, and why, a line each.
    """

    key: str
    name: str
    folder: Path
    record: RunRecord | None
    split: str = "test"
    errors: Errors | None = None
    confusion: NDArray[np.int64] | None = None
    kernels: Kernels | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyPart:
    """A study's part of the page; ``report`` is None where it cannot be read, and the remarks then say why."""

    key: str
    name: str
    folder: Path
    report: StudyReport | None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Together:
    """What several runs with answers for the same images get wrong.

    Attributes:
        names: of the runs, in the same order.
        errors: None where the runs cannot be compared.
        remark: why they cannot.
    """

    names: tuple[str, ...]
    errors: Errors | None
    remark: str = ""


@dataclass(frozen=True)
class Report:
    """All that a page says.

    Attributes:
        title: of the page.
        command: what makes it again.
        runs: those that were named, and those of the studies.
        studies: in the order in which they were named.
        together: for each set of images that several runs have answered for, what they get wrong, or why that
            cannot be said.
    """

    title: str
    command: str
    runs: tuple[RunPart, ...]
    studies: tuple[StudyPart, ...]
    together: tuple[Together, ...] = ()


def collect(
    paths: Sequence[str | Path], *, title: str = "", command: str = "", root: str | Path | None = None
) -> Report:
    """Read everything; ``build_page`` says what the arguments are and what is raised."""
    found = find_folders(paths)
    studies = tuple(_study_part(f"study-{place}", folder) for place, folder in enumerate(found.studies, start=1))
    names = _names(found)
    most = max(4, min(_MOST_PICTURES, _ALL_PICTURES // max(len(names), 1)))
    opened: Opened = {}
    parts = [
        _run_part(f"run-{place}", name, folder, most, root, opened)
        for place, (folder, name) in enumerate(names.items(), start=1)
    ]
    runs, answers = tuple(run for run, _ in parts), {run.key: said for run, said in parts if said is not None}
    return Report(title or _title(paths), command, runs, studies, _together(runs, answers, most))


def _title(paths: Sequence[str | Path]) -> str:
    return ", ".join(dict.fromkeys(Path(path).expanduser().resolve().name for path in paths))


def _names(found: Found) -> dict[Path, str]:
    """Every run, with a name: a study's row and seed, or as much of the path as tells it from the others.

    One that several rows or studies share has all its names.
    """
    names: dict[Path, list[str]] = {}
    for study in found.studies:
        for folder, name in _runs_of(study):
            names.setdefault(folder, []).append(f"{study.name}: {name}" if len(found.studies) > 1 else name)
    alone = [path for path in found.runs if path.resolve() not in names]
    return {**_short_names(alone), **{folder: " = ".join(several) for folder, several in names.items()}}


def _runs_of(study: Path) -> Iterator[tuple[Path, str]]:
    """The runs that a study has begun, with each one's row and seed."""
    try:
        plan = read_plan(study)
    except ValueError:
        return
    store = store_of(study.parent)
    for row, jobs in plan.jobs.items():
        for seed, job in jobs.items():
            folder = store.folder(job).resolve()
            if (folder / "recipe.yaml").is_file():
                yield folder, f"{row}, seed {seed}"


def _short_names(folders: Sequence[Path]) -> dict[Path, str]:
    """The last part of each path, or as many parts as tell it from the others."""
    parts = {folder: folder.resolve().parts[1:] for folder in folders}
    names, length = {folder: folder.resolve().name for folder in folders}, 1
    while length < max(map(len, parts.values()), default=0):
        counts = Counter(names.values())
        twice = [folder for folder in folders if counts[names[folder]] > 1]
        if not twice:
            break
        length += 1
        names |= {folder: "/".join(parts[folder][-length:]) for folder in twice}
    return names


def _study_part(key: str, folder: Path) -> StudyPart:
    try:
        return StudyPart(key, folder.name, folder, show_study(folder))
    except (ValueError, OSError) as error:
        return StudyPart(key, folder.name, folder, None, (f"The study cannot be read: {error}.",))


def _run_part(
    key: str, name: str, folder: Path, most: int, root: str | Path | None, opened: Opened
) -> tuple[RunPart, Answers | None]:
    try:
        record = RunRecord.read(folder)
    except (ValueError, OSError) as error:
        return RunPart(key, name, folder, None, remarks=(f"The record cannot be read: {error}.",)), None
    remarks = list(_state(record))
    kernels = _kernels(folder, remarks)
    split = "test" if "test" in record.summary else "held-out"
    answers = _answers(record, split, root, opened, remarks)
    errors = None if answers is None else summarise([answers], limit=most)
    confusion = None if answers is None else _confusion(answers)
    return RunPart(key, name, folder, record, split, errors, confusion, kernels, tuple(remarks)), answers


def _state(record: RunRecord) -> list[str]:
    """What has to be said of how the run stands."""
    status, done = record.summary.get("status"), len(record.metrics)
    if status == "finished":
        return []
    if status == "diverged":
        return [f"Diverged in epoch {record.summary.get('epoch', 'unknown')}: the loss is not finite any more."]
    return [f"Not finished: {done} of {record.recipe.train.epochs} epochs are done, so there are no test figures yet."]


def _kernels(folder: Path, remarks: list[str]) -> Kernels | None:
    if not (folder / MODEL_FILE).is_file():
        remarks.append(f"No kernels: there is no {MODEL_FILE} yet.")
        return None
    try:
        return first_kernels(load(folder).network)
    except ValueError as error:
        remarks.append(f"No kernels: {error}.")
        return None


def _answers(
    record: RunRecord, split: str, root: str | Path | None, opened: Opened, remarks: list[str]
) -> Answers | None:
    """What the run answered for the split; None, and a remark, where that cannot be said."""
    if record.summary.get("status") != "finished":
        return None
    if not (record.folder / SCORES_FILE).is_file():
        remarks.append(
            f"No confusions and no mistakes: the run left no answers ({SCORES_FILE}); an older version did not."
        )
        return None
    try:
        (answers,) = answer_all([record.folder], SplitRequest(split, root=root), opened)
    except (ValueError, OSError) as error:
        remarks.append(f"No confusions and no mistakes: {error}.")
        return None
    if answers.pictures is None:
        remarks.append("No pictures of the mistakes: the images are not at hand.")
    else:
        remarks += [f"{remark}." for remark in answers.remarks]
    return answers


def _confusion(answers: Answers) -> NDArray[np.int64]:
    """How often each label, by row, was given each answer."""
    counts = np.zeros((len(answers.classes),) * 2, np.int64)
    np.add.at(counts, (answers.labels, answers.predicted), 1)
    return counts


def _together(runs: Sequence[RunPart], answers: Mapping[str, Answers], most: int) -> tuple[Together, ...]:
    """The runs' errors by set of images; where there are two runs of a set, with what flips between them."""
    groups: dict[tuple[str, str], list[RunPart]] = {}
    for run in runs:
        if run.key in answers and run.record is not None:
            groups.setdefault((run.record.recipe.data.name, run.split), []).append(run)
    return tuple(_errors_of(group, answers, most) for group in groups.values() if len(group) > 1)


def _errors_of(runs: Sequence[RunPart], answers: Mapping[str, Answers], most: int) -> Together:
    names = tuple(run.name for run in runs)
    try:
        found = of_the_same_images([answers[run.key] for run in runs])
    except ValueError as error:  # cut in other ways, so that the images are not the same
        return Together(names, None, f"{', '.join(names)}: not compared: {error}.")
    return Together(names, summarise(found, found[1] if len(found) == 2 else None, most))
