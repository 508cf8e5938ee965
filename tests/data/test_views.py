"""The versions of a test image, against torchvision's crops and Jordan's formula."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close
from torchvision.transforms.v2 import functional as v2

from assay.classifier.evaluation import predict_scores
from assay.data.views import VERSIONS, views_of
from assay.recipe.sections import TestSection


def images(side: int = 16) -> Tensor:
    return torch.randn(3, 2, side, side, generator=torch.Generator().manual_seed(0))


def network(side: int = 16) -> nn.Module:
    """Not linear, so that the mean of its scores is not the score of the mean."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * side**2, 9), nn.Tanh(), nn.Linear(9, 4)).eval()


def scores_by(name: str, batch: Tensor) -> Tensor:
    return predict_scores(network(batch.shape[-1]), [batch], views_of(name))


@pytest.mark.parametrize("name", VERSIONS)
def test_versions_keep_the_shape_and_weights_add_up_to_one(name: str) -> None:
    versions = list(VERSIONS[name](images()))
    assert all(view.shape == images().shape for view, _ in versions)
    assert sum(weight for _, weight in versions) == pytest.approx(1)
    counts = {"none": 1, "flip": 2, "flip-shift": 6, "five-crop": 5, "ten-crop": 10}
    assert len(versions) == counts[name]


def test_none_is_the_network_alone() -> None:
    with torch.inference_mode():
        expected = network()(images())
    assert torch.equal(scores_by("none", images()), expected)
    assert torch.equal(predict_scores(network(), [images()]), expected)


def test_flip_is_the_mean_of_image_and_mirror_image() -> None:
    model = network()
    assert_close(scores_by("flip", images()), (model(images()) + model(v2.horizontal_flip(images()))) / 2)


def test_flip_shift_is_jordans() -> None:
    """Shifts made by hand: every row and column moves by one, and the gap repeats the second next."""
    model, batch = network(), images()

    def pair(version: Tensor) -> Tensor:
        return (model(version) + model(v2.horizontal_flip(version))) / 2

    order = [1, *range(15)]
    down_right = batch[:, :, order][..., order]
    order = [*range(1, 16), 14]
    up_left = batch[:, :, order][..., order]
    expected = 0.5 * pair(batch) + 0.25 * pair(down_right) + 0.25 * pair(up_left)
    assert_close(scores_by("flip-shift", batch), expected)


@pytest.mark.parametrize("side", [16, 15, 9])
@pytest.mark.parametrize("name", ["five-crop", "ten-crop"])
def test_crops_are_torchvisions(name: str, side: int) -> None:
    batch = images(side)
    crops = (v2.five_crop if name == "five-crop" else v2.ten_crop)(batch, round(side * 7 / 8))
    model = network(side)
    answers = [model(F.interpolate(crop, (side, side), mode="bilinear")) for crop in crops]
    assert_close(scores_by(name, batch), torch.stack(answers).mean(0))


def test_only_unsure_images_are_looked_at_again() -> None:
    """Each image by itself, against a look at it alone, and at all of its versions."""
    model, batch, seen = network(), images(), list[int]()
    model.register_forward_hook(lambda _model, inputs, _scores: seen.append(len(inputs[0])))
    plain, all_views = scores_by("none", batch), scores_by("flip-shift", batch)
    confidence = plain.softmax(1).amax(1)
    middle = confidence.sort().values[1].item()
    scores = views_of("flip-shift", sure=middle).scores(model, batch).detach()
    is_unsure = confidence < middle
    assert is_unsure.sum() == 1
    assert_close(scores, torch.where(is_unsure[:, None], all_views, plain))
    assert seen == [3, *6 * [1]]


def test_all_images_are_looked_at_again_or_none() -> None:
    batch = images()
    assert_close(views_of("flip", sure=1.0).scores(network(), batch).detach(), scores_by("flip", batch))
    assert_close(views_of("flip", sure=1e-6).scores(network(), batch).detach(), scores_by("none", batch))


def test_images_are_left_as_they_were() -> None:
    batch = images()
    for versions in VERSIONS.values():
        list(versions(batch))
    views_of("flip", sure=0.5).scores(nn.Flatten(), batch)
    assert torch.equal(batch, images())


def test_recipes_name_all_of_them() -> None:
    assert list(get_args(TestSection.model_fields["views"].annotation)) == list(VERSIONS)
    assert TestSection() == TestSection(views="none")
