"""An optimizer that updates one weight after another."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class PerWeightOptimizer(Optimizer):
    """The loop over all weights with a gradient, which LARS and Muon share."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every weight that has a gradient; ``closure`` and the return value are as for torch's optimizers."""
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self.update(weight, weight.grad, group)
        return loss

    @abstractmethod
    def update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Change one weight in place, by the options of its group."""
