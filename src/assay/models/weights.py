"""Pretrained weights: reading them, and loading them into a network that may differ in head, names or channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from assay.base.text import shorten
from assay.models.structure import final_layers, heads_of, is_within

_AUXILIARY = ("AuxLogits", "aux1", "aux2")  # the extra heads of torchvision's Inception networks


@dataclass(frozen=True)
class InputForm:
    """The input that weights were trained on; None for what is not known.

    Attributes:
        size: side of the square image, in pixels.
        interpolation: ``"bilinear"`` or ``"bicubic"``, how images were scaled.
        crop_pct: side of the central crop over the side of the scaled image, in (0, 1].
        mean: of each channel, pixels in [0, 1].
        std: standard deviation of each channel, likewise.
    """

    size: int | None = None
    interpolation: str | None = None
    crop_pct: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`, from JSON too."""
        lists = {name: tuple(map(float, values[name])) for name in ("mean", "std") if values[name] is not None}
        return cls(**{**values, **lists})


@dataclass(frozen=True)
class Pretrained:
    """Weights and where they come from.

    Attributes:
        state: the tensors by name.
        origin: where they come from, in words.
        preprocessing: the input that they were trained on; None if it is not known.
        classes: the class names of their head; None if they are not known.
        assumed: the name of the network whose usual input ``preprocessing`` is, where the weights tell none.
        remarks: on what else their file holds.
    """

    state: Mapping[str, Tensor]
    origin: str
    preprocessing: InputForm | None = None
    classes: tuple[str, ...] | None = None
    assumed: str = ""
    remarks: tuple[str, ...] = ()


class DownloadError(ValueError):
    """A library's weights are not on this machine, and could not be downloaded; ``cure`` is a command that helps."""

    def __init__(self, origin: str, reason: Exception, cure: str = "") -> None:
        text = " ".join(str(reason).split())[:120].rstrip(". ") or type(reason).__name__
        self.what, self.cure = f"cannot download {origin} ({text})", cure and f"{cure}, or "
        super().__init__(f"{self.what}; {self.cure}give a file with model.pretrained PATH")


PACKAGE = "package"
"""the name of weights that an installed package carries"""


def is_default(value: str) -> bool:
    """Whether the name means the library's default weights."""
    return value in ("default", "imagenet")


def is_path(value: str) -> bool:
    """Whether the name may be that of a file or folder: a word of ours is none, even where one is called so."""
    return not is_default(value) and value != PACKAGE


def load_weights(network: nn.Module, pretrained: Pretrained, classes: Sequence[str] = ()) -> list[str]:
    """Load the weights into the network, in place.

    Every tensor of the body must fit. The final layer is loaded if the weights have the same class names in the same
    order; else it begins at zero, where all classes are equally probable: as the libraries draw it, over a body that
    is trained already, its first answers are sure and wrong, and the body is changed to suit them. The head's other
    layers are loaded if all of them fit, else none is.

    If names differ, the weights are matched by their order, given that kinds (weight, bias...) and shapes agree
    one by one. The first convolution may have another number of input channels: from 3 to 1 its weights are
    summed, so that a gray image gives what three equal channels gave; from 1 to 3 they are repeated and divided by
    3, so that an image gives what the mean of its channels gave.

    Args:
        network: keeps its device, dtype and memory layout.
        pretrained: the weights.
        classes: the network's class names.

    Returns:
        What was done, in lines of words for the record.

    Raises:
        ValueError: a tensor of the body is missing, not finite or of another shape, or the weights hold a tensor that
            the network does not have; the network is unchanged then.
    """
    target = _Target.of(network)
    state, notes = {name: tensor for name, tensor in pretrained.state.items() if is_weight(name)}, [*pretrained.remarks]
    if not all(name in state for name in target.body) and (renamed := target.by_order(state)):
        state, notes = renamed, [*notes, "matched by order, for the names differ"]
    fitting = {name: fitted for name, tensor in state.items() if (fitted := target.fitted(name, tensor)) is not None}
    _check_body(pretrained.origin, target, state, fitting)
    _check_unexpected(pretrained.origin, target, state)
    head = target.inner + (target.final if pretrained.classes == tuple(classes) else [])
    chosen = target.body + (head if all(name in fitting for name in head) else [])
    with torch.no_grad():
        for name in chosen:
            target.tensors[name].copy_(fitting[name])
    if not set(target.final) & set(chosen):
        start_at_zero(network)
    if target.stem in chosen and fitting[target.stem].shape != (before := state[target.stem].shape):
        notes.append(f"{target.stem}: from {before[1]} input channels to {fitting[target.stem].shape[1]}")
    new = [name for name in target.tensors if name not in chosen]
    return [f"{len(chosen)} tensors of {pretrained.origin}", *notes, *([f"new: {', '.join(new)}"] if new else [])]


def start_at_zero(network: nn.Module) -> None:
    """Set the final layers so that all classes get the same score, in place, and a gradient reaches them."""
    modules = dict(network.named_modules())
    for name in final_layers(network):
        nn.init.zeros_(modules[name].weight)
        if modules[name].bias is not None:
            # A ReLU behind the final layer, as in SqueezeNet, passes no gradient at zero.
            followers = list(modules)[list(modules).index(name) + 1 :]
            nn.init.constant_(modules[name].bias, any(isinstance(modules[other], nn.ReLU) for other in followers))


@dataclass(frozen=True)
class _Target:
    """A network's tensors, and their names by place: in the body, in the head before the final layer, in that."""

    tensors: Mapping[str, Tensor]
    heads: tuple[str, ...]
    body: list[str]
    inner: list[str]
    final: list[str]

    @classmethod
    def of(cls, network: nn.Module) -> Self:
        """Sort the network's tensors by place."""
        tensors = {name: tensor for name, tensor in network.state_dict().items() if is_weight(name)}
        heads, layers = heads_of(network), final_layers(network)
        body = [name for name in tensors if not is_within(name, heads)]
        final = [name for name in tensors if is_within(name, layers)]
        inner = [name for name in tensors if name not in {*body, *final}]
        return cls(tensors, heads, body, inner, final)

    @property
    def stem(self) -> str:
        """The name of the first convolution's weight; empty if there is none."""
        return next((name for name, tensor in self.tensors.items() if tensor.ndim == 4), "")

    def fitted(self, name: str, tensor: Tensor) -> Tensor | None:
        """Return the tensor in the shape that the network has under that name, or None if it does not fit."""
        if name not in self.tensors or not tensor.isfinite().all():
            return None
        wanted = self.tensors[name].shape
        if name == self.stem and tensor.ndim == 4 and {tensor.shape[1], wanted[1]} == {1, 3}:
            tensor = tensor.sum(1, keepdim=True) if wanted[1] == 1 else tensor.repeat(1, 3, 1, 1) / 3
        return tensor if tensor.shape == wanted else None

    def by_order(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights under the network's names, matched by order; empty if kinds or shapes differ."""
        names = [name for name in self.tensors if name not in self.final]
        wanted, given = names + self.final, list(state)
        if len(given) not in (len(names), len(wanted)):
            return {}
        renamed = dict(zip(wanted, state.values(), strict=False))
        same_kinds = all(_kind(new) == _kind(old) for new, old in zip(wanted, given, strict=False))
        return renamed if same_kinds and all(self.fitted(name, renamed[name]) is not None for name in names) else {}


def is_weight(name: str) -> bool:
    """Whether a tensor of that name has an effect: a norm's counter of batches has none here, and old files lack it."""
    return _kind(name) != "num_batches_tracked"


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


def _check_body(origin: str, target: _Target, state: Mapping[str, Tensor], fitting: Mapping[str, Tensor]) -> None:
    misfits = [name for name in target.body if name not in fitting]
    if not misfits:
        return
    first, wanted = misfits[0], tuple(target.tensors[misfits[0]].shape)
    found = tuple(state[first].shape) if first in state else None
    what = "is missing" if found is None else "is not finite" if found == wanted else f"has shape {found}"
    raise ValueError(
        f"model.pretrained: {len(misfits)} of the {len(target.body)} tensors of the network's body do not fit "
        f"{origin}; the first, {first} of shape {wanted}, {what} there"
    )


def _check_unexpected(origin: str, target: _Target, state: Mapping[str, Tensor]) -> None:
    known = {*target.heads, *_AUXILIARY}
    unexpected = [name for name in state if name not in target.tensors and not is_within(name, known)]
    if unexpected:
        raise ValueError(
            f"model.pretrained: {origin} has {len(unexpected)} tensors that the network has not, "
            f"the first {shorten(unexpected[0], 200)}"
        )
