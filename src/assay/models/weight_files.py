"""Files of weights: reading them without executing anything, and finding the state dict of a network in them."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file
from torch import Tensor

from assay.base.text import shorten

_USUAL_KEYS = ("state_dict", "model_state_dict", "model")
_UNREAD = (
    "argparse.Namespace",
    *(f"pathlib{inner}.{name}" for inner in ("", "._local") for name in ("PosixPath", "WindowsPath")),
    *(f"pathlib{inner}.{name}" for inner in ("", "._local") for name in ("PurePosixPath", "PureWindowsPath")),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    "numpy.dtype",
    "numpy.ndarray",
    "builtins.list",
    "builtins.dict",
    "datetime.datetime",
    "datetime.timedelta",
)
_UNREAD_MAPPINGS = (
    "collections.defaultdict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "lightning.pytorch.utilities.parsing.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict",
)
"""types of settings and measures that training scripts save beside the weights, and those that are like a dict"""


class _Unread:
    """Stands for a value that is not needed: nothing of the type that the file names is called."""

    def __new__(cls, *_given: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_given: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


class _UnreadMapping:
    """Stands likewise for a mapping, whose items torch fills into a plain one only."""

    def __new__(cls, *_given: object) -> dict[Any, Any]:  # type: ignore[misc]
        return {}


def read_weights(path: Path, wanted: Collection[str] = ()) -> tuple[dict[str, Tensor], list[str]]:
    """Read a network's state dict from a ``.safetensors`` file, or from one of ``torch.save``; no code in it is run.

    The state dict may stand in dictionaries and lists within each other, under any keys, and its names may begin with
    what data parallel training, a compiler or a wrapper put before them. Of several state dicts the one is taken that
    has the most of the network's names; of equal ones that under the usual key of a checkpoint (``state_dict``,
    ``model``), or the first. It may be saved in parts, a dictionary for each (``{"backbone": ..., "fc": ...}``).

    Args:
        path: the file.
        wanted: the names of the network's tensors; empty where they are not known.

    Returns:
        The tensors by their names in the network, and remarks on what was left out.

    Raises:
        ValueError: the file holds no weights, or values of a type that is not read, or is damaged.
    """
    names = frozenset(wanted)
    values = _read(path)
    found = [_Found.of(place, tensors, names) for place, tensors in _state_dicts(values)]
    if not found:
        raise ValueError(f"model.pretrained: {path} holds no state dict (a mapping from names to tensors)")
    best = max(found, key=lambda one: one.rank)  # the first of equal ones
    joined = max(_in_parts(values, names), key=len, default={})
    if len(joined) > best.fitting:
        return joined, []
    others = [one.place for one in found if one is not best and names and one.fitting == best.fitting > 0]
    remarks = (
        [f"{path} holds more weights that fit, under {others[0]}; taken: {best.place or 'its first names'}"]
        if others
        else []
    )
    state, left_out = best.of_network(names)
    if left_out:
        shown = ", ".join([*left_out[:3], *(["..."] if len(left_out) > 3 else [])])
        remarks.append(f"left out of {path}, for they are no tensors of the network: {shown}")
    return state, remarks


@dataclass(frozen=True)
class _Found:
    """A mapping with tensors in a file.

    Attributes:
        place: its key.
        tensors: by name.
        prefix: what stands before the network's names.
        fitting: how many of the network's names it has then.
    """

    place: str
    tensors: Mapping[str, Tensor]
    prefix: str
    fitting: int

    @classmethod
    def of(cls, place: str, tensors: Mapping[str, Tensor], names: frozenset[str]) -> Self:
        """Find the prefix under which most of the network's names are there."""
        counts: defaultdict[str, int] = defaultdict(int)
        for name in tensors:
            for prefix in _prefixes(name):
                counts[prefix] += name[len(prefix) :] in names
        prefix = max(counts, key=lambda one: (counts[one], -len(one)))
        return cls(place, tensors, prefix, counts[prefix])

    @property
    def rank(self) -> tuple[int, bool, int]:
        """What decides between several: the greatest is taken."""
        return self.fitting, self.place in _USUAL_KEYS, len(self.tensors)

    def of_network(self, names: frozenset[str]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the network's tensors under its own names, and the names of those that belong to something else."""
        if 2 * self.fitting <= len(names):  # other names altogether, which may still be matched by their order
            return dict(self.tensors), []
        state = {name.removeprefix(self.prefix): t for name, t in self.tensors.items() if name.startswith(self.prefix)}
        counters = [name for name, tensor in state.items() if tensor.ndim == 0 and name not in names]
        outside = [name for name in self.tensors if not name.startswith(self.prefix)]
        left_out = [*outside, *(self.prefix + name for name in counters if not name.endswith("num_batches_tracked"))]
        return {name: tensor for name, tensor in state.items() if name not in counters}, left_out


def _prefixes(name: str) -> Iterator[str]:
    """Yield the beginnings of a dotted name: ``""``, ``a.`` and ``a.b.`` of ``a.b.c``."""
    return accumulate((f"{part}." for part in name.split(".")[:-1]), initial="")


def _state_dicts(values: object) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield every mapping with tensors in it, at any depth, with its key."""
    for place, mapping in _mappings(values):
        if tensors := _tensors(mapping):
            yield place, tensors


def _in_parts(values: object, names: frozenset[str]) -> Iterator[dict[str, Tensor]]:
    """Yield the network's tensors in the mappings within one, by their own names or with their mapping's key before."""
    for _, mapping in _mappings(values):
        parts = [(key, name, tensor) for key, inner in mapping.items() for name, tensor in _tensors(inner).items()]
        yield {full: tensor for key, name, tensor in parts for full in (name, f"{key}.{name}") if full in names}


def _mappings(values: object) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield every mapping at any depth, the outer ones first, with its key."""
    waiting, seen = deque([("", values)]), set[int]()
    while waiting:
        place, value = waiting.popleft()
        if not isinstance(value, Mapping | list | tuple) or id(value) in seen:
            continue
        seen.add(id(value))  # a file may hold a mapping within itself
        if isinstance(value, Mapping):
            yield place, value
            waiting += [(str(key), inner) for key, inner in value.items()]
        else:
            waiting += [(place, inner) for inner in value]


def _tensors(value: object) -> dict[str, Tensor]:
    """Return the tensors that a mapping holds, by name; none of anything else."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {str(name): tensor for name, tensor in items if isinstance(tensor, Tensor)}


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        harmless: list[Any] = [(_Unread, name) for name in _UNREAD] + [
            (_UnreadMapping, name) for name in _UNREAD_MAPPINGS
        ]
        with torch.serialization.safe_globals(harmless), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a newer pickle than torch writes: it is read or refused
            return torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a damaged file of the older format fails in torch in any way
        text = " ".join(str(error).split())
        if refused := re.search(r"GLOBAL (\S+)", text):
            raise ValueError(
                f"model.pretrained: {path} holds a value of the type {shorten(refused[1], 80)}, which is not read, for "
                "it could execute code; save the network's state_dict() alone"
            ) from None
        reason = shorten(text.partition("WeightsUnpickler error: ")[2] or text.split(".")[0], 120)
        raise ValueError(
            f"model.pretrained: {path} is not a file of weights, or cut off ({reason or type(error).__name__})"
        ) from None
