"""Runs from beginning to end, on the embedded digits: repeatable, resumable, honest about the test split."""

import json
import math
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import assay
import assay.run.epochs as module
from assay.classifier.classifier import load
from assay.classifier.evaluation import evaluate_batches
from assay.recipe.recipe import Recipe
from assay.run import finish as outcome
from assay.run.folder import RunFolder
from assay.run.observer import Observer
from assay.run.record import RunRecord
from assay.run.run import DivergedError, InterruptedRunError, run
from assay.training import losses
from quick_suite import rest_slow
from stop_after import StopAfter

TINY = Recipe().but(
    {
        "data.size": 16,
        "augment.crop": 1,
        "augment.flip": 0.5,
        "optim.lr": 0.05,
        "optim.momentum": 0.9,
        "schedule.name": "cosine",
        "train.epochs": 2,
        "train.batch_size": 100,
    }
)
DROPOUT = TINY.but(
    {
        "model.name": "resnet18",
        "model.width": 0.125,
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "model.dropout": 0.3,
        "model.activation": "rrelu",
    }
)


def essence(folder: Path) -> tuple[bytes, bytes, Mapping[str, Any]]:
    """What must not differ between equal runs: the model's bytes, the log's bytes, the checkpoint's contents."""
    state = torch.load(folder / "last.ckpt", weights_only=True)
    for name in ("seconds", "epoch_seconds", "timings_size"):
        del state["position"][name]
    del state["tracker"]  # names and sizes of files
    return (folder / "model.safetensors").read_bytes(), (folder / "metrics.jsonl").read_bytes(), state


def assert_same_run(one: Path, other: Path) -> None:
    (model, metrics, state), (model2, metrics2, state2) = essence(one), essence(other)
    assert model == model2
    assert metrics == metrics2
    assert_same_tree(state, state2)


def assert_same_tree(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same_tree(one[key], other[key])
    else:
        assert one == other


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return run(TINY, tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="module")
def with_dropout(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return run(DROPOUT, tmp_path_factory.mktemp("runs") / "dropout")


def test_the_record_tells_what_happened(finished: RunRecord) -> None:
    assert finished.recipe == TINY
    assert [row["epoch"] for row in finished.metrics] == [1, 2]
    assert [row["step"] for row in finished.metrics] == [12, 24]
    assert finished.metrics[1]["train_loss"] < finished.metrics[0]["train_loss"]
    last = 0.05 * (1 + math.cos(math.pi * 23 / 24)) / 2  # the rate of the 24th step
    assert finished.metrics[1]["lr"] == pytest.approx(last)
    assert finished.summary["status"] == "finished"
    assert finished.summary["seed"] == 0
    assert finished.environment["threads"] == torch.get_num_threads()
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {
        *("recipe.yaml", "metrics.jsonl", "timings.jsonl", "summary.json", "env.json"),
        *("last.ckpt", "model.safetensors", "scores.safetensors", "tb"),
    }


def test_the_model_file_says_where_it_came_from(finished: RunRecord) -> None:
    classifier = load(finished.folder)
    assert classifier.data["name"] == "digits"
    assert classifier.metrics["test"] == finished.summary["test"]
    assert classifier.preprocessing.stored == 8
    assert classifier.preprocessing.size == 16


def test_tensorboard_holds_the_same_figures(finished: RunRecord) -> None:
    events = EventAccumulator(str(finished.folder / "tb")).Reload()
    tags = set(events.Tags()["scalars"])
    assert {"loss/train", "accuracy/train", "loss/held_out", "accuracy/held_out", "lr", "step/loss"} <= tags
    values = [event.value for event in events.Scalars("loss/train")]
    assert values == pytest.approx([row["train_loss"] for row in finished.metrics])
    steps = events.Scalars("step/loss")
    assert [event.step for event in steps] == list(range(1, 25))
    assert sum(event.value for event in steps[:12]) / 12 == pytest.approx(finished.metrics[0]["train_loss"], rel=1e-5)


def test_the_same_seed_gives_the_same_bits(finished: RunRecord, tmp_path: Path) -> None:
    torch.rand(3)  # what else the process draws does not matter
    assert_same_run(finished.folder, run(TINY, tmp_path / "again").folder)


def test_another_seed_gives_another_run(finished: RunRecord, tmp_path: Path) -> None:
    other = run(TINY.but({"train.seed": 1}), tmp_path / "other")
    assert other.metrics[0]["train_loss"] != finished.metrics[0]["train_loss"]


def test_a_run_leaves_the_random_state_of_the_process_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    mode = torch.get_deterministic_debug_mode()
    run(TINY.but({"train.epochs": 1}), tmp_path / "run")
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_deterministic_debug_mode() == mode


@pytest.mark.parametrize(("steps", "kind"), rest_slow(product([12, 1, 17], ["dropout", "plain"]), quick=2))
def test_an_interrupted_run_goes_on_to_the_same_end(
    kind: str, steps: int, finished: RunRecord, with_dropout: RunRecord, tmp_path: Path
) -> None:
    undisturbed = {"plain": finished, "dropout": with_dropout}[kind]
    recipe = undisturbed.recipe
    with pytest.raises(InterruptedRunError):
        run(recipe, tmp_path / "run", observers=[StopAfter(steps)])
    assert not (tmp_path / "run" / "summary.json").exists()
    run(recipe, tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", undisturbed.folder)
    steps_seen = EventAccumulator(str(tmp_path / "run" / "tb")).Reload().Scalars("step/loss")
    assert [event.step for event in steps_seen] == list(range(1, 25))


@pytest.mark.slow
def test_a_streamed_run_is_the_same_as_one_in_memory_and_resumes(
    make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", {"a": 40, "b": 40}, side=20)
    plain = {"augment.crop": 0, "augment.flip": 0.0}  # the draws of a stream are torchvision's own
    recipe = DROPOUT.but({"data.name": f"folder:{photos}", "data.size": 16, "train.batch_size": 16, **plain})
    in_memory = run(recipe, tmp_path / "memory")
    streamed = recipe.but({"data.memory": 0.0, "data.workers": 2})
    with pytest.raises(InterruptedRunError):
        run(streamed, tmp_path / "streamed", observers=[StopAfter(2)])
    run(streamed, tmp_path / "streamed", resume=True)
    assert essence(tmp_path / "streamed")[0] == essence(in_memory.folder)[0]
    assert essence(tmp_path / "streamed")[1] == essence(in_memory.folder)[1]


@pytest.mark.slow
def test_a_streamed_and_augmented_run_resumes_exactly(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    photos = make_folder(tmp_path / "photos", {"a": 40, "b": 40}, side=20)
    random = {"augment.resized_crop": 0.3, "augment.brightness": 0.4, "augment.mixup": 0.2, "augment.where": "both"}
    stream = {"data.name": f"folder:{photos}", "data.size": 16, "data.memory": 0.0, "data.workers": 2}
    recipe = DROPOUT.but({"train.batch_size": 16, **stream, **random})
    with pytest.raises(InterruptedRunError):
        run(recipe, tmp_path / "parts", observers=[StopAfter(2)])
    run(recipe, tmp_path / "parts", resume=True)
    run(recipe.but({"data.workers": 1}), tmp_path / "whole")
    assert essence(tmp_path / "parts")[:2] == essence(tmp_path / "whole")[:2]


@pytest.mark.slow
def test_a_resumed_run_keeps_its_number_of_threads(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    recipe = TINY.but({"train.epochs": 1})  # two threads wait long for each other on a busy machine
    try:
        torch.set_num_threads(2)
        with pytest.raises(InterruptedRunError):
            run(recipe, tmp_path / "run", observers=[StopAfter(5)])
        run(recipe, tmp_path / "undisturbed")
        torch.set_num_threads(1)
        run(recipe, tmp_path / "run", resume=True)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert_same_run(tmp_path / "run", tmp_path / "undisturbed")


def test_more_epochs_on_request(finished: RunRecord, tmp_path: Path) -> None:
    constant = TINY.but({"schedule.name": "constant"})
    run(constant.but({"train.epochs": 1}), tmp_path / "run")
    longer = run(constant, tmp_path / "run", resume=True)
    straight = run(constant, tmp_path / "straight")
    assert longer.metrics == straight.metrics
    with pytest.raises(ValueError, match=r"train\.epochs: 1 is fewer than the 2 epochs that are done"):
        run(constant.but({"train.epochs": 1}), tmp_path / "run", resume=True)
    assert finished.metrics != straight.metrics


def test_a_finished_run_is_not_done_again(finished: RunRecord) -> None:
    before = (finished.folder / "model.safetensors").stat().st_mtime_ns
    assert run(TINY, finished.folder, resume=True).summary == finished.summary
    assert (finished.folder / "model.safetensors").stat().st_mtime_ns == before


def test_another_recipe_does_not_resume(finished: RunRecord) -> None:
    with pytest.raises(ValueError, match=r"another recipe: optim\.lr was 0\.05, now 0\.1"):
        run(TINY.but({"optim.lr": 0.1}), finished.folder, resume=True)


def test_what_changes_no_number_may_differ_on_resume(finished: RunRecord) -> None:
    moved = TINY.but({"data.workers": 1, "train.checkpoint_minutes": 1.0, "data.root": "/elsewhere"})
    assert run(moved, finished.folder, resume=True).summary == finished.summary


def test_a_run_does_not_begin_where_something_is(finished: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a run already"):
        run(TINY, finished.folder)
    (tmp_path / "file.txt").touch()
    with pytest.raises(ValueError, match="is not a run folder"):
        run(TINY, tmp_path)
    with pytest.raises(ValueError, match="no run to resume"):
        run(TINY, tmp_path / "absent", resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_is_one_process_at_a_time(tmp_path: Path, resume: bool) -> None:
    recipe = TINY.but({"train.epochs": 1})
    if resume:
        run(recipe, tmp_path / "run")
    with RunFolder(tmp_path / "run").held(), pytest.raises(ValueError, match="another process is training there"):
        run(recipe, tmp_path / "run", resume=resume)
    assert (tmp_path / "run" / "recipe.yaml").exists() == resume
    run(recipe, tmp_path / "run", resume=resume)
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_run_that_began_there_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = TINY.but({"train.epochs": 1})
    run(recipe, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    looks = iter([None])  # the first look sees nothing there
    check = RunFolder.check_new
    monkeypatch.setattr(RunFolder, "check_new", lambda folder: next(looks, ...) and check(folder))
    with pytest.raises(ValueError, match="holds a run already"):
        run(recipe.but({"train.seed": 1}), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_bad_recipe_leaves_nothing_behind(tmp_path: Path) -> None:
    for changes in ({"data.name": "digts"}, {"model.stem_kernel": 3}, {"train.batch_size": 5000}, {"optim.beta1": 0.5}):
        with pytest.raises(ValueError, match=r"did you mean|has no option|more than the|choose"):
            run(TINY.but(changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    folder = run(TINY.but({"train.epochs": 1}), tmp_path / "run").folder
    content = (folder / "last.ckpt").read_bytes()
    (folder / "last.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"last\.ckpt: not a readable checkpoint"):
        run(TINY, folder, resume=True)


def test_divergence_is_said_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses.F, "cross_entropy", lambda scores, _labels, **_options: scores.sum() * float("nan"))
    with pytest.raises(DivergedError, match="diverged in epoch 1"):
        run(TINY, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "diverged"
    assert RunRecord.read(tmp_path / "run").metrics[0]["train_loss"] is None


@pytest.mark.parametrize(("select", "reads"), [("held-out", 1), ("last", 1), ("test", 3)])
def test_how_often_the_test_split_is_read(
    select: str, reads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def spy(model, batches, classes, **options):
        sizes.append(len(batches.dataset))
        return evaluate_batches(model, batches, classes, **options)

    monkeypatch.setattr(module, "evaluate_batches", spy)
    monkeypatch.setattr(outcome, "evaluate_batches", spy)
    record = run(TINY.but({"train.select": select}), tmp_path / "run")
    assert sizes.count(355) == reads
    assert sizes[-1] == 355  # at the very end
    assert ("optimistic" in record.summary["selection"]) is (select == "test")


def test_the_best_epoch_on_held_out_is_kept(tmp_path: Path) -> None:
    recipe = TINY.but({"schedule.name": "constant", "optim.lr": 0.3, "train.epochs": 6})
    record = run(recipe, tmp_path / "run")
    best = max(record.metrics, key=lambda row: (row["held_out_accuracy"], -row["held_out_loss"]))
    assert record.summary["epoch"] == best["epoch"]
    assert record.summary["held_out"]["accuracy"] == best["held_out_accuracy"]
    last = run(recipe.but({"train.select": "last"}), tmp_path / "last")
    assert last.summary["epoch"] == 6
    assert last.metrics == record.metrics


def test_a_network_can_learn_one_batch_by_heart(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    noise = make_folder(tmp_path / "noise", {"a": 40, "b": 40}, side=16)
    changes = {"data.name": f"folder:{noise}", "data.held_out": 0.0, "train.select": "last"}
    optimizer = {"optim.name": "adam", "optim.lr": 0.003, "train.batch_size": 64, "train.epochs": 60}
    record = run(Recipe().but(changes | optimizer), tmp_path / "run")
    assert record.metrics[-1]["train_accuracy"] == 1.0
    assert record.summary["test"]["accuracy"] < 0.95  # noise cannot be generalised


def test_a_run_does_not_go_on_with_other_data(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    photos = make_folder(tmp_path / "photos", {"a": 30, "b": 30}, side=16)
    recipe = TINY.but({"data.name": f"folder:{photos}", "train.batch_size": 16})
    with pytest.raises(InterruptedRunError):
        run(recipe, tmp_path / "run", observers=[StopAfter(1)])
    (photos / "a" / "000.png").unlink()
    with pytest.raises(ValueError, match="the data have changed"):
        run(recipe, tmp_path / "run", resume=True)


@pytest.mark.parametrize("memory", [4.0, 0.0], ids=["in memory", "streamed"])
def test_a_run_does_not_go_on_with_images_in_other_classes(
    memory: float, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """Five of each class change places: as many images as before, of the same mean and under the same names."""
    photos = make_folder(tmp_path / "photos", {"a": 30, "b": 30}, side=16)
    if memory:
        changes = {"data.test": 0.0, "data.held_out": 0.0, "train.select": "last"}  # the mean is that of all
    else:
        changes = {"data.mean": [0.5, 0.5, 0.5], "data.std": [0.2, 0.2, 0.2], "data.workers": 0}
    recipe = TINY.but(
        {**changes, "data.name": f"folder:{photos}", "data.memory": memory, "augment.crop": 0, "train.batch_size": 16}
    )
    with pytest.raises(InterruptedRunError):
        run(recipe, tmp_path / "run", observers=[StopAfter(1)])
    for number in range(5):
        one, other = (photos / name / f"{number:03d}.png" for name in "ab")
        one.rename(photos / "between")
        other.rename(one)
        (photos / "between").rename(other)
    kind = "pixels" if memory else "bytes"
    with pytest.raises(ValueError, match=f"the data have changed: 'train {kind}' are not those of the checkpoint"):
        run(recipe, tmp_path / "run", resume=True)


def test_a_run_of_an_earlier_version_goes_on_and_says_what_it_could_not_compare(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError):
        run(TINY, tmp_path / "run", observers=[StopAfter(1)])
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    del state["identity"]
    torch.save(state, tmp_path / "run" / "last.ckpt")
    said: list[str] = []
    observer = Observer()
    observer.say = said.append  # type: ignore[method-assign]
    run(TINY, tmp_path / "run", resume=True, observers=[observer])
    assert "last.ckpt is of an earlier version: only the images' numbers and mean were compared" in said


def test_a_set_has_one_name_wherever_it_is_named_from(
    make_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the images that the model learned from would pass for a test split."""
    make_folder(tmp_path / "photos", {"a": 30, "b": 30}, side=16)
    monkeypatch.chdir(tmp_path)
    recipe = TINY.but({"data.name": "folder:photos", "train.batch_size": 16, "train.epochs": 1})
    trained = run(recipe, tmp_path / "run").summary["test"]
    for name in (None, "folder:photos", "folder:photos/", f"folder:{tmp_path}/photos"):
        evaluation = assay.evaluate(tmp_path / "run", name)
        assert len(evaluation.labels) == trained["images"] == 12
        assert evaluation.accuracy == trained["accuracy"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(assay.evaluate(tmp_path / "run", split="held-out").labels) == trained["images"] / 2 - 1
