"""Probed runs: what they write, that they train as ever, that they resume exactly."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import assay.run.epochs as module
from assay.base.device import reproducible
from assay.recipe.recipe import Recipe
from assay.run.build import build
from assay.run.probing.probe import STEPS_FILE, SURFACE_FILE
from assay.run.probing.surface import Place, look_along_gradient
from assay.run.probing.traces import read_traces
from assay.run.run import InterruptedRunError, run
from assay.training.loop import Step, train_epoch
from quick_suite import rest_slow
from stop_after import StopAfter

PLAIN = Recipe().but(
    {
        "data.size": 16,
        "augment.crop": 1,
        "model.name": "resnet18",
        "model.width": 0.125,
        "model.stem_kernel": 3,
        "model.stem_stride": 1,
        "model.dropout": 0.3,
        "optim.name": "adam",
        "train.epochs": 2,
        "train.batch_size": 100,
        "train.threads": 1,
    }
)
PROBED = PLAIN.but({"probe.every": 4, "probe.step_sizes": [0.1, 0.3]})
FILES = ("metrics.jsonl", "model.safetensors")


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(PROBED, tmp_path_factory.mktemp("probe") / "run").folder


@pytest.mark.slow
def test_measuring_changes_no_bit_of_the_training(probed: Path, tmp_path: Path) -> None:
    plain = run(PLAIN, tmp_path / "plain").folder
    assert [(plain / name).read_bytes() for name in FILES] == [(probed / name).read_bytes() for name in FILES]
    assert not (plain / SURFACE_FILE).exists()
    assert read_traces(plain) is None


def test_there_is_a_line_for_each_step_and_each_look(probed: Path) -> None:
    traces = read_traces(probed)
    assert traces is not None
    steps = len(traces.losses)
    rows = [json.loads(line) for line in (probed / "metrics.jsonl").read_text().splitlines()]
    assert steps == rows[-1]["step"]
    assert traces.looks.tolist() == list(range(0, steps, 4))
    assert traces.surface.shape == traces.changes.shape == traces.distances.shape == (len(traces.looks), 2)
    assert np.mean(traces.losses[: steps // 2]) == pytest.approx(rows[0]["train_loss"])
    assert math.isnan(traces.output_gradient_changes[0])
    assert np.all(traces.output_gradient_changes[1:] > 0)
    np.testing.assert_allclose(traces.distances[:, 1] / traces.distances[:, 0], 3, rtol=1e-5)


def test_the_figures_are_those_of_a_training_by_hand(probed: Path) -> None:
    """Steps of the same loop, with a look from where the fifth begins, and the gradients of the last layer kept."""
    traces = read_traces(probed)
    assert traces is not None
    device = torch.device("cpu")
    with reproducible(0, device, 1):
        components = build(PLAIN, device)
        last = components.network.get_submodule("fc")
        batches = iter(list(components.batches.epoch(0))[:5])

        def looked_at():  # type: ignore[no-untyped-def]
            for number, pair in enumerate(batches):
                if number == 4:
                    kept.append((pair, Place.of(components.network, device)))
                yield pair

        kept: list[tuple[tuple[torch.Tensor, torch.Tensor], Place]] = []
        gradients = [
            torch.cat([value.grad.flatten() for value in last.parameters() if value.grad is not None])
            for _ in train_epoch(components.network, looked_at(), components.update, components.loss_fn)
        ]
        ((pair, place),) = kept
        now = dict(components.network.named_parameters())
        own = torch.cat([(now[name] - value).detach().flatten() for name, value in place.weights.items()]).norm()
        found = look_along_gradient(
            components.network, components.loss_fn, *pair, [0.1, 0.3], step=place.distance_to(components.network),
            place=place,
        )  # fmt: skip
        assert traces.own_steps[1] == pytest.approx(own.item(), rel=1e-5)
        np.testing.assert_allclose(traces.distances[1], [0.1 * own.item(), 0.3 * own.item()], rtol=1e-5)
        for column, values in (("surface", found.losses), ("output_changes", found.output_changes)):
            np.testing.assert_array_equal(getattr(traces, column)[1], values.numpy())
        np.testing.assert_array_equal(traces.cosines[1], found.cosines.numpy())
        assert (traces.rates[1], traces.gradients[1]) == (PLAIN.optim.lr, pytest.approx(found.gradient.item()))
    changes = [(one - other).norm().item() for one, other in zip(gradients[1:], gradients, strict=False)]
    np.testing.assert_allclose(traces.output_gradient_changes[1:5], changes, rtol=1e-6)


@pytest.mark.parametrize("steps", rest_slow([6, 15]))
def test_a_probed_run_goes_on_to_the_same_lines(probed: Path, tmp_path: Path, steps: int) -> None:
    with pytest.raises(InterruptedRunError):
        run(PROBED, tmp_path / "run", observers=[StopAfter(steps)])
    run(PROBED, tmp_path / "run", resume=True)
    for name in (*FILES, SURFACE_FILE, STEPS_FILE):
        assert (tmp_path / "run" / name).read_bytes() == (probed / name).read_bytes()


@pytest.mark.slow
def test_lines_after_the_last_checkpoint_are_done_again(probed: Path, tmp_path: Path) -> None:
    """A kill between a line and the checkpoint that knows of it leaves lines too many."""
    with pytest.raises(InterruptedRunError):
        run(PROBED, tmp_path / "run", observers=[StopAfter(6)])
    for name in (SURFACE_FILE, STEPS_FILE):
        with (tmp_path / "run" / name).open("a") as file:
            file.write('{"step": 7}\n{"st')
    run(PROBED, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / STEPS_FILE).read_bytes() == (probed / STEPS_FILE).read_bytes()


def test_what_led_to_divergence_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "train_epoch", _diverging)
    with pytest.raises(ArithmeticError):
        run(PROBED, tmp_path / "run")
    assert (tmp_path / "run" / STEPS_FILE).read_text().count("\n") == len(build(PROBED, torch.device("cpu")).batches)


def _diverging(*arguments: object, **options: object) -> object:
    for step in train_epoch(*arguments, **options):  # type: ignore[arg-type]
        yield Step(step.loss * math.nan, step.correct, step.images)


def test_traces_of_earlier_versions_can_be_read(probed: Path, tmp_path: Path) -> None:
    later = ("cosines", "gradient", "own_step", "rate")
    looks = [json.loads(line) for line in (probed / SURFACE_FILE).read_text().splitlines()]
    earlier = [{name: value for name, value in look.items() if name not in later} for look in looks]
    (tmp_path / SURFACE_FILE).write_text("".join(json.dumps(look) + "\n" for look in earlier))
    (tmp_path / STEPS_FILE).write_text((probed / STEPS_FILE).read_text())
    traces = read_traces(tmp_path)
    assert traces is not None
    assert traces.cosines.shape == traces.changes.shape
    assert np.isnan(traces.cosines).all()
    assert np.isnan(np.stack([traces.gradients, traces.own_steps, traces.rates])).all()


def test_damaged_traces_are_named(probed: Path, tmp_path: Path) -> None:
    (tmp_path / STEPS_FILE).write_text('{"step": 1, "loss": 2.0}\n')
    (tmp_path / SURFACE_FILE).write_text((probed / SURFACE_FILE).read_text())
    with pytest.raises(ValueError, match="damaged traces"):
        read_traces(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"probe.step_sizes": [0.1]}, "changes nothing without probe.every"),
        ({"probe.every": 2, "train.accumulate": 2}, "not with train.accumulate"),
        ({"probe.every": 2, "train.precision": "fp16"}, "not with train.precision fp16"),
        ({"probe.every": 2, "optim.clip": 1.0}, "not with optim.clip"),
        ({"probe.every": 2, "probe.step_sizes": []}, "probe.step_sizes"),
        ({"probe.every": 0}, "probe.every: 0 is not a whole number at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PLAIN.but(changes)
