"""A trained network as the teacher of another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.classifier import Classifier, load, ready
from assay.data.preprocess import Normalize, Preprocessing
from assay.training.losses import Teacher


def find_teacher(name: str, classes: tuple[str, ...], how: Preprocessing, device: torch.device) -> Teacher:
    """The teacher that a recipe names.

    Args:
        name: a run folder or a model file.
        classes: those of the student, which the teacher must have in the same order.
        how: the student's preprocessing.
        device: where the student trains.

    Raises:
        ValueError: no such model, or one of other classes or channels.
    """
    classifier = ready(load(name), device)
    if classifier.classes != classes:
        raise ValueError(f"loss.teacher: {name} knows other classes: {len(classifier.classes)} of them, not these")
    if classifier.preprocessing.channels != how.channels:
        raise ValueError(f"loss.teacher: {name} sees images of {classifier.preprocessing.channels} channels")
    return as_teacher(classifier, how, device)


def as_teacher(classifier: Classifier, student: Preprocessing, device: torch.device) -> Teacher:
    """A function from the student's normalised images to the classifier's scores.

    The images are brought back to pixels, then to the size and the constants that the teacher knows.
    """
    network = classifier.network.eval().requires_grad_(False)
    normalize = Normalize(classifier.preprocessing, device, torch.channels_last)
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (student.mean, student.std))

    def scores(images: Tensor) -> Tensor:
        return _answer(network, normalize((images * std + mean) * 255))

    return scores


@torch.no_grad()
def _answer(network: nn.Module, images: Tensor) -> Tensor:
    scores: Tensor = network(images)
    return scores
