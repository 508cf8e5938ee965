"""The measures that `assay evaluate` prints."""

from pathlib import Path

import pytest
import torch

from assay.classifier.evaluation import Evaluation
from assay.commands.evaluate import print_measures


def evaluation(right: int, images: int, classes: int) -> Evaluation:
    """The first ``right`` images are answered correctly; all are of the first class, the second guess of the others."""
    answers = [0] * right + [1] * (images - right)
    scores = torch.nn.functional.one_hot(torch.tensor(answers), classes).float()
    scores[:, 0] += 0.5
    names = [f"class {number}" for number in range(classes)]
    return Evaluation(scores, torch.zeros(images, dtype=torch.int64), tuple(names), [""] * images)


def printed(one: Evaluation, capsys: pytest.CaptureFixture[str]) -> str:
    print_measures(one, "test split", Path("results"))
    return capsys.readouterr().out


def test_few_images_of_two_classes(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(evaluation(40, 49, 2), capsys)
    assert "  accuracy           81.63% [68.6, 90.0]\n" in text
    assert "top-5" not in text
    assert "│ class 0 │ 81.63% [68.6, 90.0] │ 49 " in text
    assert "│ class 1 │                     │ 0 " in text
    assert "note               49 images: differences of fewer than 6 images (12.2 points) between models are" in text


def test_many_images_of_many_classes(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(evaluation(150, 300, 11), capsys)
    assert "  top-5 accuracy     100.00% [98.7, 100.0]\n" in text
    assert "note" not in text
