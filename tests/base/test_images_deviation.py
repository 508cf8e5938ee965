"""How much an accuracy varies with the choice of the test images."""

import math

import numpy as np
import pytest

from assay.base.statistics import images_deviation


def test_a_case_by_hand() -> None:
    """Two seeds, four images: shares 1, 1, 0, 1/2; their variance is 11/48, less (1/4)/4 = 1/16."""
    correct = np.array([[1, 1, 0, 1], [1, 1, 0, 0]], bool)
    assert images_deviation(correct) == pytest.approx(math.sqrt((11 / 48 - 1 / 16) / 4))


def test_networks_that_agree_on_all_images_have_the_binomial_deviation() -> None:
    correct = np.tile(np.arange(1000) < 700, (3, 1))
    assert images_deviation(correct) == pytest.approx(math.sqrt(0.7 * 0.3 / 999))


def test_images_that_are_all_alike_have_none() -> None:
    generator = np.random.default_rng(0)
    assert images_deviation(generator.random((5, 20_000)) < 0.7) < 0.0008  # binomial: 0.0032


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_the_parts_add_up_to_the_variance_of_a_new_seed_on_new_images(seeds: int) -> None:
    """Seeds shift all images' chances, images have chances of their own."""
    generator = np.random.default_rng(1)
    images, tries = 300, 3000
    hard = generator.beta(2, 1, (tries, 1, images))
    shift = generator.normal(0, 0.05, (tries, seeds, 1))
    correct = generator.random((tries, seeds, images)) < np.clip(hard + shift, 0, 1)
    accuracies = correct.mean(-1)
    over_seeds = accuracies.var(axis=1, ddof=1).mean()
    over_images = np.mean([images_deviation(one) ** 2 for one in correct])
    assert over_seeds + over_images == pytest.approx(accuracies[:, 0].var(), rel=0.12)
