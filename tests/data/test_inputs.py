"""Unlabelled inputs: found in order, archives included, and nothing read that should not be."""

import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from assay.data import inputs
from assay.data.images import BadImageError
from assay.data.inputs import find_inputs

MakeFolder = Callable[..., Path]
Picture = Callable[..., np.ndarray]
AsPng = Callable[[np.ndarray], bytes]


@pytest.fixture
def contents(picture: Picture, as_png: AsPng) -> dict[str, bytes]:
    """What lies in an archive: images in several folders, and what archives hold besides."""
    names = ["b/2.png", "b/10.png", "a.PNG", "b/deep/er/x.png", "größe [1].png"]
    images = {name: as_png(picture(seed)) for seed, name in enumerate(names)}
    rest = ["readme.txt", "__MACOSX/._a.png", "b/__MACOSX/x.png", ".hidden/x.png", "b/._2.png", "b/Thumbs.db"]
    return {**images, **dict.fromkeys(rest, b"nothing")}


SORTED = ["a.PNG", "b/10.png", "b/2.png", "b/deep/er/x.png", "größe [1].png"]


def write_zip(file: Path, contents: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("b")
        for name, content in contents.items():
            archive.writestr(name, content)
    return file


def write_tar(file: Path, contents: Mapping[str, bytes]) -> Path:
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(file.suffix, "w")
    with tarfile.open(file, mode) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def write_archive(file: Path, contents: Mapping[str, bytes]) -> Path:
    return (write_zip if file.suffix == ".zip" else write_tar)(file, contents)


def whatever_is_readable(file: Path) -> tuple[int, list[str]]:
    """The number of images that could be read, and what was said of the archive or of the others."""
    try:
        images = find_inputs([file])
    except ValueError as error:
        return 0, [str(error)]
    complaints = []
    for row in range(len(images.names)):
        try:
            decoded(images, row)
        except OSError:
            continue  # opened, but its pixels are damaged: that is found when it is decoded
        except BadImageError as error:
            complaints.append(str(error))
    return len(images.names) - len(complaints), complaints


ARCHIVES = ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz", "v1.2.tar"]


def decoded(images: inputs.ChainedImages, row: int) -> bytes:
    with images.open(row) as image:
        return image.tobytes()


def pixels(images: inputs.ChainedImages) -> list[bytes]:
    return [decoded(images, row) for row in range(len(images.names))]


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_images_of_an_archive_and_nothing_else(
    name: str, contents: dict[str, bytes], tmp_path: Path, picture: Picture
) -> None:
    file = write_archive(tmp_path / name, contents)
    images = find_inputs([file])
    assert images.names == [f"{file}/{member}" for member in SORTED]
    assert pixels(images) == [picture(seed).tobytes() for seed in (2, 1, 0, 3, 4)]


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_an_archive_can_be_sent_to_another_process(name: str, contents: dict[str, bytes], tmp_path: Path) -> None:
    images = find_inputs([write_archive(tmp_path / name, contents)])
    assert pixels(pickle.loads(pickle.dumps(images))) == pixels(images)


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_member_that_unpacks_to_too_much_is_not_read(
    name: str, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = find_inputs([write_archive(tmp_path / name, {**contents, "b/huge.png": bytes(5000)})])
    monkeypatch.setattr(inputs, "LARGEST_MEMBER", 4999)
    place = [Path(one).name for one in images.names].index("huge.png")
    with pytest.raises(BadImageError, match=r"huge\.png: cannot be read \(unpacks to 5,000 bytes; at most 4,999"):
        images.open(place)
    assert len(decoded(images, 0)) == 8 * 8 * 3


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_passed_over(kind: bytes, contents: dict[str, bytes], tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(contents["b/2.png"])
    file = write_tar(tmp_path / "x.tar", contents)
    with tarfile.open(file, "a") as archive:
        member = tarfile.TarInfo("b/link.png")
        member.type, member.linkname = kind, str(secret)
        archive.addfile(member)
    assert find_inputs([file]).names == [f"{file}/{name}" for name in SORTED]


@pytest.mark.parametrize("name", ["x.zip", "x.tar"])
def test_members_outside_the_archive_are_passed_over(name: str, contents: dict[str, bytes], tmp_path: Path) -> None:
    file = write_archive(tmp_path / name, {**contents, "../outside.png": contents["b/2.png"]})
    assert find_inputs([file]).names == [f"{file}/{member}" for member in SORTED]


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.45])
def test_a_cut_off_archive_is_named(name: str, part: float, contents: dict[str, bytes], tmp_path: Path) -> None:
    """At the opening, or at the first image that is not whole; never with another kind of error."""
    file = write_archive(tmp_path / name, dict(reversed(contents.items())))
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    found, complaints = whatever_is_readable(file)
    assert found < len(SORTED)  # a tar has no index: where it is cut between two members, nothing is missed
    assert all(name in complaint for complaint in complaints)
    assert complaints or file.suffix == ".tar"


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_no_damage_to_an_archive_is_a_crash(name: str, contents: dict[str, bytes], tmp_path: Path) -> None:
    whole = write_archive(tmp_path / name, contents).read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in draw.integers(0, len(whole), 4):
            damaged[place] = draw.integers(256)
        (tmp_path / name).write_bytes(damaged)
        _, complaints = whatever_is_readable(tmp_path / name)
        assert all(name in complaint for complaint in complaints)


def test_a_locked_zip_member_is_a_bad_image(contents: dict[str, bytes], tmp_path: Path) -> None:
    file = write_zip(tmp_path / "x.zip", {"a.png": contents["b/2.png"]})
    data = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag of encryption, in both headers
        place = data.rfind(signature)
        data[place + offset] |= 1
        if signature == b"PK\x03\x04":
            data[data.find(signature) + offset] |= 1
    file.write_bytes(data)
    with pytest.raises(BadImageError, match=r"a\.png: cannot be read \(.*encrypted"):
        find_inputs([file]).open(0)


def test_folders_are_searched_to_the_bottom_in_sorted_order(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root", {"b": 1, "a/x/y": 2, ".": 1, ".hidden": 1})
    (root / "notes.txt").write_text("text")
    names = find_inputs([root]).names
    assert names == [f"{root}/{name}" for name in ("000.png", "a/x/y/000.png", "a/x/y/001.png", "b/000.png")]


def test_patterns(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root", {"a": 2, "b/c": 1})
    assert find_inputs([root / "*/*.png"]).names == [f"{root}/a/000.png", f"{root}/a/001.png"]
    assert len(find_inputs([root / "**/*.png"]).names) == 3
    assert find_inputs([root / "[ab]"]).names == [*find_inputs([root / "a", root / "b"]).names]
    with pytest.raises(ValueError, match=r"\*\.gif: no such file or folder, and no file matches it as a pattern"):
        find_inputs([root / "*.gif"])


def test_a_file_with_a_pattern_in_its_name_is_that_file(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root", {"a": 2})
    odd = (root / "a" / "000.png").rename(root / "a" / "[01]*.png")
    assert find_inputs([odd]).names == [str(odd)]


def test_a_file_is_taken_whatever_its_name(picture: Picture, as_png: AsPng, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(as_png(picture(1)))
    assert pixels(find_inputs([tmp_path / "picture"])) == [picture(1).tobytes()]


def test_the_home_folder(make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "pets", {"a": 1})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_inputs(["~/pets"]).names == [f"{tmp_path}/pets/a/000.png"]


def test_inputs_keep_their_order_and_may_repeat(
    make_folder: MakeFolder, contents: dict[str, bytes], tmp_path: Path, write_parquet: Callable[..., Path]
) -> None:
    folder = make_folder(tmp_path / "pets", {"a": 2})
    archive = write_zip(tmp_path / "x.zip", contents)
    parquet = write_parquet(tmp_path / "rows.parquet", {"label": [0, 1, 0]})
    images = find_inputs([parquet, folder / "a" / "001.png", archive, folder, parquet])
    parts = [find_inputs([one]) for one in (parquet, folder / "a" / "001.png", archive, folder, parquet)]
    assert images.names == [name for part in parts for name in part.names]
    assert pixels(images) == [content for part in parts for content in pixels(part)]
    assert len(images.names) == 3 + 1 + 5 + 2 + 3


def test_a_parquet_file_needs_no_labels(write_parquet: Callable[..., Path], tmp_path: Path, picture: Picture) -> None:
    file = write_parquet(tmp_path / "rows.parquet", {"caption": ["x", "y"]})
    assert pixels(find_inputs([file])) == [picture(0).tobytes(), picture(1).tobytes()]
    with pytest.raises(ValueError, match="no column of images"):
        find_inputs([write_parquet(tmp_path / "none.parquet", {}, images=[1, 2])])


@pytest.mark.parametrize("name", ["empty", "empty.zip", "empty.tar", "empty.parquet"])
def test_an_input_without_an_image_is_refused(name: str, tmp_path: Path, write_parquet: Callable[..., Path]) -> None:
    path = tmp_path / name
    if path.suffix == ".parquet":
        import pyarrow as pa

        write_parquet(path, {}, images=pa.array([], pa.binary()))
    elif path.suffix:
        write_archive(path, {"readme.txt": b"text"})
    else:
        path.mkdir()
    with pytest.raises(ValueError, match=f"{name}: no image in it"):
        find_inputs([path])


@pytest.mark.parametrize("name", ["bad.zip", "bad.tar", "bad.tar.gz", "bad.parquet"])
@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", os.urandom(600)])
def test_a_file_that_is_not_what_its_name_says(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        find_inputs([tmp_path / name])
