"""A user's own study: its designs, names and control, and what every mistake is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.recipe.named import RECIPES
from assay.recipe.recipe import Recipe
from assay.studies.named import find_study
from assay.studies.study import Study

GRID = """
purpose: Does cutout help the simple network?
base: simple-cnn
changes: {train.epochs: 5}
design: grid
factors:
  optim.lr: [0.01, 2e-2, 0.05]
  augment.cutout: [0, 8]
"""
LIST = """
base: simple-cnn
design: list
rows:
  plain:
  tuned: {optim.lr: 0.02, augment.cutout: 8}
"""

Reader = Callable[[str], Study]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """A function that writes a study's file and finds the study."""

    def write_and_read(text: str) -> Study:
        (tmp_path / "my-study.yaml").write_text(text)
        return find_study(tmp_path / "my-study.yaml")

    return write_and_read


def values(study: Study, *fields: str) -> dict[str, tuple[object, ...]]:
    """The values of fields in every row's recipe."""
    recipes = {row.name: study.recipe(row).to_dict() for row in study.rows}
    return {
        name: tuple(recipe[field.split(".")[0]][field.split(".")[1]] for field in fields)
        for name, recipe in recipes.items()
    }


def test_a_grid_has_every_combination(read: Reader) -> None:
    study = read(GRID)
    assert (study.name, study.purpose) == ("my-study", "Does cutout help the simple network?")
    assert study.base == RECIPES["simple-cnn"].recipe.but({"train.epochs": 5})
    assert values(study, "optim.lr", "augment.cutout") == {
        "lr 0.01, cutout 0": (0.01, 0),
        "lr 0.01, cutout 8": (0.01, 8),
        "lr 0.02, cutout 0": (0.02, 0),
        "lr 0.02, cutout 8": (0.02, 8),
        "lr 0.05, cutout 0": (0.05, 0),
        "lr 0.05, cutout 8": (0.05, 8),
    }
    assert study.control == "lr 0.01, cutout 0"
    assert study.quick is None


def test_one_at_a_time_has_each_value_against_the_control(read: Reader) -> None:
    study = read(GRID.replace("grid", "one-at-a-time"))
    assert values(study, "optim.lr", "augment.cutout") == {
        "lr 0.01, cutout 0": (0.01, 0),
        "lr 0.02": (0.02, 0),
        "lr 0.05": (0.05, 0),
        "cutout 8": (0.01, 8),
    }
    assert study.control == "lr 0.01, cutout 0"


def test_the_control_may_be_another_and_may_leave_out_factors(read: Reader) -> None:
    study = read(GRID.replace("grid", "one-at-a-time") + "control: {optim.lr: 0.05}")
    assert study.control == "lr 0.05, cutout 0"
    assert values(study, "optim.lr", "augment.cutout") == {
        "lr 0.05, cutout 0": (0.05, 0),
        "lr 0.01": (0.01, 0),
        "lr 0.02": (0.02, 0),
        "cutout 8": (0.05, 8),
    }


def test_a_control_that_is_no_combination_is_a_row_of_its_own(read: Reader) -> None:
    study = read(GRID + "control: {augment.cutout: 4}")
    assert [row.name for row in study.rows][:2] == ["lr 0.01, cutout 4", "lr 0.01, cutout 0"]
    assert len(study.rows) == 7


def test_what_hangs_on_a_field_follows_as_in_training(read: Reader) -> None:
    study = read(
        """
        base: {train: {epochs: 20}, schedule: {warmup: 4}, optim: {momentum: 0.9}}
        changes: {train.epochs: 10}
        rows:
          plain:
          short: {train.epochs: 5}
          short and cold: {train.epochs: 5, schedule.warmup: 0}
          adam: {optim.name: adam}
        """
    )
    assert [study.recipe(row).schedule.warmup for row in study.rows] == [2.0, 1.0, 0.0, 2.0]
    assert [study.recipe(row).optim.momentum for row in study.rows] == [0.9, 0.9, 0.9, None]
    assert study.notes == (
        "base: schedule.warmup: 2, not 4; the same share of train.epochs 10",
        "row 'short': schedule.warmup: 1, not 2; the same share of train.epochs 5",
        "row 'adam': optim.momentum 0.9 is left out; optim.name adam has no such option",
    )


def test_a_list_has_its_rows_as_they_stand(read: Reader) -> None:
    study = read(LIST)
    assert values(study, "optim.lr", "augment.cutout") == {"plain": (0.01, 0), "tuned": (0.02, 8)}
    assert study.control == "plain"
    assert read(LIST + "control: tuned").control == "tuned"
    assert read(LIST.replace("design: list", "")).rows == study.rows


def test_factors_of_one_last_part_have_their_full_names(read: Reader) -> None:
    study = read(
        """
        base: {optim: {momentum: null}}
        factors: {model.name: [simple-cnn, vgg11], optim.name: [sgd, adam], train.compile: [false]}
        """
    )
    assert study.rows[0].name == "model.name simple-cnn, optim.name sgd, compile false"
    assert study.rows[3].name == "model.name vgg11, optim.name adam, compile false"


def test_lists_and_nothing_are_values(read: Reader) -> None:
    study = read("base: {schedule: {name: multistep}}\nfactors: {schedule.milestones: [[3, 5], [4, 6], null]}")
    assert [row.name for row in study.rows] == ["milestones [3, 5]", "milestones [4, 6]", "milestones null"]
    assert [study.recipe(row).schedule.milestones for row in study.rows] == [(3, 5), (4, 6), None]


def test_the_base_may_stand_beside_the_study(read: Reader, tmp_path: Path) -> None:
    recipe = Recipe().but({"train.epochs": 3})
    (tmp_path / "base.yaml").write_text(recipe.to_yaml())
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "recipe.yaml").write_text(recipe.to_yaml())
    for base in ("base.yaml", "runs/first", str(tmp_path / "base.yaml"), "{train: {epochs: 3}}"):
        assert read(GRID.replace("simple-cnn", base)).base == recipe.but({"train.epochs": 5})


def test_the_quick_setting(read: Reader) -> None:
    study = read(GRID + "quick: {images: 1000, changes: {data.size: 16}}")
    assert study.quick
    assert study.quick.in_words(5).endswith("at most 1,000 training images; data.size 16")
    assert study.quick.epochs == 5
    assert read(GRID + "quick: {epochs: 3, width: 0.25}").quick is not None


def test_published_figures_stand_with_their_rows(read: Reader) -> None:
    study = read(LIST + "published: {tuned: 70.5}\nsource: my notes")
    assert [row.published for row in study.rows] == [None, 70.5]
    assert study.source == "my notes"


MISTAKES = {
    "purpos: x": "unknown key 'purpos': did you mean purpose?",
    "base: ": "base is missing: a named recipe, a recipe's YAML file, a run folder, or sections",
    "base: 3": "base: expected a recipe's name, file or sections, not 3",
    "base: simple-cn": "base: unknown recipe 'simple-cn': did you mean simple-cnn?",
    "base: {optin: {}}": "base: unknown field optin.: did you mean optim?",
    "changes: {train.epoch: 5}": "changes: unknown field train.epoch: did you mean train.epochs?",
    "changes: {train: 5}": "changes: unknown field train: did you mean train.ema?",
    "changes: {train.epochs: 0}": "changes: train.epochs: 0 is not a whole number at least 1 and at most 100000",
    "changes: [1]": "changes: expected a mapping, not [1]",
    "changes: {train.seed: 1}": "changes: train.seed: a study runs every row with seeds of its own",
    "design: gird": "unknown design 'gird': did you mean grid?",
    "design: list": "design list takes rows, not factors",
    "design: [grid]": "design: expected text, not ['grid']",
    "factors: {}": "design grid needs factors",
    "factors: [optim.lr]": "factors: expected a mapping, not ['optim.lr']",
    "factors: {optim.lrr: [1]}": "factors: unknown field optim.lrr: did you mean optim.lr?",
    "factors: {optim.lr: 1}": "factors: optim.lr: expected a list of values, not 1",
    "factors: {optim.lr: []}": "factors: optim.lr: expected a list of values, not []",
    "factors: {optim.lr: [1, 1.0]}": "factors: optim.lr: 1 is given twice",
    "factors: {train.seed: [1, 2]}": "factors: train.seed: a study runs every row with seeds of its own",
    "factors: {optim.lr: [0.1, 900]}": "study my-study, row 'lr 900': optim.lr: 900 is not a number above 0 and "
    "at most 100",
    "factors: {optim.name: [sgd, adams]}": "study my-study, row 'name adams': optim.name: 'adams' is not sgd, adagrad, "
    "adadelta, rmsprop, adam, adamw, lars, muon; did you mean adam?",
    "control: {optim.momentum: 0.5}": "control: unknown factor 'optim.momentum': did you mean optim.lr?",
    "control: plain": "control: expected a mapping, not 'plain'",
    "control: {optim.lr: -1}": "study my-study, row 'lr -1, cutout 0': optim.lr: -1 is not a number above 0 and "
    "at most 100",
    "quick: {epoch: 3}": "quick: unknown key 'epoch': did you mean epochs?",
    "quick: {epochs: few}": "quick: epochs must be a whole number of at least 1, got 'few'",
    "quick: {changes: {data.sizes: 3}}": "quick: unknown field data.sizes: did you mean data.size?",
    "quick: {changes: {data.size: 1}}": "quick, row 'lr 0.01, cutout 0': data.size: 1 is not a whole number at least 4 "
    "and at most 2048",
    "published: {'lr 0.05, cutout 80': 50}": "published: unknown row 'lr 0.05, cutout 80': "
    "did you mean lr 0.05, cutout 8?",
    "published: {'lr 0.01, cutout 0': yes}": "published: lr 0.01, cutout 0: True is not a number at least 0 and "
    "at most 100",
    "published: {'lr 0.01, cutout 0': 101}": "published: lr 0.01, cutout 0: 101 is not a number at least 0 and "
    "at most 100",
    "purpose: 3": "purpose: expected text, not 3",
}
MISTAKES_IN_A_LIST = {
    "control: tunde": "study my-study: unknown control 'tunde': did you mean tuned?",
    "control: {optim.lr: 0.1}": "control: expected text, not {'optim.lr': 0.1}",
    "factors: {optim.lr: [1]}": "design list takes rows, not factors",
    "design: grid": "design grid takes factors, not rows",
    "rows: ": "design list needs rows",
    "rows: {one: 3}": "row 'one': expected a mapping, not 3",
    "rows: {one: {optim.lrr: 1}}": "row 'one': unknown field optim.lrr: did you mean optim.lr?",
    "rows: {one: {optim.lr: -1}}": "study my-study, row 'one': optim.lr: -1 is not a number above 0 and at most 100",
}
FILES = {
    "": "expected a mapping, not None",
    "[1, 2]": "expected a mapping, not [1, 2]",
}


def overridden(text: str, line: str) -> str:
    """The line in place of the one with its key, and of what is indented below that."""
    key = re.escape(line.partition(":")[0])
    return re.sub(rf"^{key}:.*\n(?: .*\n)*", "", text, flags=re.MULTILINE) + f"{line}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((overridden(GRID, line), message) for line, message in MISTAKES.items()),
        *((overridden(LIST, line), message) for line, message in MISTAKES_IN_A_LIST.items()),
        *FILES.items(),
    ],
    ids=[*MISTAKES, *(f"list: {line}" for line in MISTAKES_IN_A_LIST), *FILES],
)
def test_mistakes_are_told_in_one_line(read: Reader, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'{tmp_path}/my-study.yaml: {message}')}$"):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "base: simple-cnn\nrows:\n  c:\n  d: {optim.lr: 0.1}\n  c: {optim.lr: 0.2}",
            "'c' is given twice, in lines 3",
        ),
        ("base: simple-cnn\nrows:\n  1:\n  '1': {optim.lr: 0.2}", "'1' is given twice, in lines 3"),
        ("base: simple-cnn\nrows:\n  0x1:\n  1: {optim.lr: 0.2}", "'1' is given twice, in lines 3"),
        ("base: simple-cnn\nrows:\n\n  c: {optim.lr: 0.1, optim.lr: 0.2}", "'optim.lr' is given twice, in lines 4"),
        ("base: simple-cnn\nbase: r1-plain\nrows: {c: }", "'base' is given twice, in lines 1"),
        ("base: [{a: 1, a: 2}]\nrows: {c: }", "'a' is given twice, in lines 1"),
    ],
)
def test_no_key_stands_twice(read: Reader, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^[^\n]*my-study\.yaml: key {message} and \d$"):
        read(text)


def test_merged_and_repeated_mappings_are_no_duplicates(read: Reader) -> None:
    study = read("base: simple-cnn\nrows:\n  a: &a {optim.lr: 0.1}\n  b: {<<: *a, optim.lr: 0.2}\n  c: *a")
    assert [study.recipe(row).optim.lr for row in study.rows] == [0.1, 0.2, 0.1]


CROPS, RATES, CLIPS = [*range(1, 90)], [n / 20 for n in range(1, 601)], [*range(1, 900)]
LONG = {
    "grid": f"factors: {{augment.crop: {CROPS}, optim.lr: {RATES}, optim.clip: {CLIPS}}}",  # 48 million
    "one-at-a-time": f"factors: {{optim.lr: {RATES}, optim.clip: {CLIPS}}}",
    "list": f"rows: {{{', '.join(f'r{number}: ' for number in range(1001))}}}",
}


@pytest.mark.parametrize("design", LONG)
def test_a_thousand_rows_are_enough(read: Reader, design: str) -> None:
    with pytest.raises(ValueError, match=r"my-study\.yaml: more than 1,000 rows: leave out factors, values or rows$"):
        read(f"base: simple-cnn\ndesign: {design}\n{LONG[design]}")


def test_a_thousand_values_are_enough(read: Reader) -> None:
    with pytest.raises(ValueError, match=r"my-study\.yaml: factors: optim\.lr: more than 1,000 values$"):
        read(f"base: simple-cnn\nfactors: {{optim.lr: {[*range(1, 1002)]}}}")


def test_files_that_are_none(read: Reader, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.yaml: no such study file$"):
        find_study(tmp_path / "missing.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ValueError, match=r"folder\.yaml: Is a directory$"):
        find_study(tmp_path / "folder.yaml")
    with pytest.raises(ValueError, match=r"^[^\n]*my-study\.yaml: not YAML: [^\n]*$"):
        read("base: [")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"^[^\n]*bytes\.yaml: [^\n]*$"):
        find_study(tmp_path / "bytes.yaml")


def test_the_documented_examples_are_studies(read: Reader) -> None:
    page = (Path(__file__).parents[2] / "docs" / "studies.md").read_text()
    examples = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert [len(read(text).rows) for text in examples] == [6, 3, 8]
