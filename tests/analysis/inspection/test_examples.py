"""Which pictures are looked at, and that they are shown as the network sees them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.analysis.inspection.examples import answer, from_evaluation
from assay.classifier.classifier import Classifier
from assay.classifier.evaluation import Evaluation
from assay.data.dataset import MemoryDataset
from assay.data.preprocess import Preprocessing

CPU = torch.device("cpu")


def evaluation(scores: list[list[float]], labels: list[int]) -> Evaluation:
    count = len(labels)
    pixels = torch.randint(0, 256, (count, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    dataset = MemoryDataset(pixels, torch.tensor(labels), [f"image {number}" for number in range(count)])
    return Evaluation.of_dataset(torch.tensor(scores, dtype=torch.float32), dataset, ("cat", "dog"))


def classifier(size: int = 4) -> Classifier:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    nn.init.zeros_(network[2].weight)
    nn.init.zeros_(network[2].bias)
    with torch.no_grad():
        network[2].bias[1] = torch.tensor(3.0).log()
    how = Preprocessing(3, 4, size, (0.2, 0.4, 0.6), (0.5, 0.25, 0.1))
    return Classifier(network.eval(), {"name": "mean"}, ("cat", "dog"), how)


def test_the_surest_mistakes_come_first_and_a_right_answer_last() -> None:
    measured = evaluation([[3, 0], [0, 1], [0, 2], [0, 5], [2, 0]], [0, 0, 0, 1, 1])
    chosen = from_evaluation(measured, 2)
    assert chosen.names == ("image 2", "image 4", "image 0")
    assert chosen.labels == (0, 1, 0)
    assert torch.equal(chosen.pixels, measured.dataset.images[[2, 4, 0]])  # type: ignore[attr-defined]
    assert from_evaluation(measured, 9).names == ("image 2", "image 4", "image 1", "image 0")


def test_no_picture_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="mistakes: 0 leaves no picture"):
        from_evaluation(evaluation([[1, 0]], [1]), 0)


def test_pictures_are_what_the_network_sees_without_the_normalisation() -> None:
    measured = evaluation([[3, 0], [0, 1]], [0, 0])
    stored = from_evaluation(measured, 1)
    shown = answer(classifier(), [stored, stored], CPU)
    assert shown.names == ("image 1", "image 0") * 2
    assert (shown.pictures[:2] == stored.pixels.permute(0, 2, 3, 1).numpy()).all()
    assert shown.answers == (1, 1, 1, 1)
    assert shown.confidence == pytest.approx([0.75] * 4)
    assert not shown.inputs.requires_grad
    enlarged = answer(classifier(8), [stored], CPU)
    assert enlarged.pictures.shape == (2, 8, 8, 3)
    assert enlarged.inputs.shape == (2, 3, 8, 8)
