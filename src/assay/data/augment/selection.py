"""Different changes for the images of one batch, vectorised over the images that share a change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Change = Callable[[Tensor, Tensor], Tensor]
"""uint8 ``[n, C, H, W]`` and a number for each image, ``[n]``, to the changed images"""


def pick(chosen: Tensor, these: Tensor, those: Tensor) -> Tensor:
    """``these`` where ``chosen`` (bool), ``those`` elsewhere; all three broadcast.

    The arithmetic is what the CPU vectorises: ``torch.where`` takes six times as long for pixels.
    """
    mask = chosen.to(those.dtype)
    return (those * (1 - mask)).add_(these * mask)


def by_kind(images: Tensor, kinds: Tensor, values: Tensor, changes: Sequence[Change]) -> Tensor:
    """Put each image through the change of its kind, all images of one kind together.

    The sizes of the groups decide which kernels are launched, so the CPU waits for a GPU once.

    Args:
        images: ``[B, C, H, W]``.
        kinds: the number of each image's change, int64 ``[B]``.
        values: the number that the change is called with for each image, ``[B]``.
        changes: by number.
    """
    if len(images) == 1:  # a stream's images come one by one
        return changes[int(kinds)](images, values)
    order = kinds.argsort(stable=True)
    counts = kinds.bincount(minlength=len(changes)).tolist()
    parts = torch.split(images.index_select(0, order), counts)
    groups = zip(changes, parts, torch.split(values[order], counts), strict=True)
    changed = torch.cat([change(part, numbers) for change, part, numbers in groups if len(part)])
    return changed.index_select(0, order.argsort())  # back into the order of the batch


def truncated(values: Tensor) -> Tensor:
    """Float grey levels as uint8, cut off at 0 and 255 and rounded down; changes ``values``.

    The way through int16 is the one that the CPU vectorises.
    """
    return values.clamp_(0, 255).to(torch.int16).to(torch.uint8)
