"""The precision that a recipe leaves open is settled by what was measured of the machine, and recorded."""

import json
from pathlib import Path

import pytest

from assay.api import train
from assay.data.cache import cache_folder
from assay.recipe.recipe import Recipe, read_recipe
from assay.run import precision as module
from assay.run.precision import as_begun, measured_here, settled
from assay.run.run import run
from assay.training.arithmetic import Arithmetic

NATIVE = Arithmetic({"fp32": 2.0, "bf16": 1.0, "fp16": 0.5})
EMULATED = Arithmetic({"fp32": 1.0, "bf16": 5.1, "fp16": 80.0})
WRONG = Arithmetic({"fp32": 1.0}, {"bf16": "its values are not finite", "fp16": "not there (no)"})
SHORT = {"train.epochs": 1, "train.threads": 1, "train.tensorboard": False, "data.train_images": 64}


def recipe(precision: str, **changes: object) -> Recipe:
    return Recipe().but({"train.precision": precision, **changes})


def test_float32_needs_no_measurement() -> None:
    def never(_recipe: Recipe) -> Arithmetic:
        raise AssertionError

    assert settled(recipe("fp32"), never) == (recipe("fp32"), [])


@pytest.mark.parametrize(
    ("measured", "chosen", "line"),
    [
        (NATIVE, "fp16", "fp16; bf16 takes 0.5 times as long as fp32; fp16 takes 0.25 times as long as fp32"),
        (EMULATED, "fp32", "fp32; bf16 takes 5.1 times as long as fp32; fp16 takes 80 times as long as fp32"),
        (WRONG, "fp32", "fp32; bf16 is out: its values are not finite; fp16 is out: not there (no)"),
    ],
)
def test_auto_becomes_the_fastest_and_says_why(measured: Arithmetic, chosen: str, line: str) -> None:
    assert settled(recipe("auto"), lambda _: measured) == (recipe(chosen), [f"train.precision auto: {line}"])


def test_a_probe_leaves_out_the_type_whose_gradients_are_scaled() -> None:
    found, _ = settled(recipe("auto", **{"probe.every": 2}), lambda _: NATIVE)
    assert found.train.precision == "bf16"


def test_a_named_type_stays_and_says_what_it_costs() -> None:
    assert settled(recipe("bf16"), lambda _: NATIVE) == (recipe("bf16"), [])
    slow = "train.precision bf16 is slow here: a convolution takes 5.1 times as long as in fp32"
    assert settled(recipe("bf16"), lambda _: EMULATED) == (recipe("bf16"), [slow])
    wrong = "a convolution in it fails the comparison with fp32 here: its values are not finite"
    assert settled(recipe("bf16"), lambda _: WRONG) == (recipe("bf16"), [f"train.precision bf16: {wrong}"])


def test_a_measurement_is_kept_by_threads_and_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([NATIVE, EMULATED, WRONG, EMULATED])
    monkeypatch.setattr(module, "measure", lambda *_: next(answers))
    one, two = recipe("auto", **{"train.threads": 1}), recipe("auto", **{"train.threads": 2})
    assert [measured_here(one), measured_here(two)] == [NATIVE, EMULATED]
    assert [measured_here(one), measured_here(two)] == [NATIVE, EMULATED]
    assert measured_here(one.but({"train.channels_last": False})) == WRONG
    for file in (cache_folder() / "arithmetic").iterdir():
        kept = json.loads(file.read_text())
        assert {"processor", "units", "torch", "threads"} <= kept.keys()
        file.write_text(json.dumps({**kept, "seconds": {"fp32": "fast"}}))  # damaged
    assert measured_here(one) == EMULATED


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with units for bf16; every number of threads has been measured."""
    bf16 = Arithmetic({"fp32": 2.0, "bf16": 1.0}, {"fp16": "not there"})
    monkeypatch.setattr(module, "measured_here", lambda _: bf16)


@pytest.mark.usefixtures("native")
def test_a_run_records_what_was_chosen_and_its_resumption_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    record = train("digits", {**SHORT, "train.precision": "auto"}, out=out, progress=False)
    assert record.recipe.train.precision == record.summary["precision"] == "bf16"
    environment = json.loads((out / "env.json").read_text())
    assert environment["precision"] == "bf16"
    assert environment["arithmetic"] == [
        "train.precision auto: bf16; bf16 takes 0.5 times as long as fp32; fp16 is out: not there"
    ]
    monkeypatch.setattr(module, "measured_here", lambda _: EMULATED)  # it goes on on another machine
    more = record.recipe.but({"train.epochs": 2, "train.precision": "auto"})
    assert run(more, out, resume=True).recipe.train.precision == "bf16"


def test_a_run_that_has_not_begun_has_nothing_to_keep(tmp_path: Path) -> None:
    assert as_begun(recipe("auto"), tmp_path / "recipe.yaml") == recipe("auto")
    (tmp_path / "recipe.yaml").write_text(recipe("bf16").to_yaml())
    assert as_begun(recipe("auto"), tmp_path / "recipe.yaml") == recipe("bf16")
    assert as_begun(recipe("fp32"), tmp_path / "recipe.yaml") == recipe("fp32")  # which is refused later


@pytest.mark.usefixtures("native")
def test_folds_are_trained_in_the_type_that_was_chosen(tmp_path: Path) -> None:
    changes = {**SHORT, "data.folds": 2, "train.precision": "auto"}
    record = train("digits", changes, out=tmp_path / "run", progress=False)
    folds = [read_recipe(tmp_path / "run" / "folds" / number / "recipe.yaml") for number in ("1", "2")]
    assert [one.train.precision for one in (record.recipe, *folds)] == 3 * ["bf16"]
