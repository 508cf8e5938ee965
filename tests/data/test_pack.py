"""A set packed into shards is the same set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import assay
from assay.cli import main
from assay.data.images import BadImageError
from assay.data.pack import ShardKind, pack
from assay.data.sources import load_source
from assay.data.split import Source


def contents(source: Source) -> dict[str, list[tuple[str, np.ndarray]]]:
    """The class and the pixels of each image, by split."""
    return {
        name: [
            (source.classes[label], np.asarray(split.images.open(row)))
            for row, label in enumerate(split.labels.tolist())
        ]
        for name, split in source.splits.items()
    }


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes with images of three formats, and a split of its own to test by."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 10, 3), dtype=np.uint8)
    for place, one in enumerate(pixels):
        kind = ("png", "jpg", "bmp")[place % 3]
        file = (
            tmp_path / "photos" / ("test" if place > 6 else "train") / ("owl", "elk")[place % 2] / f"a.{place}.{kind}"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(file)
    return tmp_path / "photos"


@pytest.mark.parametrize("to", ["webdataset", "parquet"])
def test_a_packed_set_is_the_same_set(to: ShardKind, photos: Path, tmp_path: Path) -> None:
    packed = pack(photos, tmp_path / "new" / "packed", to=to)
    before, after = load_source(f"folder:{photos}"), load_source(f"{to}:{tmp_path / 'new' / 'packed'}")
    assert after.classes == before.classes == ("elk", "owl")
    assert packed.images == {"train": 7, "test": 2}
    assert after.odd == ()
    for name, images in contents(before).items():
        for (old_class, old), (new_class, new) in zip(images, contents(after)[name], strict=True):
            assert old_class == new_class
            assert np.array_equal(old, new)  # JPEG too: the encoded bytes are copied


def test_sets_of_pixels_become_png(tmp_path: Path) -> None:
    pack("digits", tmp_path / "packed")
    before, after = load_source("digits"), load_source(f"webdataset:{tmp_path / 'packed'}")
    for (old_class, old), (new_class, new) in zip(contents(before)["test"], contents(after)["test"], strict=True):
        assert old_class == new_class
        assert np.array_equal(old, new)


@pytest.mark.parametrize("to", ["webdataset", "parquet"])
def test_shards_begin_anew_at_their_size(to: ShardKind, tmp_path: Path) -> None:
    large = tmp_path / "large"
    for place in range(6):
        file = large / "ab"[place % 2] / f"{place}.bmp"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((600, 600, 3), place, np.uint8)).save(file)  # 1.03 MiB
    finished: list[tuple[str, int]] = []
    pack(large, tmp_path / "packed", to=to, shard_size=2, watch=lambda file, count: finished.append((file.stem, count)))
    assert finished == [("train-00000", 2), ("train-00001", 2), ("train-00002", 2)]
    values = [pixels[0, 0, 0] for _, pixels in contents(load_source(f"{to}:{tmp_path / 'packed'}"))["train"]]
    assert values == [0, 2, 4, 1, 3, 5]


def test_a_random_order_depends_on_its_seed(photos: Path, tmp_path: Path) -> None:
    orders = []
    for name, seed in (("none", None), ("a", 1), ("b", 1), ("c", 2)):
        pack(photos, tmp_path / name, to="parquet", shuffle=seed)
        orders.append(list(load_source(f"parquet:{tmp_path / name}").splits["train"].images.names))
    assert orders[1] == orders[2]
    assert len({tuple(order) for order in orders}) == 3
    assert len({tuple(sorted(order)) for order in orders}) == 1


def test_equal_sets_give_equal_files(photos: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        pack(photos, tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_parquet_has_small_groups_of_rows(tmp_path: Path) -> None:
    packed = pack("digits", tmp_path / "packed", to="parquet")
    (file,) = packed.shards["train"]
    assert pq.read_metadata(file).num_row_groups == -(-packed.images["train"] // 100)


@pytest.mark.parametrize("to", ["webdataset", "parquet"])
def test_a_bad_image_is_refused_or_left_out(to: ShardKind, photos: Path, tmp_path: Path) -> None:
    (photos / "train" / "owl" / "a.0.png").write_bytes(b"no image")
    with pytest.raises(BadImageError, match=r"a\.0\.png"):
        pack(photos, tmp_path / "packed", to=to)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]  # nothing half-written
    packed = pack(photos, tmp_path / "packed", to=to, on_bad_image="skip")
    assert [error.name for error in packed.bad] == ["train/owl/a.0.png"]
    assert packed.images == {"train": 6, "test": 2}


def test_a_folder_that_is_there_is_not_written_into(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"photos is there already; choose another --out"):
        pack("digits", photos)
    with pytest.raises(ValueError, match="--shard-size: 0 is not at least 1 MiB"):
        pack("digits", tmp_path / "packed", shard_size=0)


def test_the_command_says_what_it_wrote(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "packed"
    (photos / "train" / "owl" / "notes.txt").write_text("no image by its name")
    assert main(["pack", str(photos), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "train-00000.tar  7 images" in printed
    assert "train/owl/notes.txt: not an image by its name" in printed
    assert f"next: assay train RECIPE --data.name webdataset:{out}" in printed


def test_training_on_shards_is_training_on_files(photos: Path, tmp_path: Path) -> None:
    pack(photos, tmp_path / "packed")
    fields = {"data.size": 16, "data.memory": 0, "train.epochs": 1, "train.batch_size": 2, "train.threads": 1}
    models = []
    for name in (f"folder:{photos}", f"webdataset:{tmp_path / 'packed'}"):
        changes = {**fields, "data.name": name, "data.workers": 1, "data.held_out": 0.0, "train.tensorboard": False}
        record = assay.train("simple-cnn", changes, out=tmp_path / name.partition(":")[0], progress=False)
        models.append(record.metrics)
    assert models[0] == models[1]
