"""Find the weights that a recipe names: by a library's name for them, in a file, or in a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.classifier.classifier import is_model_file, load
from assay.models import build_model, input_size
from assay.models.library import LIBRARIES, Library, split_name
from assay.models.weight_files import read_weights
from assay.models.weights import InputForm, Pretrained, is_path, is_weight

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


def find_pretrained(value: str, name: str, **options: Any) -> Pretrained:
    """Find the weights that ``model.pretrained`` names for a model.

    Args:
        value: ``default`` or ``imagenet`` (the default weights of the model's library), the library's name
            for others (``IMAGENET1K_V1``, ``a1_in1k``), ``package`` (the weights of an installed package), a state
            dict (``.safetensors``, ``.pt``, ``.pth``), a run folder, or its ``model.safetensors``. Our ResNets and
            VGGs take torchvision's weights.
        name: the model's name.
        options: the model's options.

    Raises:
        ValueError: nothing has that name, the file holds no weights, or a download failed.
    """
    path = Path(value).expanduser()
    if is_path(value) and path.exists():
        return _from_run(path) if path.is_dir() or is_model_file(path) else _from_file(path, name, options)
    if path.suffix in _SUFFIXES or len(path.parts) > 1:
        raise ValueError(f"model.pretrained: no such file or run folder: {value}")
    found = _in_library(name, options)
    if found is None:
        raise ValueError(f"model.pretrained: no weights of {name} have names; give a file or a run folder")
    return found[0].weights(found[1], value)


def _in_library(name: str, options: Mapping[str, Any]) -> tuple[Library, str] | None:
    """The library that has the network, and its name there; None where there is none."""
    if ":" in name:
        return split_name(name)
    # Our own models have the parameters of torchvision's models of that name.
    library, own = LIBRARIES["torchvision"], name + "_bn" * bool(options.get("batch_norm"))
    return (library, own) if own in library.names() else None


def _from_file(path: Path, name: str, options: Mapping[str, Any]) -> Pretrained:
    """Read a state dict. It does not tell its input: that of the library's weights for the network is assumed.

    Every network of ours has torchvision's names, one trained by hand on CIFAR too. So for those it is assumed only
    where all shapes are those of torchvision's weights as well, with 1000 classes: these are ImageNet's.
    """
    state, remarks = read_weights(path, _names_of(name, options))
    weights, found = Pretrained(state, str(path), remarks=tuple(remarks)), _in_library(name, options)
    if found is None or not (":" in name or _is_of(state, *found)):
        return weights
    library, own = found
    form = library.input_form(own)
    stem = next((tensor for tensor in state.values() if tensor.ndim == 4), None)
    if stem is not None and stem.shape[1] != len(form.mean or ()):  # trained on gray images, not as the library's
        form = replace(form, mean=None, std=None)
    return replace(weights, preprocessing=form, assumed=name if ":" in name else f"torchvision:{own}")


def _names_of(name: str, options: Mapping[str, Any]) -> Collection[str]:
    """The names of the network's tensors; how many classes it has and how large its images are changes none."""
    with torch.device("meta"):
        return build_model(name, classes=1000, image_size=input_size(name) or 224, **options).state_dict().keys()


def _is_of(state: Mapping[str, Tensor], library: Library, own: str) -> bool:
    """Whether names and shapes are those of the library's weights for ImageNet."""
    with torch.device("meta"):
        theirs = library.make(own, classes=1000, channels=3, size=224).state_dict()
    mine, others = ({name: t.shape for name, t in one.items() if is_weight(name)} for one in (state, theirs))
    return mine == others


def _from_run(path: Path) -> Pretrained:
    classifier = load(path)
    how = classifier.preprocessing
    wanted = InputForm(how.size, how.interpolation, how.crop_pct, how.mean, how.std)
    return Pretrained(classifier.network.state_dict(), f"the run {path}", wanted, classifier.classes)
