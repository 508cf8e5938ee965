"""What runs answer for a split: the scores that they have left, or else what their networks say now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from assay.analysis.errors.results import Pictures
from assay.base.device import pick_device
from assay.base.json_files import read_json
from assay.classifier.classifier import MODEL_FILE, Classifier, load, model_path, ready
from assay.classifier.split_request import Labelled, SplitRequest
from assay.data.images import BadImageError
from assay.data.sources import full_name
from assay.run.folder import RunFolder
from assay.run.record import read_scores

Scores = tuple[NDArray[np.float32], NDArray[np.int64]]
Opened = dict[str, Labelled | str]
"""splits of data by what decides them, or why they cannot be opened"""


@dataclass(frozen=True)
class Answers:
    """A run's answers for N labelled images.

    Attributes:
        run: as it was named.
        split: that was answered.
        classes: names of the K classes.
        scores: logits, float32 ``[N, K]``, all finite.
        labels: the right classes, int64 ``[N]``.
        names: of the images; None where the data could not be opened.
        pictures: their pixels, likewise.
        origin: which images the run learned from, and how they were cut.
        left_out: images that could not be decoded.
        remarks: one line each.
    """

    run: str
    split: str
    classes: tuple[str, ...]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: Sequence[str] | None = None
    pictures: Pictures | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[BadImageError, ...] = ()
    remarks: tuple[str, ...] = ()

    def probabilities(self, rows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float64]:
        """Softmax of the scores of those rows, float64 ``[len(rows), K]``."""
        values: NDArray[np.float64] = softmax(self.scores[rows].astype(np.float64), axis=1)
        return values

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the highest score, int64 ``[N]``."""
        answers: NDArray[np.int64] = self.scores.argmax(axis=1)
        return answers

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each answer is right, ``[N]``."""
        right: NDArray[np.bool_] = self.predicted == self.labels
        return right

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of each answer, ``[N]``, in [0, 1]."""
        highest: NDArray[np.float64] = self.probabilities().max(axis=1)
        return highest

    def name(self, row: int) -> str:
        """The image's name; split and number where it is not known."""
        return f"{self.split}/{row:05d}" if self.names is None else self.names[row]


def answer_all(runs: Sequence[str | Path], question: SplitRequest, opened: Opened | None = None) -> list[Answers]:
    """The answers of several runs for the same images; only the first ones hold pictures.

    Args:
        runs: their folders or files.
        question: which images.
        opened: the data that earlier calls have opened under the same root; takes those that this one opens.

    Raises:
        ValueError: one line; no such run, data or split, scores that are not finite, or runs whose classes or images
            differ.
    """
    known: Opened = {} if opened is None else opened
    return of_the_same_images([_answer(run, question, known) for run in runs])


def of_the_same_images(found: Sequence[Answers]) -> list[Answers]:
    """The answers, of which only the first ones hold pictures; raises ``ValueError`` as ``answer_all`` does."""
    return [*found[:1], *(replace(_of_the_same(found[0], one), pictures=None) for one in found[1:])]


def _of_the_same(first: Answers, other: Answers) -> Answers:
    """The other's answers, with a remark where only the labels say that they are for the first one's images."""
    if other.classes != first.classes:
        raise ValueError(f"{other.run}: its classes are not those of {first.run}")
    if not np.array_equal(other.labels, first.labels):
        raise ValueError(f"{other.run}: the labels of its {first.split} images are not those of {first.run}")
    if first.names is not None and other.names is not None:
        if list(other.names) != list(first.names):
            raise ValueError(f"{other.run}: its {first.split} images are not those of {first.run}")
    elif other.origin != first.origin and first.split == "held-out":
        raise ValueError(f"{other.run}: it held out other images than {first.run}, and the data cannot be opened")
    elif other.origin != first.origin:
        remark = f"{other.run} and {first.run} cut their data in different ways; only equal labels say it is the same"
        return replace(other, remarks=(*other.remarks, remark))
    return other


def _answer(run: str | Path, question: SplitRequest, opened: Opened) -> Answers:
    """The run's answers; ``opened`` keeps the data for other runs that cut them alike."""
    classifier = load(run)
    scores = _stored(model_path(run), classifier, question)
    if scores is None:
        return _evaluated(run, classifier, question)
    answers = _finite(Answers(str(run), question.split, classifier.classes, *scores, origin=classifier.data))
    if classifier.metrics.get("test_augmented"):
        answers = replace(answers, remarks=(f"{run}: the images were augmented as in its training, at random",))
    form = classifier.preprocessing
    key = json.dumps(
        [question.split, classifier.data, classifier.classes, form.channels, form.stored, form.interpolation]
    )
    data = opened[key] = opened.get(key) or _try_to_open(classifier, question)
    if isinstance(data, str):
        return replace(answers, remarks=(*answers.remarks, f"no names and no pictures: {data}"))
    if not np.array_equal(data.dataset.labels.cpu().numpy(), answers.labels):
        remark = f"{run}: its data are no longer those that it learned from; they were answered again"
        return replace(_evaluated(run, classifier, question), remarks=(remark,))
    return replace(answers, names=data.dataset.names, pictures=Pictures(data.dataset), left_out=data.left_out)


def _stored(file: Path, classifier: Classifier, question: SplitRequest) -> Scores | None:
    """The scores that the run has left for the split; None where there are none of a finished run."""
    finished = file.name == MODEL_FILE and read_json(RunFolder(file.parent).summary).get("status") == "finished"
    name = classifier.data.get("name")
    if not (finished and name and (question.data is None or full_name(question.data) == name)):
        return None
    try:
        scores, labels = read_scores(file.parent, question.split)
    except ValueError:
        return None
    return (scores, labels) if scores.shape == (len(labels), len(classifier.classes)) else None


def _try_to_open(classifier: Classifier, question: SplitRequest) -> Labelled | str:
    """The split of the data, or why it cannot be opened where nobody said that it could be."""
    try:
        return question.open(classifier, torch.device("cpu"))
    except (ValueError, OSError) as error:
        if question.names_data or isinstance(error, BadImageError):
            raise
        return " ".join(str(error).split())


def _evaluated(run: str | Path, classifier: Classifier, question: SplitRequest) -> Answers:
    """What the network answers now."""
    device = pick_device(question.device)
    found = question.evaluate(ready(classifier, device), device)
    answers = Answers(
        str(run),
        question.split,
        found.classes,
        found.scores.numpy(),
        found.labels.numpy(),
        found.names,
        Pictures(found.dataset),
        classifier.data,
        found.left_out,
    )
    return _finite(answers)


def _finite(answers: Answers) -> Answers:
    """The answers; raises ``ValueError`` where a score is not finite."""
    if not np.isfinite(answers.scores).all():
        raise ValueError(f"{answers.run}: some of its scores for {answers.split} are not finite numbers")
    return answers
