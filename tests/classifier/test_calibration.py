"""The bins of the reliability diagram, against torchmetrics and a case worked by hand."""

import math

import numpy as np
import pytest
import torch

from assay.classifier.calibration import expected_calibration_error, reliability_bins
from assay.classifier.evaluation import Evaluation


@pytest.mark.parametrize("seed", range(4))
def test_the_error_of_the_bins_equals_torchmetrics(seed: int) -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error  # takes seconds to import

    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(6, 0.3), 500)
    labels = generator.integers(0, 6, 500)
    labels[::2] = probabilities.argmax(1)[::2]
    scores = torch.from_numpy(np.log(probabilities))
    evaluation = Evaluation(scores, torch.from_numpy(labels), tuple("abcdef"), [str(row) for row in range(500)])
    expected = multiclass_calibration_error(scores.softmax(1), torch.from_numpy(labels), 6, n_bins=15, norm="l1")
    assert evaluation.calibration_error == pytest.approx(float(expected), abs=1e-6)
    assert sum(part.images for part in evaluation.reliability) == 500


def test_a_bin_holds_its_upper_end_and_not_its_lower() -> None:
    bins = reliability_bins(np.array([0.2, 0.2 + 1e-9, 1.0, 1e-12]), np.array([True, False, True, False]))
    assert [part.images for part in bins] == [1, 0, 1, 1, *[0] * 10, 1]
    assert (bins[2].confidence, bins[2].accuracy) == (0.2, 1.0)
    assert (bins[3].low, bins[3].high) == pytest.approx((0.2, 4 / 15))
    assert math.isnan(bins[1].accuracy)
    assert expected_calibration_error(bins) == pytest.approx((0.8 + 0.2 + 0 + 0) / 4)
