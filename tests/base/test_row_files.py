"""Rows in each format hold the same values, in CSV to six digits, and are written whole or not at all."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from assay.base.row_files import check_format, check_place, to_csv, write_rows

ROWS = [
    {"name": 'a "quoted", comma', "label": "cat", "probability": 0.1 + 0.2},
    {"name": "two\nlines", "label": "größe $x_1$", "probability": 1e-30},
    {"name": "[b]", "label": "", "probability": 1.0},
]
ROUNDED = [ROWS[0] | {"probability": 0.3}, *ROWS[1:]]  # 0.30000000000000004 to six digits


def read(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [{**row, "probability": float(row["probability"])} for row in csv.DictReader(file)]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", ".CSV"])
def test_what_is_written_is_read_back(ending: str, tmp_path: Path) -> None:
    write_rows(tmp_path / f"rows{ending}", ROWS)
    written = (tmp_path / f"rows{ending}").rename(tmp_path / f"rows{ending.lower()}")
    assert read(written) == (ROUNDED if written.suffix == ".csv" else ROWS)
    assert list(read(written)[0]) == ["name", "label", "probability"]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_names_that_are_not_utf8_are_escaped(ending: str, tmp_path: Path) -> None:
    write_rows(tmp_path / f"rows{ending}", [{"name": "caf\udce9.png", "probability": 1.0}])
    (row,) = read(tmp_path / f"rows{ending}")
    assert row["name"] in ("caf\\udce9.png", "caf\udce9.png")  # JSON's own escape is read back as the byte


def test_csv_holds_six_digits_of_floats_or_all_on_request() -> None:
    rows = [{"n": 12345678, "p": 0.123456789, "q": 1.23456789e-7, "right": True, "none": None}]
    assert to_csv(rows) == b"n,p,q,right,none\n12345678,0.123457,1.23457e-07,True,\n"
    assert to_csv(rows, digits=None) == b"n,p,q,right,none\n12345678,0.123456789,1.23456789e-07,True,\n"


def test_csv_is_plain() -> None:
    assert to_csv([{"name": "x", "correct": True, "p": 0.25}]) == b"name,correct,p\nx,True,0.25\n"
    assert to_csv([]) == b"\n"


def test_a_written_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    write_rows(file, ROWS)
    write_rows(file, ROWS[:1])
    assert read(file) == ROUNDED[:1]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_rows_may_come_one_by_one_and_in_any_number(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.base.row_files._AT_A_TIME", 2)
    rows = [{"name": f"a\n{place}", "label": "x", "probability": 0.5} for place in range(5)]
    write_rows(tmp_path / f"rows{ending}", iter(rows))
    assert read(tmp_path / f"rows{ending}") == rows


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "csv", "rows.csv.gz"])
def test_other_endings_are_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    for action in (lambda: check_format(tmp_path / name), lambda: write_rows(tmp_path / name, ROWS)):
        with pytest.raises(ValueError, match=r"unknown output format.*choose from \.csv, \.jsonl, \.parquet"):
            action()
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_ending_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"did you mean \.parquet"):
        check_format(tmp_path / "rows.parqet")


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="absent: no such folder to write to"):
        check_format(tmp_path / "absent" / "rows.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match=r"folder\.csv: a folder, not a file"):
        check_format(tmp_path / "folder.csv")
    check_place(tmp_path / "rows.anything")
    check_format(Path("rows.csv"))
