"""Weights that torchvision and timm know by name; caches that a test fills stand in for their servers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.testing import assert_close

from assay.models import build_model, from_timm, from_torchvision
from assay.models.weights import DownloadError, InputForm, load_weights

MOBILE = "torchvision:mobilenet_v3_small"


def network(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(1)
    return build_model(name, **{"classes": 5, "image_size": 64, **options}).eval()


def assert_taken(into: nn.Module, state: dict[str, Tensor], new: set[str]) -> None:
    """Every tensor, but norms' counters, is the file's, except the new ones (the start of many is the same)."""
    mine = {name: tensor for name, tensor in into.state_dict().items() if "num_batches" not in name}
    assert {name for name, tensor in mine.items() if name not in state or not torch.equal(tensor, state[name])} == new


def shaken(made: nn.Module) -> nn.Module:
    """The network with every tensor, statistics too, random."""
    torch.manual_seed(0)
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape))
    return made


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torch's own cache of downloads, empty, on a machine without a network."""

    def unreachable(*_args: object, **_options: object) -> None:
        raise OSError("Name or service\nnot known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    monkeypatch.setattr(timm.models._hub, "hf_hub_download", unreachable)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_torchvisions_weights_come_out_of_torchs_cache(hub: Path) -> None:
    entry = torchvision.models.MobileNet_V3_Small_Weights.IMAGENET1K_V1
    theirs = shaken(torchvision.models.mobilenet_v3_small(num_classes=1000))
    torch.save(theirs.state_dict(), hub / entry.url.rpartition("/")[2])
    for value in ("default", "imagenet", "DEFAULT", "IMAGENET1K_V1"):
        found = from_torchvision.weights("mobilenet_v3_small", value)
    assert found.origin == "torchvision's mobilenet_v3_small IMAGENET1K_V1"
    assert found.preprocessing == InputForm(224, "bilinear", 0.875, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    target = network(MOBILE)
    load_weights(target, found)
    assert_taken(target, theirs.state_dict(), {"classifier.3.weight", "classifier.3.bias"})
    assert found.classes is not None
    whole = network(MOBILE, classes=1000)
    load_weights(whole, found, found.classes)
    assert_taken(whole, theirs.state_dict(), set())


def test_old_names_of_densenet_are_matched(hub: Path) -> None:
    """As in torchvision's file, which is of 2017: names of another form, and no counters in the norms."""
    theirs = shaken(torchvision.models.densenet121(num_classes=1000))
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensor
        for name, tensor in theirs.state_dict().items()
        if "num_batches" not in name
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, hub / torchvision.models.DenseNet121_Weights.DEFAULT.url.rpartition("/")[2])
    target = network("torchvision:densenet121")
    load_weights(target, from_torchvision.weights("densenet121", "default"))
    assert_taken(target, theirs.state_dict(), {"classifier.weight", "classifier.bias"})


def test_inception_wants_inputs_from_minus_one_to_one() -> None:
    """Torchvision converts them inside: its own network with that conversion is the oracle."""
    form = from_torchvision.input_form("googlenet")
    assert form.mean is not None
    assert form.std is not None
    theirs = torchvision.models.googlenet(num_classes=5, aux_logits=False, init_weights=False, transform_input=True)
    ours = network("torchvision:googlenet")
    ours.load_state_dict(theirs.state_dict())
    ours, theirs, pixels = ours.double(), theirs.double(), torch.rand(2, 3, 64, 64, dtype=torch.float64)

    def normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
        return (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

    expected = theirs.eval()(normalised((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    assert_close(ours.eval()(normalised(form.mean, form.std)), expected, rtol=1e-9, atol=0)


def test_timms_weights_come_through_timm(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = shaken(timm.create_model("test_resnet", num_classes=1000))
    save_file(theirs.state_dict(), hub / "model.safetensors")
    monkeypatch.setattr(timm.models._hub, "hf_hub_download", lambda *_args, **_options: str(hub / "model.safetensors"))
    before = torch.get_rng_state()
    found = from_timm.weights("test_resnet", "default")
    assert torch.equal(torch.get_rng_state(), before)
    assert from_timm.weights("test_resnet", "r160_in1k").origin == "timm's test_resnet.r160_in1k"
    assert found.preprocessing == InputForm(160, "bilinear", 0.95, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    target, gray = network("timm:test_resnet"), network("timm:test_resnet", channels=1)
    load_weights(target, found)
    load_weights(gray, found)
    assert_taken(target, theirs.state_dict(), {"fc.weight", "fc.bias"})
    assert_taken(gray, theirs.state_dict(), {"conv1.0.weight", "fc.weight", "fc.bias"})
    assert_close(gray.conv1[0].weight, theirs.conv1[0].weight.sum(1, keepdim=True))


@pytest.mark.parametrize(
    ("library", "name", "origin"),
    [
        (from_torchvision, "mobilenet_v3_small", "torchvision's mobilenet_v3_small IMAGENET1K_V1"),
        (from_timm, "test_resnet", "timm's test_resnet"),
    ],
)
def test_a_download_that_fails_is_one_line(hub: Path, library: Any, name: str, origin: str) -> None:
    words = rf"^cannot download {origin} \(.+\); give a file with model.pretrained PATH$"
    with pytest.raises(DownloadError, match=words) as refusal:
        library.weights(name, "default")
    assert "\n" not in str(refusal.value)
    assert not list(hub.glob("*"))


@pytest.mark.parametrize(
    ("library", "name", "value", "words"),
    [
        (from_torchvision, "resnet50", "IMAGENET1K_V3", "unknown weights of torchvision:resnet50 .*: did you mean I"),
        (from_timm, "resnet18", "a9_in1k", "unknown weights of timm:resnet18 'a9_in1k': did you mean a"),
        (from_timm, "cspresnet50d", "default", "timm has no weights of cspresnet50d"),
    ],
)
def test_weights_that_do_not_exist(library: Any, name: str, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        library.weights(name, value)
