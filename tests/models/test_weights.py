"""Taking weights over: into the same network, under other names, for other channels; and what does not fit."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.testing import assert_close

from assay.models import build_model
from assay.models.structure import final_layers
from assay.models.weights import Pretrained, load_weights

MOBILE = "torchvision:mobilenet_v3_small"


def network(name: str, seed: int, **options: Any) -> nn.Module:
    """A network whose every tensor, statistics too, is random."""
    torch.manual_seed(seed)
    made = build_model(name, **{"classes": 5, "image_size": 64, **options}).eval()
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape))
    return made


def without(state: dict[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}


def assert_taken(into: nn.Module, state: dict[str, Tensor], new: set[str]) -> None:
    """Every tensor, but norms' counters, is the file's, except the new ones."""
    mine = {name: tensor for name, tensor in into.state_dict().items() if "num_batches" not in name}
    assert {name for name, tensor in mine.items() if name not in state or not torch.equal(tensor, state[name])} == new


def test_the_body_is_taken_and_the_head_is_new() -> None:
    source, target = network("resnet18", 0, width=1 / 8, classes=7), network("resnet18", 1, width=1 / 8)
    notes = load_weights(target, Pretrained(source.state_dict(), "there"), ("a", "b", "c", "d", "e"))
    assert_taken(target, source.state_dict(), {"fc.weight", "fc.bias"})
    assert not any(tensor.any() for tensor in target.fc.state_dict().values())
    assert notes == ["100 tensors of there", "new: fc.weight, fc.bias"]
    images = torch.randn(2, 3, 64, 64)
    features = target.fc.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    source.fc.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    seen: list[Tensor] = []
    target(images), source(images)
    features.remove()
    assert torch.equal(*seen)


@pytest.mark.parametrize(
    ("known", "classes", "is_new"),
    [
        (("a", "b"), ("a", "b"), False),
        (("a", "b"), ("b", "a"), True),
        (("a", "b"), ("a", "c"), True),
        (None, ("a", "b"), True),
        (None, (), True),
    ],
)
def test_the_head_is_taken_for_classes_of_the_same_names_only(
    known: tuple[str, ...] | None, classes: tuple[str, ...], is_new: bool
) -> None:
    source, target = (network("resnet18", seed, width=1 / 8, classes=2) for seed in (0, 1))
    load_weights(target, Pretrained(source.state_dict(), "there", None, known), classes)
    assert_taken(target, source.state_dict(), {"fc.weight", "fc.bias"} if is_new else set())


def test_the_layers_of_a_head_before_its_final_one_are_taken_if_all_fit() -> None:
    source, target = network(MOBILE, 0, classes=9), network(MOBILE, 1)
    load_weights(target, Pretrained(source.state_dict(), "there"))
    assert_taken(target, source.state_dict(), {"classifier.3.weight", "classifier.3.bias"})
    large, small = network("resnet18", 0, width=1 / 8), network("resnet18", 1, width=1 / 8, hidden=6)
    notes = load_weights(small, Pretrained(large.state_dict(), "there"))
    assert_taken(
        small,
        large.state_dict(),
        {name for name in small.state_dict() if name.startswith("fc.")} - {"fc.1.num_batches_tracked"},
    )
    assert "fc.0.weight" in notes[-1]


def test_a_gray_network_answers_as_the_color_one_to_three_equal_channels() -> None:
    source, target = network("resnet18", 0, width=1 / 8), network("resnet18", 1, width=1 / 8, channels=1)
    names = tuple("abcde")
    notes = load_weights(target, Pretrained(source.state_dict(), "there", None, names), names)
    gray = torch.randn(2, 1, 64, 64)
    assert_close(target(gray), source(gray.expand(-1, 3, -1, -1)))
    assert "conv1.weight: from 3 input channels to 1" in notes
    back = network("resnet18", 2, width=1 / 8)
    load_weights(back, Pretrained(target.state_dict(), "here", None, names), names)
    images = torch.randn(2, 3, 64, 64)
    assert_close(back(images), target(images.mean(1, keepdim=True)))


def old_names(name: str) -> str:
    """Names of another library for the same network."""
    return re.sub(r"^bn(\d)", r"_bn\1", name.replace("classifier", "_fc").replace("conv_stem", "_conv_stem"))


def test_other_names_are_matched_by_order() -> None:
    names = tuple("abcde")
    source, target, renamed = (network("timm:mobilenetv3_small_050", seed) for seed in (0, 1, 2))
    state = {old_names(name): tensor for name, tensor in source.state_dict().items() if "num_batches" not in name}
    assert "_fc.weight" in state
    notes = load_weights(target, Pretrained(state, "there", None, names), names)
    assert notes[1] == "matched by order, for the names differ"
    renamed.load_state_dict(source.state_dict())  # the explicit way
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(target(images), renamed(images))
    load_weights(target, Pretrained(without(state, "_fc"), "there"))  # a body without a head will do
    gray = network("timm:mobilenetv3_small_050", 3, channels=1)
    load_weights(gray, Pretrained(state, "there"))
    assert_close(gray.conv_stem.weight, source.conv_stem.weight.sum(1, keepdim=True))


def test_an_order_that_does_not_fit_is_refused() -> None:
    target = network("resnet18", 1, width=1 / 8)
    before = copy.deepcopy(target.state_dict())
    state = {f"x.{name}": tensor for name, tensor in network("resnet18", 0, width=1 / 8).state_dict().items()}
    swapped = dict(state)
    swapped["x.bn1.bias"], swapped["x.bn1.weight"] = swapped.pop("x.bn1.bias"), swapped.pop("x.bn1.weight")
    kinds = {name.replace("bn1.bias", "bn1.gain"): tensor for name, tensor in state.items()}
    more = state | {"x.more.weight": torch.zeros(1)}
    for bad in (swapped, kinds, more, dict(list(state.items())[1:])):
        with pytest.raises(ValueError, match="100 of the 100 tensors of the network's body do not fit there"):
            load_weights(target, Pretrained(bad, "there"))
    assert_close(target.state_dict(), before, rtol=0, atol=0)


MISFITS: list[tuple[dict[str, Tensor | None], str]] = [
    ({"layer1.0.conv1.weight": None}, r"1 of the 100 .* layer1\.0\.conv1\.weight of shape \(8, 8, 3, 3\), is missing"),
    ({"bn1.bias": torch.zeros(7)}, r"1 of the 100 .* bn1\.bias of shape \(8,\), has shape \(7,\)"),
    ({"bn1.bias": torch.full((8,), float("nan"))}, r"bn1\.bias of shape \(8,\), is not finite"),
    ({"conv1.weight": torch.zeros(8, 2, 7, 7)}, r"conv1\.weight .* has shape \(8, 2, 7, 7\)"),
    ({"conv1.weight": torch.zeros(8, 1, 3, 3)}, r"conv1\.weight .* has shape \(8, 1, 3, 3\)"),
    ({"layer1.0.conv1.weight": torch.zeros(8, 1, 3, 3)}, r"layer1\.0\.conv1\.weight .* has shape \(8, 1, 3, 3\)"),
    ({"layer5.weight": torch.zeros(1)}, r"there has 1 tensors that the network has not, the first layer5\.weight"),
]


@pytest.mark.parametrize(("changes", "words"), MISFITS)
def test_what_does_not_fit_is_named_and_nothing_is_changed(changes: dict[str, Tensor | None], words: str) -> None:
    state = {**network("resnet18", 0, width=1 / 8).state_dict(), **changes}
    target = network("resnet18", 1, width=1 / 8)
    before = copy.deepcopy(target.state_dict())
    given = {name: tensor for name, tensor in state.items() if tensor is not None}
    with pytest.raises(ValueError, match=words) as refusal:
        load_weights(target, Pretrained(given, "there"))
    assert str(refusal.value).startswith("model.pretrained: ")
    assert "\n" not in str(refusal.value)
    assert_close(target.state_dict(), before, rtol=0, atol=0)


def test_the_auxiliary_heads_of_inception_networks_are_left_out() -> None:
    theirs = torchvision.models.googlenet(num_classes=5, aux_logits=True, init_weights=False)
    target = network("torchvision:googlenet", 0)
    load_weights(target, Pretrained(theirs.state_dict(), "there"))
    assert_taken(target, theirs.state_dict(), {"fc.weight", "fc.bias"})


@pytest.mark.parametrize("name", ["resnet18", "torchvision:squeezenet1_1", "timm:deit_tiny_distilled_patch16_224"])
def test_a_new_final_layer_claims_nothing_and_can_learn(name: str) -> None:
    """Also where a ReLU stands behind it, and where two heads are averaged."""
    size = 224 if "deit" in name else 64
    target = build_model(name, classes=5, image_size=size)
    load_weights(target, Pretrained(build_model(name, classes=7, image_size=size).state_dict(), "there"))
    scores = target.eval()(torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)))
    assert_close(scores, scores[:1, :1].expand(2, 5), rtol=0, atol=0)
    F.cross_entropy(scores, torch.tensor([0, 1])).backward()
    modules = dict(target.named_modules())
    assert all(modules[layer].weight.grad.norm() > 0 for layer in final_layers(target))
