"""A run whose checkpoint and files do not fit together is not resumed, and its folder stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from assay.base.json_files import LineLog
from assay.recipe.recipe import read_recipe
from assay.run.probing.probe import check_probe
from assay.run.resumption import check_files
from assay.run.run import run

State = dict[str, Any]


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def refusal(folder: Path) -> str:
    """The line with which one more epoch is refused; nothing in the folder has changed then."""
    recipe = read_recipe(folder / "recipe.yaml")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r".") as caught:
        run(recipe.but({"train.epochs": recipe.train.epochs + 1}), folder, resume=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without(name: str) -> Callable[[State], State]:
    return lambda state: {other: value for other, value in state.items() if other != name}


def at(**values: Any) -> Callable[[State], State]:
    return lambda state: state | {"position": state["position"] | values}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: {"a": torch.zeros(1)}, "recipe: expected dict, not NoneType"),
        (lambda _: torch.zeros(1), "expected a mapping, not Tensor"),
        (lambda state: state | {"pretrained_input": torch.zeros(2)}, "pretrained_input: expected dict, not Tensor"),
        (lambda state: state | {"identity": {"train names": torch.zeros(2)}}, "identity: expected digests by name"),
        (without("random"), "random: expected dict, not NoneType"),
        (lambda state: state | {"threads": "many"}, "threads: expected int, not str"),
        (lambda state: state | {"threads": 0}, "threads: expected at least 1"),
        (lambda state: state | {"recipe": {"model": 3}}, "section model: expected a mapping of fields"),
        (lambda state: state | {"position": {}}, "position.loss: expected a tensor of one number, not None"),
        (at(metrics_size=-1), "position.metrics_size: expected a count, not -1"),
        (at(epoch=True), "position.epoch: expected a count, not True"),
        (at(seconds=float("nan")), "position.seconds: expected a time in seconds, not nan"),
        (at(correct=torch.zeros(2)), "position.correct: expected a tensor of one number"),
        (at(best="high"), "position.best: expected numbers, not 'high'"),
    ],
)
def test_a_checkpoint_of_another_shape_is_refused(folder: Path, change: Callable[[State], Any], said: str) -> None:
    file = folder / "last.ckpt"
    torch.save(change(torch.load(file, weights_only=True)), file)
    assert refusal(folder).startswith(f"{file}: not a checkpoint of assay, or damaged ({said}")


def test_any_number_of_epochs_can_be_claimed(folder: Path) -> None:
    """Also one that is too large for a list of them."""
    state = at(epoch=2**60)(torch.load(folder / "last.ckpt", weights_only=True))
    with pytest.raises(ValueError, match=f"expected a line for each of the {2**60} epochs"):
        check_files(folder, state, read_recipe(folder / "recipe.yaml"))


@pytest.mark.parametrize("sizes", [3, {"events": -1}, {"events": "long"}, torch.zeros(2)])
def test_the_sizes_of_event_files_are_counts(folder: Path, sizes: object) -> None:
    file = folder / "last.ckpt"
    torch.save(torch.load(file, weights_only=True) | {"tracker": sizes}, file)
    assert refusal(folder) == f"{file}: tracker: expected the sizes of TensorBoard's files"


def test_text_is_no_checkpoint(folder: Path) -> None:
    (folder / "last.ckpt").write_text("epoch: 1\n")
    assert refusal(folder).startswith(f"{folder}/last.ckpt: not a readable checkpoint (")


@pytest.mark.parametrize("part", ["network", "optimizer", "random"])
def test_a_state_of_something_else_is_refused(folder: Path, part: str) -> None:
    file = folder / "last.ckpt"
    torch.save(torch.load(file, weights_only=True) | {part: {"a": torch.zeros(1)}}, file)
    assert refusal(folder).startswith("last.ckpt does not fit the recipe's network and optimizer (")


@pytest.mark.parametrize("name", ["metrics.jsonl", "timings.jsonl"])
def test_a_log_that_is_not_what_the_checkpoint_left_is_refused(folder: Path, name: str) -> None:
    file = folder / name
    content = file.read_bytes()
    first = content.splitlines(keepends=True)[0]
    damages = {
        content[:-5]: f"{len(content) - 5:,} bytes, where the checkpoint has seen {len(content):,}",
        first: f"{len(first):,} bytes, where the checkpoint has seen {len(content):,}",
        b" " + content: "other lines than those that the checkpoint has seen",
        content.replace(b'"epoch": 2', b'"epoch": 3'): "expected a line for each of the 2 epochs that are done",
    }
    for damaged, said in damages.items():
        file.write_bytes(damaged)
        assert refusal(folder).startswith(f"{file}: {said}")
    file.unlink()
    assert refusal(folder) == f"{file}: 0 bytes, where the checkpoint has seen {len(content):,}"


@pytest.mark.parametrize(("name", "text"), [("env.json", "[" * 100_000), ("model.safetensors", None)])
def test_what_would_fail_at_the_end_is_refused_at_the_beginning(folder: Path, name: str, text: str | None) -> None:
    (folder / name).unlink() if text is None else (folder / name).write_text(text)
    assert refusal(folder).startswith(f"{folder / name}: ")


def test_the_lines_of_a_probe_are_those_of_its_checkpoint(tmp_path: Path) -> None:
    logs = {name: LineLog(tmp_path / name) for name in ("surface.jsonl", "steps.jsonl")}
    for log in logs.values():
        log.extend([{"step": 1}, {"step": 2}])
    state = {"previous": None, "sizes": {name: log.size() for name, log in logs.items()}}
    check_probe(tmp_path, state)
    logs["steps.jsonl"].cut(3)
    with pytest.raises(ValueError, match=r"steps\.jsonl: 3 bytes, where the checkpoint has seen 24"):
        check_probe(tmp_path, state)
    for damaged in (None, {}, {"sizes": dict.fromkeys(logs, -1)}, state | {"previous": 3}):
        with pytest.raises(ValueError, match="the probe's state in the checkpoint is missing or damaged"):
            check_probe(tmp_path, damaged)
