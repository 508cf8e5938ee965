"""A head is fitted where it is one linear layer, and left alone where it is not."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from assay.data.batches import EvaluationBatches
from assay.data.dataset import MemoryDataset
from assay.data.preprocess import Normalize, Preprocessing
from assay.run.head import fit_head


def images() -> EvaluationBatches:
    """40 squares of noise; those of the second class are brighter on the left."""
    labels = torch.arange(40) % 2
    pixels = torch.randint(0, 200, (40, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    pixels[..., :2] += 55 * labels.view(-1, 1, 1, 1)
    dataset = MemoryDataset(pixels.to(torch.uint8), labels, [str(row) for row in range(40)])
    how = Preprocessing(1, 4, 4, (0.5,), (0.25,))
    return EvaluationBatches(dataset, 16, Normalize(how, torch.device("cpu"), torch.contiguous_format))


class Network(nn.Module):
    """Two columns of features for each image; with ``averages``, answers for each place, which are averaged."""

    def __init__(self, *, averages: bool) -> None:
        super().__init__()
        self.body, self.head, self.averages = (
            nn.Conv2d(1, 8, 2, stride=2),
            nn.Linear(8 if averages else 32, 2),
            averages,
        )

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.body(inputs).flatten(2).mT
        scores: Tensor = self.head(features).mean(1) if self.averages else self.head(features.flatten(1))
        return scores


def test_the_head_becomes_the_probe_and_the_body_stays() -> None:
    torch.manual_seed(0)
    network = Network(averages=False).eval()
    before = copy.deepcopy(network.body.state_dict())
    probe = fit_head(network, images(), 2)
    assert probe
    assert torch.equal(network.head.weight, probe.weight)
    assert torch.equal(network.head.bias, probe.bias)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.body.state_dict().items())
    right = torch.cat([network(batch).argmax(1) == labels for batch, labels in images()])
    assert right.double().mean() > 0.9


def test_answers_that_are_averaged_over_places_have_no_probe() -> None:
    network = Network(averages=True).eval()
    before = copy.deepcopy(network.state_dict())
    assert fit_head(network, images(), 2) is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
