"""``train.precision auto``: the type of number that this machine convolves fastest in, measured once and kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from assay.base.device import pick_device, reproducible
from assay.base.json_files import JsonObject, read_json, write_json
from assay.base.numbers import is_number
from assay.data.cache import cache_folder
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.environment import processor
from assay.training.arithmetic import Arithmetic, convolution, measure

_LOWER = ("bf16", "fp16")  # in this order: where both are as fast, bf16 needs no scaling of the loss
_SLOWER = 1.2
"""from how many times float32's time on a run says what its type costs"""


def settled(recipe: Recipe, measured: Callable[[Recipe], Arithmetic] | None = None) -> tuple[Recipe, list[str]]:
    """Replace ``train.precision auto`` by the fastest type of the recipe's device.

    Args:
        recipe: with any precision; one of ``fp32`` is returned as it is, and nothing is measured for it.
        measured: what the recipe's device was measured to do; by default ``measured_here``.

    Returns:
        The recipe, and a line on each thing to know: what was chosen and why, or what a type that is slower here than
        float32 costs.

    Raises:
        ValueError: there is no such device.
    """
    name = recipe.train.precision
    if name == "fp32":
        return recipe, []
    found = (measured or measured_here)(recipe)
    if name != "auto":
        return recipe, list(_costs(name, found))
    # The probe measures gradients as they are, which those of fp16 are not.
    chosen = found.fastest([one for one in _LOWER if not (one == "fp16" and recipe.probe.every)])
    return recipe.but({"train.precision": chosen}), [f"train.precision auto: {_choice(chosen, found)}"]


def stated(recipe: Recipe) -> Recipe:
    """Say how a recipe is computed where it leaves that to the machine: the kind of device, threads, type of number.

    Raises:
        ValueError: there is no such device.
    """
    if recipe.train.precision == "auto":
        recipe, _ = settled(recipe)
    device = pick_device("auto").type if recipe.train.device == "auto" else recipe.train.device
    return recipe.but({"train.device": device, "train.threads": recipe.train.threads or torch.get_num_threads()})


def as_begun(recipe: Recipe, file: Path) -> Recipe:
    """The recipe to resume a run with: ``train.precision auto`` is what the run began with, by its recipe's file."""
    if recipe.train.precision != "auto" or not file.exists():
        return recipe
    return recipe.but({"train.precision": read_recipe(file).train.precision})


def measured_here(recipe: Recipe) -> Arithmetic:
    """What was measured of this machine, now or by an earlier run with so many threads and this version of torch."""
    device = pick_device(recipe.train.device)
    threads = recipe.train.threads or torch.get_num_threads()
    layout = torch.channels_last if recipe.train.channels_last else torch.contiguous_format
    place = _described(device, threads, layout)
    key = hashlib.sha256(json.dumps(place, sort_keys=True).encode()).hexdigest()[:16]
    file = cache_folder() / "arithmetic" / f"{key}.json"
    if known := _read(file):
        return known
    with reproducible(0, device, threads):
        found = measure(_LOWER, convolution(device, layout))
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not correctness
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {**place, "seconds": found.seconds, "faults": found.faults})
    return found


def _described(device: torch.device, threads: int, layout: torch.memory_format) -> JsonObject:
    """All that the speed hangs on. Processors of one name may have different units, so those count too."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    units = next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": processor(),
        "units": sorted(units),
        "torch": torch.__version__,
        "threads": threads,
        "layout": str(layout),
    }


def _read(file: Path) -> Arithmetic | None:
    """What is kept there; None if it is not there, or damaged."""
    try:
        kept: dict[str, Any] = read_json(file)
    except ValueError:
        return None
    seconds, faults = kept.get("seconds"), kept.get("faults")
    if not isinstance(seconds, dict) or not isinstance(faults, dict):
        return None
    is_whole = {"fp32", *_LOWER} == seconds.keys() | faults.keys() and "fp32" in seconds
    return Arithmetic(seconds, faults) if is_whole and all(map(is_number, seconds.values())) else None


def _choice(chosen: str, found: Arithmetic) -> str:
    others = [f"{name} takes {found.cost(name):.2g} times as long as fp32" for name in _LOWER if name in found.seconds]
    out = [f"{name} is out: {why}" for name, why in found.faults.items()]
    return f"{chosen}; " + "; ".join([*others, *out])


def _costs(name: str, found: Arithmetic) -> Iterator[str]:
    if fault := found.faults.get(name):
        yield f"train.precision {name}: a convolution in it fails the comparison with fp32 here: {fault}"
    elif (cost := found.cost(name)) > _SLOWER:
        yield f"train.precision {name} is slow here: a convolution takes {cost:.2g} times as long as in fp32"
