"""Teachers: their answers for a student's images are those for their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import assay.run.teacher
from assay.classifier.classifier import Classifier, build_network
from assay.data.preprocess import Normalize, Preprocessing
from assay.models import build_model
from assay.models.weights import InputForm, Pretrained
from assay.run.teacher import find_teacher

CPU = torch.device("cpu")
STUDENT = Preprocessing(3, 32, 32, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))


def pixels(side: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (4, 3, side, side), generator=torch.Generator().manual_seed(0)).float()


def saved(path: Path, how: Preprocessing, classes: tuple[str, ...] = ("a", "b", "c")) -> Classifier:
    classifier = Classifier(
        build_network({"name": "simple-cnn"}, classes, how).eval(), {"name": "simple-cnn"}, classes, how
    )
    classifier.save(path)
    return classifier


def test_a_teacher_sees_the_images_in_its_own_normalisation_and_size(tmp_path: Path) -> None:
    how = Preprocessing(3, 48, 48, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    classifier = saved(tmp_path / "model.safetensors", how)
    teacher = find_teacher(str(tmp_path / "model.safetensors"), ("a", "b", "c"), STUDENT, CPU)
    seen = Normalize(STUDENT, CPU, torch.contiguous_format)(pixels())
    own = F.interpolate(pixels() / 255, size=(48, 48), mode="bilinear")
    own = (own - torch.tensor(how.mean).view(1, 3, 1, 1)) / torch.tensor(how.std).view(1, 3, 1, 1)
    with torch.no_grad():
        assert_close(teacher(seen), classifier.network(own), atol=1e-4, rtol=1e-4)


def test_a_teacher_of_the_student_s_own_preprocessing_sees_the_same(tmp_path: Path) -> None:
    classifier = saved(tmp_path / "model.safetensors", STUDENT)
    teacher = find_teacher(str(tmp_path / "model.safetensors"), ("a", "b", "c"), STUDENT, CPU)
    seen = Normalize(STUDENT, CPU, torch.contiguous_format)(pixels())
    with torch.no_grad():
        assert_close(teacher(seen), classifier.network(seen), atol=1e-4, rtol=1e-4)


def test_other_classes_or_channels_are_refused(tmp_path: Path) -> None:
    name = str(tmp_path / "model.safetensors")
    saved(tmp_path / "model.safetensors", STUDENT)
    with pytest.raises(ValueError, match="knows other classes: 3 of them, not these"):
        find_teacher(name, ("a", "c", "b"), STUDENT, CPU)
    gray = Preprocessing(1, 32, 32, (0.5,), (0.5,))
    with pytest.raises(ValueError, match="sees images of 3 channels"):
        find_teacher(name, ("a", "b", "c"), gray, CPU)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """A network that stands for the library's weights, of five classes."""
    network = build_model("torchvision:squeezenet1_1", classes=5, image_size=64).eval()
    form = InputForm(64, "bilinear", 0.875, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    monkeypatch.setattr(
        assay.run.teacher, "find_pretrained", lambda *_: Pretrained(network.state_dict(), "the library", form)
    )
    return network


def test_a_library_model_teaches_as_many_classes_as_it_knows(library: torch.nn.Module) -> None:
    before = torch.get_rng_state()
    teacher = find_teacher("torchvision:squeezenet1_1", tuple("abcde"), STUDENT, CPU)
    assert torch.equal(before, torch.get_rng_state())
    seen = Normalize(STUDENT, CPU, torch.contiguous_format)(pixels())
    own = F.interpolate(pixels() / 255, size=(64, 64), mode="bilinear") * 2 - 1
    with torch.no_grad():
        assert_close(teacher(seen), library(own), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="tells other classes apart than these 3; name a run of yours"):
        find_teacher("torchvision:squeezenet1_1", tuple("abc"), STUDENT, CPU)
