"""What is printed of names that hold terminal escapes and line breaks."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.cli import main

RED, CLEAR = "\x1b[31m", "\x1b[2J"


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on both streams, none of which moves the cursor or colours the terminal."""
    streams = capsys.readouterr()
    text = streams.out + streams.err
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    return text.splitlines()


def test_check_prints_names_in_one_line_each(
    tmp_path: Path, make_folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_folder(tmp_path / "photos", {f"{RED}cat": 3, "dog\ncow": 2})
    (folder / f"{RED}cat" / f"{CLEAR}bad\n.png").write_bytes(b"no image")
    assert main(["check", str(folder), "--all"]) == 1
    lines = printed(capsys)
    assert any("dog cow" in line for line in lines)
    assert any("[2Jbad .png" in line for line in lines)


@pytest.mark.usefixtures("undrawn")
def test_evaluate_prints_a_line_for_each_image(
    finished_run: Path, tmp_path: Path, make_folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_folder(
        tmp_path / "photos", {f"{split}/{digit}": 1 for split in ("train", "test") for digit in range(10)}, channels=1
    )
    for digit in range(10):
        place = folder / "test" / str(digit)
        (place / "000.png").rename(place / f"{RED}a\nb.png")
    command = [
        "evaluate",
        str(finished_run),
        "--data.name",
        f"folder:{folder}",
        "--print-log",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0
    assert sum(line.startswith("[") and line.endswith("[31ma b.png") for line in printed(capsys)) == 10


def test_predictions_are_printable_on_a_terminal_and_exact_in_a_pipe(
    finished_run: Path,
    tmp_path: Path,
    make_folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_folder(tmp_path / "photos", {"new": 1})
    (folder / "new" / "000.png").rename(folder / "new" / f"{CLEAR}.png")
    assert main(["predict", str(finished_run), str(folder)]) == 0
    assert f"{CLEAR}.png" in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["predict", str(finished_run), str(folder)]) == 0
    assert " [2J.png" in printed(capsys)[1]


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "RUN", f"no{CLEAR}such.png"],
        ["train", f"no{CLEAR}such"],
        ["check", f"{CLEAR}"],
        ["train", f"--x{RED}"],
    ],
)
def test_errors_name_what_is_wrong_in_one_printable_line(
    command: list[str], finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main([str(finished_run) if word == "RUN" else word for word in command])
    except SystemExit as end:  # argparse's way
        status = int(str(end.code))
    assert status == 2
    assert len(printed(capsys)) == 1


def test_formulas_are_text_where_it_is_asked_for(
    finished_run: Path, tmp_path: Path, make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path / "photos", {"new": 2})
    monkeypatch.chdir(folder / "new")
    Path("000.png").rename("=cmd.png")
    command = ["predict", str(finished_run), "=cmd.png", "001.png"]
    for options, name in (([], "=cmd.png"), (["--spreadsheet-safe"], "'=cmd.png")):
        assert main([*command, "--out", "out.csv", *options]) == 0
        assert [line.partition(",")[0] for line in Path("out.csv").read_text().splitlines()][1:] == [name, "001.png"]
