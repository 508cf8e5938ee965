"""What runs get wrong: the function behind ``assay errors``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assay.analysis.errors.agreement import count_wrong, find_always_wrong
from assay.analysis.errors.label_errors import cleanlab_filter, find_label_issues
from assay.analysis.errors.mistakes import find_confusions, find_flips, find_mistakes
from assay.analysis.errors.results import Calibration, Errors
from assay.analysis.errors.runs import EvaluatedRun, evaluate_runs
from assay.classifier.classifier import model_path
from assay.classifier.split_request import SplitRequest
from assay.data.choices import OUT_OF_FOLD
from assay.data.images import BadImageError


def find_errors(
    runs: Sequence[str | Path],
    *,
    against: str | Path | None = None,
    label_errors: bool = False,
    label_split: str | None = None,
    data: SplitRequest | str | None = None,
    limit: int | None = None,
) -> Errors:
    """Find what one or several runs get wrong on the same images.

    Args:
        runs: run folders or ``model.safetensors`` files.
        against: another run, to see which images flip between the first run and it.
        label_errors: look for labels that are likely to be wrong; takes cleanlab.
        label_split: whose, ``held-out``, ``test`` or ``out-of-fold``; by default held-out where there are such images,
            else test, and where ``data`` asks for ``out-of-fold``, all of these.
        data: which images: a set's name, as in a recipe, or a ``SplitRequest``; by default the runs' own test split.
        limit: how many mistakes, pairs, images and labels to list at most; None lists all.

    Returns:
        The findings. Scores that a finished run has left are used as they are; others are computed. Where the scores
        are there and the data is not, names and pictures are left out, with a remark.

    Raises:
        ValueError: no such run, data or split, a run named twice, runs whose classes or images differ, labels of
            training images, ``label_split`` without ``label_errors``, or cleanlab is missing.

    >>> found = find_errors([folder / "run"], limit=5)
    >>> found.split, found.images, len(found.calibration[0].bins)
    ('test', 355, 15)
    """
    if not runs:
        raise ValueError("runs: name at least one")
    if limit is not None and limit < 1:
        raise ValueError(f"limit: {limit} is not at least 1")
    request = SplitRequest.of(data)
    if label_split is not None and not label_errors:
        raise ValueError("label_split: only with label_errors")
    if label_errors:
        cleanlab_filter()  # before any work, so that a missing package costs no time
        if label_split == "train":
            raise ValueError(
                "label_split: the runs have learned the labels of train; choose held-out, test or out-of-fold"
            )
    _check_distinct(runs)
    evaluated = evaluate_runs([*runs, *([] if against is None else [against])], request)
    own = evaluated[: len(runs)]
    found = summarise(own, None if against is None else evaluated[-1])
    if label_errors:
        doubted, why = _evaluate_unlearned(runs, own, request, label_split)
        remarks = [*found.remarks, *why, *(remark for run in doubted for remark in run.remarks)]
        found = replace(found, label_issues=find_label_issues(doubted), remarks=tuple(dict.fromkeys(remarks)))
    return _shorten(found, limit)


def _check_distinct(runs: Sequence[str | Path]) -> None:
    """Raise ``ValueError`` if a run is named twice: it would count as two that agree."""
    seen: dict[Path, str | Path] = {}
    for run in runs:
        place = model_path(Path(run)).resolve()
        if place in seen:
            raise ValueError(f"{run}: the same run as {seen[place]}")
        seen[place] = run


def summarise(runs: Sequence[EvaluatedRun], other: EvaluatedRun | None = None, limit: int | None = None) -> Errors:
    """Return what runs get wrong on the same images, and what flips between the first of them and another run."""
    first, several = runs[0].evaluation, len(runs) > 1
    errors = Errors(
        runs=tuple(run.run for run in runs),
        classes=first.classes,
        split=runs[0].split,
        images=len(first.labels),
        wrong=tuple(int((~run.evaluation.correct).sum()) for run in runs),
        mistakes=find_mistakes(runs),
        confusions=find_confusions(runs),
        calibration=tuple(
            Calibration(run.run, run.evaluation.calibration_error, run.evaluation.reliability) for run in runs
        ),
        wrong_in_runs=count_wrong(runs) if several else (),
        always_wrong=find_always_wrong(runs) if several else (),
        flips=None if other is None else find_flips(runs[0], other),
        remarks=tuple(dict.fromkeys(remark for run in [*runs, *([other] if other else [])] for remark in run.remarks)),
        left_out=first.left_out,
        dataset=first.dataset,
    )
    return _shorten(errors, limit)


def _evaluate_unlearned(
    runs: Sequence[str | Path], own: Sequence[EvaluatedRun], request: SplitRequest, split: str | None
) -> tuple[Sequence[EvaluatedRun], list[str]]:
    """Evaluate the runs on the split whose labels are doubted, unless ``own``, as requested, are on it already.

    Of no split it is held-out where there are such images, else test, with a remark; of the answers of folds these.
    """
    wanted = split or (OUT_OF_FOLD if request.split == OUT_OF_FOLD else "held-out")
    if wanted == request.split:
        return own, []
    try:
        return evaluate_runs(runs, replace(request, split=wanted)), []
    except ValueError as error:
        if split is not None or isinstance(error, BadImageError):
            raise
        remark = f"the labels that are doubted are those of the test images, not of held-out ones: {error}"
        return _evaluate_unlearned(runs, own, request, "test")[0], [remark]


def _shorten(found: Errors, limit: int | None) -> Errors:
    """Keep the first ``limit`` items of every list, and of the flips in either direction."""
    flips, issues = found.flips, found.label_issues
    if flips is not None:
        sides = [[flip for flip in flips.images if flip.gained is gained][:limit] for gained in (True, False)]
        flips = replace(flips, images=tuple(itertools.chain(*sides)))
    return replace(
        found,
        mistakes=found.mistakes[:limit],
        confusions=found.confusions[:limit],
        always_wrong=found.always_wrong[:limit],
        flips=flips,
        label_issues=issues and replace(issues, items=issues.items[:limit]),
    )
