"""The models of torchvision and timm under their own names: ``torchvision:mobilenet_v3_small``, ``timm:resnet26d``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from assay.base.numbers import whole
from assay.base.registry import choose
from assay.models import from_timm, from_torchvision
from assay.models.checks import rate
from assay.models.weights import InputForm, Pretrained

Make = Callable[..., nn.Module]


class Library(Protocol):
    """The functions that the module of a library of models has."""

    def names(self) -> list[str]:
        """Return the names of all models."""

    def make(self, name: str, *, classes: int, channels: int, size: int, **options: Any) -> nn.Module:
        """Build a model with its own initialisation: images ``[B, channels, size, size]`` to scores ``[B, classes]``.

        Raises ``TypeError`` if the model does not have one of the options (``dropout``).
        """

    def input_form(self, name: str) -> InputForm:
        """Return the input that the model's default weights were trained on."""

    def weights(self, name: str, value: str) -> Pretrained:
        """Return the model's weights that are called ``value``, or the default ones: cached, downloaded or packaged.

        Raises ``ValueError`` if there are no such weights, or they cannot be downloaded.
        """


LIBRARIES: dict[str, Library] = {"torchvision": from_torchvision, "timm": from_timm}
_FITTING: set[tuple[object, ...]] = set()  # the arguments of networks that took their images in this process


def split_name(name: str) -> tuple[Library, str]:
    """Split ``library:model`` into the library and the model's own name.

    Raises:
        ValueError: there is no such library, or no such model in it; the message names the nearest.
    """
    prefix, _, own = name.partition(":")
    library = choose("library of models", prefix, LIBRARIES)
    choose(f"model of {prefix}", own, dict.fromkeys(library.names()))
    return library, own


def elsewhere(name: str) -> str | None:
    """Return ``library:name`` for a bare name that a library has, or None."""
    return next((f"{prefix}:{name}" for prefix, library in LIBRARIES.items() if name in library.names()), None)


def input_size(name: str) -> int | None:
    """Return the side, in pixels, of the images that the default weights were trained on; None for our own models."""
    if ":" not in name:
        return None
    library, own = split_name(name)
    return library.input_form(own).size


def build_library_model(
    name: str, *, classes: int, channels: int = 3, image_size: int = 32, dropout: float | None = None
) -> nn.Module:
    """Build ``library:model`` as `assay.models.build_model` does; ``channels`` must be 1 or 3.

    It is first built without memory, on the meta device, to see whether it takes images of that size; once in a
    process, for that takes longer than to build it. The only option is ``dropout``, a rate in [0, 1) before the final
    layer, where the model has it.
    """
    library, own = split_name(name)
    if channels not in (1, 3):
        raise ValueError(f"channels of {name} must be 1 or 3, got {channels!r}")
    options: dict[str, Any] = {} if dropout is None else {"dropout": rate("dropout", dropout)}
    make = partial(library.make, own, classes=whole("classes", classes), channels=channels, **options)
    tried = partial(_tried, make, (2, channels), (2, classes))
    known = (name, classes, channels, whole("image_size", image_size), dropout)
    on_meta = torch.get_default_device().type == "meta"
    if known in _FITTING:
        build = partial(make, size=image_size)
        return _on_meta(build) if on_meta else build()
    try:
        network = tried(image_size)
    except _MisfitError as error:
        raise ValueError(_refusal(name, image_size, str(error), library.input_form(own).size, tried)) from None
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ValueError(f"model {name} has no option 'dropout': its constructor takes none") from None
    _FITTING.add(known)
    return network if on_meta else make(size=image_size)


class _MisfitError(Exception):
    """A network did not give a score for each class of each image; says why."""


def _tried(make: Make, images: tuple[int, int], scores: tuple[int, int], size: int) -> nn.Module:
    """Build the network on the meta device and give it images of that size; raise ``_MisfitError`` if it fails."""
    try:
        network = _on_meta(partial(make, size=size))
        found = network.eval()(torch.empty(*images, size, size, device="meta"))
    except (NotImplementedError, TypeError):
        raise
    except Exception as error:  # networks fail in many ways on a size that they do not take
        raise _MisfitError(" ".join(str(error).split())[:120] or type(error).__name__) from None
    if tuple(getattr(found, "shape", ())) != scores:
        raise _MisfitError("it does not give a score for each class")
    return network.train()


def _on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    """Build the network without memory for its weights."""
    try:
        with torch.device("meta"):
            return make()
    except NotImplementedError:  # its constructor reads numbers out of tensors, as RegNet's does
        with torch.random.fork_rng([]), torch.device("cpu"):
            return make().to("meta")


def _refusal(name: str, size: int, reason: str, best: int | None, tried: Callable[[int], nn.Module]) -> str:
    """Return a line that names the smallest size that works, or else the size of the default weights."""

    def fits(side: int) -> bool:
        try:
            tried(side)
        except _MisfitError:
            return False
        return True

    if best is None or not fits(best):
        return f"{name} does not take images of {size} pixels ({reason})"
    # Bisection assumes that every size above a good one is good. Some networks take only multiples of a number:
    # their size is not called the smallest if the next one fails.
    smallest = bisect_left(range(best), True, lo=size, key=fits) if size < best else best
    if size < best and fits(smallest + 1):
        return f"{name} needs images of at least {smallest} pixels, not {size}; set data.size {best}"
    return f"{name} does not take images of {size} pixels ({reason}); set data.size {best}"
