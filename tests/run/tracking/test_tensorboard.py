"""What TensorBoard shows of a run is what happened, all of it and once."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

import assay
from assay.classifier.classifier import load
from assay.recipe.recipe import Recipe
from assay.run.folder import RunFolder
from assay.run.record import RunRecord
from assay.run.run import InterruptedRunError, run
from assay.run.tracking.histograms import BUCKETS, histograms
from assay.run.tracking.pictures import draw_kernels, draw_mistakes
from assay.run.tracking.tensorboard import TensorBoard
from assay.training.loop import Step, Update, train_epoch
from assay.training.precision import Precision
from quick_suite import rest_slow
from stop_after import StopAfter

TINY = Recipe().but(
    {
        "data.size": 16,
        "optim.lr": 0.05,
        "train.epochs": 2,
        "train.batch_size": 100,
        "train.select": "last",
        "train.checkpoint_minutes": 0.0,
    }
)
STEPS = 12
EVERYTHING = dict.fromkeys(("scalars", "histograms", "images", "tensors"), 0)


def events(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder / "tb"), size_guidance=EVERYTHING).Reload()


def contents(folder: Path) -> dict[str, list[Any]]:
    """All that is shown, by tag: steps and values; without what depends on the clock."""
    read = events(folder)
    tags = read.Tags()
    return {
        **{tag: [(one.step, one.value) for one in read.Scalars(tag)] for tag in tags["scalars"]},
        **{tag: [(one.step, one.histogram_value) for one in read.Histograms(tag)] for tag in tags["histograms"]},
        **{tag: [(one.step, one.encoded_image_string) for one in read.Images(tag)] for tag in tags["images"]},
        **{tag: [(one.step, one.tensor_proto.string_val) for one in read.Tensors(tag)] for tag in tags["tensors"]},
        "hyperparameters": [hyperparameters(read)],
        "images_per_second": [one.step for one in read.Scalars("images_per_second")],
    }


def hyperparameters(read: EventAccumulator) -> dict[str, Any]:
    tags = read.PluginTagToContent(metadata.PLUGIN_NAME)
    start = metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG])
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return run(TINY, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def shown(finished: RunRecord) -> dict[str, list[Any]]:
    return contents(finished.folder)


def test_scalars_are_those_of_the_record(finished: RunRecord, shown: dict[str, list[Any]]) -> None:
    names = {
        "loss/train": "train_loss",
        "accuracy/train": "train_accuracy",
        "loss/held_out": "held_out_loss",
        "accuracy/held_out": "held_out_accuracy",
        "lr": "lr",
    }
    for tag, name in names.items():
        assert shown[tag] == [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in finished.metrics]
    assert [step for step, _ in shown["step/loss"]] == list(range(1, 2 * STEPS + 1))
    assert shown["non_finite/weights"] == shown["non_finite/gradients"] == [(STEPS, 0), (2 * STEPS, 0)]
    for split in ("test", "held_out"):
        for measure in ("accuracy", "loss"):
            value = finished.summary[split][measure]
            assert shown[f"hparam/{split}_{measure}"] == [(2 * STEPS, pytest.approx(value, rel=1e-6))]


def test_histograms_of_the_last_epoch_are_those_of_the_kept_weights(
    finished: RunRecord, shown: dict[str, list[Any]]
) -> None:
    parameters = dict(load(finished.folder).network.named_parameters())
    assert {tag for tag in shown if tag.startswith("weights/")} == {f"weights/{name}" for name in parameters}
    assert {tag for tag in shown if tag.startswith("gradients/")} == {f"gradients/{name}" for name in parameters}
    for name, parameter in parameters.items():
        values = parameter.detach().double().flatten().numpy()
        counts, edges = np.histogram(values, BUCKETS)
        (first, _), (last, histogram) = shown[f"weights/{name}"]
        assert (first, last) == (STEPS, 2 * STEPS)
        assert histogram.bucket == counts.tolist()
        assert histogram.bucket_limit == pytest.approx(edges[1:])
        assert (histogram.min, histogram.max, histogram.num) == (values.min(), values.max(), values.size)
        assert histogram.sum == pytest.approx(values.sum())
        assert histogram.sum_squares == pytest.approx((values**2).sum())


def test_pictures_show_kernels_and_mistakes(finished: RunRecord, shown: dict[str, list[Any]]) -> None:
    kernels = draw_kernels(load(finished.folder).network)
    assert kernels is not None
    (first, _), (last, png) = shown["first_layer_kernels"]
    assert (first, last) == (STEPS, 2 * STEPS)
    np.testing.assert_array_equal(picture(png), (kernels.permute(1, 2, 0).numpy() * 255).astype(np.uint8))
    held_out = draw_mistakes(assay.evaluate(finished.folder, split="held-out"))
    assert [step for step, _ in shown["mistakes/held_out"]] == [STEPS, 2 * STEPS]
    np.testing.assert_array_equal(picture(shown["mistakes/held_out"][1][1]), np.asarray(held_out))
    test = draw_mistakes(assay.evaluate(finished.folder))
    assert [step for step, _ in shown["mistakes_of_the_kept_model/test"]] == [2 * STEPS]
    np.testing.assert_array_equal(picture(shown["mistakes_of_the_kept_model/test"][0][1]), np.asarray(test))
    assert "mistakes/test" not in shown


def test_the_hyperparameter_tab_has_every_given_field(finished: RunRecord, shown: dict[str, list[Any]]) -> None:
    fields = shown["hyperparameters"][0]
    assert fields["optim.lr"] == 0.05
    assert fields["train.epochs"] == 2
    assert fields["data.name"] == "digits"
    assert fields["train.channels_last"] == "true"
    given = {f"{section}.{name}" for section, values in TINY.to_dict().items() for name in values}
    assert set(fields) == given
    read = events(finished.folder)
    tags = read.PluginTagToContent(metadata.PLUGIN_NAME)
    metadata.parse_session_end_info_plugin_data(tags[metadata.SESSION_END_INFO_TAG])
    ((_, (text,)),) = shown["recipe/text_summary"]
    assert Recipe.from_dict(yaml.safe_load(text.decode().removeprefix("```yaml\n").removesuffix("```"))) == TINY


def test_lists_are_text(tmp_path: Path) -> None:
    recipe = TINY.but({"schedule.name": "multistep", "schedule.milestones": [1], "train.epochs": 2})
    tracker = TensorBoard(tmp_path / "tb", nn.Linear(1, 1), 1, 0)
    tracker.end(recipe, {}, 3)
    tracker.close()
    assert hyperparameters(events(tmp_path))["schedule.milestones"] == "[1.0]"


class CrashError(Exception):
    """Power is lost."""


def crash_at(call: int, original: Callable[..., None]) -> Callable[..., None]:
    """The same function, which crashes in place of its call of that number, from 1."""
    calls = 0

    def crashing(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise CrashError
        original(*arguments)

    return crashing


@pytest.mark.parametrize("steps", rest_slow([12, 1, 17]))
def test_an_interrupted_run_shows_all_and_nothing_twice(
    steps: int, shown: dict[str, list[Any]], tmp_path: Path
) -> None:
    with pytest.raises(InterruptedRunError):
        run(TINY, tmp_path / "run", observers=[StopAfter(steps)])
    run(TINY, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == shown


@pytest.mark.parametrize(
    ("name", "call"),
    [("write_checkpoint", 1), ("write_checkpoint", 13), ("write_summary", 1)],
    ids=["before the first checkpoint", "after an epoch's figures", "at the very end"],
)
def test_a_crashed_run_shows_all_and_nothing_twice(
    name: str, call: int, shown: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint is written after each step, the 13th after the epoch; the log is ahead of it each time."""
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, name, crash_at(call, getattr(RunFolder, name)))
        with pytest.raises(CrashError):
            run(TINY, tmp_path / "run")
    assert events(tmp_path / "run").Scalars("step/loss")  # what is there can be read
    run(TINY, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == shown


def test_a_longer_run_shows_its_own_end(shown: dict[str, list[Any]], tmp_path: Path) -> None:
    constant = TINY.but({"schedule.name": "constant"})
    run(constant.but({"train.epochs": 1}), tmp_path / "run")
    run(constant, tmp_path / "run", resume=True)
    read = contents(tmp_path / "run")
    assert read["hyperparameters"][0]["train.epochs"] == 2
    assert [step for step, _ in read["hparam/test_accuracy"]] == [2 * STEPS]
    assert [step for step, _ in read["recipe/text_summary"]] == [2 * STEPS]
    assert [step for step, _ in read["weights/" + next(iter(weights(shown)))]] == [STEPS, 2 * STEPS]


def weights(shown: dict[str, list[Any]]) -> list[str]:
    return [tag.removeprefix("weights/") for tag in shown if tag.startswith("weights/")]


@pytest.mark.slow
def test_switched_off_it_writes_nothing_and_changes_no_number(finished: RunRecord, tmp_path: Path) -> None:
    stochastic = TINY.but({"model.name": "resnet18", "model.width": 0.125, "model.dropout": 0.3, "train.epochs": 1})
    for recipe, folder in ((TINY, finished.folder), (stochastic, run(stochastic, tmp_path / "on").folder)):
        off = run(recipe.but({"train.tensorboard": False}), tmp_path / f"off {recipe.model.name}").folder
        assert not (off / "tb").exists()
        for name in ("model.safetensors", "metrics.jsonl", "scores.safetensors"):
            assert (off / name).read_bytes() == (folder / name).read_bytes()


def test_switched_off_on_the_way_it_keeps_what_is_there(shown: dict[str, list[Any]], tmp_path: Path) -> None:
    for recipe, steps in ((TINY, 3), (TINY.but({"train.tensorboard": False}), 4)):
        with pytest.raises(InterruptedRunError):
            run(recipe, tmp_path / "run", observers=[StopAfter(steps)], resume=steps == 4)
    run(TINY, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run")["step/loss"] == [shown["step/loss"][step] for step in (0, 1, 2, *range(7, 24))]


def test_a_checkpoint_of_before_leaves_the_files(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError):
        run(TINY, tmp_path / "run", observers=[StopAfter(5)])
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    del state["tracker"]
    torch.save(state, tmp_path / "run" / "last.ckpt")
    run(TINY, tmp_path / "run", resume=True)
    assert [step for step, _ in contents(tmp_path / "run")["step/loss"]] == list(range(1, 2 * STEPS + 1))


def test_with_select_test_the_test_mistakes_are_shown_at_each_epoch(tmp_path: Path) -> None:
    run(TINY.but({"train.select": "test"}), tmp_path / "run")
    assert [step for step, _ in contents(tmp_path / "run")["mistakes/test"]] == [STEPS, 2 * STEPS]


def one_step(precision: str, factor: float = 1.0) -> tuple[nn.Module, Update]:
    """One step of a small network; the factor lets its gradients overflow in half precision."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    update = Update(optimizer, LambdaLR(optimizer, lambda _: 1.0), Precision.named(precision, torch.device("cpu")))
    batch = (torch.randn(8, 3, 8, 8), torch.arange(8) % 2)

    def loss_fn(scores: Tensor, targets: Tensor, _images: Tensor) -> Tensor:
        return factor * nn.functional.cross_entropy(scores, targets)

    for _ in train_epoch(model, [batch], update, loss_fn):
        pass
    return model, update


def log_of(model: nn.Module, folder: Path) -> EventAccumulator:
    tracker = TensorBoard(folder / "tb", model, 1, 0)
    tracker.step(Step(torch.tensor(1.0), torch.tensor(1), 1))
    tracker.close()
    return events(folder)


def test_gradients_of_half_precision_are_not_scaled(tmp_path: Path) -> None:
    (plain, _), (half, update) = one_step("fp32"), one_step("fp16")
    assert update.precision.scaler.get_scale() == 1024
    one, other = log_of(plain, tmp_path / "fp32"), log_of(half, tmp_path / "fp16")
    tags = [tag for tag in one.Tags()["histograms"] if tag.startswith("gradients/")]
    assert len(tags) == 4
    for tag in tags:
        expected, got = (read.Histograms(tag)[0].histogram_value for read in (one, other))
        assert got.sum_squares == pytest.approx(expected.sum_squares, rel=0.02)


def test_gradients_that_overflowed_are_counted_and_not_drawn(tmp_path: Path) -> None:
    model, update = one_step("fp16", factor=1e6)
    assert update.precision.scaler.get_scale() == 512  # the step was left out
    model[2].bias.grad = torch.ones(2)  # one that did not overflow, but is not unscaled either
    read = log_of(model, tmp_path)
    assert read.Scalars("non_finite/gradients")[0].value > 0
    assert read.Scalars("non_finite/weights")[0].value == 0
    assert {tag.partition("/")[0] for tag in read.Tags()["histograms"]} == {"weights"}


def test_frozen_layers_have_weights_and_no_gradients(tmp_path: Path) -> None:
    model, _ = one_step("fp32")
    model[0].weight.grad = None
    tags = log_of(model, tmp_path).Tags()["histograms"]
    assert "weights/0.weight" in tags
    assert "gradients/0.weight" not in tags
    assert "gradients/0.bias" in tags


def test_weights_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    model, _ = one_step("fp32")
    with torch.no_grad():
        model[0].bias.fill_(float("nan"))
        model[2].bias[0] = float("inf")
    read = log_of(model, tmp_path)
    assert read.Scalars("non_finite/weights")[0].value == 5
    assert "weights/0.bias" not in read.Tags()["histograms"]
    found = read.Histograms("weights/2.bias")[0].histogram_value
    assert (found.num, found.max) == (1, model[2].bias[1].item())
    assert histograms({"b": model[2].bias})["b"].non_finite == 1


def test_a_full_disk_is_an_error_of_the_run_and_no_traceback_of_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "write", full)
        with pytest.raises(OSError, match=r"No space left on device: .*/tb'"):
            run(TINY, tmp_path / "run")
    assert capfd.readouterr().err == ""
    assert run(TINY, tmp_path / "run", resume=True).summary["epoch"] == 2
