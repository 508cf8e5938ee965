"""What ``model.pretrained`` may name: a run, its model file, a state dict, or a library's weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from assay.classifier.classifier import Classifier, build_network
from assay.data.preprocess import Preprocessing
from assay.models import build_model
from assay.models.weights import InputForm, load_weights
from assay.run.find_weights import find_pretrained

HOW = Preprocessing(1, 32, 32, (0.5,), (0.25,))
ARCHITECTURE = {"name": "resnet18", "width": 0.125}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "run"
    folder.mkdir()
    network = build_network(ARCHITECTURE, ("a", "b", "c"), HOW)
    Classifier(network, ARCHITECTURE, ("a", "b", "c"), HOW).save(folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("name", ["", "model.safetensors"])
def test_from_a_run(run: Path, name: str) -> None:
    found = find_pretrained(str(run / name), "resnet18", width=0.125)
    assert found.classes == ("a", "b", "c")
    assert found.preprocessing == InputForm(32, "bilinear", None, (0.5,), (0.25,))
    assert found.origin == f"the run {run / name}"
    torch.manual_seed(1)
    same, other = (build_network(ARCHITECTURE, classes, HOW) for classes in (("a", "b", "c"), ("x", "y")))
    load_weights(same, found, ("a", "b", "c"))
    load_weights(other, found, ("x", "y"))
    source, images = build_network(ARCHITECTURE, ("a", "b", "c"), HOW), torch.randn(2, 1, 32, 32)
    source.load_state_dict(found.state)
    assert torch.equal(same.eval()(images), source.eval()(images))
    assert torch.equal(other.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    with pytest.raises(ValueError, match="do not fit the run"):
        load_weights(build_network({"name": "resnet18"}, ("a", "b"), HOW), found, ("a", "b"))


@pytest.mark.parametrize("name", ["torchvision:regnet_y_400mf", "timm:test_efficientnet"])
def test_from_a_run_of_a_library_model(name: str, tmp_path: Path) -> None:
    how, classes = Preprocessing(3, 64, 64, (0.5,) * 3, (0.25,) * 3), ("a", "b")
    source, target = (build_network({"name": name}, classes, how) for _ in range(2))
    Classifier(source, {"name": name}, classes, how).save(tmp_path / "model.safetensors")
    load_weights(target, find_pretrained(str(tmp_path), name), classes)
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(target.eval()(images), source.eval()(images))


def saved(network: torch.nn.Module, path: Path) -> str:
    (save_file if path.suffix == ".safetensors" else torch.save)(network.state_dict(), path)
    return str(path)


@pytest.mark.parametrize("file", ["weights.pth", "weights.safetensors"])
def test_from_a_state_dict(file: str, tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(num_classes=3)
    path = saved(theirs, tmp_path / file)
    found = find_pretrained(path, "resnet18")
    assert (found.origin, found.classes) == (path, None)
    network = build_network({"name": "resnet18"}, ("a", "b", "c"), Preprocessing(3, 32, 32))
    load_weights(network, found, ("a", "b", "c"))
    assert torch.equal(network.layer4[1].conv2.weight, theirs.layer4[1].conv2.weight)


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("timm:tf_efficientnet_lite0", InputForm(224, "bicubic", 0.875, *HALF)),
        ("timm:test_resnet", InputForm(160, "bilinear", 0.95, *HALF)),
        ("torchvision:mobilenet_v3_small", InputForm(224, "bilinear", 0.875, *IMAGENET)),
        ("torchvision:googlenet", InputForm(224, "bilinear", 0.875, *HALF)),
    ],
)
def test_a_file_for_a_librarys_network_comes_with_the_input_of_its_own_weights(
    name: str, form: InputForm, tmp_path: Path
) -> None:
    """By the libraries' documentation of these networks; Inception networks want inputs from -1 to 1."""
    path = saved(torch.nn.Conv2d(3, 2, 3), tmp_path / "weights.pth")
    found = find_pretrained(path, name)
    assert (found.preprocessing, found.assumed) == (form, name)


@pytest.mark.parametrize(
    ("name", "options", "theirs"),
    [
        ("resnet18", {}, lambda **more: torchvision.models.resnet18(**more)),
        ("vgg11", {"batch_norm": True}, lambda **more: torchvision.models.vgg11_bn(**more)),
    ],
)
def test_a_file_for_our_own_network_is_imagenets_if_it_is_torchvisions_to_the_last_shape(
    name: str, options: dict[str, bool], theirs: Callable[..., torch.nn.Module], tmp_path: Path
) -> None:
    with torch.device("meta"):
        shapes = {classes: theirs(num_classes=classes).state_dict() for classes in (1000, 10)}
    found = {}
    for classes, state in shapes.items():
        path = tmp_path / f"{classes}.pth"
        torch.save({key: torch.zeros(()).expand(tensor.shape) for key, tensor in state.items()}, path)
        found[classes] = find_pretrained(str(path), name, **options)
    assert found[10].preprocessing is None
    assert found[1000].preprocessing == InputForm(224, "bilinear", 0.875, *IMAGENET)
    assert found[1000].assumed == f"torchvision:{name}{'_bn' * len(options)}"
    assert find_pretrained(str(tmp_path / "1000.pth"), "simple-cnn").preprocessing is None


def test_a_file_of_gray_weights_has_not_the_librarys_mean(tmp_path: Path) -> None:
    path = saved(build_model("timm:test_resnet", classes=5, channels=1), tmp_path / "weights.pth")
    assert find_pretrained(path, "timm:test_resnet").preprocessing == InputForm(160, "bilinear", 0.95)


@pytest.mark.parametrize(
    ("name", "options", "file"),
    [
        ("resnet18", {}, torchvision.models.ResNet18_Weights.DEFAULT),
        ("vgg11", {"batch_norm": True}, torchvision.models.VGG11_BN_Weights.DEFAULT),
        ("vgg11", {"batch_norm": False}, torchvision.models.VGG11_Weights.DEFAULT),
        ("torchvision:alexnet", {}, torchvision.models.AlexNet_Weights.DEFAULT),
    ],
)
def test_our_own_networks_take_torchvisions_weights(
    name: str, options: dict[str, bool], file: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / file.url.rpartition("/")[2]
    cached.parent.mkdir(parents=True)
    torch.save({"features.0.weight": torch.ones(2)}, cached)
    found = find_pretrained("default", name, **options)
    assert found.state.keys() == {"features.0.weight"}
    assert found.preprocessing is not None
    assert found.preprocessing.size == 224


def test_a_folder_called_default_is_not_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").mkdir()
    with pytest.raises(ValueError, match="no weights of simple-cnn have names"):
        find_pretrained("default", "simple-cnn")
    with pytest.raises(ValueError, match=r"no model\.safetensors in it"):
        find_pretrained("./default", "simple-cnn")


@pytest.mark.parametrize("value", ["absent.pth", "absent.safetensors", "runs/absent", "~/absent/x"])
def test_a_path_that_is_not_there(value: str) -> None:
    with pytest.raises(ValueError, match=f"^model.pretrained: no such file or run folder: {value}$"):
        find_pretrained(value, "resnet18")


def test_a_name_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="unknown weights of torchvision:resnet18 'IMAGENET1K_V7': did you mean"):
        find_pretrained("IMAGENET1K_V7", "resnet18")
    with pytest.raises(ValueError, match="unknown model of timm 'resnet18x'"):
        find_pretrained("default", "timm:resnet18x")


def test_from_a_checkpoint_of_a_training_script(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(num_classes=3)
    state = {f"model.{name}": tensor for name, tensor in theirs.state_dict().items()}
    torch.save({"net": {**state, "criterion.weight": torch.ones(3)}, "epoch": 4}, tmp_path / "last.ckpt.pth")
    found = find_pretrained(str(tmp_path / "last.ckpt.pth"), "resnet18")
    network = build_network({"name": "resnet18"}, ("a", "b", "c"), Preprocessing(3, 32, 32))
    notes = load_weights(network, found, ("a", "b", "c"))
    assert notes[:2] == [f"100 tensors of {found.origin}", *found.remarks]
    assert "criterion.weight" in found.remarks[0]
    assert torch.equal(network.layer4[1].conv2.weight, theirs.layer4[1].conv2.weight)
