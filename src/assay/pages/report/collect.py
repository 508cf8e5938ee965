"""From run folders and study folders to what a page says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.analysis.errors.api import summarise
from assay.analysis.errors.runs import EvaluatedRun, Opened, evaluate_runs, of_same_images
from assay.classifier.classifier import MODEL_FILE, load
from assay.classifier.split_request import SplitRequest
from assay.data.choices import OUT_OF_FOLD
from assay.models.kernels import Kernels, first_kernels
from assay.pages.report.content import JointErrors, Report, RunPart, StudyPart
from assay.pages.report.find import MOST_RUNS, find_folders, name_runs
from assay.run.folder import FOLDS
from assay.run.record import SCORES_FILE, RunRecord, read_summary
from assay.studies.api import show_study
from assay.studies.folder import store_of

# Pictures of one run, at least and at most, and of a whole page, which would load slowly with more.
_FEWEST_PICTURES, _MOST_PICTURES, _ALL_PICTURES = 4, 24, 200


def collect(
    paths: Sequence[str | Path], *, title: str = "", command: str = "", root: str | Path | None = None
) -> Report:
    """Read everything that a page says; arguments and exceptions are those of ``build_page``."""
    found = find_folders(paths)
    studies = tuple(
        _study_part(f"study-{place}", folder, len(runs))
        for place, (folder, runs) in enumerate(found.of_studies.items(), start=1)
    )
    names = name_runs(found)
    most = max(_FEWEST_PICTURES, min(_MOST_PICTURES, _ALL_PICTURES // max(len(names), 1)))
    reader = _RunReader(root, most)
    runs = tuple(reader.read(f"run-{place}", *named) for place, named in enumerate(names.items(), start=1))
    title = title or ", ".join(dict.fromkeys(Path(path).expanduser().resolve().name for path in paths))
    return Report(title, command, runs, studies, tuple(reader.together(runs)))


def _study_part(key: str, folder: Path, runs: int) -> StudyPart:
    try:
        report = show_study(folder)
    except (ValueError, OSError) as error:
        return StudyPart(key, folder.name, folder, None, (f"The study cannot be read: {error}.",))
    if any(row.results or row.failures for row in report.results.rows):
        many = f"Its {runs:,} runs are not shown one by one, as they are more than {MOST_RUNS}; name some of them."
        return StudyPart(key, folder.name, folder, report, (many,) if runs > MOST_RUNS else ())
    remark = f"No run of this study has ended, or its runs are not in {store_of(folder.parent).root}."
    return StudyPart(key, folder.name, folder, report, (remark,))


@dataclass
class _RunReader:
    """Reads runs one after another.

    Attributes:
        root: the folder that holds the named sets of images; None for each run's own.
        most: how many mistakes to list of a run.
        evaluated: the runs that have been read and have left scores, by their keys.
        opened: sets of images, which are opened once for all runs that cut them alike.
    """

    root: str | Path | None
    most: int
    evaluated: dict[str, EvaluatedRun] = field(default_factory=dict)
    opened: Opened = field(default_factory=dict)

    def read(self, key: str, folder: Path, name: str) -> RunPart:
        """Return the run's part of the page, with remarks on what is missing."""
        try:
            record = RunRecord.read(folder)
        except (ValueError, OSError) as error:
            return RunPart(key, name, folder, None, remarks=(f"The record cannot be read: {error}.",))
        remarks = _remarks_on_end(record)
        kernels = _kernels(folder, remarks)
        measured = [split for split in ("test", OUT_OF_FOLD) if split.replace("-", "_") in record.summary]
        split = next(iter(measured), "held-out")
        errors = evaluation = None
        evaluated = self._evaluate(record, split, remarks)
        if evaluated is not None:
            self.evaluated[key] = evaluated
            errors, evaluation = summarise([evaluated], limit=self.most), evaluated.evaluation
        return RunPart(key, name, folder, record, split, errors, evaluation, kernels, tuple(remarks))

    def _evaluate(self, record: RunRecord, split: str, remarks: list[str]) -> EvaluatedRun | None:
        """Return the run with its evaluation on the split, or add a remark on why there is none."""
        if record.summary.get("status") != "finished":
            return None
        if not (record.folder / SCORES_FILE).is_file():
            remarks.append(
                f"No confusions and no mistakes: the run left no answers ({SCORES_FILE}); an older version did not."
            )
            return None
        try:
            (evaluated,) = evaluate_runs([record.folder], SplitRequest(split, root=self.root), self.opened)
        except (ValueError, OSError) as error:
            remarks.append(f"No confusions and no mistakes: {error}.")
            return None
        if evaluated.evaluation.dataset is None:
            remarks.append("No pictures of the mistakes: the images are not at hand.")
        else:
            remarks += [f"{remark}." for remark in evaluated.remarks]
        return evaluated

    def together(self, runs: Sequence[RunPart]) -> Iterator[JointErrors]:
        """Yield what the runs of each set of images get wrong, for sets with two runs or more."""
        groups: dict[tuple[str, str, int | None], list[RunPart]] = {}
        for run in runs:
            if run.key in self.evaluated and run.record is not None:
                data = run.record.recipe.data
                groups.setdefault((data.name, run.split, data.fold), []).append(run)  # folds have no image in common
        for group in groups.values():
            names = tuple(run.name for run in group)
            if len(names) == 1:
                continue
            try:
                found = of_same_images([self.evaluated[run.key] for run in group])
            except ValueError as error:  # the set was cut in other ways, so that the images are not the same
                yield JointErrors(names, None, f"{', '.join(names)}: not compared: {error}.")
            else:
                # Flips are between two runs, so only a pair has them.
                yield JointErrors(names, summarise(found, found[1] if len(found) == 2 else None, self.most))


def _remarks_on_end(record: RunRecord) -> list[str]:
    status, done = record.summary.get("status"), len(record.metrics)
    if status == "finished":
        return []
    if status == "diverged":
        return [f"Diverged in epoch {record.summary.get('epoch', 'unknown')}: the loss is not finite any more."]
    if record.recipe.is_cross_validated and not done:
        return _remarks_on_folds(record)
    return [f"Not finished: {done} of {record.recipe.train.epochs} epochs are done, so there are no test figures yet."]


def _remarks_on_folds(record: RunRecord) -> list[str]:
    ends, damaged = [], []
    for summary in sorted(record.folder.glob(f"{FOLDS}/*/summary.json")):
        try:
            ends.append(read_summary(summary).get("status"))
        except ValueError as error:
            damaged.append(f"The record of a fold cannot be read: {error}.")
    done = f"{ends.count('finished')} of {record.recipe.data.folds} folds are done"
    return [f"Not finished: {done}; the final model comes then.", *damaged]


def _kernels(folder: Path, remarks: list[str]) -> Kernels | None:
    """Return the kernels of the run's first layer, or add a remark on why there are none."""
    if not (folder / MODEL_FILE).is_file():
        remarks.append(f"No kernels: there is no {MODEL_FILE} yet.")
        return None
    try:
        return first_kernels(load(folder).network)
    except ValueError as error:
        remarks.append(f"No kernels: {error}.")
        return None
