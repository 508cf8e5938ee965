"""The processes that train one model together, and the share that each of them has.

A process that trains alone is the trivial case: it has the whole, and every sum is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor


class EndedElsewhereError(Exception):
    """Another process of the run has failed or was lost; where it could, it has said why."""


class HangsElsewhereError(EndedElsewhereError):
    """Another process has kept this one waiting for too long; ``to_say`` in the process that has to say so."""

    def __init__(self, text: str, to_say: bool) -> None:
        super().__init__(text)
        self.to_say = to_say


@dataclass(frozen=True)
class Ranks:
    """Which of the processes that train one model this is, and how they add up numbers.

    All of them must call the same methods in the same order: each call but ``share`` waits for the others.

    Attributes:
        rank: the number of this process, from 0, the first, which alone writes and prints.
        size: how many processes there are.
        all_reduce: replaces a tensor by its sum over all processes, which is the same to the bit in each; raises
            ``EndedElsewhereError`` if one of them is gone.
        local_rank: the number of this process among those of its host, from 0.
        local_size: how many processes its host has.
    """

    rank: int = 0
    size: int = 1
    all_reduce: Callable[[Tensor], object] = lambda _tensor: None
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def share(self, values: Tensor, parts: int = 1) -> Tensor:
        """This process's share of the first dimension.

        The shares of all processes are disjoint, in their order make up the whole, and differ by at most one in
        length; of fewer values than processes some are empty.

        Args:
            values: ``[B, ...]``.
            parts: how many equal parts ``B`` is cut into first, each of which is shared by itself.
        """
        if self.size == 1:
            return values
        return torch.cat([part.tensor_split(self.size)[self.rank] for part in values.chunk(parts)])

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one message of the type that holds all of theirs."""
        if self.size == 1:
            return
        widest = reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
        message = torch.cat([tensor.reshape(-1).to(widest) for tensor in tensors])
        self.all_reduce(message)
        for tensor, total in zip(tensors, torch.split(message, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view(tensor.shape))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        count = torch.tensor(int(flag))
        self.all_reduce(count)
        return bool(count)

    def wait(self) -> None:
        """Wait until all processes have come to this place."""
        self.any(False)

    def copy_first(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by that of the first process."""
        for tensor in tensors:
            if not self.is_first:
                tensor.zero_()
            self.add_up([tensor])

    def text_of_first(self, text: str) -> str:
        """The text that the first process has given."""
        encoded = torch.frombuffer(bytearray(text.encode() + b" "), dtype=torch.uint8).long()  # never empty
        length = torch.tensor(len(encoded))
        self.copy_first([length])
        if not self.is_first:
            encoded = torch.zeros(int(length), dtype=torch.int64)
        self.copy_first([encoded])
        return bytes(encoded.tolist())[:-1].decode()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Leave the block in all processes, or in none: where one fails in it, all do.

        The first one that failed raises its error, the others ``EndedElsewhereError``. Inside, no process may wait
        for the others.
        """
        error = None
        try:
            yield
        except Exception as raised:
            error = raised
        failed = torch.zeros(self.size, dtype=torch.int64)
        failed[self.rank] = error is not None
        self.all_reduce(failed)
        if error is not None and not failed[: self.rank].any():
            raise error
        if failed.any():
            raise EndedElsewhereError("another process of the run has failed") from error


ALONE = Ranks()
