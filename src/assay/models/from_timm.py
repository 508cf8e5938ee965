"""The models of timm and their weights. The library is imported when it is first used: that takes time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from assay.base.registry import choose
from assay.models.from_package import CURE, PACKAGES, packaged_weights
from assay.models.weights import PACKAGE, DownloadError, InputForm, Pretrained, is_default


def names() -> list[str]:
    """Return the names of all models."""
    import timm

    found: list[str] = timm.list_models()
    return found


def make(name: str, *, classes: int, channels: int, size: int, **options: Any) -> nn.Module:
    """Build a model; see `library.Library`."""
    import timm

    given = {{"dropout": "drop_rate"}[key]: value for key, value in options.items()}  # timm's own word for it
    how: Any = timm.get_pretrained_cfg(name)
    if how.fixed_input_size:
        given["img_size"] = size  # transformers have position embeddings for one size
    network: nn.Module = timm.create_model(name, num_classes=classes, in_chans=channels, **given)
    return network


def input_form(name: str) -> InputForm:
    """Return the input that the model's default weights were trained on."""
    import timm

    how: Any = timm.get_pretrained_cfg(name)
    return InputForm(how.input_size[-1], how.interpolation, min(how.crop_pct, 1.0), tuple(how.mean), tuple(how.std))


def weights(name: str, value: str) -> Pretrained:
    """Return the weights of that tag (``in1k``, ``a1_in1k``...) or the default ones; see `library.Library`.

    Where the default ones cannot be downloaded, they are those of an installed package if there is one, as are always
    those called ``package``.
    """
    import timm

    if value == PACKAGE:
        return _packaged(name)
    tags = {full.partition(".")[2]: full for full in timm.list_pretrained(name) + timm.list_pretrained(f"{name}.*")}
    if not tags:
        raise ValueError(f"model.pretrained: timm has no weights of {name}; give a file or a run folder")
    full = name if is_default(value) else choose(f"weights of timm:{name}", value, tags)
    origin = f"timm's {full}"
    try:
        with torch.random.fork_rng([]), _quiet():  # the network is initialised before the weights are loaded
            state = timm.create_model(full, pretrained=True).state_dict()
    except Exception as error:  # from the hub, the network or the disk: they share no base class
        if is_default(value) and (found := packaged_weights(name, input_form(name))):
            return found
        raise DownloadError(origin, error, CURE if is_default(value) and name in PACKAGES else "") from None
    return Pretrained(state, origin, input_form(full))


def _packaged(name: str) -> Pretrained:
    if name not in PACKAGES:
        raise ValueError(f"model.pretrained {PACKAGE}: only for {', '.join(PACKAGES)}; give a file or a run folder")
    found = packaged_weights(name, input_form(name))
    if found is None:
        raise ValueError(f"model.pretrained {PACKAGE}: {PACKAGES[name]} is not installed; {CURE}, or give a file")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the hub's line for each attempt; if the last one fails, ``DownloadError`` says so."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
