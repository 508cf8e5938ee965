"""The functions of ``import assay``: the examples of their documentation, and what they refuse."""

import doctest
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import assay
import assay.api
from assay.recipe.named import RECIPES
from assay.run.record import RunRecord

MakeFolder = Callable[..., Path]
WriteParquet = Callable[..., Path]
SMALL = {"data.size": 16, "train.epochs": 1, "train.batch_size": 8}


@pytest.fixture(scope="module")
def digits(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return RunRecord.read(shutil.copytree(finished_run, tmp_path_factory.mktemp("runs") / "digits"))


@pytest.fixture
def pets(make_folder: MakeFolder, tmp_path: Path) -> RunRecord:
    """A run on a folder of cats, dogs and owls."""
    data = make_folder(tmp_path / "pets", {f"{part}/{name}": 12 for part in ("train", "test") for name in "abc"})
    return assay.train("digits", {"data.name": f"folder:{data}", **SMALL}, out=tmp_path / "run", progress=False)


def test_the_examples_of_the_documentation_run(tmp_path: Path) -> None:
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for name in ("train", "evaluate", "check"):  # evaluate's example takes up train's run
        function = getattr(assay, name)
        (example,) = finder.find(function, name, globs={name: function, "folder": tmp_path})
        assert example.examples
        assert runner.run(example).failed == 0


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'assay' has no attribute 'trian'"):
        assay.trian  # noqa: B018 - the access is what is tested
    assert all(hasattr(assay, name) for name in assay.__all__)
    assert set(dir(assay)) == set(assay.__all__)


def test_there_is_one_front_door() -> None:
    for name in set(assay.__all__) - {"__version__"}:
        assert getattr(assay, name) is getattr(assay.api, name)


def test_search_without_optuna_is_refused_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("assay.studies.search")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert hasattr(assay, "search")
    with pytest.raises(ValueError, match=r"^Optuna is not installed: pip install 'assay\[search\]'$"):
        assay.search("digits", ["optim.lr"], out="nowhere")


def test_importing_is_quick_because_torch_waits() -> None:
    code = "import sys, assay; print('torch' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False False\n"


def test_a_loaded_classifier_answers_like_its_file(digits: RunRecord) -> None:
    classifier = assay.load(digits.folder)
    assert torch.equal(assay.evaluate(classifier).scores, assay.evaluate(digits.folder).scores)
    assert assay.evaluate(str(digits.folder / "model.safetensors")).accuracy == digits.summary["test"]["accuracy"]


def test_evaluating_twice_gives_the_same_bits(digits: RunRecord) -> None:
    classifier = assay.load(digits.folder)
    assert torch.equal(assay.evaluate(classifier).scores, assay.evaluate(classifier).scores)


def test_held_out_has_to_have_been_held_out(tmp_path: Path) -> None:
    changes = {"train.epochs": 1, "data.held_out": 0.0, "train.select": "last"}
    record = assay.train("digits", changes, out=tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match="no images were held out"):
        assay.evaluate(record.folder, split="held-out")


def test_a_model_that_does_not_know_its_data_asks_for_it(digits: RunRecord) -> None:
    nameless = replace(assay.load(digits.folder), data={})
    with pytest.raises(ValueError, match="does not say which images it learned from"):
        assay.evaluate(nameless)
    assert assay.evaluate(nameless, "digits").accuracy == digits.summary["test"]["accuracy"]


def test_other_data_may_have_fewer_classes(pets: RunRecord, tmp_path: Path) -> None:
    own = assay.evaluate(pets.folder)
    for name in "ca":
        shutil.copytree(tmp_path / "pets" / "test" / name, tmp_path / "few" / name)
    few = assay.evaluate(pets.folder, f"folder:{tmp_path / 'few'}")
    assert few.classes == ("a", "b", "c")
    assert few.labels.tolist() == [0] * 12 + [2] * 12
    assert few.confusion[1].tolist() == [0, 0, 0]
    assert few.per_class_accuracy["b"] is None
    assert torch.allclose(few.scores, own.scores[own.labels != 1], atol=1e-5)


def test_other_data_may_number_the_classes_otherwise(
    pets: RunRecord, tmp_path: Path, write_parquet: WriteParquet
) -> None:
    own = assay.evaluate(pets.folder)
    files = [tmp_path / "pets" / name for name in own.names]
    names = ["c", "a", "b"]
    labels = [names.index(own.classes[label]) for label in own.labels.tolist()]
    images = [{"bytes": file.read_bytes(), "path": None} for file in files]
    file = write_parquet(tmp_path / "other.parquet", {"label": labels}, names={"label": names}, images=images)
    other = assay.evaluate(pets.folder, f"parquet:{file}")
    assert torch.equal(other.labels, own.labels)
    assert torch.equal(other.scores, own.scores)


def test_a_split_of_other_data_has_to_be_there(pets: RunRecord, tmp_path: Path, make_folder: MakeFolder) -> None:
    shutil.copytree(tmp_path / "pets", tmp_path / "copy")
    with pytest.raises(ValueError, match="copy has no held-out split; it has "):
        assay.evaluate(pets.folder, f"folder:{tmp_path / 'copy'}", split="held-out")
    strange = make_folder(tmp_path / "strange", {"a": 2, "owl": 2})
    with pytest.raises(ValueError, match="class 'owl' is not among the model's"):
        assay.evaluate(pets.folder, f"folder:{strange}")


def test_resuming_by_the_run_folder_alone(tmp_path: Path) -> None:
    steady = {"schedule.name": "constant", "train.epochs": 1}
    first = assay.train("digits", steady, out=tmp_path / "run", progress=False)
    longer = assay.train(first.folder, {"train.epochs": 2}, resume=True, progress=False)
    assert longer.folder == first.folder
    assert longer.metrics[0] == first.metrics[0]
    assert len(longer.metrics) == 2


def test_what_follows_from_the_changes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warm = RECIPES["digits"].recipe.but({"schedule.warmup": 6.0})
    record = assay.train(warm, {"train.epochs": 1}, out=tmp_path / "run")
    assert record.recipe.schedule.warmup == 0.2
    assert capsys.readouterr().out.startswith("schedule.warmup: 0.2, not 6; the same share of train.epochs 1\n")
    assert assay.find_lr(warm, {"train.epochs": 1}).notes == (
        "schedule.warmup: 0.2, not 6; the same share of train.epochs 1",
    )


def test_a_resumed_run_keeps_its_lengths(tmp_path: Path) -> None:
    """More epochs are asked of it than of the run that began, and not another run."""
    stepped = {"schedule.name": "step", "schedule.every": 1.0, "train.epochs": 1}
    first = assay.train("digits", stepped, out=tmp_path / "run", progress=False)
    longer = assay.train(first.folder, {"train.epochs": 2}, resume=True, progress=False)
    assert longer.recipe.schedule.every == 1.0
    assert len(longer.metrics) == 2


def test_a_recipe_object_needs_a_folder_to_resume() -> None:
    with pytest.raises(ValueError, match="which run to resume"):
        assay.train(assay.Recipe(), resume=True)


def test_check_finds_what_is_wrong(make_folder: MakeFolder, tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", {"a": 3, "b": 3})
    assert assay.check(f"folder:{data}").problems == []
    shutil.copy(data / "a" / "000.png", data / "b" / "copy.png")
    (line,) = assay.check(f"folder:{data}").wrong["conflicting labels"]
    assert "a/000.png" in line
    assert "b/copy.png" in line


@pytest.mark.parametrize("inputs", [[], ["absent"]])
def test_there_is_no_prediction_of_nothing(digits: RunRecord, inputs: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no readable image|no such file"):
        assay.predict(digits.folder, inputs)


def test_predictions_are_a_sequence(digits: RunRecord, make_folder: MakeFolder, tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", {"x": 3}, channels=1)
    predictions = assay.predict(assay.load(digits.folder), data, top=2)
    assert len(predictions) == 3
    assert [one.name for one in predictions] == [f"{data}/x/{number:03d}.png" for number in range(3)]
    assert predictions[:2] == (predictions[0], predictions[1])
    assert predictions[0].label == predictions[0].classes[0]
    assert len(predictions[0].classes) == 2
    assert np.all(np.diff(predictions[0].probabilities) <= 0)
