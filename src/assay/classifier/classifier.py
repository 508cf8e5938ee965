"""A trained classifier and its file, ``model.safetensors``: everything that labelling an image takes."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from assay.base.atomic import replace_file
from assay.base.registry import choose
from assay.data.preprocess import Preprocessing
from assay.data.views import VIEWS, Views
from assay.models import build_model
from assay.models.weights import InputForm
from assay.version import VERSION

MODEL_FILE = "model.safetensors"
_HEADER = "assay"


@dataclass(frozen=True)
class Classifier:
    """A network with everything that labelling an image takes.

    Attributes:
        network: maps float32 ``[B, channels, size, size]`` to scores ``[B, K]``.
        architecture: the name and options that build the network.
        classes: names of the K classes.
        preprocessing: how an image becomes the network's input.
        data: the set of images that it was trained on, and how it was cut into splits.
        metrics: its measured accuracy, loss and so on.
        version: of assay, that wrote its file.
        pretrained_input: the input that the weights with which its training began were trained on; None without such
            weights, or if it is not known.
    """

    network: nn.Module
    architecture: Mapping[str, Any]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    version: str = VERSION
    pretrained_input: InputForm | None = None

    def views(self, name: str | None = None) -> Views:
        """Return the test-time augmentation of that name; by default the one of its own metrics."""
        return choose("views", name or self.metrics.get("views", "none"), VIEWS)

    def save(self, path: Path) -> None:
        """Write the file, atomically. Equal classifiers give equal bytes. Raises ``OSError``."""
        header = {
            "version": self.version,
            "architecture": dict(self.architecture),
            "classes": self.classes,
            "preprocessing": self.preprocessing.to_dict(),
            "data": dict(self.data),
            "metrics": dict(self.metrics),
            "pretrained_input": self.pretrained_input.to_dict() if self.pretrained_input else None,
        }
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        replace_file(path, save(tensors, metadata={_HEADER: json.dumps(header)}))  # one key: their order is random


def load(model: str | Path) -> Classifier:
    """Read a classifier from a run folder or a ``model.safetensors`` file.

    No code in the file is executed, and a header that does not fit the weights takes no memory for its network.

    Args:
        model: a run folder, or the file.

    Returns:
        The classifier on the CPU, its network in evaluation mode.

    Raises:
        ValueError: there is no such file, it is not a model file of assay, or it is damaged.
    """
    path = model_path(model)
    try:
        with safe_open(path, framework="pt") as file:
            header = _parse((file.metadata() or {}).get(_HEADER), path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a model file, or cut off ({error})") from None
    try:
        return _build(header, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]  # torch lists every tensor that does not fit, over many lines
        raise ValueError(f"{path}: header and weights do not fit together ({reason})") from None


def ready(classifier: Classifier, device: torch.device) -> Classifier:
    """Move the network to the device and to channels_last, the memory layout of every evaluation and prediction."""
    return replace(classifier, network=classifier.network.to(device).to(memory_format=torch.channels_last))


def is_model_file(path: Path) -> bool:
    """Whether the file is a classifier that a run has written, and not only weights."""
    try:
        with safe_open(path, framework="pt") as file:
            return _HEADER in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def model_path(model: str | Path) -> Path:
    """Return the model file of a run folder, or the file itself; raises ``ValueError`` if it does not exist."""
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / MODEL_FILE).is_file():
            raise ValueError(f"{path}: no {MODEL_FILE} in it; expected a run folder or a model file")
        return path / MODEL_FILE
    if not path.is_file():
        raise ValueError(f"{path}: no such run folder or model file")
    return path


def _parse(text: str | None, path: Path) -> Mapping[str, Any]:
    if text is None:
        raise ValueError(f"{path}: a safetensors file, but without assay's header")
    try:
        header = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: its header is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path}: its header is not a mapping")
    return header


def _build(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Classifier:
    classes = tuple(str(name) for name in header["classes"])
    preprocessing = Preprocessing.from_dict(header["preprocessing"])
    network = _filled(lambda: build_network(header["architecture"], classes, preprocessing), tensors)
    form = header.get("pretrained_input")  # files of earlier versions lack it
    return Classifier(
        network.eval(),
        header["architecture"],
        classes,
        preprocessing,
        header.get("data", {}),
        header.get("metrics", {}),
        str(header["version"]),
        InputForm.from_dict(form) if form else None,
    )


def _filled(build: Callable[[], nn.Module], tensors: Mapping[str, Tensor]) -> nn.Module:
    """Build the network and give it the weights of a file."""
    with torch.device("meta"):  # shapes without memory, until they are known to match the weights
        network = build()
    state = OrderedDict(tensors)
    state._metadata = network.state_dict()._metadata  # type: ignore[attr-defined] # the versions of its modules
    network.load_state_dict(state, strict=True, assign=True)
    if any(buffer.is_meta for buffer in network.buffers()):  # not in the file, for the constructor computes them
        with torch.random.fork_rng([]):
            network = build()
        network.load_state_dict(state, strict=True)
    return network


def build_network(architecture: Mapping[str, Any], classes: tuple[str, ...], how: Preprocessing) -> nn.Module:
    """Build the untrained network that an architecture (its name and options) describes.

    Raises:
        ValueError: there is no such model or option, or the images are too small for it.
    """
    return build_model(**architecture, classes=len(classes), channels=how.channels, image_size=how.size)
