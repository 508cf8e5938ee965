"""A trained network as the teacher of another."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from assay.classifier.classifier import Classifier, load, ready
from assay.data.preprocess import Normalize, Preprocessing
from assay.models import build_model
from assay.models.weights import DownloadError, load_weights
from assay.run.find_weights import find_pretrained
from assay.training.losses import Teacher


def find_teacher(name: str, classes: tuple[str, ...], how: Preprocessing, device: torch.device) -> Teacher:
    """Load the teacher that a recipe names, as a function from the student's normalised images to its scores.

    Args:
        name: a run folder or a model file, with the student's classes in the same order; or ``torchvision:NAME`` or
            ``timm:NAME`` with its default weights, which must have as many classes; their order is assumed to be
            the student's.
        classes: the student's classes.
        how: the student's preprocessing.
        device: where the student trains.

    Raises:
        ValueError: there is no such model, or its classes or channels differ.
    """
    classifier = _from_library(name, classes) if ":" in name else load(name)
    if classifier.classes != classes:
        raise ValueError(f"loss.teacher: {name} knows other classes: {len(classifier.classes)} of them, not these")
    if classifier.preprocessing.channels != how.channels:
        raise ValueError(f"loss.teacher: {name} sees images of {classifier.preprocessing.channels} channels")
    network = ready(classifier, device).network.eval().requires_grad_(False)
    # The student's images are turned back into pixels, then into the teacher's size and normalisation. They are
    # cropped already, so the teacher does not crop them again.
    normalize = Normalize(replace(classifier.preprocessing, crop_pct=None), device, torch.channels_last)
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (how.mean, how.std))

    @torch.no_grad()
    def teach(images: Tensor) -> Tensor:
        scores: Tensor = network(normalize((images * std + mean) * 255))
        return scores

    return teach


def _from_library(name: str, classes: tuple[str, ...]) -> Classifier:
    try:
        pretrained = find_pretrained("default", name)
    except DownloadError as error:
        raise ValueError(f"loss.teacher: {error.what}; {error.cure}name a run of yours") from None
    except ValueError as error:
        reason = str(error).removeprefix("model.pretrained: ").partition(";")[0]
        raise ValueError(f"loss.teacher: {reason}; name a run of yours") from None
    form = pretrained.preprocessing
    assert form and form.size and form.mean and form.std  # noqa: PT018 - a library's default weights have all of them
    with torch.random.fork_rng([]):  # so that the student's draws do not depend on its teacher
        network = build_model(name, classes=len(classes), image_size=form.size)
    notes = load_weights(network, replace(pretrained, classes=classes), classes)
    if any(note.startswith("new:") for note in notes):
        raise ValueError(
            f"loss.teacher: {name} tells other classes apart than these {len(classes)}; name a run of yours"
        )
    how = Preprocessing(3, form.size, form.size, form.mean, form.std, interpolation=form.interpolation or "bilinear")
    return Classifier(network, {"name": name}, classes, how)
