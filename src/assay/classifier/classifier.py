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
from assay.base.text import shorten
from assay.classifier.header import Header
from assay.data.preprocess import Preprocessing
from assay.data.views import Views, views_of
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
        if name is not None:
            return views_of(name)
        return views_of(self.metrics.get("views", "none"), self.metrics.get("sure"))

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
    header, tensors = _read(path)
    try:
        return _build(header, tensors)
    except (TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
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


def _read(path: Path) -> tuple[Header, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER)
            if text is None:
                raise ValueError(f"{path}: a safetensors file, but without assay's header")
            return Header.parse(text, path), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a model file, or cut off ({shorten(str(error), 200)})") from None


def _build(header: Header, tensors: Mapping[str, Tensor]) -> Classifier:
    classes, preprocessing = tuple(header.classes), header.input()
    return Classifier(
        _filled(lambda: build_network(header.architecture, classes, preprocessing), tensors).eval(),
        header.architecture,
        classes,
        preprocessing,
        header.data.given(),
        header.metrics.given(),
        header.version,
        header.input_of_weights(),
    )


def _filled(build: Callable[[], nn.Module], tensors: Mapping[str, Tensor]) -> nn.Module:
    """Build the network and give it the weights of a file."""
    with torch.device("meta"):  # shapes without memory, until they are known to match the weights
        network = build()
    _check_kinds(network, tensors)
    state = OrderedDict(tensors)
    state._metadata = network.state_dict()._metadata  # type: ignore[attr-defined] # the versions of its modules
    network.load_state_dict(state, strict=True, assign=True)
    if any(buffer.is_meta for buffer in network.buffers()):  # not in the file, for the constructor computes them
        with torch.random.fork_rng([]):
            network = build()
        network.load_state_dict(state, strict=True)
    return network


def _check_kinds(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Refuse numbers of another kind than the network's, which would fail when it answers."""
    for name, wanted in network.state_dict().items():
        if name in tensors and tensors[name].dtype != wanted.dtype:
            kinds = [str(one.dtype).removeprefix("torch.") for one in (tensors[name], wanted)]
            raise ValueError(f"{name} holds {kinds[0]}, expected {kinds[1]}")


def build_network(architecture: Mapping[str, Any], classes: tuple[str, ...], how: Preprocessing) -> nn.Module:
    """Build the untrained network that an architecture (its name and options) describes.

    Raises:
        ValueError: there is no such model or option, or the images are too small for it.
    """
    return build_model(**architecture, classes=len(classes), channels=how.channels, image_size=how.size)
