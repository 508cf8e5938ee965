"""The models of torchvision and timm under their own names: ``torchvision:mobilenet_v3_small``, ``timm:resnet26d``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from assay.base.registry import choose
from assay.models import from_timm, from_torchvision
from assay.models.checks import rate, whole
from assay.models.weights import InputForm, Pretrained

Make = Callable[..., nn.Module]


@dataclass(frozen=True)
class Library:
    """What is needed of a library of models; each function but the first takes a model's name in it.

    Attributes:
        names: the names of all models.
        make: ``(name, *, classes, channels, size)``, and ``dropout`` where it is given, to a network,
            initialised; raises ``TypeError`` where it has no such option.
        input_form: the input that its usual weights were learned for.
        weights: ``(name, weights' name)`` to the weights.
    """

    names: Callable[[], list[str]]
    make: Make
    input_form: Callable[[str], InputForm]
    weights: Callable[[str, str], Pretrained]


LIBRARIES: dict[str, Library] = {
    "torchvision": Library(
        from_torchvision.names, from_torchvision.make, from_torchvision.input_form, from_torchvision.weights
    ),
    "timm": Library(from_timm.names, from_timm.make, from_timm.input_form, from_timm.weights),
}


def split_name(name: str) -> tuple[Library, str]:
    """The library and the model that ``library:model`` names.

    Raises:
        ValueError: no such library, or no such model in it; the nearest is named.
    """
    prefix, _, own = name.partition(":")
    library = choose("library of models", prefix, LIBRARIES)
    choose(f"model of {prefix}", own, dict.fromkeys(library.names()))
    return library, own


def elsewhere(name: str) -> str | None:
    """The full name of the library model that has this bare name, or None."""
    return next((f"{prefix}:{name}" for prefix, library in LIBRARIES.items() if name in library.names()), None)


def input_size(name: str) -> int | None:
    """The side in pixels of the images for which the model's usual weights were learned; None for our own models."""
    if ":" not in name:
        return None
    library, own = split_name(name)
    return library.input_form(own).size


def library_model(name: str) -> Callable[..., nn.Module]:
    """The constructor of ``library:model``; see `build_library_model`."""
    return partial(build_library_model, name)


def build_library_model(
    name: str, *, classes: int, channels: int = 3, image_size: int = 32, dropout: float | None = None
) -> nn.Module:
    """A model of torchvision or timm with its own initialisation, from torch's global generator.

    Before it takes memory it is tried on shapes alone (the meta device).

    Args:
        name: ``library:model``.
        classes: number of logits, at least 1.
        channels: of the images, 1 or 3. Where the library builds for 3 only, the first convolution's
            weights are summed over the channels for 1.
        image_size: height and width of the images, in pixels.
        dropout: rate in [0, 1) before the final layer, where the model has such an option.

    Raises:
        ValueError: no such model or option, or images of a size that it cannot take.
    """
    library, own = split_name(name)
    if channels not in (1, 3):
        raise ValueError(f"channels of {name} must be 1 or 3, got {channels!r}")
    options = {} if dropout is None else {"dropout": rate("dropout", dropout)}
    make = partial(library.make, own, classes=whole("classes", classes), channels=channels, **options)
    tried = partial(_tried, make, (2, channels), (2, classes))
    try:
        on_meta = tried(whole("image_size", image_size))
    except _MisfitError as error:
        raise ValueError(_refusal(name, image_size, str(error), library.input_form(own).size, tried)) from None
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ValueError(f"model {name} has no option 'dropout': its constructor takes none") from None
    return on_meta if torch.get_default_device().type == "meta" else make(size=image_size)


class _MisfitError(Exception):
    """A network gave no score for each class of each image, and why."""


def _tried(make: Make, images: tuple[int, int], scores: tuple[int, int], size: int) -> nn.Module:
    """The network on the meta device, once it has taken images of that size there; raises ``_MisfitError``."""
    try:
        network = _on_meta(partial(make, size=size))
        found = network.eval()(torch.empty(*images, size, size, device="meta"))
    except (NotImplementedError, TypeError):
        raise
    except Exception as error:  # whatever a foreign network says to a size that it cannot take
        raise _MisfitError(" ".join(str(error).split())[:120] or type(error).__name__) from None
    if tuple(getattr(found, "shape", ())) != scores:
        raise _MisfitError("it does not give a score for each class")
    return network.train()


def _on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    """The network's shapes, without memory where its constructor does not read numbers out of tensors."""
    try:
        with torch.device("meta"):
            return make()
    except NotImplementedError:  # RegNet computes its widths with tensors
        with torch.random.fork_rng([]), torch.device("cpu"):
            return make().to("meta")


def _refusal(name: str, size: int, reason: str, best: int | None, tried: Callable[[int], nn.Module]) -> str:
    """One line that names a size that works; and the smallest, where all sizes from it on work."""

    def fits(side: int) -> bool:
        try:
            tried(side)
        except _MisfitError:
            return False
        return True

    if best is None or not fits(best):
        return f"{name} does not take images of {size} pixels ({reason})"
    smallest = bisect_left(range(best), True, lo=size, key=fits) if size < best else best
    if size < best and fits(smallest + 1):
        return f"{name} needs images of at least {smallest} pixels, not {size}; set data.size {best}"
    return f"{name} does not take images of {size} pixels ({reason}); set data.size {best}"
