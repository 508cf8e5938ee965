"""Logs as other tools write them, made without these tools."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

Figures = Mapping[str, Sequence[float]]


def lightning(folder: Path, figures: Figures, hparams: str = "") -> None:
    """CSVLogger: each line has one metric of its step; hparams.yaml beside it."""
    folder.mkdir(parents=True)
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", "step", *figures])
        writer.writeheader()
        for name, values in figures.items():
            writer.writerows({"epoch": place, "step": 10 * place, name: value} for place, value in enumerate(values))
    if hparams:
        (folder / "hparams.yaml").write_text(hparams)


def trainer(folder: Path, figures: Figures) -> None:
    """Hugging Face's Trainer: its history in the folders of checkpoints, the last of which has all."""
    length = max(map(len, figures.values()))
    for done in range(1, length + 1):
        history = [
            {"epoch": place + 1, "step": 10 * place, name: value}
            for name, values in figures.items()
            for place, value in enumerate(values[:done])
        ]
        checkpoint = folder / f"checkpoint-{10 * done}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "trainer_state.json").write_text(json.dumps({"epoch": done, "log_history": history}))


def wandb(folder: Path, figures: Figures, config: Mapping[str, object]) -> None:
    """W&B: the last value of each metric, and the settings, each with its description."""
    files = folder / "files"
    files.mkdir(parents=True)
    last = {name: values[-1] for name, values in figures.items()}
    (files / "wandb-summary.json").write_text(json.dumps({**last, "_step": 10, "note": "text"}))
    lines = [f"{name}:\n    desc: null\n    value: {value}" for name, value in config.items()]
    (files / "config.yaml").write_text("\n".join(["wandb_version: 1", "_wandb:\n    value: {}", *lines, ""]))


def mlflow(folder: Path, figures: Figures, params: Mapping[str, object]) -> None:
    """MLflow's file store: a file for each metric and for each parameter."""
    for kind in ("metrics", "params"):
        (folder / kind).mkdir(parents=True)
    (folder / "meta.yaml").write_text("run_id: 1\n")
    (folder.parent / "meta.yaml").write_text("experiment_id: 0\n")
    for name, values in figures.items():
        (folder / "metrics" / name).write_text("".join(f"17000 {v} {place}\n" for place, v in enumerate(values)))
    for name, value in params.items():
        (folder / "params" / name).write_text(str(value))


def tensorboard(folder: Path, figures: Figures) -> None:
    """Scalars as torch's SummaryWriter writes them."""
    writer = EventFileWriter(str(folder))
    for name, values in figures.items():
        for place, value in enumerate(values):
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            writer.add_event(Event(wall_time=place, step=place, summary=summary))
    writer.close()
