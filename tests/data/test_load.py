"""From a source to ready datasets: sizes, channels, bad images, splits and what is kept for the next time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

import assay.data.preprocess as preprocess
from assay.data.dataset import MemoryDataset, StreamedDataset
from assay.data.folder import read_folder
from assay.data.images import ArrayImages, BadImageError
from assay.data.load import Data, load_data, plan
from assay.data.preprocess import Preprocessing, Wanted
from assay.data.split import Cut, Source, Split, cut_splits
from assay.data.storage import DecodedImages, Storage, decode_source, to_dataset
from assay.data.survey import Survey, survey

CPU = torch.device("cpu")
MEMORY, STREAM = 4.0, 0.0
in_memory_and_streamed = pytest.mark.parametrize("memory", [MEMORY, STREAM], ids=["memory", "stream"])
MakeFolder = Callable[..., Path]


def load(folder: Path, *, size: int | None = None, memory: float = MEMORY, bad: str = "error", **cut: Any) -> Data:
    storage = Storage(CPU, memory=memory, workers=0)
    return load_data(read_folder(folder), Wanted(size), cut=Cut(**cut), storage=storage, on_bad_image=bad)


def load_as(folder: Path, wanted: Wanted, memory: float = MEMORY) -> Data:
    storage = Storage(CPU, memory=memory, workers=0)
    return load_data(read_folder(folder), wanted, cut=Cut(0.0), storage=storage)


def surveyed(*sizes: tuple[int, int], gray: bool = False) -> Survey:
    widths, heights = (np.array(sides, dtype=np.int64) for sides in zip(*sizes, strict=True))
    return Survey(widths, heights, np.full(len(sizes), gray), [""] * len(sizes))


def shape(how: Preprocessing) -> tuple[int, int, int]:
    return how.channels, how.stored, how.size


@pytest.mark.parametrize(
    ("sizes", "size", "expected"),
    [
        ([(8, 8), (8, 8)], None, (3, 8, 8)),
        ([(8, 8), (8, 8)], 8, (3, 8, 8)),
        ([(8, 8), (8, 8)], 32, (3, 8, 32)),  # enlarged on the device, a batch at a time
        ([(64, 64), (64, 64)], 32, (3, 32, 32)),
        ([(8, 8), (16, 16)], 32, (3, 32, 32)),
        ([(28, 30), (28, 30)], 28, (3, 28, 28)),
    ],
)
def test_sizes(sizes: list[tuple[int, int]], size: int | None, expected: tuple[int, int, int]) -> None:
    assert shape(plan([surveyed(*sizes)], Wanted(size))) == expected


@pytest.mark.parametrize(
    ("sizes", "words"), [([(8, 8), (16, 16)], "from 8 to 16"), ([(28, 30)], "from 28 to 30")], ids=["mixed", "oblong"]
)
def test_mixed_and_oblong_images_need_a_size(sizes: list[tuple[int, int]], words: str) -> None:
    with pytest.raises(ValueError, match=rf"^data\.size: .* {words} pixels; choose one size$"):
        plan([surveyed(*sizes)], Wanted())


def test_all_splits_count() -> None:
    with pytest.raises(ValueError, match=r"data\.size: "):
        plan([surveyed((8, 8)), surveyed((9, 9))], Wanted())
    assert plan([surveyed((8, 8), gray=True), surveyed((8, 8), gray=False)], Wanted()).channels == 3
    assert plan([surveyed((8, 8), gray=True), surveyed((8, 8), gray=True)], Wanted()).channels == 1


def test_unreadable_images_do_not_count() -> None:
    sizes, gray = np.array([8, 0]), np.array([False, True])
    assert shape(plan([Survey(sizes, sizes, gray, ["", "bad"])], Wanted())) == (3, 8, 8)
    with pytest.raises(ValueError, match="no readable image"):
        plan([Survey(sizes[1:], sizes[1:], gray[1:], ["bad"])], Wanted())


@in_memory_and_streamed
@pytest.mark.parametrize("channels", [1, 3])
def test_datasets_of_a_folder(
    tmp_path: Path, make_folder: MakeFolder, picture: Callable[..., np.ndarray], memory: float, channels: int
) -> None:
    make_folder(tmp_path, {"train/a": 10, "train/b": 10, "test/a": 1, "test/b": 2}, channels=channels)
    data = load(tmp_path, memory=memory, held_out=0.2)
    kind = MemoryDataset if memory else StreamedDataset
    assert all(isinstance(split, kind) for split in data.splits.values())
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 16, "held-out": 4, "test": 3}
    assert data.classes == ("a", "b")
    assert data.preprocessing.channels == channels
    assert torch.bincount(data.splits["held-out"].labels).tolist() == [2, 2]
    for split in data.splits.values():
        (pixels,) = split.read([torch.arange(len(split))])
        for image, name, label in zip(pixels, split.names, split.labels.tolist(), strict=True):
            folder, letter, file = name.split("/")
            first = {"train/a": 0, "train/b": 10, "test/a": 20, "test/b": 21}[f"{folder}/{letter}"]
            expected = picture(first + int(file[:3]), channels=channels)
            assert np.array_equal(image.numpy().squeeze(), np.moveaxis(expected, -1, 0) if channels == 3 else expected)
            assert label == "ab".index(letter)


@in_memory_and_streamed
def test_mean_and_deviation_are_those_of_train_alone(tmp_path: Path, make_folder: MakeFolder, memory: float) -> None:
    make_folder(tmp_path, {"train/a": 9, "train/b": 9, "test/a": 5, "test/b": 5})
    data = load(tmp_path, memory=memory)
    (pixels,) = data.splits["train"].read([torch.arange(len(data.splits["train"]))])
    exact = pixels.numpy().astype(np.float64) / 255
    np.testing.assert_allclose(data.preprocessing.mean, exact.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(data.preprocessing.std, exact.std((0, 2, 3)), rtol=1e-9)


def test_both_ways_to_store_give_the_same_splits(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 12, "b": 8})
    first, second = (load(tmp_path, memory=memory) for memory in (MEMORY, STREAM))
    for name, split in first.splits.items():
        assert list(split.names) == list(second.splits[name].names)
        assert torch.equal(split.labels, second.splits[name].labels)
        rows = torch.arange(len(split))
        assert torch.equal(next(iter(split.read([rows]))), next(iter(second.splits[name].read([rows]))))
    assert first.preprocessing == second.preprocessing


def test_limit_of_memory_is_in_gib(tmp_path: Path, make_folder: MakeFolder) -> None:
    size = 20 * 3 * 8 * 8 / 2**30
    make_folder(tmp_path, {"a": 10, "b": 10})
    assert isinstance(load(tmp_path, memory=size).splits["train"], MemoryDataset)
    assert isinstance(load(tmp_path, memory=size * 0.999).splits["train"], StreamedDataset)


@in_memory_and_streamed
def test_validation_folder_is_the_held_out_split(tmp_path: Path, make_folder: MakeFolder, memory: float) -> None:
    make_folder(tmp_path, {"train/a": 8, "train/b": 8, "val/a": 3, "val/b": 2})
    data = load(tmp_path, memory=memory, held_out=0.5, test=0.25)
    names = [f"val/a/00{row}.png" for row in range(3)] + [f"val/b/00{row}.png" for row in range(2)]
    assert list(data.splits["held-out"].names) == names
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 12, "held-out": 5, "test": 4}
    assert data.remarks == ["data.held_out 0.5 cuts nothing off: the set has a held-out split of its own"]


def test_seed_of_the_cut_decides_the_splits(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 20, "b": 20})
    first, again, other = (list(load(tmp_path, seed=seed).splits["held-out"].names) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def spoil(folder: Path) -> list[str]:
    """One file without a header, one cut off in its pixels; their names, the unreadable one first."""
    (folder / "a" / "003.png").write_bytes(b"words")
    cut_off = folder / "b" / "001.png"
    with Image.open(cut_off) as image:
        image.save(cut_off, "jpeg")  # the header of a JPEG tells nothing of its end
    cut_off.write_bytes(cut_off.read_bytes()[:-60])
    return ["a/003.png", "b/001.png"]


@in_memory_and_streamed
def test_unreadable_image_is_an_error(tmp_path: Path, make_folder: MakeFolder, memory: float) -> None:
    names = spoil(make_folder(tmp_path, {"a": 10, "b": 10}))
    with pytest.raises(BadImageError, match=rf"^{names[0]}: not an image"):
        load(tmp_path, memory=memory)


@in_memory_and_streamed
def test_cut_off_image_is_an_error(tmp_path: Path, make_folder: MakeFolder, memory: float) -> None:
    names = spoil(make_folder(tmp_path, {"a": 10, "b": 10}))
    (tmp_path / "a" / "003.png").unlink()
    with pytest.raises(BadImageError, match=rf"^{names[1]}: "):
        load(tmp_path, memory=memory, held_out=0.0, test=0.0)


@in_memory_and_streamed
def test_bad_images_are_left_out_and_named_once(tmp_path: Path, make_folder: MakeFolder, memory: float) -> None:
    names = spoil(make_folder(tmp_path, {"a": 10, "b": 10}))
    assert survey(read_folder(tmp_path).splits["train"].images).readable.sum() == 19
    for _ in range(2):  # also with what was kept the first time
        data = load(tmp_path, memory=memory, bad="skip", held_out=0.25, test=0.25)
        assert [error.name for error in data.bad] == names
        left = [name for split in data.splits.values() for name in split.names]
        assert len(left) == len(set(left)) == 18
        assert not set(names) & set(left)
        for split in data.splits.values():
            for pixels in split.read([torch.arange(len(split))]):
                assert pixels.flatten(1).any(1).all()


@in_memory_and_streamed
def test_bad_image_of_one_split_leaves_its_namesake_in_another(
    tmp_path: Path, make_folder: MakeFolder, memory: float
) -> None:
    """The names within the split folders are the same."""
    make_folder(tmp_path, {"train/a": 5, "train/b": 5, "test/a": 5, "test/b": 5})
    (tmp_path / "test" / "a" / "000.png").write_bytes(b"")
    data = load(tmp_path, memory=memory, bad="skip", held_out=0.2)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 8, "held-out": 2, "test": 9}


@in_memory_and_streamed
def test_class_that_loses_all_its_images_is_refused(tmp_path: Path, make_folder: MakeFolder, memory: float) -> None:
    make_folder(tmp_path, {"a": 5, "b": 1})
    (tmp_path / "b" / "000.png").write_bytes(b"")
    with pytest.raises(ValueError, match="class 'b' has no readable image in train"):
        load(tmp_path, memory=memory, bad="skip")


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are decoded from now on."""
    names: list[str] = []
    original = preprocess.to_pixels

    def counting(image: Image.Image, name: str, **options: Any) -> np.ndarray:
        names.append(name)
        return original(image, name, **options)

    monkeypatch.setattr(preprocess, "to_pixels", counting)
    return names


def pixels_of(data: Data) -> list[int]:
    (pixels,) = data.splits["train"].read([torch.arange(len(data.splits["train"]))])
    return pixels.flatten().tolist()


def test_images_are_decoded_once(tmp_path: Path, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path, {"a": 10, "b": 10})
    decoded = count_decodes(monkeypatch)
    first = load(tmp_path)
    assert len(decoded) == 20
    assert pixels_of(load(tmp_path)) == pixels_of(first)
    assert pixels_of(load(tmp_path, seed=5)) != pixels_of(first)  # what is kept does not depend on the cut
    assert len(decoded) == 20


def test_another_size_is_decoded_anew(tmp_path: Path, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path, {"a": 10, "b": 10})
    decoded = count_decodes(monkeypatch)
    load(tmp_path)
    load(tmp_path, size=4)
    assert len(decoded) == 40
    load(tmp_path, size=16)  # kept as they are, and enlarged later
    assert len(decoded) == 40


def test_changed_image_is_decoded_anew(
    tmp_path: Path, make_folder: MakeFolder, picture: Callable[..., np.ndarray]
) -> None:
    make_folder(tmp_path, {"a": 2, "b": 2})
    load(tmp_path, held_out=0.0, test=0.0)
    changed = picture(99)
    Image.fromarray(changed).save(tmp_path / "a" / "000.png", compress_level=0)
    data = load(tmp_path, held_out=0.0, test=0.0)
    assert pixels_of(data)[:192] == changed.transpose(2, 0, 1).flatten().tolist()


@pytest.mark.parametrize("way", ["renamed", "written"])
def test_images_that_are_exchanged_with_their_times_are_decoded_anew(
    way: str, tmp_path: Path, make_folder: MakeFolder
) -> None:
    make_folder(tmp_path, {"a": 1, "b": 1})
    files = [tmp_path / name / "000.bmp" for name in "ab"]  # of equal size, whatever they show
    for file in files:
        Image.open(file.with_suffix(".png")).save(file)
        file.with_suffix(".png").unlink()
        os.utime(file, (1e9, 1e9))
    first = pixels_of(load(tmp_path, held_out=0.0, test=0.0))
    if way == "renamed":
        files[0].rename(tmp_path / "third")
        files[1].rename(files[0])
        (tmp_path / "third").rename(files[1])
    else:
        contents = [file.read_bytes() for file in files]
        for file, content in zip(files, reversed(contents), strict=True):
            file.write_bytes(content)
            os.utime(file, (1e9, 1e9))
    exchanged = pixels_of(load(tmp_path, held_out=0.0, test=0.0))
    assert exchanged == first[len(first) // 2 :] + first[: len(first) // 2]
    assert exchanged != first


@pytest.mark.parametrize("damage", [b"", b"words", None], ids=["empty", "text", "cut off"])
def test_damaged_cache_is_not_believed(
    tmp_path: Path, make_folder: MakeFolder, cache: Path, damage: bytes | None
) -> None:
    make_folder(tmp_path, {"a": 10, "b": 10})
    first = pixels_of(load(tmp_path))
    for file in filter(Path.is_file, cache.rglob("*")):
        file.write_bytes(file.read_bytes()[:-9] if damage is None else damage)
    assert pixels_of(load(tmp_path)) == first


def test_cache_that_cannot_be_written_is_harmless(
    tmp_path: Path, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "set", {"a": 10, "b": 10})
    first = pixels_of(load(tmp_path / "set"))
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "file"))
    assert pixels_of(load(tmp_path / "set")) == first


@in_memory_and_streamed
def test_empty_test_folder(tmp_path: Path, make_folder: MakeFolder, memory: float) -> None:
    data = load(make_folder(tmp_path, {"train/a": 6, "train/b": 6, "test/a": 0}), memory=memory)
    assert len(data.splits["test"]) == 0


@in_memory_and_streamed
def test_sets_in_arrays(picture: Callable[..., np.ndarray], memory: float) -> None:
    pixels = np.stack([picture(row, channels=1) for row in range(20)])
    split = Split(ArrayImages(pixels, [str(row) for row in range(20)]), np.arange(20) % 2)
    storage = Storage(CPU, memory=memory, workers=0)
    data = load_data(Source({"train": split}, ("a", "b")), Wanted(16), cut=Cut(), storage=storage)
    assert shape(data.preprocessing) == (1, 8, 16)
    train = data.splits["train"]
    (read,) = train.read([torch.arange(len(train))])
    assert np.array_equal(read[:, 0].numpy(), pixels[[int(name) for name in train.names]])


def test_known_preprocessing_is_kept(tmp_path: Path, make_folder: MakeFolder) -> None:
    how = Preprocessing(1, 6, 12, (0.5,), (0.2,))
    source = read_folder(make_folder(tmp_path, {"a": 10, "b": 10}))
    storage = Storage(CPU, workers=0)
    decoded, _ = decode_source(source, how, storage, "error")
    test = to_dataset(cut_splits(decoded, Cut()).splits["test"], how, storage)
    (pixels,) = test.read([torch.arange(4)])
    assert pixels.shape == (4, 1, 6, 6)


def test_decoded_images_open_as_what_they_are(tmp_path: Path, make_folder: MakeFolder) -> None:
    for channels, mode in ((1, "L"), (3, "RGB")):
        source = read_folder(make_folder(tmp_path / mode, {"a": 2}))
        decoded, _ = decode_source(source, Preprocessing(channels, 8, 8), Storage(CPU, workers=0), "error")
        stored, _ = decoded.splits["train"].stored()
        assert isinstance(stored, DecodedImages)
        assert np.array_equal(
            np.asarray(stored.open(1)), np.asarray(source.splits["train"].images.open(1).convert(mode))
        )


@in_memory_and_streamed
def test_crop_and_interpolation_are_torchvisions(
    tmp_path: Path, make_folder: MakeFolder, picture: Callable[..., np.ndarray], memory: float
) -> None:
    make_folder(tmp_path, {"train/a": 4, "train/b": 4, "test/a": 1}, side=20)
    data = load_as(tmp_path, Wanted(14, 0.875, "bicubic"), memory)
    assert shape(data.preprocessing) == (3, 14, 14)
    torchvisions = v2.Compose([v2.Resize(16, v2.InterpolationMode.BICUBIC), v2.CenterCrop(14), v2.PILToTensor()])
    (pixels,) = data.splits["test"].read([torch.tensor([0])])
    assert torch.equal(pixels[0], torchvisions(Image.fromarray(picture(8, 20, 20))))


def test_other_crops_are_decoded_anew(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 10, "b": 10}, side=20)
    wanted = [Wanted(14), Wanted(14, 0.875), Wanted(14, 0.875, "bicubic"), Wanted(14, 0.5)]
    for _ in range(2):
        assert len({tuple(pixels_of(load_as(tmp_path, one))) for one in wanted}) == 4


def test_small_squares_are_kept_whole_and_cropped_later(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 10, "b": 10})
    cropped = load_as(tmp_path, Wanted(16, 0.875))
    assert (shape(cropped.preprocessing), cropped.preprocessing.crop_pct) == ((3, 8, 16), 0.875)
    assert pixels_of(cropped) == pixels_of(load_as(tmp_path, Wanted(16)))


WEIGHTS = Wanted(12, 0.75, "bicubic", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), channels=3)


@in_memory_and_streamed
def test_weights_decide_where_nothing_else_is_asked_for(
    tmp_path: Path, make_folder: MakeFolder, memory: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path, {"a": 10, "b": 10}, channels=1, side=20)
    monkeypatch.setattr("assay.data.load.measure", lambda *_: pytest.fail("nothing is to be measured"))
    how = load_as(tmp_path, WEIGHTS, memory).preprocessing
    assert how == Preprocessing(3, 12, 12, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 0.75, "bicubic")
    how = load_as(tmp_path, WEIGHTS.but(size=8, crop_pct=1.0, interpolation="bilinear"), memory).preprocessing
    assert how == Preprocessing(3, 8, 8, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 1.0, "bilinear")


def test_gray_images_become_colour_for_colour_weights(
    tmp_path: Path, make_folder: MakeFolder, picture: Callable[..., np.ndarray]
) -> None:
    make_folder(tmp_path, {"train/a": 4, "train/b": 4, "test/a": 1}, channels=1)
    (pixels,) = load_as(tmp_path, Wanted(channels=3)).splits["test"].read([torch.tensor([0])])
    assert np.array_equal(pixels[0].numpy(), np.stack([picture(8, channels=1)] * 3))


def test_mean_of_other_channels_is_refused(tmp_path: Path, make_folder: MakeFolder) -> None:
    make_folder(tmp_path, {"a": 10, "b": 10}, channels=1)
    with pytest.raises(ValueError, match=r"^data\.mean, data\.std: 3 and 3 numbers; channels of the images: 1$"):
        load_as(tmp_path, Wanted(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)))
