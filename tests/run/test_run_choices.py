"""Training choices in whole runs: each resumes exactly, and does what its name says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_run import TINY, assert_same_run, assert_same_tree, essence

import assay
from assay.classifier.classifier import load
from assay.recipe.recipe import Recipe
from assay.run.build import build
from assay.run.observer import Batch, Evaluations, Observer
from assay.run.record import read_scores
from assay.run.run import InterruptedRunError, run
from assay.training.loop import Step
from quick_suite import rest_slow
from stop_after import StopAfter

EVERYTHING = {
    "ema": {"train.ema": 0.9, "optim.clip": 1.0},
    "lookahead": {"train.lookahead": 5, "train.lookahead_curve": "cubic", "train.lookahead_share": 0.3},
    "fp16": {"train.precision": "fp16", "train.accumulate": 4},
    "muon": {"optim.name": "muon", "optim.lr": 0.01, "optim.momentum": None, "optim.decay": "weights"},
    "freeze-out": {"schedule.freeze_out": 0.3, "optim.bias_lr": 2.0},
    "lars": {"optim.name": "lars", "optim.lr": 1.0, "loss.label_smoothing": 0.1},
    "adagrad": {"optim.name": "adagrad", "optim.momentum": None, "schedule.name": "one-cycle"},
}


class Remarks(Observer):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("name", rest_slow(EVERYTHING))
def test_a_run_goes_on_exactly(name: str, tmp_path: Path) -> None:
    recipe = TINY.but(EVERYTHING[name])
    run(recipe, tmp_path / "whole")
    with pytest.raises(InterruptedRunError):
        run(recipe, tmp_path / "parts", observers=[StopAfter(17)])
    run(recipe, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("kind", [{"train.ema": 0.95}, {"train.lookahead": 100, "train.stop_after": 1}])
def test_the_average_is_what_is_kept(kind: dict[str, Any], tmp_path: Path) -> None:
    record = run(TINY.but(kind), tmp_path / "run")
    state = torch.load(record.folder / "last.ckpt", weights_only=True)
    kept = load(record.folder).network.state_dict()
    for name, value in kept.items():
        assert torch.equal(value, state["average"][f"module.{name}"])
    assert any(not torch.equal(value, state["network"][name]) for name, value in kept.items())


@pytest.mark.parametrize(("decay", "is_long"), [(0.9999, True), (0.5, False)])
def test_an_average_that_holds_the_first_weights_is_remarked(decay: float, is_long: bool, tmp_path: Path) -> None:
    remarks = Remarks()
    run(TINY.but({"train.ema": decay, "train.epochs": 1}), tmp_path / "run", observers=[remarks])
    said = [text for text in remarks.said if text.startswith("train.ema 0.9999: ")]
    assert len(said) == is_long


def test_an_average_of_pretrained_weights_may_hold_them(tmp_path: Path) -> None:
    record = run(TINY.but({"train.epochs": 1}), tmp_path / "before")
    changes = {"train.ema": 0.9999, "train.epochs": 1, "model.pretrained": str(record.folder)}
    assert not build(TINY.but(changes), torch.device("cpu")).doubts


def stalls(**changes: Any) -> Recipe:
    """At this rate nothing is learned: no epoch after the first is better."""
    return TINY.but({"optim.lr": 1e-12, "train.epochs": 9, "train.patience": 2, "schedule.name": "constant", **changes})


def test_patience_ends_a_run_that_stalls(tmp_path: Path) -> None:
    remarks = Remarks()
    record = run(stalls(), tmp_path / "run", observers=[remarks])
    best = record.summary["epoch"]
    assert record.summary["epochs"] == len(record.metrics) == best + 2 < 9
    assert remarks.said == [f"stopped after epoch {best + 2}: none has been better than epoch {best}"]


def test_a_run_that_has_stalled_is_finished(tmp_path: Path) -> None:
    first = run(stalls(), tmp_path / "run")
    remarks = Remarks()
    again = run(stalls(), tmp_path / "run", resume=True, observers=[remarks])
    assert again == first
    assert "finished" in remarks.said[0]


def test_patience_without_selection_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^train\.patience needs train\.select held-out or test"):
        TINY.but({"train.patience": 2, "train.select": "last"})


def test_linear_scaling_multiplies_the_rate(tmp_path: Path) -> None:
    scaled = TINY.but({"optim.lr": 0.02, "optim.lr_batch": 40, "schedule.name": "constant", "train.epochs": 1})
    assert run(scaled, tmp_path / "run").metrics[0]["lr"] == pytest.approx(0.02 * 100 / 40)


def test_a_student_learns_from_a_run(tmp_path: Path) -> None:
    """A teacher that knows the classes lowers the loss's floor; one of other classes is refused."""
    teacher = run(TINY, tmp_path / "teacher").folder
    taught = TINY.but({"loss.teacher": str(teacher), "loss.temperature": 4.0, "loss.teacher_weight": 0.5})
    record = run(taught, tmp_path / "student")
    alone = run(TINY, tmp_path / "alone")
    assert record.metrics[0]["train_loss"] > alone.metrics[0]["train_loss"]  # it is the sum of both parts
    assert record.metrics[1]["train_loss"] < record.metrics[0]["train_loss"]
    with pytest.raises(ValueError, match=r"missing: no such run folder or model file"):
        run(TINY.but({"loss.teacher": str(tmp_path / "missing")}), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_fine_tuning_takes_the_body_and_resumes_in_any_phase(tmp_path: Path) -> None:
    first = run(TINY, tmp_path / "first").folder
    tuned = TINY.but({"model.pretrained": str(first), "transfer.freeze": "gradual", "transfer.layer_decay": 0.5})
    remarks = Remarks()
    run(tuned, tmp_path / "whole", observers=[remarks])
    assert any(str(first) in text for text in remarks.said)
    with pytest.raises(InterruptedRunError):
        run(tuned, tmp_path / "parts", observers=[StopAfter(17)])  # in the second epoch, where two groups learn
    run(tuned, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_frozen_body_stays_as_it_came(tmp_path: Path) -> None:
    first = run(TINY, tmp_path / "first").folder
    frozen = run(TINY.but({"model.pretrained": str(first), "transfer.freeze": "body"}), tmp_path / "second")
    before, after = (load(folder).network.state_dict() for folder in (first, frozen.folder))
    same = [name for name in before if torch.equal(before[name], after[name])]
    assert same == [name for name in before if not name.startswith("classifier")]
    assert frozen.summary["parameters"] == run_parameters(first)


def test_layers_that_have_stopped_do_not_move_again(tmp_path: Path) -> None:
    recipe = TINY.but(
        {
            "model.name": "fast",
            "model.width": 0.125,
            "schedule.freeze_out": 0.2,
            "train.epochs": 4,
            "train.select": "last",
        }
    )
    run(recipe.but({"train.stop_after": 2}), tmp_path / "run")
    before = load(tmp_path / "run").network.state_dict()
    run(recipe, tmp_path / "run", resume=True)
    after = load(tmp_path / "run").network.state_dict()
    moved = {name.rpartition(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    # Of 8 groups, from the stem on, learn in 1, 1, 2, 2, 3, 3, 4 and 4 epochs: filters, norms and their statistics.
    last = {f"features.{place}" for place in ("1.4", "1.5", "2.0", "2.2", "2.4", "2.5")}
    assert moved == {*last, "classifier"}


def test_options_of_another_freezing_are_refused_beside_layers_that_stop(tmp_path: Path) -> None:
    first = run(TINY, tmp_path / "first").folder
    recipe = TINY.but({"model.pretrained": str(first), "schedule.freeze_out": 0.5, "transfer.unfreeze_after": 2})
    with pytest.raises(ValueError, match=r"transfer\.freeze none has no option 'unfreeze_after'"):
        run(recipe, tmp_path / "run")


def run_parameters(folder: Path) -> int:
    return sum(weight.numel() for weight in load(folder).network.parameters())


@pytest.mark.parametrize("changes", [{"transfer.freeze": "body"}, {"transfer.freeze_norms": True}])
def test_freezing_needs_weights_that_are_worth_keeping(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^transfer\.freeze, freeze_norms and head need model\.pretrained"):
        run(TINY.but(changes), tmp_path / "run")


def test_augmented_test_images_are_another_test(tmp_path: Path) -> None:
    """The training is the same whether the test images are changed or not."""
    strong = TINY.but({"augment.erase": 1.0, "augment.rotation": 90.0, "augment.flip": 0.0})
    plain = run(strong.but({"augment.where": "train"}), tmp_path / "train")
    both = run(strong.but({"augment.where": "both"}), tmp_path / "both")
    assert [row["train_loss"] for row in plain.metrics] == [row["train_loss"] for row in both.metrics]
    assert plain.summary["held_out"] == both.summary["held_out"]
    assert plain.summary["test"]["loss"] != both.summary["test"]["loss"]


def test_views_are_for_the_final_answer(tmp_path: Path) -> None:
    one = run(TINY, tmp_path / "one")
    two = run(TINY.but({"test.views": "flip"}), tmp_path / "two")
    assert one.metrics == two.metrics
    assert one.summary["test"]["loss"] != two.summary["test"]["loss"]
    assert two.summary["views"] == "flip"


@pytest.mark.parametrize("field", ["saturation", "hue", "pca_noise", "grayscale"])
def test_what_needs_colour_is_refused_before_anything_is_written(field: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^augment\.{field} needs colour images, these have 1 channel$"):
        run(TINY.but({f"augment.{field}": 0.1}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_for_colour_see_gray_images_in_colour(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    photos = make_folder(tmp_path / "photos", {"a": 40, "b": 40}, side=16)
    first = run(TINY.but({"data.name": f"folder:{photos}", "train.batch_size": 16}), tmp_path / "first").folder
    tuned = load(run(TINY.but({"model.pretrained": str(first), "train.epochs": 1}), tmp_path / "second").folder)
    assert tuned.preprocessing.channels == 3
    assert tuned.preprocessing.mean == load(first).preprocessing.mean
    assert len(tuned.classes) == 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"augment.where": "test", "augment.mixup": 0.2}, "augment.where test: mixup and cutmix are for the training"),
        ({"augment.where": "both", "augment.crop": 0, "augment.flip": 0.0}, "augment.where both changes nothing"),
        ({"train.accumulate": 3}, "train.accumulate: 3 does not divide 100"),
        ({"model.name": "resnet18", "train.accumulate": 100}, "batch norm needs at least 2 images in each part"),
    ],
)
def test_what_would_have_no_effect_or_fail_later_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        run(TINY.but(changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_test_on_changed_images_says_so(tmp_path: Path) -> None:
    record = run(TINY.but({"augment.where": "both", "train.epochs": 1}), tmp_path / "run")
    assert record.summary["test_augmented"] is True
    assert load(record.folder).metrics["test_augmented"] is True


def test_evaluate_looks_as_the_recipe_did(tmp_path: Path) -> None:
    record = run(TINY.but({"test.views": "flip"}), tmp_path / "run")
    assert assay.evaluate(record.folder).loss == pytest.approx(record.summary["test"]["loss"], rel=1e-9)
    assert assay.evaluate(record.folder, views="none").loss != pytest.approx(record.summary["test"]["loss"], rel=1e-4)


def test_a_run_goes_on_without_the_weights_that_it_began_with(tmp_path: Path) -> None:
    first = run(TINY, tmp_path / "first").folder
    tuned = TINY.but({"model.pretrained": str(first)})
    with pytest.raises(InterruptedRunError):
        run(tuned, tmp_path / "parts", observers=[StopAfter(5)])
    run(tuned, tmp_path / "whole")
    first.rename(tmp_path / "elsewhere")
    run(tuned, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_longer_run_goes_on_at_the_rate_of_the_longer_schedule(tmp_path: Path) -> None:
    """The first step after the old end is not taken at the old end's rate, which is zero."""
    run(TINY.but({"train.epochs": 1}), tmp_path / "run")
    weights = load(tmp_path / "run").network.state_dict()
    longer = TINY.but({"train.epochs": 2})
    components = build(longer, torch.device("cpu"))
    components.restore(torch.load(tmp_path / "run" / "last.ckpt", weights_only=True))
    assert components.update.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 0.5)
    assert weights.keys() == components.network.state_dict().keys()


def test_find_lr_answers_in_the_recipes_own_terms() -> None:
    """Under linear scaling the rate that is meant for a smaller batch is smaller in proportion."""
    plain = assay.find_lr(TINY)
    scaled = assay.find_lr(TINY.but({"optim.lr_batch": 10}))
    best = [np.log10(sweep.rates[int(np.argmin(sweep.smoothed))]) for sweep in (plain, scaled)]
    assert best[1] - best[0] == pytest.approx(-1, abs=0.35)


def test_a_split_to_select_by_that_is_not_there(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    photos = make_folder(tmp_path / "photos", {"a": 40, "b": 40}, side=16)
    changes = {"data.name": f"folder:{photos}", "train.batch_size": 16, "train.select": "test", "data.test": 0.0}
    with pytest.raises(ValueError, match=r"^train\.select test: there is no such split to select by$"):
        run(TINY.but(changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_fewer_images_to_train_by_leave_the_other_splits_as_they_are(tmp_path: Path) -> None:
    whole, fewer = (run(TINY.but({"data.train_images": most}), tmp_path / str(most)) for most in (None, 300))
    assert fewer.summary["train_images"] == 300 < whole.summary["train_images"]
    assert fewer.summary["test"]["images"] == whole.summary["test"]["images"]
    assert len(assay.evaluate(fewer.folder, split="train").labels) == 300


def test_training_images_are_measured_as_they_are_on_request(tmp_path: Path) -> None:
    record = run(TINY.but({"test.train": True, "augment.crop": 1}), tmp_path / "run")
    assert record.summary["train"]["accuracy"] == assay.evaluate(record.folder, split="train").accuracy
    assert "train_loss" in record.metrics[0]


def test_scores_of_the_test_images_are_left_for_later(tmp_path: Path) -> None:
    record = run(TINY, tmp_path / "run")
    evaluation = assay.evaluate(record.folder)
    scores, labels = read_scores(record.folder)
    assert torch.from_numpy(scores).equal(evaluation.scores)
    assert labels.tolist() == evaluation.labels.tolist()
    assert len(read_scores(record.folder, "held-out")[1]) == record.summary["held_out"]["images"]
    with pytest.raises(ValueError, match="no scores of train"):
        read_scores(record.folder, "train")
    with pytest.raises(ValueError, match="no scores of a finished run"):
        read_scores(tmp_path)


class Diary(Observer):
    """Keeps the names of the calls, and has a state of its own."""

    key = "diary"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        self.calls.append(f"start {epochs} {steps} {done}")

    def watch(self, batches: Iterator[Batch], done: int) -> Iterator[Batch]:
        for batch in batches:
            self.calls.append(f"batch {done}")
            yield batch

    def step(self, step: Step) -> None:
        self.calls.append(f"step {step.images}")

    def epoch(self, row: Mapping[str, Any], timing: Mapping[str, Any], evaluations: Evaluations) -> None:
        self.calls.append(f"epoch {row['epoch']} {timing['epoch']} {list(evaluations)}")

    def state(self) -> dict[str, int]:
        return {"calls": len(self.calls)}

    def flush(self) -> None:
        self.calls.append("flush")

    def stop(self) -> None:
        self.calls.append("stop")

    def end(self, recipe: Recipe, evaluations: Evaluations, step: int) -> None:
        self.calls.append(f"end {list(evaluations)} {step} {recipe.train.epochs}")

    def close(self) -> None:
        self.calls.append("close")


def test_an_observer_follows_the_run_in_order_and_changes_nothing(tmp_path: Path) -> None:
    diary, recipe = Diary(), TINY.but({"train.epochs": 1, "train.batch_size": 600})
    run(recipe, tmp_path / "observed", observers=[diary])
    assert diary.calls == [
        *("start 1 2 0", "batch 0", "step 600", "batch 0", "step 600", "epoch 1 1 ['held_out']"),
        *("flush", "stop", "end ['held_out', 'test'] 2 1", "close"),
    ]
    run(recipe, tmp_path / "alone")
    (model, metrics, state), (model2, metrics2, state2) = essence(tmp_path / "observed"), essence(tmp_path / "alone")
    assert state.pop("diary") == {"calls": 7}
    assert (model, metrics) == (model2, metrics2)
    assert_same_tree(state, state2)


def test_an_observer_is_closed_after_an_error(tmp_path: Path) -> None:
    class Fails(Diary):
        def step(self, step: Step) -> None:
            raise RuntimeError(step)

    first, second = Diary(), Fails()
    with pytest.raises(RuntimeError):
        run(TINY, tmp_path / "run", observers=[first, second])
    for diary in (first, second):
        assert diary.calls[-2:] == ["stop", "close"]


@pytest.mark.slow
def test_a_fitted_head_is_kept_until_an_epoch_is_better(tmp_path: Path) -> None:
    first = run(TINY, tmp_path / "first").folder
    weights = tmp_path / "weights.pth"  # which do not know their classes, so that the head is new
    torch.save(load(first).network.state_dict(), weights)
    fitted = {"model.pretrained": str(weights), "transfer.head": "fitted", "train.select": "held-out"}
    harmful, remarks = TINY.but({**fitted, "optim.lr": 30.0, "train.epochs": 2}), Remarks()
    summary = run(harmful, tmp_path / "whole", observers=[remarks]).summary
    assert summary["epoch"] == 0
    assert summary["selection"].startswith("the linear probe")
    assert summary["held_out"] == summary["probe"]
    assert summary["probe"]["accuracy"] > 0.5
    assert any(text.startswith("linear probe: held-out accuracy") for text in remarks.said)
    with pytest.raises(InterruptedRunError):
        run(harmful, tmp_path / "parts", observers=[StopAfter(7)])
    run(harmful, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_evaluation_looks_again_at_the_images_that_the_run_did(tmp_path: Path) -> None:
    plain, _ = read_scores(run(TINY, tmp_path / "plain").folder, "test")
    middle = torch.from_numpy(plain).softmax(1).amax(1).median().item()
    record = run(TINY.but({"test.views": "flip", "test.sure": middle}), tmp_path / "run")
    assert record.summary["sure"] == middle
    of_all = [assay.evaluate(record.folder, views=views).loss for views in ("none", "flip")]
    loss = assay.evaluate(record.folder).loss
    assert loss == record.summary["test"]["loss"]
    assert loss not in of_all
