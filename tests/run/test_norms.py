"""Running statistics that lag behind are told, and looking at them changes nothing."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from assay.data.batches import EvaluationBatches
from assay.data.dataset import MemoryDataset
from assay.data.preprocess import Normalize, Preprocessing
from assay.run.norms import _compared, norm_remark


def sample() -> EvaluationBatches:
    """Dark and bright squares: a norm whose statistics are those of a batch tells them apart."""
    labels = torch.arange(64) % 2
    images = (60 + 40 * labels).to(torch.uint8).view(-1, 1, 1, 1).expand(64, 1, 4, 4).contiguous()
    how = Preprocessing(1, 4, 4, (0.0,), (1.0,))
    dataset = MemoryDataset(images, labels, [str(row) for row in range(64)])
    return EvaluationBatches(dataset, 16, Normalize(how, torch.device("cpu"), torch.contiguous_format))


def network(mean: float) -> nn.Module:
    """The second class where a normalised pixel is above 0; ``mean`` is the running one."""
    norm, layer = nn.BatchNorm2d(1), nn.Conv2d(1, 2, 4)
    norm.running_mean = torch.tensor([mean])
    nn.init.constant_(layer.weight[0], -1.0)
    nn.init.constant_(layer.weight[1], 1.0)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(norm, layer, nn.Flatten()).eval()


def test_statistics_of_another_network_are_told_and_left_alone() -> None:
    lagging = network(0.0)
    before = copy.deepcopy(lagging.state_dict())
    remark = norm_remark(lagging, sample())
    assert remark
    assert "with them 50.0% of 64 training images are right" in remark
    assert "as in training, 100.0%" in remark
    assert all(torch.equal(tensor, before[name]) for name, tensor in lagging.state_dict().items())
    assert not any(module.training for module in lagging.modules())
    assert lagging[0].momentum == 0.1


def test_there_is_no_remark_where_they_fit_or_there_are_none() -> None:
    assert norm_remark(network(80 / 255), sample()) is None
    assert norm_remark(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval(), sample()) is None


def right(*counts: int) -> tuple[Tensor, Tensor]:
    """Answers of which so many are right with both, only with the batches' statistics, only with the running ones."""
    both, own, running = counts
    return (
        torch.tensor([True] * both + [False] * own + [True] * running),
        torch.tensor([True] * both + [True] * own + [False] * running),
    )


def test_a_difference_within_chance_or_of_no_weight_is_none() -> None:
    assert _compared(*right(80, 12, 8)) is None  # 4 of 20
    assert _compared(*right(991, 9, 0)) is None  # 0.9 % of the images
    assert _compared(*right(80, 15, 5))  # 10 is more than twice the root of 20
    assert _compared(*right(80, 5, 15)) is None
