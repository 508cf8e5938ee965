"""What a run takes of a machine, and how many such runs a Ray cluster has room for."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.base.numbers import is_number
from assay.recipe.recipe import Recipe


@dataclass(frozen=True)
class Share:
    """A run's part of one machine.

    Attributes:
        cpus: above 0.
        gpus: at least 0: a part of one GPU, as 0.25, or whole ones.

    Raises:
        ValueError: Ray is not installed, or a number is out of its range.
    """

    cpus: float
    gpus: float

    def __post_init__(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ValueError("Ray is not installed: pip install 'assay[ray]'")
        for name, value, least in (("cpus", self.cpus, "above 0"), ("gpus", self.gpus, "at least 0")):
            if not is_number(value) or not math.isfinite(value) or value < 0 or (value == 0 and least == "above 0"):
                raise ValueError(f"{name} of a run on Ray: {value!r} is not a number {least}")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus of a run on Ray: {self.gpus:g} is neither a part of one nor a whole number of them")

    def __str__(self) -> str:
        """In words."""
        return " and ".join(f"{count:g} {kind}" for kind, count in self._wanted.items())

    @property
    def _wanted(self) -> dict[str, float]:
        return {kind: count for kind, count in (("CPU", self.cpus), ("GPU", self.gpus)) if count}

    def room(self, machines: Iterable[Mapping[str, float]]) -> int:
        """How many runs with this share the machines take at once, each given as what it has of each resource."""
        return sum(
            min(int(machine.get(kind, 0) / count + 1e-9) for kind, count in self._wanted.items())
            for machine in machines
        )

    def of(self, recipe: Recipe) -> Share:
        """The share of one recipe's run: a CPU for each thread and each process that decodes, and a GPU if it has one.

        Raises:
            ValueError: the recipe leaves its threads open, or asks for a GPU and there is none in this share.
        """
        threads, device = recipe.train.threads, recipe.train.device
        if threads is None:
            raise ValueError("train.threads: a run on Ray has to state it, or its rounding depends on the host")
        if device not in ("auto", "cpu") and not self.gpus:
            raise ValueError(f"train.device: {device}, for a run with 0 GPUs on Ray; give it some, or state cpu")
        return Share(max(self.cpus, threads, recipe.data.workers or 0), 0 if device == "cpu" else self.gpus)


def machines() -> list[dict[str, float]]:
    """What each machine of the cluster has in all."""
    import ray

    cluster: Any = ray  # its functions have no types
    return [node["Resources"] for node in cluster.nodes() if node["Alive"]]


def check_room(shares: Iterable[Share]) -> None:
    """Raise ``ValueError`` for a share that no machine of the cluster has: Ray would wait for one for ever."""
    have = machines()
    for share in shares:
        if not share.room(have):
            most = ", ".join(f"{max(machine.get(kind, 0) for machine in have):g} {kind}" for kind in ("CPU", "GPU"))
            raise ValueError(
                f"a run takes {share}, which no machine of this Ray has (at most {most}); if its cluster adds machines "
                "by itself, say --autoscaling"
            )


class Room:
    """How many runs of each share Ray may have at once, by what the cluster has at the moment.

    Args:
        autoscaling: Ray may have more than there is room for: a cluster grows by what waits.
        say: takes a line where no machine has room.
    """

    def __init__(self, autoscaling: bool, say: Callable[[str], None]) -> None:
        self._autoscaling = autoscaling
        self._say = say
        self._waiting: set[Share] = set()

    def most(self, share: Share, machines: Iterable[Mapping[str, float]]) -> int:
        """The number of runs, at least 1; what has no room is told once, until there was room for it."""
        room = share.room(machines)
        if room:
            self._waiting.discard(share)
        elif share not in self._waiting:
            self._waiting.add(share)
            self._say(f"no machine of the Ray cluster has room for a run with {share}; waiting for one")
        return 2 * room + 1 if self._autoscaling else max(1, room)
