"""The front door of the errors: what runs get wrong; the command calls it too."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assay.analysis.errors.agreement import count_wrong, find_always_wrong
from assay.analysis.errors.answers import Answers, answer_all
from assay.analysis.errors.calibration import calibrate
from assay.analysis.errors.label_errors import cleanlab_filter, find_label_issues
from assay.analysis.errors.mistakes import find_confusions, find_flips, find_mistakes
from assay.analysis.errors.results import Errors
from assay.classifier.split_request import SplitRequest
from assay.data.images import BadImageError


def find_errors(
    runs: Sequence[str | Path],
    *,
    split: str = "test",
    against: str | Path | None = None,
    label_errors: bool = False,
    label_split: str | None = None,
    data: str | None = None,
    root: str | Path | None = None,
    label: str | None = None,
    on_bad_image: str | None = None,
    device: str = "auto",
    limit: int | None = None,
) -> Errors:
    """Find what one or several runs get wrong on the same images.

    Args:
        runs: run folders or ``model.safetensors`` files.
        split: ``train``, ``held-out`` or ``test``, cut as in the runs' training.
        against: another run, to see which images flip between the first run and it.
        label_errors: look for labels that are likely to be wrong; takes cleanlab.
        label_split: whose, ``held-out`` or ``test``; by default held-out where there are such images, else test.
        data: a set's name, as in a recipe; by default the set that the runs learned from.
        root: the folder that holds the named sets.
        label: the label column of a Parquet set that has several.
        on_bad_image: ``"error"`` or ``"skip"``; by default, of the runs' own set, as in their training.
        device: ``auto``, ``cpu``, ``cuda``...
        limit: how many mistakes, pairs, images and labels to list at most; None lists all.

    Returns:
        The findings. Scores that a finished run has left are used as they are; others are computed. Where they are
        there and the data is not, names and pictures are left out, with a remark.

    Raises:
        ValueError: one line; no such run, data or split, runs whose classes or images differ, training images whose
            labels are to be doubted, or cleanlab is missing.

    >>> found = find_errors([folder / "run"], limit=5)
    >>> found.split, found.images, len(found.calibration[0].bins)
    ('test', 355, 15)
    """
    if not runs:
        raise ValueError("runs: name at least one")
    if limit is not None and limit < 1:
        raise ValueError(f"limit: {limit} is not at least 1")
    question = SplitRequest(split, data, root, label, on_bad_image, device)
    if label_errors:
        cleanlab_filter()  # missing, it is missed before any work
        if label_split == "train":
            raise ValueError("label_split: the runs have learned the labels of train; choose held-out or test")
    answers = answer_all([*runs, *([] if against is None else [against])], question)
    own = answers[: len(runs)]
    found = summarise(own, None if against is None else answers[-1], limit)
    if not label_errors:
        return found
    doubted, why = _unlearned(runs, own, question, label_split)
    remarks = [*found.remarks, *why, *(remark for one in doubted for remark in one.remarks)]
    found = replace(found, label_issues=find_label_issues(doubted), remarks=tuple(dict.fromkeys(remarks)))
    return _shorten(found, limit)


def summarise(runs: Sequence[Answers], other: Answers | None = None, limit: int | None = None) -> Errors:
    """What the answers of runs get wrong.

    Args:
        runs: for the same images, as ``answer_all`` gives them.
        other: of which one to see what flips between the first run and it.
        limit: as for ``find_errors``.
    """
    several = [*runs, *([] if other is None else [other])]
    remarks = dict.fromkeys(remark for one in several for remark in one.remarks)
    flips = None if other is None else find_flips(runs[0], other)
    return _shorten(replace(_errors(runs), flips=flips, remarks=tuple(remarks)), limit)


def _errors(runs: Sequence[Answers]) -> Errors:
    """What follows from the answers of one split alone."""
    first, several = runs[0], len(runs) > 1
    return Errors(
        runs=tuple(run.run for run in runs),
        classes=first.classes,
        split=first.split,
        images=len(first.labels),
        wrong=tuple(int((~run.correct).sum()) for run in runs),
        mistakes=find_mistakes(runs),
        confusions=find_confusions(runs),
        calibration=tuple(calibrate(run.run, run.confidence, run.correct) for run in runs),
        wrong_in_runs=count_wrong(runs) if several else (),
        always_wrong=find_always_wrong(runs) if several else (),
        left_out=first.left_out,
        pictures=first.pictures,
    )


def _unlearned(
    runs: Sequence[str | Path], own: Sequence[Answers], question: SplitRequest, split: str | None
) -> tuple[Sequence[Answers], list[str]]:
    """The answers whose labels are to be doubted, and a remark where it is not the held-out images that they are for.

    They are for images that no run has learned from.
    """
    wanted = split or "held-out"
    if wanted == question.split:
        return own, []
    try:
        return answer_all(runs, replace(question, split=wanted)), []
    except ValueError as error:
        if split is not None or isinstance(error, BadImageError):
            raise
        remark = f"the labels that are doubted are those of the test images, not of held-out ones: {error}"
        return _unlearned(runs, own, question, "test")[0], [remark]


def _shorten(found: Errors, limit: int | None) -> Errors:
    """At most so many of everything that is listed; of the flips, in either direction."""
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
