"""The bins of the reliability diagram, against torchmetrics and a case worked by hand."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from assay.analysis.errors.calibration import calibrate


@pytest.mark.parametrize("seed", range(4))
def test_the_error_of_the_bins_equals_torchmetrics(make_evaluated, seed: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(6, 0.3), 500)
    labels = generator.integers(0, 6, 500)
    labels[::2] = probabilities.argmax(1)[::2]
    evaluation = make_evaluated("one", probabilities, labels).evaluation
    found = calibrate("one", evaluation.confidence.numpy(), evaluation.correct.numpy())
    scores = evaluation.scores.float()
    expected = multiclass_calibration_error(scores.softmax(1), torch.from_numpy(labels), 6, n_bins=15, norm="l1")
    assert found.error == pytest.approx(float(expected), abs=1e-6)
    filled = [part for part in found.bins if part.images]
    assert found.error == pytest.approx(
        sum(part.images * abs(part.confidence - part.accuracy) for part in filled) / 500
    )
    assert sum(part.images for part in found.bins) == 500


def test_a_bin_holds_its_upper_end_and_not_its_lower() -> None:
    found = calibrate("one", np.array([0.2, 0.2 + 1e-9, 1.0, 1e-12]), np.array([True, False, True, False]))
    assert [part.images for part in found.bins] == [1, 0, 1, 1, *[0] * 10, 1]
    assert (found.bins[2].confidence, found.bins[2].accuracy) == (0.2, 1.0)
    assert (found.bins[3].low, found.bins[3].high) == pytest.approx((0.2, 4 / 15))
    assert math.isnan(found.bins[1].accuracy)
    assert found.error == pytest.approx((0.8 + 0.2 + 0 + 0) / 4)
