"""Batch norm over a batch that several processes share, on any device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from assay.base.ranks import Ranks
from assay.training.precision import at_least_float32


class SharedNorms(TorchFunctionMode):
    """While entered, batch norms in training mode see the images of all processes.

    It takes the place of ``F.batch_norm``, which every kind of batch norm calls, so that no layer is replaced; torch's
    own SyncBatchNorm takes the place of layers, and works on GPUs alone. Norms that use their running statistics stay
    as they are.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self._ranks = ranks

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is not F.batch_norm:
            return function(*args, **(kwargs or {}))
        return self._batch_norm(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        images: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return F.batch_norm(images, running_mean, running_var, weight, bias, False, momentum, eps)
        count, mean, variance = statistics_of_all(images, self._ranks)
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * count / (count - 1)).to(running_var.dtype), momentum)
        normalised: Tensor = _Normalise.apply(images, weight, bias, count, mean, variance, eps, self._ranks)
        return normalised


@torch.no_grad()
def statistics_of_all(images: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """The statistics of each channel over the images of all processes.

    Args:
        images: float ``[B, C, ...]``.
        ranks: the processes.

    Returns:
        How many values a channel has, without dimensions; their means and their variances (of the population), ``[C]``;
        all float64.
    """
    axes = _all_but_channels(images)
    variance, mean = torch.var_mean(at_least_float32(images), axes, correction=0)
    mean, variance = mean.double(), variance.double()
    count = mean.new_tensor(images.numel() // images.shape[1])
    # Sums of squares cancel, but in float64 what is lost is below the precision of the images.
    totals = torch.cat([count[None], count * mean, count * (variance + mean.square())])
    ranks.add_up([totals])
    count, mean, square = totals[0], *(totals[1:] / totals[0]).chunk(2)
    return count, mean, (square - mean.square()).clamp_min(0)


class _Normalise(torch.autograd.Function):
    """``(x - mean) / sqrt(variance + eps) x weight + bias``, where mean and variance depend on all processes' images.

    The gradient is that of Ioffe & Szegedy 2015, section 3; its two sums run over all processes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        count: Tensor,
        mean: Tensor,
        variance: Tensor,
        eps: float,
        ranks: Ranks,
    ) -> Tensor:
        kind = at_least_float32(images).dtype
        ctx.save_for_backward(images, weight, count, mean, (variance + eps).rsqrt())
        ctx.ranks, ctx.has_bias = ranks, bias is not None
        return F.batch_norm(images, mean.to(kind), variance.to(kind), weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *outputs: Any) -> tuple[Tensor | None, ...]:
        images, weight, count, mean, scale = ctx.saved_tensors
        ahead, axes = at_least_float32(outputs[0]), _all_but_channels(images)
        shape = [1, -1] + [1] * (images.ndim - 2)
        kind = at_least_float32(images).dtype
        centred = at_least_float32(images) - mean.to(kind).view(shape)
        to_bias, to_weight = ahead.sum(axes), (ahead * centred).sum(axes) * scale.to(kind)
        totals = torch.cat([to_bias, to_weight]).double()
        ctx.ranks.add_up([totals])
        from_mean, from_variance = (totals / count).chunk(2)
        factor = scale if weight is None else scale * weight
        to_images = (
            ahead - from_mean.to(kind).view(shape) - centred * (from_variance * scale).to(kind).view(shape)
        ) * factor.to(kind).view(shape)
        return (
            to_images.to(images.dtype),
            None if weight is None else to_weight.to(weight.dtype),
            to_bias if ctx.has_bias else None,
            *[None] * 5,
        )


def _all_but_channels(images: Tensor) -> list[int]:
    return [axis for axis in range(images.ndim) if axis != 1]
