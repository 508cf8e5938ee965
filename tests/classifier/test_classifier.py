"""The model file: what goes in comes out, and nothing but a model file is accepted."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from assay.classifier.classifier import Classifier, build_network, load
from assay.data.preprocess import Preprocessing
from quick_suite import rest_slow

HOW = Preprocessing(1, 16, 16, (0.5,), (0.25,))


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    classes = ("a", "b", "c")
    return Classifier(
        build_network({"name": "simple-cnn", "activation": "elu"}, classes, HOW).eval(),
        {"name": "simple-cnn", "activation": "elu"},
        classes,
        HOW,
        {"name": "digits", "held_out": 0.1, "test": 0.2, "split_seed": 0},
        {"test": {"accuracy": 0.5}},
    )


@pytest.fixture
def file(classifier: Classifier, tmp_path: Path) -> Path:
    classifier.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def rewrite(file: Path, **changes: object) -> None:
    """Save the same weights under another header."""
    header = {
        "version": "1",
        "architecture": {"name": "simple-cnn"},
        "classes": ["a", "b", "c"],
        "preprocessing": HOW.to_dict(),
    }
    save_file(load_file(file), file, metadata={"assay": json.dumps({**header, **changes})})


def header_of(file: Path) -> dict[str, str]:
    with safe_open(file, framework="pt") as opened:
        return opened.metadata()


def test_round_trip(classifier: Classifier, file: Path) -> None:
    again = load(file)
    images = torch.randn(5, 1, 16, 16)
    assert torch.equal(classifier.network(images), again.network(images))
    for name in ("architecture", "classes", "preprocessing", "data", "metrics", "version"):
        assert getattr(again, name) == getattr(classifier, name)
    assert not again.network.training
    assert load(file.parent).classes == classifier.classes


def test_equal_classifiers_give_equal_bytes(file: Path, tmp_path: Path) -> None:
    load(file).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such run folder or model file"):
        load(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"no model\.safetensors in it"):
        load(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.99])
def test_refuses_a_file_that_was_cut(file: Path, keep: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(keep if keep >= 1 or keep == 0 else keep * len(content))])
    with pytest.raises(ValueError, match="not a model file, or cut off"):
        load(file)


def test_never_executes_a_pickle(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "exploded",))

    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="not a model file"):
        load(path)
    torch.save({"a": Bomb()}, path)
    with pytest.raises(ValueError, match="not a model file"):
        load(path)
    assert not (tmp_path / "exploded").exists()


def test_refuses_another_programs_safetensors(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="without assay's header"):
        load(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": ["a", "b"]}, "size mismatch"),
        ({"architecture": {"name": "resnet19"}}, "did you mean resnet1"),
        ({"architecture": {"name": "simple-cnn", "stem_kernel": 3}}, "no option 'stem_kernel'"),
        ({"architecture": {"name": "resnet18"}}, "Missing key"),
        ({"preprocessing": {**HOW.to_dict(), "crop_pct": 1e-9}}, "at most 8192"),
    ],
)
def test_refuses_a_header_that_does_not_fit(file: Path, changes: dict[str, object], reason: str) -> None:
    rewrite(file, **changes)
    with pytest.raises(ValueError, match="do not fit together") as refusal:
        load(file)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_refuses_a_header_with_a_field_out_of_range(file: Path) -> None:
    rewrite(file, preprocessing={**HOW.to_dict(), "std": [0.0]})
    with pytest.raises(
        ValueError, match=r"model\.safetensors: the field preprocessing\.std\.0 of its header: .* 0\.000001, not 0\.0"
    ):
        load(file)


def test_refuses_weights_of_another_kind_of_number(file: Path) -> None:
    rewrite(file)
    save_file({name: tensor.double() for name, tensor in load_file(file).items()}, file, metadata=header_of(file))
    with pytest.raises(ValueError, match="holds float64, expected float32"):
        load(file)


def test_an_enormous_architecture_takes_no_memory(file: Path) -> None:
    rewrite(file, architecture={"name": "resnet152", "width": 16.0})  # 15 billion weights, if they were made
    with pytest.raises(ValueError, match="do not fit together"):
        load(file)


def test_refuses_a_header_that_is_not_json(file: Path) -> None:
    save_file(load_file(file), file, metadata={"assay": "{"})
    with pytest.raises(ValueError, match="header is not JSON"):
        load(file)


@pytest.mark.parametrize(
    ("name", "size"),
    rest_slow(
        [
            ("torchvision:mnasnet0_5", 32),  # refuses weights whose version is not said
            ("timm:efficientformerv2_s0", 224),  # has indices that are computed when it is built
            ("timm:tf_efficientnet_lite0", 32),
        ]
    ),
)
def test_library_models_come_back_with_the_same_answers(name: str, size: int, tmp_path: Path) -> None:
    how = Preprocessing(3, size, size, (0.5,) * 3, (0.2,) * 3)
    network = build_network({"name": name}, ("a", "b"), how).eval()
    Classifier(network, {"name": name}, ("a", "b"), how).save(tmp_path / "model.safetensors")
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        expected = network(images)
        answers = load(tmp_path / "model.safetensors").network(images)
    assert_close(answers, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
