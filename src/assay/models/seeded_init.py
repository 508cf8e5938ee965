"""Initial weights that do not depend on the rest of the network, so that two runs with one seed are a pair."""

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
def seeded_init(seed: int) -> Iterator[None]:
    """Within this context, draw each random tensor on the CPU from a seed of its own.

    That seed is a hash of ``seed``, the operation, the tensor's shape, and how many such tensors were drawn before.
    So two networks that differ in one layer begin with equal weights in all others, and their runs differ by the
    choice under test and less by chance. At the end torch's generator is as it was.
    """
    with torch.random.fork_rng([]), _SeedForEachTensor(seed):
        yield


class _SeedForEachTensor(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
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
            first = args[0] if args else ()  # the tensor to fill (uniform_), or the size of a new one (rand)
            shape = first.shape if isinstance(first, Tensor) else first if isinstance(first, Sequence) else ()
            place = (str(func), tuple(shape))
            digest = hashlib.blake2b(repr((self._seed, place, self._drawn[place])).encode(), digest_size=8).digest()
            torch.default_generator.manual_seed(int.from_bytes(digest, "little") >> 1)  # 63 bits: seeds are signed
            self._drawn[place] += 1
        return func(*args, **(kwargs or {}))
