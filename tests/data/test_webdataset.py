"""Tar shards, as the webdataset library writes them and as they come damaged."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.data.byte_range import ByteRange
from assay.data.cache import FINGERPRINTS
from assay.data.images import BadImageError
from assay.data.shards import find_shards
from assay.data.sources import load_source, name_of_set
from assay.data.split import Source
from assay.data.webdataset import read_webdataset

Sample = Mapping[str, bytes | str]


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 5), value, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def write_shard(file: Path, samples: Mapping[str, Sample], mode: str = "w") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for key, parts in samples.items():
            for ending, content in parts.items():
                data = content.encode() if isinstance(content, str) else content
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return file


def samples(labels: Sequence[int | str], first: int = 0) -> dict[str, Sample]:
    return {
        f"{first + place:04d}": {"png": png(first + place), "cls": str(label)} for place, label in enumerate(labels)
    }


def read(place: Path, label: str | None = None, **options: str) -> Source:
    files = find_shards(place, "webdataset", ".tar")
    return read_webdataset(files, label, fingerprint=FINGERPRINTS["on"], **options)  # type: ignore[arg-type]


def pixels(source: Source, split: str = "train") -> list[int]:
    images = source.splits[split].images
    return [int(np.asarray(images.open(row))[0, 0]) for row in range(len(images.names))]


def test_splits_shards_and_labels(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-000.tar", samples([2, 0]))
    write_shard(tmp_path / "train-001.tar", samples([1], first=2))
    write_shard(tmp_path / "val-000.tar", samples([0, 1], first=10))
    source = read(tmp_path)
    assert source.classes == ("0", "1", "2")
    assert {name: split.labels.tolist() for name, split in source.splits.items()} == {
        "train": [2, 0, 1],
        "held-out": [0, 1],
    }
    assert pixels(source) == [0, 1, 2]
    assert pixels(source, "held-out") == [10, 11]
    assert list(source.splits["train"].images.names) == ["train-000/0000", "train-000/0001", "train-001/0002"]


def test_names_of_the_classes_stand_beside_the_shards(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-0.tar", samples([1, 2]))
    (tmp_path / "classes.json").write_text(json.dumps({"names": ["ant", "bee", "cat"]}))
    source = read(tmp_path)
    assert source.classes == ("ant", "bee", "cat")
    assert source.splits["train"].labels.tolist() == [1, 2]
    (tmp_path / "classes.json").write_text('{"names": ["ant"]}')
    with pytest.raises(ValueError, match=r"train-0.tar: sample 0000: column cls: label 1 is not one of the 1 classes"):
        read(tmp_path)
    (tmp_path / "classes.json").write_text('{"names": [3]}')
    with pytest.raises(ValueError, match=r"classes.json: names: expected a list of texts"):
        read(tmp_path)


def test_labels_may_be_texts_or_a_field_of_json(tmp_path: Path) -> None:
    file = write_shard(
        tmp_path / "train.tar",
        {
            "a/1": {"jpg": png(1), "json": '{"kind": "owl", "id": 7}', "cls": "bird\n"},
            "a/2": {"json": '{"kind": "elk", "id": 8}', "cls": "mammal", "JPG": png(2)},
        },
    )
    assert read(file).classes == ("bird", "mammal")
    source = read(file, "kind")
    assert (source.classes, source.splits["train"].labels.tolist()) == (("elk", "owl"), [1, 0])
    assert source.odd == ["2 files .cls in the shards: no images, no labels"]
    with pytest.raises(ValueError, match=r"sample a/1: a/1.json has no field 'kin': did you mean kind\?"):
        read(file, "kin")


def test_what_is_not_used_is_said(tmp_path: Path) -> None:
    lone = {"txt": "a caption", "cls": "0"}
    file = write_shard(tmp_path / "train.tar", {**samples([0, 1]), "lone": lone, "._0": {"png": b"of macOS"}})
    source = read(file)
    assert len(source.splits["train"]) == 2
    assert source.odd == [
        "1 files .cls in the shards: no images, no labels",
        "1 files .txt in the shards: no images, no labels",
    ]


def test_samples_without_a_label(tmp_path: Path) -> None:
    file = write_shard(tmp_path / "train.tar", {**samples([0, 1, -1]), "none": {"png": png(9)}})
    with pytest.raises(ValueError, match=r"train.tar: sample 0002: column cls: label -1: 2 of the 4 rows of train"):
        read(file)
    source = read(file, unlabelled="skip")
    assert pixels(source) == [0, 1]
    assert source.unlabelled == ["2 of the 4 rows of train have no label"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": {"png": b"", "jpg": b"", "cls": "0"}}, "sample a holds 2 images, expected one"),
        ({"a": {"cls": "0"}}, "no image in train"),
        ({**samples([0]), "b": {"png": png(0), "cls": b"\xff"}}, "sample b: b.cls is not text"),
        ({"a": {"png": png(0), "cls": "x" * 2**21}}, "a.cls has 2,097,152 bytes; a label has at most 1,048,576"),
    ],
)
def test_a_shard_that_cannot_be_used_is_refused(content: dict[str, Sample], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        read(write_shard(tmp_path / "train.tar", content))
    assert "\n" not in str(refused.value)


def test_two_samples_of_one_name_are_refused(tmp_path: Path) -> None:
    file = write_shard(tmp_path / "train.tar", samples([0, 1]))
    write_shard(file, samples([1]), mode="a")
    with pytest.raises(ValueError, match=r"train.tar: two samples are called 0000"):
        read(file)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7])
def test_a_torn_shard_is_named(kept: float, tmp_path: Path) -> None:
    write_shard(tmp_path / "train-0.tar", samples([0, 1]))
    torn = write_shard(tmp_path / "train-1.tar", {"a": {"png": png(0) + bytes(9_000), "cls": "1"}})
    torn.write_bytes(torn.read_bytes()[: int(kept * 9_000)])
    with pytest.raises(ValueError, match=r"train-1.tar: (not a tar file, compressed, or )?cut off"):
        read(tmp_path)


def test_a_compressed_shard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compressed one has to be unpacked"):
        read(write_shard(tmp_path / "train.tar", samples([0, 1]), mode="w:gz"))


def test_a_missing_shard_of_a_range_is_named(tmp_path: Path) -> None:
    for number in (0, 1, 3):
        write_shard(tmp_path / f"some-{number:02d}.tar", samples([0, 1], first=10 * number))
    with pytest.raises(ValueError, match=r"missing: .*some-02.tar"):
        load_source(f"webdataset:{tmp_path}/some-{{00..03}}.tar")
    assert len(load_source(f"webdataset:{tmp_path}/some-{{00..01}}.tar").splits["train"]) == 4
    assert len(load_source(f"webdataset:{tmp_path}/some-*.tar").splits["train"]) == 6
    with pytest.raises(ValueError, match=r"missing: .*other-\*.tar"):
        load_source(f"webdataset:{tmp_path}/other-*.tar")


def test_the_index_is_kept_until_the_shard_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    file = write_shard(tmp_path / "train.tar", samples([0, 1]))
    before = read(file)
    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "open", lambda *_: pytest.fail("the index is made again"))
        assert read(file).splits["train"].labels.tolist() == before.splits["train"].labels.tolist()
    write_shard(file, samples([1, 0, 1]))
    assert read(file).splits["train"].labels.tolist() == [1, 0, 1]


def test_an_image_that_is_cut_off_later_is_a_bad_one(tmp_path: Path) -> None:
    file = write_shard(tmp_path / "train.tar", samples([0, 1]))
    images = read(file).splits["train"].images
    file.write_bytes(file.read_bytes()[:520])
    with pytest.raises(BadImageError, match="train/0001"):
        images.open(1)
    file.unlink()
    with pytest.raises(BadImageError, match="train/0000: cannot be read"):
        images.open(0)


def test_images_can_be_sent_to_workers(tmp_path: Path) -> None:
    source = read(write_shard(tmp_path / "train.tar", samples([0, 1])))
    assert pixels(pickle.loads(pickle.dumps(source))) == [0, 1]


def test_a_set_is_known_by_its_files(tmp_path: Path) -> None:
    file = write_shard(tmp_path / "shards" / "train.tar", samples([0, 1]))
    assert name_of_set(file) == f"webdataset:{file}"
    assert name_of_set(file.parent) == f"webdataset:{file.parent}"


def test_a_byte_range_reads_as_the_bytes_do(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(1000)
    (tmp_path / "file").write_bytes(content)
    with ByteRange(tmp_path / "file", 100, 300) as part:
        expected = io.BytesIO(content[100:400])
        for place, whence, length in [(0, 0, 10), (5, 1, 50), (-20, 2, 100), (290, 0, 100), (400, 0, 5), (0, 0, -1)]:
            assert part.seek(place, whence) == expected.seek(place, whence)
            assert part.read(length) == expected.read(length)
