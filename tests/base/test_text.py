"""Names as one short printable line."""

from assay.base.text import one_line, quoted, shorten


def test_names_become_one_printable_line() -> None:
    assert one_line("a\nb\tc\x07 \udcff ä 犬") == "a b c  \\udcff ä 犬"


def test_a_long_name_loses_its_end_or_its_beginning() -> None:
    assert shorten("abcdefgh", 8) == shorten("abcdefgh", 8, keep_end=True) == "abcdefgh"
    assert shorten("abcdefghi", 8) == "abcdefg…"
    assert shorten("abcdefghi", 8, keep_end=True) == "…cdefghi"
    assert shorten("a\nb", 8) == "a b"


def test_a_value_is_quoted_as_python_writes_it_and_not_all_of_it() -> None:
    assert quoted("a\nb") == r"'a\nb'"
    assert quoted([1, 2]) == "[1, 2]"
    assert quoted("x" * 1000, 10) == "'xxxxxxxx…"
