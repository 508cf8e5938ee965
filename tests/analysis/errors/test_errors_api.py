"""From run folders to findings and files."""

import csv
import doctest

import numpy as np
import pytest

import assay
import assay.analysis.errors.api
from assay.analysis.errors.api import find_errors
from assay.analysis.errors.output import Output
from assay.classifier.split_request import SplitRequest


@pytest.fixture
def found(digits_run):
    return find_errors([digits_run(seed) for seed in range(3)], against=digits_run(3))


def rows(folder, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / f"{name}.csv").read_text().splitlines()))


def test_all_figures_fit_together(found) -> None:
    assert (found.split, found.images, found.classes) == ("test", 355, tuple("0123456789"))
    assert (
        found.wrong[0]
        == len(found.mistakes)
        == sum(found.calibration[0].bins[n].images for n in range(15))
        - round(sum(part.accuracy * part.images for part in found.calibration[0].bins if part.images))
    )
    assert sum(one.count for one in found.confusions) == pytest.approx(np.mean(found.wrong))
    assert sum(row.images for row in found.wrong_in_runs) == 355
    assert sum(row.runs * row.images for row in found.wrong_in_runs) == sum(found.wrong)
    assert sum(row.runs * row.if_independent for row in found.wrong_in_runs) == pytest.approx(sum(found.wrong))
    assert found.always_wrong_count == len(found.always_wrong) > 0
    assert len(found.flips.images) == found.flips.gained + found.flips.lost
    assert found.label_issues is None
    assert found.remarks == ()


def test_a_single_run_agrees_with_evaluate(digits_run) -> None:
    model = digits_run(0)
    (model / "scores.safetensors").unlink()
    found, evaluation = find_errors([model]), assay.evaluate(model)
    assert [one.index for one in found.mistakes[:50]] == evaluation.mistakes()[:50]  # below, many are nearly equal
    assert {one.index for one in found.mistakes} == set(evaluation.mistakes())
    assert found.calibration[0].error == pytest.approx(evaluation.calibration_error, abs=1e-6)
    assert (found.wrong_in_runs, found.always_wrong, found.always_wrong_count, found.flips) == ((), (), 0, None)


def test_the_limit_shortens_every_list_and_no_count(found) -> None:
    short = find_errors(found.runs, against=found.flips.other, limit=2)
    assert short.mistakes == found.mistakes[:2]
    assert short.confusions == found.confusions[:2]
    assert short.always_wrong == found.always_wrong[:2]
    assert [flip.gained for flip in short.flips.images] == [True, True, False, False]
    assert (short.flips.gained, short.wrong, short.wrong_in_runs) == (
        found.flips.gained,
        found.wrong,
        found.wrong_in_runs,
    )


def test_label_errors_are_looked_for_among_held_out_images(make_run, test_labels, tmp_path) -> None:
    labels = np.tile(np.arange(10), 6)
    scores = np.full((60, 10), -3, np.float32)
    scores[np.arange(60), labels] = 3
    given = labels.copy()
    given[[4, 17]] = [0, 1]
    run = make_run(
        tmp_path / "run",
        {"test": (np.zeros((355, 10), np.float32), test_labels), "held_out": (scores, given)},
        data={"name": "folder:/nowhere/pets", "held_out": 0.1, "test": 0.2, "split_seed": 0},
    )
    issues = find_errors([run], label_errors=True).label_issues
    assert (issues.split, issues.images) == ("held-out", 60)
    assert {(one.name, one.given, one.suggested) for one in issues.items} == {
        ("held-out/00004", "0", "4"),
        ("held-out/00017", "1", "7"),
    }
    assert find_errors([run], label_errors=True, label_split="test").label_issues.split == "test"


def test_without_held_out_images_those_of_test_are_taken_with_a_remark(make_run, test_labels, tmp_path) -> None:
    scores = np.eye(10, dtype=np.float32)[test_labels] * 5
    data = {"name": "digits", "held_out": 0.0, "test": 0.2, "split_seed": 0}
    run = make_run(tmp_path / "run", {"test": (scores, test_labels)}, data=data)
    found = find_errors([run], label_errors=True)
    assert found.label_issues.split == "test"
    assert found.remarks == (
        "the labels that are doubted are those of the test images, not of held-out ones: "
        "digits: no images were held out (data.held_out was 0)",
    )


def test_the_labels_of_train_are_not_doubted(digits_run) -> None:
    with pytest.raises(ValueError, match="label_split: the runs have learned the labels of train"):
        find_errors([digits_run(0)], label_errors=True, label_split="train")
    assert find_errors([digits_run(1)], data=SplitRequest("train"), label_errors=True).label_issues.split == "held-out"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"data": SplitRequest("tset")}, "unknown split 'tset': did you mean test"),
        ({"label_errors": True, "label_split": "tset"}, "unknown split 'tset': did you mean test"),
        ({"limit": 0}, "limit: 0 is not at least 1"),
        ({"against": "nowhere"}, "nowhere: no such run folder"),
        ({"data": "digitz"}, "unknown data 'digitz': did you mean digits"),
    ],
)
def test_bad_input_is_one_line(digits_run, options, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        find_errors([digits_run(0)], **options)
    assert "\n" not in str(caught.value)


def test_no_run_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="runs: name at least one"):
        find_errors([])


def test_everything_is_written(found, tmp_path) -> None:
    pair = (found.mistakes[0].label, found.mistakes[0].predicted)
    files = Output(tmp_path / "deep" / "out", ["png", "svg"], 2, pair).write(found)
    figures = ["mistakes", f"mistakes-{pair[0]}-{pair[1]}", "always-wrong", "flips-gained", "flips-lost"]
    figures += ["calibration", "wrong-in-runs"]
    tables = ["mistakes", "confusions", "calibration", "wrong-in-runs", "always-wrong", "flips"]
    expected = [f"{name}.{kind}" for name in figures for kind in ("png", "svg")] + [f"{name}.csv" for name in tables]
    assert [file.name for file in files] == expected
    assert sorted(file.name for file in (tmp_path / "deep" / "out").iterdir()) == sorted(expected)
    folder = tmp_path / "deep" / "out"
    assert (folder / "mistakes.png").read_bytes().startswith(b"\x89PNG")
    mistakes = rows(folder, "mistakes")
    assert len(mistakes) == found.wrong[0]  # the limit is one of pictures
    assert list(mistakes[0]) == [
        "index", "name", "label", "predicted", "confidence", "probability_of_label", "runs_wrong",
    ]  # fmt: skip
    assert mistakes[0]["confidence"] == f"{found.mistakes[0].confidence:.6g}"
    assert len(rows(folder, "calibration")) == 3 * 15
    assert rows(folder, "confusions")[0]["share"] == f"{found.confusions[0].share:.6g}"


def test_without_data_there_are_tables_and_diagrams(make_run, tmp_path) -> None:
    data = {"name": "folder:/nowhere/pets", "held_out": 0.1, "test": 0.2, "split_seed": 0}
    scores = np.eye(10, dtype=np.float32)[[1, 1, 2]]
    run = make_run(tmp_path / "run", {"test": (scores, np.array([0, 1, 2]))}, data=data)
    found = find_errors([run], against=run, label_errors=True, label_split="test")
    files = Output(tmp_path / "out", ["png"]).write(found)
    assert [file.name for file in files] == ["calibration.png", "mistakes.csv", "confusions.csv", "calibration.csv"]
    assert rows(tmp_path / "out", "mistakes")[0]["name"] == "test/00000"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"formats": ["pgn"]}, "unknown format 'pgn': did you mean png"),
        ({"limit": 0}, "limit: 0 is not from 1 to 200"),
        ({"limit": 201}, "limit: 201 is not from 1 to 200"),
        ({"pair": ("1", "77")}, "unknown class '77'"),
        ({"pair": ("1", "1")}, "pair: no image of '1' is taken for '1'"),
    ],
)
def test_what_cannot_be_written_is_one_line_and_nothing_is(found, tmp_path, options, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Output(tmp_path / "out", **options).write(found)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path) -> None:
    (tmp_path / "out").write_text("text")
    with pytest.raises(ValueError, match="out: a file, not a folder"):
        Output(tmp_path / "out")


def test_the_example_of_the_docstring(digits_run) -> None:
    parser = doctest.DocTestFinder().find(find_errors, globs={"find_errors": find_errors})
    folder = digits_run(0).parent
    (folder / "run-0").rename(folder / "run")
    for example in parser:
        example.globs["folder"] = folder
        assert doctest.DocTestRunner().run(example).failed == 0
