"""Initial weights that do not depend on the rest of the network, so that two runs of one seed are a pair."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode  # public in all but name: torch's own docs point to it


@contextmanager
def paired_draws(seed: int) -> Iterator[None]:
    """While entered, each random tensor on the CPU comes from a seed of its own.

    That seed follows from ``seed``, the tensor's shape, and how many of that shape were drawn before. So
    two networks that differ in one layer begin alike in all others of equal shape and order: their runs
    differ by the choice under test and by less chance. At the end torch's generator is as it was.
    """
    with torch.random.fork_rng([]), _SeedOfItsOwn(seed):
        yield


class _SeedOfItsOwn(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seed = seed
        self._drawn: Counter[tuple[str, tuple[int, ...]]] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            place = (str(func), _shape(args))
            torch.default_generator.manual_seed(_seed_of(self._seed, place, self._drawn[place]))
            self._drawn[place] += 1
        return func(*args, **(kwargs or {}))


def _shape(args: Sequence[Any]) -> tuple[int, ...]:
    """Of the tensor to be filled, or the size that is asked for."""
    first = args[0] if args else ()
    return tuple(first.shape if isinstance(first, Tensor) else first if isinstance(first, Sequence) else ())


def _seed_of(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little") >> 1
