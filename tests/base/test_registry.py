"""Names that stand for constructors, and refusals that help."""

from __future__ import annotations

import pytest

from assay.base.registry import choose, construct, nearest


def box(content: str, *, size: int, colour: str = "red", lid: bool = False) -> str:
    return f"{content} {size} {colour} {lid}"


TABLE = {"box": box, "bag": lambda content: content}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet81", "did you mean resnet18?"),
        ("vgg", "did you mean vgg16?"),
        ("transformer", "choose from resnet18, vgg16"),
        ("", "choose from resnet18, vgg16"),
    ],
)
def test_nearest(name: str, words: str) -> None:
    assert nearest(name, ["resnet18", "vgg16"]) == words


def test_nearest_takes_any_iterable() -> None:
    assert nearest("zzz", (name for name in ("a", "b"))) == "choose from a, b"


def test_of_many_choices_the_nearest_are_named() -> None:
    many = [f"network{number}" for number in range(1000)]
    assert nearest("zzz9zzz9", many).startswith("the nearest of 1000 are network")
    assert len(nearest("x" * 10_000, many)) < 120
    assert nearest("network17", many) == "did you mean network17?"


def test_without_any_choice_none_is_named() -> None:
    assert nearest("a", []) == "there is none to choose"


def test_choose() -> None:
    assert choose("toy", "a", {"a": 1, "b": 2}) == 1
    with pytest.raises(ValueError, match=r"^unknown toy 'blok': did you mean block\?$"):
        choose("toy", "blok", {"block": 1, "ball": 2})


def test_construct_passes_what_is_given() -> None:
    assert construct("thing", "box", TABLE, "tea", size=3, colour="blue", lid=True) == "tea 3 blue True"


def test_none_takes_the_constructors_default() -> None:
    assert construct("thing", "box", TABLE, "tea", size=3, colour=None, lid=None) == "tea 3 red False"


def test_false_and_zero_are_given() -> None:
    assert construct("thing", "box", TABLE, "tea", size=0, lid=False) == "tea 0 red False"


def test_none_for_an_option_that_is_not_there_is_ignored() -> None:
    assert construct("thing", "bag", TABLE, "tea", size=None) == "tea"


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"^unknown thing 'bux': "):
        construct("thing", "bux", TABLE, "tea")


def test_unknown_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^thing box has no option 'color': did you mean colour\?$"):
        construct("thing", "box", TABLE, "tea", size=3, color="blue")


@pytest.mark.parametrize("size", [{}, {"size": None}])
def test_needed_option_is_asked_for(size: dict[str, None]) -> None:
    with pytest.raises(ValueError, match=r"^thing box needs 'size'$"):
        construct("thing", "box", TABLE, "tea", **size)


def test_only_options_are_offered() -> None:
    with pytest.raises(ValueError, match="has no option") as caught:
        construct("thing", "box", TABLE, "tea", size=3, zzzzz=1)
    assert str(caught.value).endswith("choose from colour, lid")  # and not what was given


def test_positional_parameter_is_not_an_option() -> None:
    with pytest.raises(ValueError, match="has no option 'content'"):
        construct("thing", "box", TABLE, "tea", size=3, content="coffee")
