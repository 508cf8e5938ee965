"""Labels for images: all at once, or any number of them into a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from assay.base.device import pick_device
from assay.base.registry import choose
from assay.base.row_files import check_format, spreadsheet_safe
from assay.classifier.classifier import Classifier, load, model_path, ready
from assay.classifier.journal import AT_LEAST, Journal, Written
from assay.classifier.prediction import Part, Predictions, predict_parts
from assay.data.choices import OnBadImage
from assay.data.decode import default_workers
from assay.data.images import Images
from assay.data.inputs import find_inputs

Inputs = str | Path | Sequence[str | Path]


def predict(
    model: str | Path | Classifier,
    inputs: Inputs,
    *,
    top: int = 5,
    views: str | None = None,
    on_bad_image: str = "error",
    device: str = "auto",
) -> Predictions:
    """Label images.

    Args:
        model: a run folder, a ``model.safetensors`` file, or a loaded classifier.
        inputs: image files, folders, glob patterns, zip or tar archives, Parquet files.
        top: how many classes to name for each image, at least 1.
        views: test-time augmentation, as in ``evaluate``.
        on_bad_image: ``"error"`` or ``"skip"``.
        device: ``auto``, ``cpu``, ``cuda``...

    Returns:
        One prediction for each readable image, in the order of the inputs.

    Raises:
        ValueError: there is no such model or input, or an image cannot be decoded.
    """
    (part,) = _predictor(model, inputs, top, views, on_bad_image, device)[1](at_least=None)
    return Predictions(part.rows, part.left_out)


def predict_to_file(
    model: str | Path,
    inputs: Inputs,
    out: str | Path,
    *,
    top: int = 5,
    views: str | None = None,
    on_bad_image: str = "error",
    device: str = "auto",
    for_spreadsheets: bool = False,
    resume: bool = False,
) -> Written:
    """Label any number of images into a file; as ``predict``, but memory does not grow with the predictions.

    Args:
        model: a run folder or a ``model.safetensors`` file.
        inputs: as in ``predict``.
        out: ends with ``.csv``, ``.jsonl`` or ``.parquet``.
        top: how many classes to name for each image, at least 1.
        views: test-time augmentation, as in ``evaluate``.
        on_bad_image: ``"error"`` or ``"skip"``.
        device: ``auto``, ``cpu``, ``cuda``...
        for_spreadsheets: put ``'`` before names that a spreadsheet takes for formulas.
        resume: go on with what a call that was stopped has left beside ``out``; the file is then the same.

    Returns:
        The number of predictions, and the errors of the images that were left out.

    Raises:
        ValueError: as in ``predict``; or ``out`` has another ending, or there are predictions of another call.
    """
    out = Path(out).expanduser()
    check_format(out)
    images, parts = _predictor(model, inputs, top, views, on_bad_image, device)
    with model_path(model).open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    journal = Journal(out, "\n".join([weights, str(top), str(views), on_bad_image, *images.names]))
    journal.begin(resume=resume)
    try:
        for part in parts(at_least=AT_LEAST, start=journal.end):
            journal.add(part, is_last=part.end == len(images.names))
        return journal.finish(lambda row: spreadsheet_safe([row])[0] if for_spreadsheets else row)
    except BaseException:
        journal.abandon()
        raise


def _predictor(
    model: str | Path | Classifier, inputs: Inputs, top: int, views: str | None, on_bad_image: str, device: str
) -> tuple[Images, Callable[..., Iterator[Part]]]:
    """The images, and ``predict_parts`` of them without the choice of parts."""
    choose("on_bad_image", on_bad_image, dict.fromkeys(get_args(OnBadImage)))
    if top < 1:
        raise ValueError(f"top: {top} is not at least 1")
    where = pick_device(device)
    classifier = ready(model if isinstance(model, Classifier) else load(model), where)
    images = find_inputs([inputs] if isinstance(inputs, str | Path) else inputs)
    options: dict[str, Any] = {"skip_bad": on_bad_image == "skip", "views": classifier.views(views), "top": top}
    return images, partial(predict_parts, classifier, images, device=where, workers=default_workers(), **options)
