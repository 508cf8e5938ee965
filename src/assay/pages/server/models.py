"""Predictions for one image: the most probable classes, and for each of them where the evidence lies."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from torch import Tensor

from assay.analysis.inspection.activation_map import class_activation_maps
from assay.analysis.inspection.examples import Stored, answer
from assay.analysis.inspection.trace import stages, trace
from assay.base.device import pick_device
from assay.classifier.classifier import MODEL_FILE, Classifier, load, ready
from assay.classifier.prediction import Prediction, predict_images
from assay.data.images import BadImageError, EncodedImages, open_image, quiet
from assay.data.pictures import to_image
from assay.pages.report.pictures import image_address
from assay.pages.server.patience import BUSY

MOST_PIXELS = 25_000_000  # of an image
_MOST_WAITING = 8  # images, the one that is answered included
_TOP = 5  # classes of an answer
_KEPT = 4  # models in memory
_FORMATS = frozenset(
    {"AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP"}
)
_OPACITY = 0.6  # of a map over the image


@dataclass(frozen=True)
class Answer:
    """A model's answer for an image.

    Attributes:
        prediction: the most probable classes.
        picture: what the network sees, uint8 ``[S, S, C]``.
        layer: that the maps come from; empty if no layer has more than one position.
        maps: for each class of the prediction the class activation map, ``[N, S, S]``, at least 0; empty without layer.
    """

    prediction: Prediction
    picture: NDArray[np.uint8]
    layer: str
    maps: Tensor

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; pictures are ``data:`` addresses of PNG files."""
        found = zip_longest(self.prediction.classes, self.prediction.probabilities, self.maps)  # there may be no maps
        return {
            "name": self.prediction.name,
            "classes": [{"name": name, "probability": share, "map": _overlay(heat)} for name, share, heat in found],
            "layer": self.layer,
            "side": self.picture.shape[0],
            "picture": image_address(to_image(self.picture)),
        }


class Models:
    """Keeps the models that were last used in memory; one answers at a time."""

    def __init__(self, device: str = "auto") -> None:
        self._device = pick_device(device)
        self._lock = threading.Lock()
        self._places = threading.Semaphore(_MOST_WAITING)
        # Time and size are part of the key, so that a model that was trained again is loaded again.
        self._loaded = lru_cache(_KEPT)(lambda folder, _time, _size: ready(load(folder / MODEL_FILE), self._device))

    def ask(self, folder: Path, read: Callable[[], bytes], name: str) -> Answer:
        """Return the answer of a run's model.

        Args:
            folder: of the run.
            read: gives an encoded image; called when its turn comes, so that those that wait take no memory.
            name: of the image.

        Raises:
            HTTPException: the image has no known format or too many pixels, or is broken; or too many wait already.
            ValueError: the model file is damaged.
        """
        if not self._places.acquire(blocking=False):
            raise HTTPException(503, "too many images wait for an answer; try again", BUSY)
        try:
            with self._lock, quiet():
                return self._ask(folder, read(), name)
        finally:
            self._places.release()

    def _ask(self, folder: Path, content: bytes, name: str) -> Answer:
        try:  # by the header, because for some formats, such as EPS, Pillow would start a program
            with open_image(io.BytesIO(content), name) as image:
                if image.format not in _FORMATS:
                    raise HTTPException(415, f"{name}: {image.format} files are not taken")
                if image.width * image.height > MOST_PIXELS:
                    most = f"more than {MOST_PIXELS // 10**6} million"
                    raise HTTPException(413, f"{name}: too large: {image.width}x{image.height} pixels, {most}")
        except BadImageError as error:
            raise HTTPException(413 if error.reason.startswith("too large") else 415, str(error)) from None
        status = (folder / MODEL_FILE).stat()
        classifier = self._loaded(folder, status.st_ctime_ns, status.st_size)
        try:
            return _answer(classifier, EncodedImages(lambda _: content, [name], ()), self._device)
        except BadImageError as error:
            raise HTTPException(400, str(error)) from None


def _answer(classifier: Classifier, image: EncodedImages, device: torch.device) -> Answer:
    views = classifier.views()
    (prediction,) = predict_images(classifier, image, top=_TOP, device=device, workers=0, skip_bad=False, views=views)
    pixels = classifier.preprocessing.decode(image.open(0), image.names[0])
    seen = answer(classifier, [Stored(torch.tensor(pixels[None]), tuple(image.names), (None,))], device)
    layers = stages(trace(classifier.network, seen.inputs))
    asked = torch.tensor([classifier.classes.index(name) for name in prediction.classes], device=device)
    maps = torch.empty(0)
    if layers:
        inputs = seen.inputs.expand(len(asked), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        maps = class_activation_maps(classifier.network, inputs, asked, layers[-1]).cpu()
    return Answer(prediction, seen.pictures[0], layers[-1] if layers else "", maps)


def _overlay(heat: Tensor | None) -> str | None:
    """Return a map as a translucent picture to lie over the image; None if it is 0 everywhere."""
    if heat is None or heat.amax() <= 0:
        return None
    share = (heat / heat.amax()).numpy()
    colours = matplotlib.colormaps["inferno"](share)
    colours[..., 3] = _OPACITY
    return image_address(to_image((255 * colours).round().astype(np.uint8)))
