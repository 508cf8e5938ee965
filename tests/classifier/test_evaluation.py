"""The measures against scikit-learn's, a formula, and cases worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score
from statsmodels.stats.proportion import proportion_confint
from torch import nn

from assay.base.statistics import wilson_interval
from assay.classifier.evaluation import ClassResult, Evaluation, batch_size, evaluate_batches, predict_scores
from assay.data.batches import EvaluationBatches
from assay.data.dataset import MemoryDataset
from assay.data.preprocess import Normalize, Preprocessing
from assay.data.views import views_of


def make(scores: torch.Tensor, labels: list[int], classes: int) -> Evaluation:
    dataset = MemoryDataset(
        torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8),
        torch.tensor(labels),
        [f"{i}.png" for i in range(len(labels))],
    )
    return Evaluation.of_dataset(scores, dataset, [f"class {number}" for number in range(classes)])


@pytest.fixture
def random_evaluation() -> Evaluation:
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(200, 7, generator=generator) * 2
    labels = torch.randint(0, 7, (200,), generator=generator).tolist()
    return make(scores, labels, 7)


def test_measures_equal_scikit_learns(random_evaluation: Evaluation) -> None:
    labels = random_evaluation.labels.numpy()
    probabilities = random_evaluation.scores.double().softmax(1).numpy()
    names = list(range(7))
    assert random_evaluation.loss == pytest.approx(log_loss(labels, probabilities, labels=names), abs=1e-6)
    assert random_evaluation.top5 == pytest.approx(top_k_accuracy_score(labels, probabilities, k=5, labels=names))
    assert random_evaluation.accuracy == pytest.approx(top_k_accuracy_score(labels, probabilities, k=1, labels=names))
    expected = confusion_matrix(labels, probabilities.argmax(1), labels=names)
    assert np.array_equal(random_evaluation.confusion.numpy(), expected)


def test_accuracies_have_statsmodels_wilson_intervals(random_evaluation: Evaluation) -> None:
    right, images = random_evaluation.correct.numpy(), 200
    assert random_evaluation.interval == pytest.approx(proportion_confint(right.sum(), images, method="wilson"))
    summary, labels = random_evaluation.summary(), random_evaluation.labels.numpy()
    assert summary["interval"] == list(random_evaluation.interval) == random_evaluation.figures()["interval"]
    results = {one.name: one.interval for one in random_evaluation.class_results()}
    for number, name in enumerate(random_evaluation.classes):
        of_class = right[labels == number]
        expected = proportion_confint(of_class.sum(), len(of_class), method="wilson")
        assert results[name] == pytest.approx(expected)
        assert summary["per_class_interval"][name] == list(results[name])


def test_calibration_error_by_its_formula(random_evaluation: Evaluation) -> None:
    confidence = random_evaluation.probabilities.amax(1).double().numpy()
    right = random_evaluation.correct.numpy()
    total = 0.0
    for low in np.arange(15) / 15:
        chosen = (confidence > low) & (confidence <= low + 1 / 15)
        if chosen.any():
            total += chosen.mean() * abs(confidence[chosen].mean() - right[chosen].mean())
    assert random_evaluation.calibration_error == pytest.approx(total, abs=1e-6)


def test_a_case_worked_by_hand() -> None:
    evaluation = make(torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 5.0]]), [0, 1, 1, 0], 2)
    assert evaluation.accuracy == 0.5
    assert evaluation.per_class_accuracy == {"class 0": 0.5, "class 1": 0.5}
    assert evaluation.mistakes() == [3, 2]  # the more confident mistake first
    log = evaluation.log()
    assert [row["correct"] for row in log] == [True, True, False, False]
    assert log[2] == {
        "name": "2.png",
        "predicted": "class 0",
        "label": "class 1",
        "correct": False,
        "probability": pytest.approx(np.exp(2) / (np.exp(2) + 1), rel=1e-6),
    }
    assert evaluation.class_results()[0] == ClassResult("class 0", 2, 0.5, wilson_interval(0.5, 2), "class 1", 1)


def test_equally_accurate_classes_keep_their_order() -> None:
    equal = replace(make(torch.eye(2), [0, 1], 2), classes=("zebra", "ant"))
    assert [one.name for one in equal.class_results()] == ["zebra", "ant"]


def test_a_class_without_images_has_no_accuracy() -> None:
    evaluation = make(torch.tensor([[3.0, 0.0, 0.0]]), [0], 3)
    assert evaluation.per_class_accuracy == {"class 0": 1.0, "class 1": None, "class 2": None}
    assert evaluation.top5 == 1.0
    assert [one.name for one in evaluation.class_results()] == ["class 0", "class 1", "class 2"]
    assert evaluation.class_results()[-1] == ClassResult("class 2", 0, None, None, "", 0)
    assert evaluation.summary()["per_class_interval"]["class 2"] is None


@pytest.mark.parametrize("training", [True, False])
def test_predicting_leaves_the_mode_and_the_weights_alone(training: bool) -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.randn(6, 1, 2, 2)
    first, second = predict_scores(model, [images]), predict_scores(model, [images])
    assert model.training is training
    assert torch.equal(first, second)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_no_image_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no readable image"):
        predict_scores(nn.Identity(), [])


def test_views_reach_the_network() -> None:
    """It answers with an image's left column, so the mean with the mirror image is that of both columns."""
    pixels = torch.tensor([[[[1, 3], [5, 7]]], [[[2, 4], [9, 11]]]], dtype=torch.uint8)
    normalize = Normalize(Preprocessing(1, 2, 2, (0.0,), (1 / 255,)), torch.device("cpu"), torch.contiguous_format)
    batches = EvaluationBatches(MemoryDataset(pixels, torch.tensor([0, 1]), ["a", "b"]), 1, normalize)
    left = LeftColumn()
    assert evaluate_batches(left, batches, ("x", "y")).scores.tolist() == [[1, 5], [2, 9]]
    assert evaluate_batches(left, batches, ("x", "y"), views=views_of("flip")).scores.tolist() == [[2, 6], [3, 10]]


class LeftColumn(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0, :, 0]


@pytest.mark.parametrize(
    ("device", "size", "images"),
    [
        *[("cuda", 8, 256), ("cuda", 224, 256), ("cuda", 225, 253), ("cuda", 448, 64), ("cuda", 10**5, 1)],
        *[("cpu", 8, 256), ("cpu", 79, 256), ("cpu", 80, 250), ("cpu", 224, 32), ("cpu", 448, 8), ("cpu", 10**5, 1)],
    ],
)
def test_large_images_are_answered_for_in_smaller_batches(device: str, size: int, images: int) -> None:
    assert batch_size(size, torch.device(device)) == images
