"""Arithmetic of lower precision, with weights that stay float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.amp import GradScaler

from assay.base.registry import choose

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_FIRST_SCALE = 2.0**10  # torch's 2^16 overflows at the first steps, which would then be skipped


@dataclass(frozen=True)
class Precision:
    """Mixed precision (Micikevicius et al. 2018).

    Layers compute in ``dtype`` on casts of the float32 weights, which are the master copy. For
    float16 the loss is multiplied by an adaptive scale, so that small gradients do not
    underflow; a step whose gradients overflow is skipped.
    """

    device: torch.device
    dtype: torch.dtype
    scaler: GradScaler

    @classmethod
    def named(cls, name: str, device: torch.device) -> Precision:
        """The precision ``fp32``, ``fp16`` or ``bf16``; raises ``ValueError`` for another name.

        ``auto`` is no precision yet: what it is on this machine has to be settled before.
        """
        dtype = choose("train.precision", name, DTYPES)
        scaler = GradScaler(device.type, init_scale=_FIRST_SCALE, enabled=dtype == torch.float16)
        return cls(device, dtype, scaler)

    def autocast(self) -> torch.autocast:
        """The context in which the network computes; for float32 it changes nothing."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32 where they have half the precision, else as they are."""
    return values if values.dtype == torch.float64 else values.float()
