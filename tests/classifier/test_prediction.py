"""Predictions: any image is answered for, in order, and as `assay evaluate` answers, to the last digit."""

import csv
import io
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import assay
from assay.classifier.classifier import load, ready
from assay.classifier.journal import Journal
from assay.classifier.prediction import Part, predict_images
from assay.classifier.split_request import SplitRequest
from assay.cli import main
from assay.data.images import BadImageError
from assay.data.inputs import find_inputs
from assay.data.views import views_of
from assay.run.record import RunRecord
from quick_suite import rest_slow

WriteParquet = Callable[..., Path]
CLASSES = ("ant", "bee", "cat")
TRAINING = {
    "data.size": 16,
    "model.name": "resnet18",  # whose norms are folded
    "model.width": 0.125,
    "model.stem_kernel": 3,
    "model.stem_stride": 1,
    "train.epochs": 1,
    "train.batch_size": 16,
    "optim.lr": 0.01,
}


def photo(seed: int) -> Image.Image:
    """A picture of a size of its own, brighter on one side."""
    draw = np.random.default_rng(seed)
    height, width = draw.integers(9, 60, 2)
    ramp = np.linspace(0, 120, width)[None, :, None]
    return Image.fromarray((draw.integers(0, 136, (height, width, 3)) + ramp).astype(np.uint8))


def fill(folder: Path, count: int, first: int) -> None:
    for place, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            photo(first + 3 * number + place).save(folder / name / f"{number:03d}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of many sizes; the 309 of the test split are more than one batch."""
    folder = tmp_path_factory.mktemp("data")
    fill(folder / "train", 16, 0)
    fill(folder / "test", 103, 1000)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(root / "cache"))
        changes = {**TRAINING, "data.name": f"folder:{data}"}
        return assay.train("digits", changes, out=root / "photos", progress=False).folder


@pytest.fixture(scope="module")
def digits(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A run on grayscale images of ten classes."""
    return RunRecord.read(shutil.copytree(finished_run, tmp_path_factory.mktemp("runs") / "digits"))


@pytest.fixture(autouse=True)
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take seconds, and are tested elsewhere."""
    monkeypatch.setattr("assay.analysis.figures.style.figure_as", lambda kind, figure: f"{kind} {figure!r}".encode())


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def columns(rows: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def evaluation_and_prediction(run: Path, data: str, inputs: Path, out: Path, *options: str) -> tuple[list, list, list]:
    """The rows of evaluate's log and of predict's CSV, as text, and the exit statuses of the two."""
    statuses = [
        main(["evaluate", str(run), "--data.name", data, "--out", str(out), *options]),
        main(["predict", str(run), str(inputs), "--out", str(out / "answers.csv"), *options]),
    ]
    return read_csv((out / "log.csv").read_text()), read_csv((out / "answers.csv").read_text()), statuses


def test_predict_gives_what_evaluate_gave_to_the_last_digit(data: Path, trained: Path, tmp_path: Path) -> None:
    log, answers, statuses = evaluation_and_prediction(trained, f"folder:{data}", data / "test", tmp_path)
    assert statuses == [0, 0]
    assert len(log) == 309
    assert [row["name"] for row in answers] == [f"{data}/{row['name']}" for row in log]
    assert columns(answers, "label", "probability") == columns(log, "predicted", "probability")
    assert len({row["probability"] for row in answers}) > 200  # not the same answer everywhere


def to_parquet(data: Path, file: Path, write: WriteParquet, spoiled: tuple[int, ...] = ()) -> Path:
    paths = sorted((data / "test").rglob("*.png"))
    images = [{"bytes": path.read_bytes(), "path": None} for path in paths]
    for row in spoiled:
        images[row] = {"bytes": b"spoiled", "path": None}
    labels = [CLASSES.index(path.parent.name) for path in paths]
    return write(file, {"label": labels}, names={"label": CLASSES}, images=images)


def test_the_same_from_a_parquet_file(data: Path, trained: Path, tmp_path: Path, write_parquet: WriteParquet) -> None:
    file = to_parquet(data, tmp_path / "photos.parquet", write_parquet)
    log, answers, statuses = evaluation_and_prediction(trained, f"parquet:{file}", file, tmp_path)
    assert statuses == [0, 0]
    assert columns(answers, "label", "probability") == columns(log, "predicted", "probability")
    plain = assay.predict(trained, data / "test", top=1)
    assert [row["probability"] for row in answers] == [f"{one.probabilities[0]:.6g}" for one in plain]


def test_the_same_where_bad_images_are_left_out(data: Path, trained: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(data, tmp_path / "data")
    for name in ("ant/000.png", "bee/050.png", "cat/102.png"):
        content = (copy / "test" / name).read_bytes()
        (copy / "test" / name).write_bytes(content[: len(content) // 2])
    (copy / "test" / "bee" / "bad.jpg").write_text("text")
    log, answers, statuses = evaluation_and_prediction(
        trained, f"folder:{copy}", copy / "test", tmp_path, "--on-bad-image", "skip"
    )
    assert statuses == [1, 1]
    assert len(log) == 306
    assert [row["name"] for row in answers] == [f"{copy}/{row['name']}" for row in log]
    assert columns(answers, "label", "probability") == columns(log, "predicted", "probability")


def test_the_same_where_bad_rows_of_a_parquet_file_are_left_out(
    data: Path, trained: Path, tmp_path: Path, write_parquet: WriteParquet, capsys: pytest.CaptureFixture[str]
) -> None:
    file = to_parquet(data, tmp_path / "photos.parquet", write_parquet, spoiled=(3, 255, 256))
    log, answers, statuses = evaluation_and_prediction(
        trained, f"parquet:{file}", file, tmp_path, "--on-bad-image", "skip"
    )
    assert statuses == [1, 1]
    assert len(log) == 306
    assert columns(answers, "label", "probability") == columns(log, "predicted", "probability")
    assert capsys.readouterr().err.count("assay: left out: ") == 6


def test_the_order_and_the_company_of_an_image_do_not_matter_much(data: Path, trained: Path) -> None:
    """Other batches may round otherwise, but no more than that."""
    files = sorted((data / "test" / "ant").glob("*.png"))
    together = assay.predict(trained, files, top=3)
    backwards = assay.predict(trained, files[::-1], top=3)
    assert [one.name for one in backwards] == [str(file) for file in files[::-1]]
    for one, other in zip(together, reversed(list(backwards)), strict=True):
        assert dict(zip(one.classes, one.probabilities, strict=True)) == pytest.approx(
            dict(zip(other.classes, other.probabilities, strict=True)), abs=1e-5
        )


def test_predictions_of_more_than_a_batch_name_the_right_bad_image(data: Path, trained: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(data / "test", tmp_path / "photos")
    bad = copy / "cat" / "090.png"
    bad.write_bytes(b"")
    with pytest.raises(BadImageError) as error:
        assay.predict(trained, copy)
    assert error.value.name == str(bad)
    assert not multiprocessing.active_children()  # the decoding processes are gone, whatever holds the error
    predictions = assay.predict(trained, copy, on_bad_image="skip")
    assert [one.name for one in predictions.left_out] == [str(bad)]
    assert len(predictions) == 308
    assert str(bad) not in {one.name for one in predictions}


def draw_all_kinds(folder: Path) -> None:
    """A file of every mode that a format can hold, and of odd sizes."""
    folder.mkdir()
    color, draw = photo(5), np.random.default_rng(0)
    gray = color.convert("L")
    deep = Image.fromarray(draw.integers(0, 65536, (20, 30), dtype=np.uint16))
    for kind in ("png", "jpg", "tif", "bmp", "webp", "gif"):
        color.save(folder / f"color.{kind}")
        gray.save(folder / f"gray.{kind}")
    for mode in ("1", "LA", "P", "RGBA"):
        color.convert("L" if mode == "LA" else "RGB").convert(mode).save(folder / f"mode-{mode}.png")
    color.convert("P").save(folder / "transparent.png", transparency=3)
    color.convert("P").save(folder / "transparent.gif", transparency=3)
    color.convert("CMYK").save(folder / "cmyk.jpg")
    color.convert("CMYK").save(folder / "cmyk.tif")
    deep.save(folder / "deep.png")
    deep.save(folder / "deep.tif")
    turned = Image.Exif()
    turned[0x0112] = 6
    color.save(folder / "turned.jpg", exif=turned)
    gray.save(folder / "moving.gif", save_all=True, append_images=[gray.rotate(90)])
    color.resize((1, 1)).save(folder / "tiny.png")
    color.resize((2000, 3)).save(folder / "long.png")
    color.resize((3, 2000)).save(folder / "UPPER.JPG")


@pytest.mark.parametrize("model", ["color", "gray"])
def test_images_of_any_kind_are_answered_for_in_sorted_order(
    model: str, trained: Path, digits: RunRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_all_kinds(tmp_path / "kinds")
    assert main(["predict", str(trained if model == "color" else digits.folder), str(tmp_path / "kinds")]) == 0
    rows = read_csv(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [str(path) for path in sorted((tmp_path / "kinds").iterdir())]
    assert len(rows) == 27
    assert all(0 < float(row["probability"]) <= 1 for row in rows)


def test_a_lossless_copy_is_answered_for_alike(trained: Path, tmp_path: Path) -> None:
    picture = photo(7)
    for kind in ("bmp", "png", "tif"):
        picture.save(tmp_path / f"x.{kind}")
    picture.save(tmp_path / "x.webp", lossless=True)
    picture.convert("RGBA").save(tmp_path / "opaque.png")
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=orientation(6))
    answers = {one.probabilities for one in assay.predict(trained, tmp_path)}
    assert len(answers) == 1


def orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def test_every_format_holds_the_same_rows(data: Path, trained: Path, tmp_path: Path) -> None:
    inputs, files = str(data / "test" / "bee"), {kind: tmp_path / f"x.{kind}" for kind in ("csv", "jsonl", "parquet")}
    for file in files.values():
        assert main(["predict", str(trained), inputs, "--top", "2", "--out", str(file)]) == 0
    rows = pq.read_table(files["parquet"]).to_pylist()
    assert list(rows[0]) == ["name", "label", "probability", "label_2", "probability_2"]
    assert rows == [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    text = [{name: f"{value:.6g}" if "prob" in name else value for name, value in row.items()} for row in rows]
    assert text == read_csv(files["csv"].read_text())
    assert rows == [one.to_row() for one in assay.predict(trained, inputs, top=2)]


class Killed(BaseException):
    """Stands for a kill."""


@contextmanager
def killed_after(parts: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The journal loses its process after so many parts."""
    add, added = Journal.add, []

    def add_or_die(self: Journal, part: Part, *, is_last: bool) -> None:
        if len(added) == parts:
            self._log.extend([{"name": "half a part"}])  # rows without the state that tells of them
            raise Killed
        added.append(part)
        add(self, part, is_last=is_last)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", add_or_die)
        with pytest.raises(Killed):
            yield


@pytest.mark.parametrize("ending", rest_slow(["csv", "jsonl", "parquet"]))
def test_a_prediction_that_was_killed_ends_as_one_that_was_not(
    ending: str, data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = shutil.copytree(data / "test", tmp_path / "photos")
    for name in ("bee/007.png", "cat/050.png"):
        (photos / name).write_text("no image")
    monkeypatch.setattr("assay.classifier.predict.AT_LEAST", 100)
    monkeypatch.setattr("assay.classifier.prediction.batch_size", lambda *_: 102)  # a single one is left to resume
    once, twice = tmp_path / f"once.{ending}", tmp_path / f"twice.{ending}"
    options = {"on_bad_image": "skip", "device": "cpu", "top": 2}
    whole = assay.predict_to_file(trained, photos, once, **options)
    with killed_after(3, monkeypatch):
        assay.predict_to_file(trained, photos, twice, **options)
    assert not twice.exists()
    with pytest.raises(ValueError, match=r"are there already; go on with --resume, or delete .*\.state"):
        assay.predict_to_file(trained, photos, twice, **options)
    with pytest.raises(ValueError, match="another model, of other images or with other options"):
        assay.predict_to_file(trained, photos, twice, **{**options, "top": 1}, resume=True)
    resumed = assay.predict_to_file(trained, photos, twice, **options, resume=True)
    assert twice.read_bytes() == once.read_bytes()
    assert resumed.rows == whole.rows == 307
    assert [str(error) for error in resumed.left_out] == [str(error) for error in whole.left_out]
    assert {path.name for path in tmp_path.iterdir()} == {"photos", once.name, twice.name}


def test_a_damaged_state_is_refused(data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.classifier.predict.AT_LEAST", 100)
    out = tmp_path / "x.csv"
    with killed_after(1, monkeypatch):
        assay.predict_to_file(trained, data / "test", out)
    state = json.loads((tmp_path / ".x.csv.state").read_text())
    for change in ({"end": None}, {"size": 10**9}, {"left_out": [1]}):
        (tmp_path / ".x.csv.state").write_text(json.dumps(state | change))
        with pytest.raises(ValueError, match=r"\.x\.csv\.state: damaged; delete it"):
            assay.predict_to_file(trained, data / "test", out, resume=True)


def test_going_on_needs_a_file(data: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(trained), str(data / "test"), "--resume"]) == 2
    assert capsys.readouterr().err == "assay: --resume: which file to go on with? give it as --out\n"


@pytest.mark.parametrize("top", [1, 3, 10, 99])
def test_the_most_probable_classes_come_first(digits: RunRecord, data: Path, top: int) -> None:
    for one in assay.predict(digits.folder, data / "test" / "ant", top=top):
        assert len(one.classes) == len(set(one.classes)) == len(one.probabilities) == min(top, 10)
        assert list(one.probabilities) == sorted(one.probabilities, reverse=True)
        assert min(one.probabilities) >= 0
        if top >= 10:
            assert sum(one.probabilities) == pytest.approx(1, abs=1e-6)
        else:
            assert sum(one.probabilities) < 1


def test_several_inputs_keep_their_order_and_may_repeat(data: Path, trained: Path, capsys) -> None:
    bee, ant = (sorted((data / "test" / name).glob("*.png"))[:1] for name in ("bee", "ant"))
    assert main(["predict", str(trained), *map(str, [*bee, data / "test" / "cat", *ant, *bee])]) == 0
    names = [row["name"] for row in read_csv(capsys.readouterr().out)]
    cats = sorted((data / "test" / "cat").iterdir())
    assert names == [str(path) for path in [*bee, *cats, *ant, *bee]]


def test_views_of_a_picture_and_of_its_mirror_image_are_the_same(trained: Path, tmp_path: Path) -> None:
    photo(7).resize((16, 16)).save(tmp_path / "a.png")
    photo(7).resize((16, 16)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "b.png")
    options = {"top": 3, "device": torch.device("cpu"), "workers": 0, "skip_bad": False}
    images = find_inputs([tmp_path])
    plain = predict_images(ready(load(trained), torch.device("cpu")), images, **options)
    both = predict_images(ready(load(trained), torch.device("cpu")), images, **options, views=views_of("flip"))
    assert plain[0].probabilities != pytest.approx(plain[1].probabilities, abs=1e-4)
    assert both[0].classes == both[1].classes
    assert both[0].probabilities == pytest.approx(both[1].probabilities, abs=1e-5)


def test_scores_that_are_not_finite_are_no_predictions(trained: Path, data: Path) -> None:
    classifier = load(trained)
    next(classifier.network.parameters()).data.fill_(float("nan"))
    inputs = find_inputs([data])
    with pytest.raises(ValueError, match="the network's scores for it are not finite numbers"):
        predict_images(classifier, inputs, top=1, device=torch.device("cpu"), workers=0, skip_bad=False)
    with pytest.raises(ValueError, match="some of the network's scores for test are not finite numbers"):
        SplitRequest(data=f"folder:{data}").evaluate(classifier, torch.device("cpu"))
