"""Errors and measures of the answers that the models of folds have left."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import assay
from assay.classifier.split_request import SplitRequest
from assay.data.sources import digits
from assay.run.record import RunRecord

OUT_OF_FOLD = SplitRequest("out-of-fold")


def test_errors_are_those_of_the_folds_models_for_all_images(folded_run: Path) -> None:
    found = assay.find_errors([folded_run], data=OUT_OF_FOLD)
    answers = load_file(folded_run / "out-of-fold.safetensors")
    wrong = answers["out_of_fold.scores"].argmax(axis=1) != answers["out_of_fold.labels"]
    assert (found.split, found.images) == ("out-of-fold", 1442)
    assert found.wrong == (wrong.sum(),)
    names = digits(Path()).splits["train"].images.names
    assert sorted(one.name for one in found.mistakes) == sorted(names[row] for row in np.flatnonzero(wrong))
    assert found.dataset is not None
    assert found.remarks == ()


@pytest.mark.parametrize(("data", "label_split"), [(OUT_OF_FOLD, None), (None, "out-of-fold")])
def test_labels_of_all_images_are_doubted(folded_run: Path, data: SplitRequest | None, label_split: str | None) -> None:
    found = assay.find_errors([folded_run], data=data, label_errors=True, label_split=label_split)
    assert found.label_issues is not None
    assert (found.label_issues.split, found.label_issues.images) == ("out-of-fold", 1442)


def test_an_evaluation_has_the_names_the_pictures_and_the_figures_of_the_record(folded_run: Path) -> None:
    evaluation = assay.evaluate(folded_run, split="out-of-fold")
    recorded = RunRecord.read(folded_run).summary["out_of_fold"]
    assert evaluation.accuracy == recorded["accuracy"]
    assert evaluation.loss == pytest.approx(recorded["loss"], rel=1e-6)
    assert evaluation.names[:2] == digits(Path()).splits["train"].images.names[:2]
    picture = evaluation.pictures([1])[0, :, :, 0]
    assert np.array_equal(picture, digits(Path()).splits["train"].images.pixels[1])


def test_two_that_were_cut_in_other_ways_can_be_compared(folded_run: Path, tmp_path: Path) -> None:
    """The answers stand in the order of the images, whatever their folds."""
    few = {"train.epochs": 1, "train.threads": 1, "train.tensorboard": False, "data.train_images": 100}
    other = assay.train("digits", {**few, "data.folds": 3, "data.split_seed": 1}, out=tmp_path / "x", progress=False)
    found = assay.find_errors([folded_run, other.folder], data=OUT_OF_FOLD)
    assert len(found.wrong_in_runs) == 3
    assert sum(row.images for row in found.wrong_in_runs) == 1442


def test_what_has_no_such_answers_is_refused(folded_run: Path, finished_run: Path) -> None:
    for run in (finished_run, folded_run / "folds" / "1"):
        for ask in (
            lambda run: assay.find_errors([run], data=OUT_OF_FOLD),
            lambda run: assay.evaluate(run, split="out-of-fold"),
        ):
            with pytest.raises(ValueError, match=r"no out-of-fold answers; a run with data\.folds leaves them"):
                ask(run)
    with pytest.raises(ValueError, match="no out-of-fold answers"):
        assay.evaluate(folded_run, "fashion-mnist", split="out-of-fold")
    for model, views in ((folded_run, "flip"), (assay.load(folded_run), None)):
        with pytest.raises(ValueError, match="name the run folder that holds these answers, and no other views"):
            assay.evaluate(model, split="out-of-fold", views=views)
    with pytest.raises(ValueError, match="the model has learned from them; only its folds' models can answer"):
        assay.inspect(folded_run, data=OUT_OF_FOLD)
    with pytest.raises(ValueError, match=r"unknown split 'out-of-folds': did you mean out-of-fold\?"):
        assay.evaluate(folded_run, split="out-of-folds")


def test_answers_for_other_images_are_refused(folded_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "x"
    shutil.copytree(folded_run, run)
    file = run / "out-of-fold.safetensors"
    answers = load_file(file)
    answers["out_of_fold.labels"] = answers["out_of_fold.labels"][::-1].copy()
    save_file(answers, file)
    with pytest.raises(ValueError, match="only its folds' models can answer"):
        assay.evaluate(run, split="out-of-fold")


def test_without_the_images_errors_have_no_names_and_an_evaluation_is_refused(make_run, tmp_path: Path) -> None:
    labels = torch.arange(10).repeat(2)
    scores = torch.nn.functional.one_hot(labels, 10).float()
    gone = {"name": f"folder:{tmp_path}/gone", "held_out": 0, "test": 0, "split_seed": 0, "folds": 2, "fold": None}
    run = make_run(tmp_path / "run", {"test": (scores.numpy(), labels.numpy())}, data=gone)
    answers = {"out_of_fold.scores": scores.numpy(), "out_of_fold.labels": labels.numpy()}
    save_file(answers, run / "out-of-fold.safetensors")
    found = assay.find_errors([run], data=OUT_OF_FOLD)
    assert (found.images, found.wrong) == (20, (0,))
    assert any("no names and no pictures" in remark for remark in found.remarks)
    with pytest.raises(ValueError, match="gone: no such folder"):
        assay.evaluate(run, split="out-of-fold")
