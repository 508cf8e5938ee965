"""Sets in shards at an address: the same sets as on the disk, read by ranges, and refused in one line."""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import assay
from assay.cli import main
from assay.data import places, webdataset
from assay.data.byte_range import ByteRange, opened
from assay.data.decode import map_in_workers
from assay.data.far import opened_ahead
from assay.data.images import BadImageError
from assay.data.pack import ShardKind, pack
from assay.data.places import UnreachableError, files_below, is_address, place_at, read_range, version_of
from assay.data.sources import full_name, load_source, name_of_set
from assay.data.split import Source
from assay.data.survey import survey

pytest.importorskip("upath", reason="universal-pathlib is not installed")
fsspec: Any = pytest.importorskip("fsspec")

MakeFolder = Callable[..., Path]


@pytest.fixture
def store() -> Iterator[Any]:
    """An empty file system in memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def shards(tmp_path: Path, make_folder: MakeFolder, store: Any) -> Callable[[ShardKind], Path]:
    """Packs a set of two splits, and puts a copy of the shards at ``memory://bucket/set``; returns the local folder."""

    def make(kind: ShardKind) -> Path:
        images = tmp_path / "images"
        make_folder(images / "train", {"ant": 7, "bee": 5}, side=12)
        make_folder(images / "val", {"ant": 2, "bee": 2}, side=12)
        pack(images, tmp_path / kind, to=kind)
        upload(tmp_path / kind, store)
        return tmp_path / kind

    return make


def upload(folder: Path, store: Any) -> None:
    for file in folder.iterdir():
        store.pipe_file(f"/bucket/set/{file.name}", file.read_bytes())


def content(source: Source) -> dict[str, Any]:
    return {
        name: (
            list(split.images.names),
            split.labels.tolist(),
            [np.asarray(split.images.open(row)).tolist() for row in range(len(split))],
        )
        for name, split in source.splits.items()
    }


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
@pytest.mark.parametrize("memory", [4.0, 0.0])
@pytest.mark.parametrize("place", ["", "/*-0000?{}", "/train-{{00000..00000}}{}", "/train-00000{}"])
def test_a_set_at_an_address_is_that_on_the_disk(
    kind: ShardKind, memory: float, place: str, shards: Callable[[ShardKind], Path]
) -> None:
    folder, place = shards(kind), place.format({"webdataset": ".tar", "parquet": ".parquet"}[kind])
    here = load_source(f"{kind}:{folder}{place}", memory=memory)
    there = load_source(f"{kind}:memory://bucket/set{place}", memory=memory)
    assert content(there) == content(here)
    assert there.classes == here.classes == ("ant", "bee")


def test_a_set_is_known_by_the_files_at_its_address(shards: Callable[[ShardKind], Path], store: Any) -> None:
    shards("webdataset")
    assert name_of_set("memory://bucket/set") == "webdataset:memory://bucket/set"
    assert name_of_set("memory://bucket/set/train-00000.tar") == "webdataset:memory://bucket/set/train-00000.tar"
    store.pipe_file("/other/train.parquet", b"")
    assert name_of_set("memory://other") == "parquet:memory://other"


def test_an_address_is_its_full_name_and_a_local_path_becomes_absolute() -> None:
    assert full_name("webdataset:s3://bucket/a") == "webdataset:s3://bucket/a"
    assert full_name("webdataset:a") == f"webdataset:{Path('a').resolve()}"
    assert [is_address(text) for text in ("s3://a", "a/b", "C:/a", "/a://b", "")] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder:memory://bucket/images", "assay pack, and read them from an address as webdataset:memory://bucket"),
        ("webdataset:memory://nowhere", "webdataset:memory://nowhere: no such file or folder"),
        ("webdataset:memory://bucket/set/gone.tar", "memory://bucket/set/gone.tar: no such file or folder"),
        ("parquet:memory://bucket/set", "parquet:memory://bucket/set: no .parquet file in it"),
        ("webdataset:memory://bucket/set/train-{00000..00001}.tar", "missing: memory://bucket/set/train-00001.tar"),
        ("webdataset:nope://bucket/set", "nope://bucket/set: "),
    ],
)
def test_what_cannot_be_a_set_at_an_address_is_refused(
    name: str, message: str, shards: Callable[[ShardKind], Path]
) -> None:
    shards("webdataset")
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at
        load_source(name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_access_that_is_refused_is_told(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(store), "info", refuse)
    with pytest.raises(
        UnreachableError, match=r"^memory://bucket/set: cannot be read \(PermissionError: Access Denied"
    ):
        load_source("webdataset:memory://bucket/set")


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ValueError, match=r"^s3://bucket/set: Install s3fs"):
        load_source("webdataset:s3://bucket/set")
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(ValueError, match=r"universal-pathlib is not installed: pip install 'assay\[remote\]'"):
        load_source("webdataset:memory://bucket/set")


def test_a_torn_shard_at_an_address_is_named(shards: Callable[[ShardKind], Path], store: Any) -> None:
    shards("webdataset")
    torn = _held_out(store)
    store.pipe_file(torn, store.cat_file(torn)[:1000])
    with pytest.raises(ValueError, match=f"^memory:/{torn}: .*cut off"):
        load_source("webdataset:memory://bucket/set")


def _held_out(store: Any) -> str:
    return next(str(name) for name in store.find("/bucket/set") if "/val" in name)


def test_the_index_is_kept_until_the_object_changes(
    shards: Callable[[ShardKind], Path], store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards("webdataset")
    read: list[str] = []
    index = webdataset._index
    monkeypatch.setattr(webdataset, "_index", lambda file, label: read.append(file.name) or index(file, label))
    for _ in range(2):
        load_source("webdataset:memory://bucket/set")
    assert len(read) == 2  # of each shard once
    held_out = _held_out(store)
    store.pipe_file(held_out, store.cat_file("/bucket/set/train-00000.tar"))
    assert len(load_source("webdataset:memory://bucket/set").splits["held-out"]) == 12
    assert len(read) == 3


def test_an_image_is_read_in_one_request_of_its_bytes(
    shards: Callable[[ShardKind], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards("webdataset")
    images = load_source("webdataset:memory://bucket/set").splits["train"].images
    asked: list[int] = []
    monkeypatch.setattr(
        webdataset, "read_range", lambda file, start, size: asked.append(size) or read_range(file, start, size)
    )
    images.excerpt(0)  # stands for the bytes, and is asked for of each image where a run begins
    assert asked == []
    with images.open(0) as image:
        image.load()
    assert len(asked) == 1
    assert asked[0] < 1000


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_what_stands_for_the_images_changes_with_the_object(
    kind: ShardKind, shards: Callable[[ShardKind], Path]
) -> None:
    name = f"{kind}:memory://bucket/set"
    folder = shards(kind)
    before, again = (load_source(name, memory=0).splits["train"].images.excerpt(0) for _ in range(2))
    upload(folder, fsspec.filesystem("memory"))
    assert before == again != load_source(name, memory=0).splits["train"].images.excerpt(0)


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_a_connection_that_breaks_is_told_and_no_bad_image(
    kind: ShardKind, shards: Callable[[ShardKind], Path], store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards(kind)
    images = load_source(f"{kind}:memory://bucket/set", memory=0).splits["train"].images
    monkeypatch.setattr(type(store), "cat_file", lambda *_args, **_more: 1 / 0)
    with pytest.raises(
        UnreachableError, match=r"^memory://bucket/set/train-00000.* cannot be read \(ZeroDivisionError"
    ):
        images.open(0)


def test_an_object_that_shrinks_is_told(shards: Callable[[ShardKind], Path], store: Any) -> None:
    shards("webdataset")
    images = load_source("webdataset:memory://bucket/set").splits["train"].images
    store.pipe_file("/bucket/set/train-00000.tar", b"short")
    with pytest.raises(UnreachableError, match=r"train-00000.tar: gave 0 bytes in place of"):
        images.open(3)


def test_bytes_that_are_no_image_stay_a_bad_image(store: Any, shards: Callable[[ShardKind], Path]) -> None:
    shards("webdataset")
    images = load_source("webdataset:memory://bucket/set").splits["train"].images
    size = store.size("/bucket/set/train-00000.tar")
    store.pipe_file("/bucket/set/train-00000.tar", b"x" * size)
    with pytest.raises(BadImageError):
        images.open(3)


def test_images_at_an_address_can_be_sent_to_workers(shards: Callable[[ShardKind], Path]) -> None:
    shards("webdataset")
    images = load_source("webdataset:memory://bucket/set").splits["train"].images
    with images.open(5) as one, pickle.loads(pickle.dumps(images)).open(5) as other:
        assert one.tobytes() == other.tobytes()


def test_files_are_found_in_the_order_of_a_local_folder(tmp_path: Path, store: Any) -> None:
    for name in ("b/2.tar", "a.tar", "b.tar", "b/.hidden/3.tar", ".a.tar", "b/1.tar", "c.d/1.tar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        store.pipe_file(f"/bucket/{name}", b"")
    here = [str(file.relative_to(tmp_path)) for file in files_below(tmp_path)]  # type: ignore[arg-type]
    there = [str(file).removeprefix("memory://bucket/") for file in files_below(place_at("memory://bucket"))]
    assert there == here


def test_a_server_that_tells_no_state_keeps_nothing(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe_file("/bucket/a.tar", b"abc")
    place: Any = place_at("memory://bucket/a.tar")
    assert "size 3" in str(version_of(place))
    monkeypatch.setattr(places, "_about", lambda _: {"size": 3, "name": "a.tar"})
    assert version_of(place) is None
    monkeypatch.setattr(places, "_about", lambda _: {"size": 3, "ETag": '"x"', "LastModified": "now"})
    assert version_of(place) == 'size 3|etag "x"'  # the same content written anew is the same


def test_a_file_at_an_address_is_read_ahead(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe_file("/bucket/a.tar", bytes(range(256)) * 64)
    requests: list[int] = []
    monkeypatch.setattr(
        "assay.data.byte_range.read_range",
        lambda file, start, size: requests.append(size) or read_range(file, start, size),
    )
    place = place_at("memory://bucket/a.tar")
    with opened(place) as file:
        assert [file.read(2), file.seek(1000), file.read(2)] == [b"\0\1", 1000, bytes([232, 233])]
    assert requests == [16384]
    with ByteRange(place, 0, 16384) as file:
        file.seek(300)
        assert file.read(3) == bytes([44, 45, 46])
    assert requests == [16384, 3]


def test_shards_are_not_written_to_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pack", "digits", "--out", "memory://bucket/new"]) == 2
    assert "--out: memory://bucket/new: shards are written to a local folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_set_at_an_address_is_packed(shards: Callable[[ShardKind], Path], tmp_path: Path) -> None:
    folder = shards("webdataset")
    pack("memory://bucket/set", tmp_path / "again", to="parquet")
    here, again = load_source(f"webdataset:{folder}"), load_source(f"parquet:{tmp_path / 'again'}")
    assert [again.splits[name].labels.tolist() for name in again.splits] == [
        here.splits[name].labels.tolist() for name in here.splits
    ]


TRAINING = {
    "model.name": "simple-cnn",
    "train.epochs": 1,
    "train.batch_size": 4,
    "train.tensorboard": False,
    "data.size": 16,
    "data.test": 0.25,
}


@pytest.mark.parametrize(
    ("kind", "memory", "workers"), [("webdataset", 1.0, 0), ("webdataset", 0, 2), ("parquet", 0, 2)]
)
def test_a_run_is_the_same_to_the_bit_wherever_the_shards_lie(
    kind: ShardKind, memory: float, workers: int, shards: Callable[[ShardKind], Path], tmp_path: Path
) -> None:
    changes = {**TRAINING, "data.memory": memory, "data.workers": workers}
    weights = []
    for number, place in enumerate((shards(kind), "memory://bucket/set")):
        out = tmp_path / str(number)
        assay.train("digits", {**changes, "data.name": f"{kind}:{place}"}, out=out, progress=False)
        weights.append({name: part.tobytes() for name, part in load_file(out / "model.safetensors").items()})
    assert weights[0] == weights[1]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_connection_that_breaks_while_training_ends_the_run_in_a_line(
    workers: str,
    shards: Callable[[ShardKind], Path],
    store: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shards("webdataset")
    for split in load_source("webdataset:memory://bucket/set").splits.values():
        survey(split.images)  # is kept, so that the images are due in the epoch
    read = type(store).cat_file

    def broken(self: Any, path: str, *, start: int, end: int) -> bytes:
        if start > 0:
            raise ConnectionError("reset by peer")
        content: bytes = read(self, path, start=start, end=end)
        return content

    monkeypatch.setattr(type(store), "cat_file", broken)
    options = [f"--{name}={str(value).lower()}" for name, value in TRAINING.items()]
    options += ["--data.on_bad_image=skip", "--data.memory=0", f"--data.workers={workers}", f"--out={tmp_path / 'run'}"]
    assert main(["train", "digits", "--data.name=webdataset:memory://bucket/set", *options]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "memory://bucket/set/train-00000.tar: cannot be read (ConnectionError: reset by peer)" in message
    assert "Traceback" not in message


def test_requests_for_images_wait_side_by_side_and_the_images_keep_their_order(
    shards: Callable[[ShardKind], Path], store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards("webdataset")
    images = load_source("webdataset:memory://bucket/set").splits["train"].take(np.arange(11, -1, -1)).images
    expected = [np.asarray(images.open(row)).tolist() for row in range(12)]
    read, all_wait = type(store).cat_file, threading.Barrier(12)

    def slow(self: Any, path: str, *, start: int, end: int) -> bytes:
        all_wait.wait(timeout=20)  # until each of the others has been asked for too
        content: bytes = read(self, path, start=start, end=end)
        return content

    monkeypatch.setattr(type(store), "cat_file", slow)
    assert [np.asarray(open_image()).tolist() for open_image in opened_ahead(images, range(12))] == expected


def test_a_worker_hands_a_broken_connection_on_in_one_line() -> None:
    with pytest.raises(UnreachableError, match=r"^s3://bucket/a.tar: gone$"):
        list(map_in_workers(unreachable, range(4), 2))


def unreachable(_request: int) -> int:
    raise UnreachableError("s3://bucket/a.tar: gone")


def test_a_broken_connection_is_not_kept_as_an_unreadable_image(
    shards: Callable[[ShardKind], Path], store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards("webdataset")
    images = load_source("webdataset:memory://bucket/set").splits["train"].images
    with monkeypatch.context() as broken:
        broken.setattr(type(store), "cat_file", lambda *_args, **_more: 1 / 0)
        with pytest.raises(UnreachableError):
            survey(images)
    assert survey(images).readable.all()
