"""One step of training, shared by several processes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from torch import Tensor, nn

from assay.base.ranks import ALONE, Ranks
from assay.training.sync_norm import SharedNorms


@dataclass(frozen=True)
class Sharing:
    """How processes share a step; by default there is one, which does it all.

    Attributes:
        ranks: the processes.
        batch_size: images of the whole batch, of which each process has its share; None without others.
        sync_norm: whether norms see the whole batch. Otherwise each process's norms see its share alone, and the
            running statistics become the mean of all processes', weighted by their shares.
    """

    ranks: Ranks = ALONE
    batch_size: int | None = None
    sync_norm: bool = True

    def norms(self) -> AbstractContextManager[object]:
        """The context in which the network computes."""
        return SharedNorms(self.ranks) if self.ranks.size > 1 and self.sync_norm else nullcontext()

    def add_up(self, model: nn.Module, loss: Tensor, correct: Tensor, share: float) -> None:
        """Make loss, count and gradients those of the whole batch; afterwards all processes hold the same numbers.

        Args:
            model: its gradients are those of the whole batch's mean loss, as far as it comes from this process.
            loss: this process's part of the mean loss.
            correct: how many of its images are correct.
            share: of the batch's images, in (0, 1].
        """
        if self.ranks.size == 1:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        statistics = [] if self.sync_norm else _running_statistics(model)
        for values in statistics:
            values.mul_(share)
        self.ranks.add_up([loss, correct, *gradients, *statistics])


def _running_statistics(model: nn.Module) -> list[Tensor]:
    """Those that the step has changed."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._NormBase) and layer.training]
    return [values for norm in norms for values in (norm.running_mean, norm.running_var) if values is not None]
