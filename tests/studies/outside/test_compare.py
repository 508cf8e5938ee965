"""Scores that other tools logged get the verdicts that their numbers, computed by hand, would."""

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from foreign import lightning, mlflow, tensorboard, trainer, wandb
from scipy import stats

import assay
from assay.cli import main
from assay.studies.outside.images import bootstrap

SCORES = {"plain": [90.5, 91.1, 90.8], "mixup": [93.5, 93.1, 93.8], "cutout": [90.6, 91.0, 91.2]}


def expected_p(scores: dict[str, list[float]], row: str, control: str) -> float:
    """Of the moderated test, before Holm, in full: the table is quiet, so its prior is that of other tables."""
    squared = 0.8725**2
    ends = []
    for name in (row, control):
        variance, own = np.var(scores[name], ddof=1), len(scores[name]) - 1
        weight = 0.7 * min(1, 2 * stats.chi2.sf(own * variance / squared, own))
        ends.append(((weight * squared + own * variance) / (weight + own) / len(scores[name]), weight + own))
    (ours, our_freedom), (theirs, their_freedom) = ends
    freedom = (ours + theirs) ** 2 / (ours**2 / our_freedom + theirs**2 / their_freedom)
    t = (np.mean(scores[row]) - np.mean(scores[control])) / math.sqrt(ours + theirs)
    return float(2 * stats.t.sf(abs(t), min(freedom, our_freedom + 1, their_freedom + 1)))


def check(made: assay.Compared, rename: Callable[[str], str] = str) -> None:
    """All rows, seeds and figures are those of SCORES, and so is the test."""
    lines = {line.name: line for line in made.table.lines}
    assert set(lines) == {rename(name) for name in SCORES}
    for name, values in SCORES.items():
        assert [*lines[rename(name)].accuracies.values()] == pytest.approx(values)
    p = {name: expected_p(SCORES, name, "plain") for name in ("mixup", "cutout")}
    assert lines[rename("mixup")].p == pytest.approx(2 * p["mixup"])
    assert lines[rename("cutout")].p == pytest.approx(p["cutout"])
    assert [lines[rename(name)].verdict for name in SCORES] == ["control", "helps", "cannot be told"]


def course(score: float) -> dict[str, list[float]]:
    """What a run logs: the last validation accuracy is the score."""
    return {"train_acc": [50.0, 99.0, 99.9], "val_acc": [40.0, 95.0, score], "val_loss": [2.0, 1.0, 0.5]}


def write_csv(path: Path, factor: float = 1.0) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "seed", "score"])
        writer.writerows((n, s, factor * v) for n, values in SCORES.items() for s, v in enumerate(values))
    return path


def test_scores_from_python() -> None:
    check(assay.compare(SCORES))
    check(assay.compare({name: dict(enumerate(values)) for name, values in SCORES.items()}, control="plain"))


def test_what_the_document_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[3] / "docs" / "compare.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code)
    assert Path("differences.svg").is_file()
    quoted = re.findall(r"^> (.*)", text, flags=re.MULTILINE)
    assert " ".join(quoted) == assay.compare(SCORES).sentences[0]


@pytest.mark.parametrize("factor", [1.0, 0.01])
def test_a_csv_of_scores(factor: float, tmp_path: Path) -> None:
    check(assay.compare(write_csv(tmp_path / "scores.csv", factor)))


def test_json_lines_of_scores_under_other_names(tmp_path: Path) -> None:
    lines = [{"method": n, "acc": v, "seed": s} for n, values in SCORES.items() for s, v in enumerate(values)]
    path = tmp_path / "scores.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    check(assay.compare([path], by="method", metric="acc"))


def test_lightning_by_folders_and_by_settings(tmp_path: Path) -> None:
    for name, values in SCORES.items():
        for seed, value in enumerate(values):
            lightning(tmp_path / "logs" / name / f"version_{seed}", course(value))
            lightning(tmp_path / "flat" / f"version_{len([*(tmp_path / 'flat').glob('*')])}", course(value),
                      f"augment: {name}\nseed: {seed}\nlr: 0.1\n")  # fmt: skip
    check(assay.compare(tmp_path / "logs", control="plain"))
    made = assay.compare(tmp_path / "flat", control="augment plain")
    check(made, lambda name: f"augment {name}")
    assert "the last, by val_acc" in made.table.setting.selection


def test_hugging_face(tmp_path: Path) -> None:
    for name, values in SCORES.items():
        for seed, value in enumerate(values):
            folder = tmp_path / f"{name}-seed{seed}"
            trainer(folder, {"loss": [2.0, 1.0], "eval_accuracy": [0.4, value / 100]})
            tensorboard(folder / "runs" / "Jul01_host", {"train/loss": [2.0]})  # which it leaves too
    check(assay.compare(tmp_path, control="plain"))


def test_wandb_and_mlflow(tmp_path: Path) -> None:
    number = 0
    for name, values in SCORES.items():
        for seed, value in enumerate(values):
            settings = {"augment": name, "seed": seed + 5, "lr": 0.1}
            wandb(tmp_path / "wandb" / f"run-20260101_{number:06}-x{number}", course(value), settings)
            mlflow(tmp_path / "mlruns" / "0" / f"{number:032x}", course(value), settings)
            number += 1
    for root in ("wandb", "mlruns"):
        made = assay.compare(tmp_path / root, control="augment plain")
        check(made, lambda name: f"augment {name}")
        assert [*made.table.lines[0].accuracies] == [5, 6, 7]


def test_tensorboard(tmp_path: Path) -> None:
    for name, values in SCORES.items():
        for seed, value in enumerate(values):
            tensorboard(tmp_path / name / f"seed_{seed}", {"acc/val": [10.0, value], "acc/train": [50.0, 99.0]})
    made = assay.compare([tmp_path / name for name in SCORES], control="plain")
    for line in made.table.lines:
        assert [*line.accuracies.values()] == pytest.approx(SCORES[line.name], rel=1e-6)  # which it keeps in 32 bits


def test_lost_runs_count_as_chance(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("row,score\na,0.9\na,0.91\na,0.92\nb,0.9\nb,nan\nb,\n")
    with pytest.raises(ValueError, match="row 'b': a run has no score; give --chance"):
        assay.compare(path)
    made = assay.compare(path, chance=10.0)
    line = made.table.lines[1]
    assert (line.diverged, line.runs, line.estimate.mean) == ((1, 2), 3, pytest.approx((90 + 10 + 10) / 3))
    assert "2 of its 3 runs diverged and count as guessing." in made.sentences[0]


def predictions(path: Path, runs: dict[tuple[str, int], np.ndarray]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "seed", "image", "label", "predicted"])
        for (row, seed), correct in runs.items():
            writer.writerows((row, seed, f"{image}.png", 1, int(right)) for image, right in enumerate(correct))
    return path


def test_predictions_by_image(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    runs = {(row, seed): generator.random(400) < share for row, share in (("a", 0.7), ("b", 0.8)) for seed in range(3)}
    made = assay.compare(predictions(tmp_path / "all.csv", runs))
    assert [*made.table.lines[1].accuracies.values()] == [
        pytest.approx(100 * runs["b", seed].mean()) for seed in range(3)
    ]
    differences = sum(runs["b", seed].astype(float) - runs["a", seed] for seed in range(3)) / 3
    interval = made.images["b"]
    error = 100 * differences.std() / math.sqrt(400)
    assert interval.mean == pytest.approx(100 * differences.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * error, rel=0.05)
    alone = assay.compare(predictions(tmp_path / "one.csv", {key: runs[key] for key in (("a", 0), ("b", 0))}))
    line = alone.table.lines[1]
    gained, lost = (runs["b", 0] & ~runs["a", 0]).sum(), (~runs["b", 0] & runs["a", 0]).sum()
    assert (line.test, line.verdict) == ("mcnemar", "cannot be told")
    assert line.p == pytest.approx(stats.binomtest(int(gained), int(gained + lost)).pvalue)
    assert "McNemar's test on the images of one seed" in alone.sentences[0]


def test_the_bootstrap_is_one_over_images() -> None:
    differences = np.array([-1.0, 0.0, 0.0, 0.5, 1.0, 1.0])
    made = bootstrap(differences)
    drawn = np.random.default_rng(1).choice(differences, size=(20_000, 6)).mean(axis=1)
    assert (made.low, made.high) == pytest.approx(tuple(100 * np.quantile(drawn, (0.025, 0.975))), abs=9)  # a step


def test_the_sentences_of_a_paper() -> None:
    equal = [70 + 0.1 * place for place in range(10)]
    made = assay.compare({"a": equal, "b": equal[::-1], "c": [value + 3 for value in equal], "d": [70.0]})
    same, better, alone = made.sentences
    assert same.startswith("b has 70.45 % against 70.45 % of a, a difference of +0.00 points (95 % interval -0.")
    assert "it makes no difference of 1 point (two one-sided tests, p = " in same
    assert "after Holm's correction over 2 rows; 10 and 10 runs): it helps." in better
    assert alone.endswith("(1 and 10 runs): whether it helps cannot be told from fewer than 3 runs.")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(Path("scores.csv"))
    assert main(["compare", "scores.csv", "--control", "plain", "--plot", "differences.svg"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "mixup has 93.47 % against 90.80 % of plain, a difference of +2.67 points" in printed
    assert "publ." not in printed
    assert Path("differences.svg").read_text().startswith("<?xml")
    assert main(["compare", "scores.csv", "--latex", "--margin", "0.5"]) == 0
    assert capsys.readouterr().out.startswith(r"\begin{table}")


@pytest.mark.parametrize(
    ("text", "words", "complaint"),
    [
        ("row,seed,score\na,0,1\n", [], "scores.csv: one row, 'a'; at least two are compared"),
        ("row,seed,score\n", [], "scores.csv: no rows in it"),
        ("name,score\na,0\n", [], "scores.csv: no column 'row': "),
        ("row,acc\na,0\n", [], "scores.csv: no column 'score': "),
        ("row,score\na,x\nb,1\n", [], "scores.csv, line 2: score: expected a number, not 'x'"),
        ("row,seed,score\na,x,1\n", [], "scores.csv, line 2: seed: expected a whole number, not 'x'"),
        ("row,seed,score\na,0,1\na,0,2\n", [], "row 'a': 2 runs have seed 0; each seed is expected once"),
        ("row,score\na,1\nb,2,3\n", [], "scores.csv, line 3: its columns are not those of the first line"),
        ("row,score\na,101\nb,2\n", [], "scores from 2 to 101: expected accuracies from 0 to 1 or to 100 %"),
        ("row,score\na,1\nb,2\n", ["--control", "c"], "unknown control 'c': "),
        ("row,score\na,1\nb,2\n", ["--margin", "0"], "margin: 0 is not a number of percentage points above 0"),
        ("row,score\na,1\nb,2\n", ["--plot", "x.gif"], "x.gif: not a .png or .svg file"),
        ("row,score\na,1\nb,2\n", ["gone.csv"], "gone.csv: no such file or folder"),
        ("row,image,correct\na,1,maybe\n", [], "scores.csv, line 2: correct: expected true or false, not 'maybe'"),
        ("row,image,label\na,1,2\n", [], "scores.csv: predictions need a column 'correct', or both"),
        ("image,correct\n1,1\n1,1\n", [], "scores.csv, line 3: image '1' is there twice in one run"),
        ("row,image,correct\na,1,1\nb,2,1\n", [], "row 'b': its 1 images are not the 1 of row 'a'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(
    text: str, words: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("scores.csv").write_text(text)
    assert main(["compare", "scores.csv", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"assay: {complaint}")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_logs_that_do_not_say_which_metric_is_meant(tmp_path: Path) -> None:
    for seed in range(2):
        tensorboard(tmp_path / f"a-seed{seed}", {"val_acc": [1.0], "test_acc": [2.0]})
    with pytest.raises(ValueError, match="Give --metric one of those that all runs have: test_acc, val_acc"):
        assay.compare(tmp_path)
    with pytest.raises(ValueError, match="no metric 'tset_acc': did you mean test_acc"):
        assay.compare(tmp_path, metric="tset_acc")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no logs in it; expected metrics\.csv, trainer_state\.json"):
        assay.compare(tmp_path / "empty")


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("metrics.csv", b"\xff\xfe\x00", "metrics.csv: not a text file in UTF-8"),
        ("metrics.csv", b"epoch,acc\n0,1,2\n", "metrics.csv: a line has other columns than the header"),
        ("metrics.csv", b"epoch,acc\n0,high\n", "metrics.csv: expected a number, not 'high'"),
        ("trainer_state.json", b'{"log_history": 3}', "trainer_state.json: no log_history in it"),
        ("trainer_state.json", b"{", "trainer_state.json: not JSON"),
        ("wandb-summary.json", b"[1]", "wandb-summary.json: expected an object"),
        ("events.out.tfevents.1", b"garbage", "events.out.tfevents.1: no metrics in it, or damaged"),
    ],
)
def test_damaged_logs_are_named(file: str, content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(tmp_path / complaint))}"):
        assay.compare(tmp_path)


def test_damaged_settings_are_named(tmp_path: Path) -> None:
    lightning(tmp_path / "a", course(90.0), "lr: !!python/object:x {}\n")
    with pytest.raises(ValueError, match=r"hparams\.yaml: not YAML"):
        assay.compare(tmp_path)
