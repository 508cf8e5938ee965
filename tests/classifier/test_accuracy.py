"""How an accuracy is written, and what is said of few images."""

import math
import re

import numpy as np
import pytest

from assay.base.statistics import mcnemar
from assay.classifier.accuracy import few_images, in_brackets, interval, shows_top5, with_interval


def test_an_accuracy_is_written_with_its_interval() -> None:
    assert with_interval(142 / 145, 145) == "97.93% [94.1, 99.3]"
    assert with_interval(40 / 49, 49) == "81.63% [68.6, 90.0]"
    assert with_interval(1.0, 2) == "100.00% [34.2, 100.0]"


@pytest.mark.parametrize(("accuracy", "images"), [(0.5, None), (0.5, 0), (1.5, 10), (math.nan, 10)])
def test_what_a_damaged_or_old_record_lacks_is_left_out(accuracy: float, images: int | None) -> None:
    assert interval(accuracy, images) is None
    assert in_brackets(interval(accuracy, images)) == ""


def test_top5_is_worth_showing_of_more_than_ten_classes() -> None:
    assert [classes for classes in (2, 10, 11, 1000) if shows_top5(classes)] == [11, 1000]


@pytest.mark.parametrize("images", [6, 49, 145, 299])
def test_differences_that_are_called_noise_are_not_significant(images: int) -> None:
    words = few_images(images, "epochs")
    found = re.fullmatch(
        rf"{images} images: differences of fewer than (\d+) images \((.*) points\) between epochs are noise "
        r"\(McNemar's test at 5 %\)",
        words,
    )
    assert found
    least, points = int(found[1]), float(found[2])
    assert points == pytest.approx(100 * least / images, abs=0.05)
    wrong = np.zeros(images, dtype=np.bool_)
    for gained, is_noise in ((least - 1, True), (least, False)):
        better = np.arange(images) < gained
        assert (mcnemar(better, wrong).p >= 0.05) is is_noise


def test_five_images_tell_nothing_and_300_are_enough() -> None:
    assert few_images(5, "models").startswith("5 images: any differences between models are noise")
    assert few_images(300, "models") == ""
