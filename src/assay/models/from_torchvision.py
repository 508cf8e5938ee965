"""Torchvision's classification models and their weights. The library is imported on first use: that takes time."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

from torch import nn

from assay.base.registry import choose
from assay.models.weights import DownloadError, InputForm, Pretrained, is_default


def names() -> list[str]:
    """Return the names of all models."""
    from torchvision import models

    found: list[str] = models.list_models(module=models)  # without its detectors and such, which it lists too
    return found


def make(name: str, *, classes: int, channels: int, size: int, **options: Any) -> nn.Module:
    """Build a model; see `library.Library`.

    Inception networks come without their auxiliary heads. For one channel the first convolution's weights are
    summed over its three, which gives what a gray image in each of them would give.
    """
    from torchvision import models

    fixed = {"image_size": size, "input_size": (size, size), "aux_logits": False, "init_weights": True}
    taken = {key: value for key, value in fixed.items() if key in _options(name)}
    network: nn.Module = models.get_model(name, weights=None, num_classes=classes, **taken, **options)
    if channels == 1:
        stem = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
        stem.in_channels = 1
        stem.weight = nn.Parameter(stem.weight.detach().sum(1, keepdim=True))
    return network


def input_form(name: str) -> InputForm:
    """Return the input that the model's default weights were trained on."""
    return _input_form(name, _choices(name)["DEFAULT"])


def weights(name: str, value: str) -> Pretrained:
    """Return the weights of that name (``IMAGENET1K_V1``...) or the default ones; see `library.Library`."""
    table = _choices(name)
    chosen = table["DEFAULT"] if is_default(value) else choose(f"weights of torchvision:{name}", value, table)
    origin = f"torchvision's {name} {chosen.name}"
    try:
        state = chosen.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise DownloadError(origin, error) from None
    return Pretrained(state, origin, _input_form(name, chosen), tuple(chosen.meta["categories"]))


def _options(name: str) -> set[str]:
    """Return the options of the model's class, to which torchvision's function of that name passes them."""
    from torchvision import models

    return set(inspect.signature(get_type_hints(models.get_model_builder(name))["return"]).parameters)


def _choices(name: str) -> dict[str, Any]:
    from torchvision import models

    return dict(models.get_model_weights(name).__members__)


def _input_form(name: str, chosen: Any) -> InputForm:
    how = chosen.transforms()
    crop, scaled = how.crop_size[0], how.resize_size[0]
    # These weights were trained on inputs from -1 to 1; torchvision's network converts to that range itself.
    centred = "transform_input" in _options(name)
    mean, std = ([0.5] * 3, [0.5] * 3) if centred else (how.mean, how.std)
    return InputForm(crop, how.interpolation.value, crop / scaled, tuple(mean), tuple(std))
