"""One model on several processes: forked ones of the command line, and torchrun's."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

import assay
from assay.classifier import classifier
from assay.classifier.classifier import build_network, load, ready
from assay.classifier.evaluation import evaluate_batches
from assay.cli import main
from assay.data.batches import EvaluationBatches
from assay.data.dataset import MemoryDataset
from assay.data.preprocess import Normalize
from assay.run import build, epochs, launch
from assay.run.group import joined
from assay.run.record import RunRecord, read_scores
from killing import Warm
from warm_programs import ask

pytestmark = [
    pytest.mark.xdist_group("programs"),  # one worker starts the warm one
    pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone"),
]
STEPS = 6
RECIPE = {
    "data.size": 16,
    "data.train_images": 200,
    "augment.crop": 1,
    "augment.cutmix": 1.0,
    "model.name": "fast",  # with few batch norms, at each of which the processes wait for each other
    "model.width": 0.125,
    "optim.name": "sgd",  # Adam divides gradients near 0 by their own size: there their rounding counts as much as they
    "optim.momentum": 0.9,
    "optim.lr": 0.001,
    "optim.clip": 1.0,
    "train.ema": 0.8,
    "train.size": 14,
    "train.small_size": 12,
    "train.accumulate": 2,
    "train.batch_size": 32,
    "train.channels_last": False,  # in which torch's own batch norm rounds a hundred times as coarsely on a CPU
    "train.epochs": 2,
    "train.threads": 1,
    "train.tensorboard": False,
    "train.checkpoint_minutes": 0.0,
}
RESNET = {  # whose norms give rounding more to grow by, and whose scores are of about 1
    "model.name": "resnet18",
    "model.width": 0.125,
    "model.stem_kernel": 3,
    "model.stem_stride": 1,
    "model.stem_pool": False,
}


def as_flags(recipe: Mapping[str, object]) -> list[str]:
    return [word for name, value in recipe.items() for word in (f"--{name}", str(value).lower())]


FLAGS = as_flags(RECIPE)


def at_step(monkeypatch: pytest.MonkeyPatch, rank: int, step: int, do: Callable[[], object]) -> None:
    """Let a rank do something after that step; processes that are forked later inherit it."""
    save_when_due = epochs.Run.save_when_due

    def then(run: epochs.Run) -> None:
        if (run.ranks.rank, run.position.epoch * STEPS + run.position.step) == (rank, step):
            do()
        save_when_due(run)

    monkeypatch.setattr(epochs.Run, "save_when_due", then)


def send(kind: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), kind)


def in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks compute in float64, here and in processes that are forked later."""

    def doubled(*args: Any) -> nn.Module:
        network = build_network(*args).double()
        network.register_forward_pre_hook(lambda _network, inputs: tuple(images.double() for images in inputs))
        return network

    for module in (build, classifier):
        monkeypatch.setattr(module, "build_network", doubled)


def check_equal(folder: Path, wanted: Path, near: float) -> None:
    """The same record, as far as rounding lets it; scores are of about 1."""
    lines, expected = RunRecord.read(folder).metrics, RunRecord.read(wanted).metrics
    for line, row in zip(lines, expected, strict=True):
        assert line == pytest.approx(row, rel=1e-4, abs=0.01)  # an accuracy by no more than an image
        assert line["held_out_loss"] == pytest.approx(row["held_out_loss"], rel=1e-4)
        assert line["train_loss"] == pytest.approx(row["train_loss"], rel=1e-4)
    for split, images in (("held-out", 145), ("test", 355)):
        (scores, labels), (of_one, labels_of_one) = (read_scores(path, split) for path in (folder, wanted))
        assert len(scores) == images
        assert_allclose(scores, of_one, rtol=0, atol=near)
        assert (labels == labels_of_one).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "activation", "near"), [("float32", "relu", 1e-3), ("float32", "silu", 1e-5), ("float64", "relu", 1e-6)]
)
def test_a_run_of_two_killed_and_three_stopped_equals_one(
    kind: str,
    activation: str,
    near: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Float64 and smooth activations show that rounding alone differs; a ReLU's input near 0 lets it grow."""
    if kind == "float64":
        in_float64(monkeypatch)
    recipe = RECIPE | RESNET | {"model.activation": activation}
    assay.train("digits", recipe, out=tmp_path / "one", progress=False)
    command = ["train", "digits", *as_flags(recipe), "--out", str(tmp_path / "run"), "--devices", "cpu:2"]
    with monkeypatch.context() as patch:
        at_step(patch, 1, 4, send(signal.SIGKILL))
        assert main(command) == 1
    printed = capfd.readouterr()
    assert printed.out.splitlines() == ["2 processes share each batch; batch norms see the whole batch"]
    assert sorted(printed.err.splitlines()) == [
        "another process of the run has ended, or hangs; the last checkpoint is kept",
        "assay: process 1 of 2 was killed by SIGKILL",
        f"go on with: assay train {tmp_path / 'run'} --resume",
    ]
    resume = ["train", str(tmp_path / "run"), "--resume", "--devices", "cpu:3"]
    with monkeypatch.context() as patch:
        at_step(patch, 2, STEPS + 3, send(signal.SIGTERM))
        assert main(resume) == 130
    assert "stopped in epoch 2, after step 3; all of it is saved" in capfd.readouterr().err
    assert main([*resume[:-1], "cpu:3"]) == 0
    check_equal(tmp_path / "run", tmp_path / "one", near)
    timings = RunRecord.read(tmp_path / "run").timings
    assert [row["processes"] for row in timings] == [3, 3]


def test_one_model_has_the_same_scores_however_many_processes_evaluate_it(finished_run: Path, tmp_path: Path) -> None:
    """In float32: a convolution may round a batch of another size otherwise, but no training lets that grow."""
    pixels = torch.randint(256, (355, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    images = MemoryDataset(pixels, torch.zeros(355, dtype=torch.int64), [str(row) for row in range(355)])

    def work() -> int:
        with joined() as ranks:
            model = ready(load(finished_run / "model.safetensors"), torch.device("cpu"))
            normalize = Normalize(model.preprocessing, torch.device("cpu"), torch.contiguous_format)
            batches = EvaluationBatches(images, 100, normalize, ranks=ranks)
            scores = evaluate_batches(model.network, batches, model.classes).scores
            torch.save(scores, tmp_path / f"{ranks.size}-{ranks.rank}")
        return 0

    for size in (1, 2, 3):
        assert launch.on_ranks(size, work) == 0
    of_one = torch.load(tmp_path / "1-0")
    assert of_one.std() > 0.1
    for name in ("2-0", "2-1", "3-0", "3-1", "3-2"):
        assert_allclose(torch.load(tmp_path / name), of_one, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_an_error_of_one_process_ends_all_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ValueError("b.png: cannot be decoded")

    at_step(monkeypatch, 1, 2, fail)
    options = ["--train.sync_norm", "false", "--out", str(tmp_path / "run"), "--devices", "cpu:2"]
    assert main(["train", "digits", *FLAGS, *options]) == 2
    printed = capfd.readouterr()
    own = "batch norms see each process's own images; the running statistics are the mean of all processes'"
    assert printed.out.splitlines() == [f"2 processes share each batch; {own}"]
    assert printed.err.count("assay: b.png: cannot be decoded\n") == 1
    assert RunRecord.read(tmp_path / "run").environment["processes"] == [f"2 processes share each batch; {own}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train.batch_size", "4"], "train.batch_size: 4 in 2 parts is too few for 3 processes, which need 3 images"),
        (["--data.folds", "2"], "data.folds: not with 3 processes; train in one"),
        (
            ["--probe.every", "2", "--train.accumulate", "1", "--optim.clip", "null"],
            "probe.every: not with 3 processes",
        ),
        (["--model.name", "nosuch"], "unknown model 'nosuch'"),
    ],
)
def test_what_cannot_be_shared_is_refused_in_one_line(
    options: list[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import timm  # noqa: F401 - or each of the processes would, to name the nearest model

    assert main(["train", "digits", *FLAGS, *options, "--out", str(tmp_path / "run"), "--devices", "cpu:3"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"assay: {message}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("status", [0, 1, 2, 130])
def test_a_process_that_hangs_is_ended_after_the_others(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE", 0.1)

    def work() -> int:
        return status if os.environ["RANK"] == "0" else signal.pause()  # type: ignore[func-returns-value]

    assert launch.on_ranks(2, work) == status


def test_a_process_that_is_stopped_is_ended(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(launch, "SILENCE", 0.5)
    monkeypatch.setattr(launch, "_BEAT", 0.05)
    monkeypatch.setattr(launch, "GRACE", 0.1)

    def work() -> int:
        if os.environ["RANK"] == "0":
            os.kill(os.getpid(), signal.SIGSTOP)
        return signal.pause()  # type: ignore[func-returns-value]

    assert launch.on_ranks(2, work) == 1
    assert capfd.readouterr().err == "assay: process 0 of 2 was ended: it gave no sign of life for 0.5 seconds\n"


@pytest.mark.slow
@pytest.mark.parametrize(("hanging", "is_torchrun"), [(0, False), (1, True)])
def test_a_process_that_lives_but_hangs_ends_all_in_one_line(
    hanging: int, is_torchrun: bool, tmp_path: Path, warm_runs: Warm
) -> None:
    """In its third step it sleeps, with all its threads alive."""
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, sys, time\n"
        "from assay.cli import main\n"
        "from assay.run import epochs, launch\n"
        "launch.GRACE = 2.0\n"
        "save = epochs.Run.save_when_due\n"
        "def then(run):\n"
        f"    if (run.ranks.rank, run.position.step) == ({hanging}, 3):\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"  # or torchrun would wait for half a minute more
        "        time.sleep(3600)\n"
        "    save(run)\n"
        "epochs.Run.save_when_due = then\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"] if is_torchrun else []
    devices = [] if is_torchrun else ["--devices", "cpu:2"]
    flags = [*FLAGS, "--train.checkpoint_minutes", "60", "--out", str(tmp_path / "run"), *devices]
    asked = ask(tmp_path / "asked", [*torchrun, script, "train", "digits", *flags], {"ASSAY_PATIENCE": "5"})
    status, said = warm_runs.do(asked, seconds=300), (asked / "stderr").read_text()
    assert status == 1, said
    lines = [line for line in said.splitlines() if line.startswith("assay: ")]
    assert lines == [
        "assay: another process of the run hangs, or takes longer than the 5 seconds that ASSAY_PATIENCE allows"
    ]


@pytest.mark.parametrize("text", ["", "0", "soon", "nan", "inf", "1e9"])
def test_a_patience_that_is_no_time_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSAY_PATIENCE", text)
    assert main(["train", "digits", "--devices", "cpu:2"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (f"assay: ASSAY_PATIENCE: expected seconds from 1 to 604800 (a week), such as 60, not {text!r}")


@pytest.mark.slow
def test_torchrun_goes_on_by_itself(tmp_path: Path, warm_runs: Warm) -> None:
    """The first attempt kills a process at a step; the second one finds the run folder there."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys\n"
        "from assay.cli import main\n"
        "from assay.run import epochs\n"
        "save = epochs.Run.save_when_due\n"
        "def then(run):\n"
        "    if (run.ranks.rank, run.position.step, os.environ['TORCHELASTIC_RESTART_COUNT']) == (1, 5, '0'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    save(run)\n"
        "epochs.Run.save_when_due = then\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    flags = [*FLAGS, "--train.epochs", "1", "--out", str(tmp_path / "run")]
    asked = ask(tmp_path / "asked", [*torchrun, script, "train", "digits", *flags])
    assert warm_runs.do(asked) == 0, (asked / "stderr").read_text()
    record = RunRecord.read(tmp_path / "run")
    assert record.summary["status"] == "finished"
    assert len(record.metrics) == len(record.timings) == 1
    assert (asked / "stdout").read_text().count("next: assay evaluate") == 1


def test_restarts_need_a_named_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")
    with pytest.raises(ValueError, match=r"--max-restarts: name the run folder with --out"):
        assay.train("digits", {"train.epochs": 1}, progress=False)


def test_a_restart_resumes_the_run_that_is_there(
    tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.raises(ValueError, match="unknown recipe"):  # there is none: it begins
        assay.train("nosuch", out=tmp_path / "run", progress=False)
    assert assay.train("nosuch", out=finished_run, progress=False).folder == finished_run


@pytest.mark.parametrize("count", ["x", "0", "gpu:2", "cpu:", "2:cpu", "-1"])
def test_a_wrong_number_of_devices_is_named(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "digits", f"--devices={count}"])
    assert ended.value.code == 2
    assert f"--devices: expected a number of processes, such as 2 or cpu:2, not {count!r}" in capsys.readouterr().err


def test_other_commands_work_in_one_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["find-lr", "digits"]) == 2
    assert "assay find-lr works in one process" in capsys.readouterr().err
    monkeypatch.setenv("RANK", "1")
    assert main(["find-lr", "digits"]) == 2
    assert capsys.readouterr().err == ""  # the first has said it
    assert main(["train", "digits", "--devices", "2"]) == 2
    assert "torchrun has started the processes already" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "two")
    assert main(["train", "digits"]) == 2
    assert "WORLD_SIZE: expected a number, not 'two'" in capsys.readouterr().err
