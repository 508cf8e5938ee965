"""Runs with their evaluations on a split: from the scores that they have left, or else computed now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.base.device import pick_device
from assay.base.json_files import read_json
from assay.classifier.classifier import MODEL_FILE, Classifier, load, model_path, ready
from assay.classifier.evaluation import Evaluation
from assay.classifier.split_request import Labelled, SplitRequest
from assay.data.choices import OUT_OF_FOLD
from assay.data.images import BadImageError
from assay.data.sources import full_name
from assay.run.folder import RunFolder
from assay.run.record import read_scores

Opened = dict[str, Labelled | str]
"""splits of data by what decides them, or why they cannot be opened"""


@dataclass(frozen=True)
class EvaluatedRun:
    """A run and its evaluation on a split.

    Attributes:
        run: as it was named.
        split: ``train``, ``held-out``, ``test`` or ``out-of-fold``.
        evaluation: with float64 scores, all finite. Where the data cannot be opened it has no dataset, and its images
            are called by split and number.
        origin: which images the run learned from, and how they were cut.
        remarks: what a reader should know, one line each.
    """

    run: str
    split: str
    evaluation: Evaluation
    origin: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def evaluate_runs(
    runs: Sequence[str | Path], request: SplitRequest, opened: Opened | None = None
) -> list[EvaluatedRun]:
    """Return the evaluations of several runs on the same images; only the first one holds the images.

    Args:
        runs: their folders or files.
        request: which images.
        opened: the data that earlier calls have opened under the same root; this call adds what it opens.

    Raises:
        ValueError: no such run, data or split, scores that are not finite, or runs whose classes or images differ.
    """
    known: Opened = {} if opened is None else opened
    return of_same_images([_evaluate_run(run, request, known) for run in runs])


def evaluate_out_of_fold(run: str | Path, request: SplitRequest) -> Evaluation:
    """Return the evaluation of the answers that the models of a run's folds gave, each for its own fold.

    Raises:
        ValueError: no such run, one without these answers, or images that are not those that were answered for.
    """
    own = request.data or load(run).data.get("name")  # named, so that data that cannot be opened are an error
    return _evaluate_run(run, replace(request, data=own), {}).evaluation


def of_same_images(runs: Sequence[EvaluatedRun]) -> list[EvaluatedRun]:
    """Return the runs, of which only the first one holds the images.

    Raises:
        ValueError: the classes or the images of a run are not those of the first one.
    """
    others = [_compared(runs[0], other) for other in runs[1:]]
    # Several opened copies of a large set would not fit into memory.
    return [*runs[:1], *(replace(other, evaluation=replace(other.evaluation, dataset=None)) for other in others)]


def _compared(first: EvaluatedRun, other: EvaluatedRun) -> EvaluatedRun:
    """Return the other run, with a remark where only the labels say that its images are those of the first one."""
    ours, theirs = first.evaluation, other.evaluation
    if theirs.classes != ours.classes:
        raise ValueError(f"{other.run}: its classes are not those of {first.run}")
    if not torch.equal(theirs.labels, ours.labels):
        raise ValueError(f"{other.run}: the labels of its {first.split} images are not those of {first.run}")
    if ours.dataset is not None and theirs.dataset is not None:
        if list(theirs.names) != list(ours.names):
            raise ValueError(f"{other.run}: its {first.split} images are not those of {first.run}")
    # Held-out images are always drawn at random; test images may be the set's own, the same in every cut.
    elif other.origin != first.origin and first.split == "held-out":
        raise ValueError(f"{other.run}: it held out other images than {first.run}, and the data cannot be opened")
    elif other.origin != first.origin:
        remark = f"{other.run} and {first.run} cut their data in different ways; only equal labels say it is the same"
        return replace(other, remarks=(*other.remarks, remark))
    return other


def _evaluate_run(run: str | Path, request: SplitRequest, opened: Opened) -> EvaluatedRun:
    """Return a run's evaluation; ``opened`` keeps the data for other runs that cut them alike."""
    classifier = load(run)
    stored = _stored_scores(model_path(run), classifier, request)
    if stored is None and request.split == OUT_OF_FOLD:
        raise ValueError(
            f"{run}: no {OUT_OF_FOLD} answers; a run with data.folds leaves them for its own set at its end"
        )
    if stored is None:
        return _evaluate_now(run, classifier, request)
    scores, labels = stored
    _check_finite(scores, run, request)
    remarks: tuple[str, ...] = ()
    if classifier.metrics.get("test_augmented"):
        remarks = (f"{run}: the images were augmented as in its training, at random",)
    # All that decides which images are opened and how they are decoded.
    form = classifier.preprocessing
    decoding = form.channels, form.stored, form.interpolation
    key = json.dumps([request.split, classifier.data, classifier.classes, *decoding])
    data = opened[key] = opened.get(key) or _try_to_open(classifier, request)
    if isinstance(data, str):
        names = [f"{request.split}/{row:05d}" for row in range(len(labels))]
        evaluation = Evaluation(scores, labels, classifier.classes, names)
        remarks = (*remarks, f"no names and no pictures: {data}")
    elif not torch.equal(data.dataset.labels.cpu(), labels):
        remark = f"{run}: its data are no longer those that it learned from; they were answered again"
        return replace(_evaluate_now(run, classifier, request), remarks=(remark,))
    else:
        evaluation = Evaluation.of_dataset(scores, data.dataset, classifier.classes, data.left_out)
    return EvaluatedRun(str(run), request.split, evaluation, classifier.data, remarks)


def _stored_scores(file: Path, classifier: Classifier, request: SplitRequest) -> tuple[Tensor, Tensor] | None:
    """Return the scores (float64) and labels that a finished run has left for the split; None where there are none."""
    finished = file.name == MODEL_FILE and read_json(RunFolder(file.parent).summary).get("status") == "finished"
    name = classifier.data.get("name")
    if not (finished and name and (request.data is None or full_name(request.data) == name)):
        return None
    try:
        scores, labels = read_scores(file.parent, request.split)
    except ValueError:
        return None
    if scores.shape != (len(labels), len(classifier.classes)):
        return None
    # In float64 the order of very sure answers is still seen: in float32 many probabilities round to 1.
    return torch.tensor(scores, dtype=torch.float64), torch.tensor(labels)


def _try_to_open(classifier: Classifier, request: SplitRequest) -> Labelled | str:
    """Open the split; return why that is impossible where the user has not named any data."""
    try:
        return request.open(classifier, torch.device("cpu"))  # for names and pictures only
    except (ValueError, OSError) as error:
        if request.names_data or isinstance(error, BadImageError):
            raise
        return " ".join(str(error).split())


def _evaluate_now(run: str | Path, classifier: Classifier, request: SplitRequest) -> EvaluatedRun:
    """Let the network answer."""
    device = pick_device(request.device)
    evaluation = request.evaluate(ready(classifier, device), device)
    evaluation = replace(evaluation, scores=evaluation.scores.double())
    return EvaluatedRun(str(run), request.split, evaluation, classifier.data)


def _check_finite(scores: Tensor, run: str | Path, request: SplitRequest) -> None:
    if not scores.isfinite().all():
        raise ValueError(f"{run}: some of its scores for {request.split} are not finite numbers")
