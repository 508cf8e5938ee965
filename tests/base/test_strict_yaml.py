"""YAML from anywhere: what is small on the disk and means much, or means nothing, is refused in a short line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.base.strict_yaml import dump_yaml, parse_yaml, read_yaml

LAUGHS = "{a0: &a0 [x, x]" + "".join(f", a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)) + "}"
REFUSED = [
    (LAUGHS, "more than 50,000 values, counting what aliases"),
    ("[" * 20_000, "more than 20 levels|not YAML: .* maximum nesting depth"),  # the parser in C has a limit of its own
    ("[" * 30, "more than 20 levels"),
    ("- " * 20_000, "more than 20 levels"),
    ("&a [*a]", "more than 20 levels, one in another, counting what aliases"),
    ("&a {<<: *a}", "more than 20 levels"),
    ("x" * 1_000_001, "more than 1,000,000 characters"),
    ("a: 1" + ":1" * 100, "line 1: a number of more than 100 characters"),
    ("\na: 0x" + "f" * 100, "line 2: a number of more than 100 characters"),
    ("a\0b", "not YAML: unacceptable character #x0000"),
    ("a: 2024-13-01", "not YAML: a value cannot be read [(]month"),
    ("!!bool maybe", "not YAML: a value cannot be read"),
    ("!!int ''", "not YAML: a value cannot be read"),
    ("!!timestamp noon", "not YAML: a value cannot be read"),
    ("!" + "x" * 1000 + " a", "not YAML: could not determine a constructor"),
    ("? [1]\n: 2", "not YAML: while constructing a mapping"),
    (f"{'k' * 1000}: 1\n{'k' * 1000}: 2", "is given twice, in lines 1 and 2"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[said for _, said in REFUSED])
def test_it_is_refused_in_a_short_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^({says})" if "twice" not in says else says) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_is_read_no_further_than_it_may_be_long(tmp_path: Path) -> None:
    file = tmp_path / "zeros.yaml"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)  # without a byte on the disk
    with pytest.raises(ValueError, match="more than 1,000,000 characters"):
        read_yaml(file)


def test_aliases_and_merges_of_few_values_are_read() -> None:
    assert parse_yaml("{a: &a {x: 1}, b: &b {<<: [*a, *a]}, c: *b}") == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT, st.lists(TEXT))


@settings(max_examples=50)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_is_dumped_reads_back_in_its_order(content: dict[str, object]) -> None:
    read = parse_yaml(dump_yaml(content))
    assert read == content
    assert list(read) == list(content)
