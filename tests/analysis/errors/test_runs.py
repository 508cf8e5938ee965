"""Where the scores come from, and whether several runs were evaluated on the same images."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from assay.analysis.errors.runs import SplitRequest, evaluate_runs
from assay.api import evaluate

DIGITS = {"name": "digits", "held_out": 0.1, "test": 0.2, "split_seed": 0}
GONE = {**DIGITS, "name": "folder:/nowhere/pets"}


def test_stored_scores_are_used_and_the_data_give_the_names(digits_run) -> None:
    model = digits_run(0)
    (found,) = evaluate_runs([model], SplitRequest())
    evaluation = evaluate(model)
    assert list(found.evaluation.names) == list(evaluation.names)
    assert torch.equal(found.evaluation.labels, evaluation.labels)
    assert not torch.equal(found.evaluation.scores, evaluation.scores)  # the network itself has learned nothing
    assert found.evaluation.pictures([3, 0]).shape == (2, 8, 8, 1)


@pytest.mark.parametrize("spoil", ["no scores", "not finished", "another file", "other shape"])
def test_else_the_network_answers(digits_run, spoil: str) -> None:
    model = digits_run(0)
    if spoil == "no scores":
        (model / "scores.safetensors").unlink()
    elif spoil == "not finished":
        (model / "summary.json").unlink()
    elif spoil == "another file":
        model = model.joinpath("model.safetensors").rename(model / "copy.safetensors")
    else:
        narrow = {"test.scores": np.zeros((355, 9), np.float32), "test.labels": np.zeros(355, np.int64)}
        save_file(narrow, model / "scores.safetensors")
    (found,) = evaluate_runs([model], SplitRequest())
    assert torch.equal(found.evaluation.scores, evaluate(model).scores.double())
    assert found.remarks == ()


def test_another_split_and_another_set_are_answered_anew(digits_run, make_folder, tmp_path) -> None:
    model = digits_run(0)
    (train,) = evaluate_runs([model], SplitRequest("train"))
    assert len(train.evaluation.labels) == 1442 - 145
    pets = make_folder(tmp_path / "digits-of-others", {"1": 2, "7": 3}, channels=1)
    (other,) = evaluate_runs([model], SplitRequest(data=f"folder:{pets}"))
    assert [other.evaluation.classes[label] for label in other.evaluation.labels] == ["1", "1", "7", "7", "7"]
    assert list(other.evaluation.names) == ["1/000.png", "1/001.png", "7/000.png", "7/001.png", "7/002.png"]


def test_data_that_have_changed_are_answered_anew_with_a_remark(make_run, test_labels, tmp_path) -> None:
    labels = np.roll(test_labels, 1)
    run = make_run(tmp_path / "run", {"test": (np.zeros((355, 10), np.float32), labels)})
    (found,) = evaluate_runs([run], SplitRequest())
    assert np.array_equal(found.evaluation.labels, test_labels)
    assert found.remarks == (f"{run}: its data are no longer those that it learned from; they were answered again",)


def test_without_data_all_but_names_and_pictures_is_there(make_run, tmp_path) -> None:
    scores = np.zeros((3, 10), np.float32)
    runs = [make_run(tmp_path / name, {"test": (scores, np.arange(3))}, data=GONE) for name in "ab"]
    first, second = evaluate_runs(runs, SplitRequest())
    assert (first.evaluation.dataset, first.evaluation.names[2]) == (None, "test/00002")
    with pytest.raises(ValueError, match="images of this evaluation are not at hand"):
        first.evaluation.pictures([0])
    assert first.remarks == second.remarks == ("no names and no pictures: folder:/nowhere/pets: no such folder",)
    with pytest.raises(ValueError, match="no such folder"):  # named, it must be there
        evaluate_runs(runs, SplitRequest(data="folder:/nowhere/pets"))
    shutil.rmtree(tmp_path / "a")
    scoreless = make_run(tmp_path / "a", data=GONE)
    with pytest.raises(ValueError, match="no such folder"):
        evaluate_runs([scoreless], SplitRequest())


def test_augmented_test_images_are_said_to_be(make_run, test_labels, tmp_path) -> None:
    scores = {"test": (np.zeros((355, 10), np.float32), test_labels)}
    run = make_run(tmp_path / "run", scores, metrics={"test_augmented": True})
    (found,) = evaluate_runs([run], SplitRequest())
    assert "augmented" in found.remarks[0]


def test_runs_of_other_classes_or_images_are_refused(make_run, tmp_path) -> None:
    scores = np.zeros((3, 10), np.float32)
    labels = [np.array([0, 1, 2]), np.array([0, 2, 2])]
    runs = [make_run(tmp_path / str(n), {"test": (scores, one)}, data=GONE) for n, one in enumerate(labels)]
    with pytest.raises(ValueError, match="labels of its test images are not those of"):
        evaluate_runs(runs, SplitRequest())
    names = make_run(tmp_path / "names", {"test": (scores, labels[0])}, data=GONE, classes="abcdefghij")
    with pytest.raises(ValueError, match=r"names: its classes are not those of .*0$"):
        evaluate_runs([runs[0], names], SplitRequest())


def test_equal_labels_of_other_images_are_refused(make_run, make_folder, tmp_path) -> None:
    """A sorted folder that is cut with another seed has the same labels in the same order."""
    folder = make_folder(tmp_path / "pets", {"cat": 20, "dog": 20}, channels=1)
    origins = [{"name": f"folder:{folder}", "held_out": 0.1, "test": 0.2, "split_seed": seed} for seed in (0, 0, 1)]
    scores = {"test": (np.zeros((8, 2), np.float32), np.repeat([0, 1], 4))}
    runs = [
        make_run(tmp_path / f"run-{n}", scores, data=origin, classes=("cat", "dog")) for n, origin in enumerate(origins)
    ]
    assert len(evaluate_runs(runs[:2], SplitRequest())) == 2
    with pytest.raises(ValueError, match="run-2: its test images are not those of"):
        evaluate_runs(runs, SplitRequest())
    shutil.rmtree(folder)
    for run in runs:
        save_file(
            {
                "held_out.scores": np.zeros((4, 2), np.float32),
                "held_out.labels": np.zeros(4, np.int64),
                **{f"test.{name}": value for name, value in zip(("scores", "labels"), scores["test"], strict=True)},
            },
            run / "scores.safetensors",
        )
    with pytest.raises(ValueError, match=r"run-2: it held out other images than .*run-0, and"):
        evaluate_runs(runs, SplitRequest("held-out"))
    remarks = [remark for run in evaluate_runs(runs, SplitRequest()) for remark in run.remarks]
    assert remarks[-1].startswith(f"{runs[2]} and {runs[0]} cut their data in different ways")


def test_scores_that_are_not_finite_are_refused(make_run, test_labels, tmp_path) -> None:
    scores = np.zeros((355, 10), np.float32)
    scores[7, 3] = np.nan
    run = make_run(tmp_path / "run", {"test": (scores, test_labels)})
    with pytest.raises(ValueError, match="run: some of its scores for test are not finite"):
        evaluate_runs([run], SplitRequest())


def test_only_the_first_run_holds_pictures(digits_run) -> None:
    first, second = evaluate_runs([digits_run(0), digits_run(1)], SplitRequest())
    assert first.evaluation.dataset is not None
    assert second.evaluation.dataset is None
