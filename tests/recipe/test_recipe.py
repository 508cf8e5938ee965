"""The recipe: its ranges, its text form, and errors of one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from assay.recipe.commented import commented_yaml
from assay.recipe.fields import describe_field, field_names, field_schema, parse_field, parse_value
from assay.recipe.recipe import Recipe

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)


def floats(low: float, high: float, **options: bool) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False, **options)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "data.name": TEXT,
        "data.label": optional(TEXT),
        "data.root": optional(st.sampled_from(["/data", "~/my data", "a: b #c", "null", "1e5", "ünï"]).map(Path)),
        "data.size": optional(st.integers(4, 2048)),
        "data.held_out": floats(0, 1, exclude_min=True, exclude_max=True),
        "data.memory": floats(0, 1e6),
        "data.workers": optional(st.integers(0, 256)),
        "data.on_bad_image": st.sampled_from(["error", "skip"]),
        "augment.flip": floats(0, 1),
        "model.init": optional(st.sampled_from(["he", "xavier", "torch"])),
        "model.zero_gamma": optional(st.booleans()),
        "model.stem_kernel": optional(st.sampled_from([3, 5, 7, 9, 11])),
        "optim.lr": floats(0, 100, exclude_min=True),
        "optim.eps": optional(floats(0, 1, exclude_min=True)),
        "schedule.milestones": optional(st.lists(floats(0, 1e4, exclude_min=True), max_size=4).map(tuple)),
        "train.seed": st.integers(0, 2**63 - 1),
        "train.select": st.sampled_from(["held-out", "last", "test"]),
        "train.compile": st.booleans(),
    },
)


def refusal(values: dict[str, Any]) -> str:
    """The text of the error, which is one line."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller looks at the text
        Recipe().but(values)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, ValidationError)
    return str(caught.value)


@settings(max_examples=60)
@given(CHANGES)
def test_yaml_and_back(changes: dict[str, Any]) -> None:
    recipe = Recipe().but(changes)
    for name, value in changes.items():
        section, field = name.split(".")
        assert getattr(getattr(recipe, section), field) == value
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@settings(max_examples=60)
@given(CHANGES, TEXT)
def test_commented_yaml_and_back(changes: dict[str, Any], reason: str) -> None:
    recipe = Recipe().but(changes)
    text = commented_yaml(recipe, dict.fromkeys(field_names(), reason))
    assert Recipe.from_yaml(text) == recipe
    fields = [line for line in text.splitlines() if line.startswith("  ")]
    assert len(fields) == len(Recipe().differences(recipe))


def test_comments_stand_behind_their_fields() -> None:
    recipe = Recipe().but({"optim.lr": 0.5, "schedule.milestones": (3, 4.5), "train.epochs": 7})
    assert commented_yaml(recipe, {"optim.lr": "it is\nlarge", "data.size": "not shown"}).splitlines() == [
        *("optim:", "  lr: 0.5  # it is large"),
        *("schedule:", "  milestones: [3.0, 4.5]"),
        *("train:", "  epochs: 7"),
    ]


@settings(max_examples=60)
@given(CHANGES)
def test_differences_are_what_was_changed(changes: dict[str, Any]) -> None:
    default, recipe = Recipe(), Recipe().but(changes)
    differences = default.differences(recipe)
    assert default.but({name: pair[1] for name, pair in differences.items()}) == recipe
    assert set(differences) <= set(changes)
    assert all(before != after for before, after in differences.values())


def test_empty_text_is_the_default_recipe() -> None:
    assert Recipe.from_yaml("") == Recipe.from_dict({}) == Recipe()


def test_yaml_is_plain_and_in_the_order_of_the_sections() -> None:
    text = Recipe().but({"data.root": Path("/data"), "schedule.milestones": (3, 4.5)}).to_yaml()
    sections = [line for line in text.splitlines() if not line.startswith(" ")]
    assert sections == [
        *("data:", "augment:", "model:", "optim:", "schedule:", "loss:", "transfer:", "train:", "test:"),
    ]
    assert "  root: /data\n" in text
    assert "  milestones:\n  - 3.0\n  - 4.5\n" in text
    assert "null" not in text
    assert "!!" not in text


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("optim: {lr: 1e-3}", "optim.lr", 0.001),  # YAML 1.1 reads this as text
        ("data: {name: 5}", "data.name", "5"),
        ("train: {epochs: 3.0}", "train.epochs", 3),
        ("schedule: {milestones: [1, 2]}", "schedule.milestones", (1.0, 2.0)),
        ("data: {cache: off}", "data.cache", "off"),  # which YAML 1.1 takes for false
        ("data: {root: /a}", "data.root", Path("/a")),
        ("data: {mean: [0, 0.5, 1], std: [1, 1, 2]}", "data.mean", (0.0, 0.5, 1.0)),
    ],
)
def test_values_as_people_write_them(text: str, name: str, value: object) -> None:
    assert Recipe().differences(Recipe.from_yaml(text))[name][1] == value


BORDERS = [  # name, values just inside the range, values just outside
    ("data.size", [4, 2048], [3, 2049]),
    ("data.held_out", [1e-9, 0.999], [-1e-9, 1.0]),
    ("data.test", [0, 0.999], [-0.1, 1]),
    ("data.split_seed", [0, 2**70], [-1]),
    ("data.train_images", [1], [0, -1]),
    ("data.memory", [0, 1e9], [-0.1]),
    ("data.workers", [0, 256], [-1, 257]),
    ("augment.crop", [0, 512], [-1, 513]),
    ("augment.translate", [0, 512], [-1, 513]),
    ("augment.flip", [0, 1], [-0.01, 1.01]),
    ("model.width", [0.125, 16], [0, 0.124, 16.1]),
    ("model.dropout", [0, 0.999], [-0.1, 1]),
    ("model.stem_kernel", [3, 11], [1, 13]),
    ("model.stem_stride", [1, 2], [0, 3]),
    ("model.hidden", [1], [0]),
    ("optim.lr", [1e-9, 100], [0, 100.1]),
    ("optim.weight_decay", [0, 1], [-1e-9, 1.1]),
    ("optim.momentum", [0, 0.999], [-0.1, 1]),
    ("optim.beta1", [0, 0.999], [-0.1, 1]),
    ("optim.beta2", [0, 0.999], [-0.1, 1]),
    ("optim.eps", [1e-30], [0, -1]),
    ("schedule.every", [1e-9], [0]),
    ("schedule.factor", [1e-9, 1], [0, 1.1]),
    ("schedule.milestones", [(0.1,), ()], [(0,), (-1,)]),
    ("schedule.final", [0, 1], [-0.1, 1.1]),
    ("train.epochs", [1, 100_000], [0, 100_001]),
    ("train.batch_size", [1, 65_536], [0, 65_537]),
    ("train.seed", [0, 2**63 - 1], [-1, 2**63]),
    ("train.checkpoint_minutes", [0, 10_080], [-1, 10_081]),
]


@pytest.mark.parametrize(("name", "inside", "outside"), BORDERS, ids=[border[0] for border in BORDERS])
def test_ranges_at_their_borders(name: str, inside: list[Any], outside: list[Any]) -> None:
    for value in inside:
        Recipe().but({name: value})
    for value in outside:
        assert refusal({name: value}).startswith(f"{name}: ")


NUMBERS = [border[0] for border in BORDERS if border[0] != "schedule.milestones"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "many", [1]])
def test_what_is_not_a_number_is_refused(name: str, value: object) -> None:
    assert refusal({name: value}).startswith(f"{name}: {value!r} is not a ")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("data.size", 2, "data.size: 2 is not a whole number at least 4 and at most 2048"),
        ("data.size", 8.5, "data.size: 8.5 is not a whole number at least 4 and at most 2048"),
        ("data.held_out", 1, "data.held_out: 1 is not a number at least 0 and below 1"),
        ("optim.lr", 0, "optim.lr: 0 is not a number above 0 and at most 100"),
        ("data.on_bad_image", "skp", "data.on_bad_image: 'skp' is not error, skip; did you mean skip?"),
        ("loss.name", "cross", "loss.name: 'cross' is not cross-entropy, double-softmax; did you mean cross-entropy?"),
        ("train.compile", "maybe", "train.compile: 'maybe' is not true or false"),
        ("data.name", None, "data.name: None is not text"),
        ("optim.lr", True, "optim.lr: True is not a number above 0 and at most 100"),
        ("train.epochs", True, "train.epochs: True is not a whole number at least 1 and at most 100000"),
        ("data.workers", False, "data.workers: False is not a whole number at least 0 and at most 256"),
        ("data.mean", [True], "data.mean: [True] is not a list of 1 to 3 numbers at least 0 and at most 1"),
        ("model.pretrained", "", "model.pretrained: empty; expected text, or leave it out"),
    ],
)
def test_error_names_the_field_and_what_was_expected(name: str, value: object, text: str) -> None:
    assert refusal({name: value}) == text


def test_error_of_a_choice_that_may_be_absent_lists_the_choices() -> None:
    assert refusal({"model.init": "hee"}).startswith("model.init: 'hee' is not he, xavier, dirac, torch")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data.fold": 1}, "data.fold: 1 is not one of data.folds (which is not given)"),
        ({"data.folds": 5, "data.fold": 6}, "data.fold: 6 is not one of data.folds (5)"),
        ({"data.folds": 1}, "data.folds: 1 is not a whole number at least 2 and at most 1000"),
        (
            {"data.folds": 5, "train.select": "test"},
            "train.select test: nothing may be selected on a fold that the model is tested on",
        ),
    ],
)
def test_folds_that_make_no_sense_are_refused(changes: dict[str, Any], words: str) -> None:
    assert refusal(changes) == words


def test_a_cross_validated_recipe_has_one_of_each_fold_and_one_of_the_final_model() -> None:
    recipe = Recipe().but({"data.folds": 3, "train.patience": 2})
    assert recipe.is_cross_validated
    assert recipe.differences(recipe.of_fold(2)) == {"data.fold": (None, 2)}
    assert not recipe.of_fold(2).is_cross_validated
    assert recipe.of_fold(2).as_trained() == recipe.of_fold(2)
    assert recipe.differences(recipe.as_trained()) == {
        "data.held_out": (0.1, 0.0),
        "data.test": (0.2, 0.0),
        "train.select": ("held-out", "last"),
        "train.patience": (2, None),
    }
    assert recipe.as_trained().as_trained() == recipe.as_trained()


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ([0.5], None, "data.mean and data.std: give both of them, or neither"),
        (None, [0.5], "data.mean and data.std: give both of them, or neither"),
        ([0.5] * 3, [0.5], "data.mean and data.std: 3 and 1 numbers; give one of each a channel"),
        ([0.5, 1.01], [0.5, 0.5], "data.mean: 1.01 is not a list of 1 to 3 numbers at least 0 and at most 1"),
        ([0.5], [0.0], "data.std: 0.0 is not a list of 1 to 3 numbers at least 1e-06"),
        ([0.5], [-1], "data.std: -1 is not a list of 1 to 3 numbers at least 1e-06"),
        ([], [], "data.mean: [] is not a list of 1 to 3 numbers at least 0 and at most 1"),
        (0.5, [0.5], "data.mean: 0.5 is not a list of 1 to 3 numbers at least 0 and at most 1"),
    ],
)
def test_a_mean_goes_with_a_deviation(mean: Any, std: Any, words: str) -> None:
    assert refusal({"data.mean": mean, "data.std": std}) == words


def test_even_kernel_is_refused_with_the_reason() -> None:
    assert refusal({"model.stem_kernel": 4}).endswith("(must be odd)")


def test_error_of_a_milestone_names_the_field() -> None:
    assert refusal({"schedule.milestones": [1, -2]}).startswith("schedule.milestones: -2 is not ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("optim.lrr", "unknown field optim.lrr: did you mean optim.lr?"),
        ("train.epoch", "unknown field train.epoch: did you mean train.epochs?"),
        ("optin.lr", "unknown field optin.lr: "),
        ("lr", "unknown field lr: "),
        ("train", "unknown field train: "),
        ("", "unknown field : "),
    ],
)
def test_unknown_field_is_refused_with_the_nearest(name: str, text: str) -> None:
    assert refusal({name: 1}).startswith(text)


@pytest.mark.parametrize("text", ["modl: {name: x}", "model: {nme: x}", "model: 5", "1: {2: 3}", "[1]", "a: [", "\t"])
def test_yaml_that_is_no_recipe_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(unknown field|section model|a recipe is a mapping|not YAML)") as caught:
        Recipe.from_yaml(text)
    assert "\n" not in str(caught.value)


def test_unknown_empty_section_is_named() -> None:
    with pytest.raises(ValueError, match=r"modl.*did you mean model"):
        Recipe.from_yaml("modl: {}")


def test_a_field_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^key 'lr' is given twice, in lines 2 and 4$"):
        Recipe.from_yaml("optim:\n  lr: 0.1\n  name: sgd\n  lr: 0.2\n")


@pytest.mark.parametrize("text", ["[]", "false", "0"])
def test_falsy_yaml_is_no_recipe(text: str) -> None:
    with pytest.raises(ValueError, match="a recipe is a mapping"):
        Recipe.from_yaml(text)


def test_selection_on_a_split_that_is_not_held_out_is_refused() -> None:
    assert "data.held_out" in refusal({"data.held_out": 0})
    assert Recipe().but({"data.held_out": 0, "train.select": "last"}).data.held_out == 0


def test_recipe_and_sections_are_frozen() -> None:
    recipe = Recipe()
    with pytest.raises(ValidationError):
        recipe.optim.lr = 1.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        recipe.optim = recipe.optim  # type: ignore[misc]


def test_but_leaves_the_original() -> None:
    recipe = Recipe()
    changed = recipe.but({"optim.lr": 0.5, "train.epochs": 3})
    assert (recipe.optim.lr, recipe.train.epochs) == (0.1, 10)
    assert (changed.optim.lr, changed.train.epochs) == (0.5, 3)
    assert changed.but({"optim.lr": 0.1, "train.epochs": 10}) == recipe


def test_equal_recipes_have_equal_hashes() -> None:
    assert hash(Recipe().but({"optim.lr": 0.5})) == hash(Recipe().but({"optim.lr": 0.5}))


@pytest.mark.parametrize("name", field_names())
def test_every_field_is_described(name: str) -> None:
    description, expected, default = describe_field(name)
    assert len(description) > 5
    assert "\n" not in description
    assert expected.startswith(("a whole number", "a number", "true or false", "text", "a list of ")) or (
        ", " in expected
    )
    assert Recipe().but({name: default}) == Recipe()


def test_description_says_the_range() -> None:
    assert describe_field("data.size")[1:] == ("a whole number at least 4 and at most 2048", None)
    assert describe_field("train.select")[1:] == ("held-out, last, test", "held-out")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("0.1", 0.1),
        ("1e-3", 0.001),
        ("5E2", 500.0),
        (".5", 0.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("[3, 4.5]", [3, 4.5]),
        ("cifar10", "cifar10"),
        ("folder:/data/photos", "folder:/data/photos"),
        ("cuda:0", "cuda:0"),
        ("3x", "3x"),
        ("{a", "{a"),
        ("²", "²"),
        ("*x", "*x"),
    ],
)
def test_values_of_a_command_line(text: str, value: object) -> None:
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_every_option_of_a_field_can_be_given_on_a_command_line() -> None:
    """Also one that looks like a value of another type, such as none."""
    given = [(name, option) for name in field_names() for part in field_schema(name) for option in part.get("enum", ())]
    assert ("test.views", "none") in given
    for name, option in given:
        assert parse_field(name, option) == option


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("model.pretrained", "2026", "2026"),
        ("data.groups", "true", "true"),
        ("model.pretrained", "null", None),
        ("train.ema", "none", None),
        ("train.ema", "0.5", 0.5),
        ("data.mean", "0.5", 0.5),
    ],
)
def test_text_stays_text_where_the_field_takes_it(name: str, text: str, value: object) -> None:
    assert parse_field(name, text) == value


@pytest.mark.parametrize("text", ["folder:/photos #2", "2024-01-01", "folder: x"])
def test_paths_of_a_command_line_are_whole(text: str) -> None:
    assert parse_value(text) == text
