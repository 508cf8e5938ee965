"""What a check of a set of images finds: each kind of fault, and nothing in a sound set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from assay.data.check import Check, check_source
from assay.data.duplicates import ImageRef, distinct, find_alike
from assay.data.folder import read_folder
from assay.data.pack import pack
from assay.data.sources import load_source
from assay.data.spilled import Spilled
from assay.data.traits import TRAITS, traits_of


def photo(seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Smooth random colours, as different from one seed to the next as photos are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """Two classes in two splits, without a fault."""
    places = [(split, name, row) for split in ("train", "test") for name in ("cat", "dog") for row in range(4)]
    for seed, (split, name, row) in enumerate(places):
        save(photo(seed), tmp_path / split / name / f"{row}.png")
    return tmp_path


def check(folder: Path, near: float = 0.95) -> Check:
    return check_source(read_folder(folder), workers=0, near=near)


def names(groups: object) -> list[list[str]]:
    assert isinstance(groups, list)
    return [[place.name for place in group] for group in groups]


def test_a_sound_set_has_no_problems_and_no_remarks(clean: Path) -> None:
    result = check(clean)

    assert result.problems == []
    assert result.remarks == {}
    assert (result.exact, result.near, result.leaks, result.corrupt) == ([], [], [], [])


def test_each_split_is_counted_and_measured(clean: Path) -> None:
    save(photo(50, (20, 30)), clean / "train/cat/small.png")
    save(photo(51, (100, 90)), clean / "train/cat/large.png")

    train, test = check(clean).splits["train"], check(clean).splits["test"]

    assert (train.images, test.images) == (10, 8)
    assert train.classes == {"cat": 6, "dog": 4}
    assert train.sizes == ((20, 30), (48, 40), (100, 90))
    assert (train.distinct_sizes, test.distinct_sizes) == (3, 1)
    assert train.modes == {"RGB": 10}
    assert train.overview() == {
        "images": "10",
        "classes": "2",
        "images per class": "4 to 6",
        "sizes": "20x30, 48x40, 100x90 (3 sizes)",
        "modes": "RGB 10",
    }


def test_sizes_are_those_of_upright_images(clean: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    photo(60, (90, 80)).save(clean / "train/cat/turned.jpg", exif=exif)

    assert check(clean).splits["train"].sizes[-1] == (80, 90)


def test_a_truncated_and_a_false_image_are_corrupt_and_the_rest_is_checked(clean: Path) -> None:
    cut_off = save(photo(70, (200, 200)), clean / "train/cat/cut.jpg")
    cut_off.write_bytes(cut_off.read_bytes()[:-400])
    (clean / "train/dog/text.jpg").write_text("no image")

    result = check(clean)

    assert [error.name for error in result.corrupt] == ["train/cat/cut.jpg", "train/dog/text.jpg"]
    assert "truncated" in result.corrupt[0].reason
    assert "not an image" in result.corrupt[1].reason
    assert result.problems[0].startswith("corrupt images (2): train/cat/cut.jpg: ")
    assert (result.splits["train"].images, result.splits["train"].classes) == (10, {"cat": 4, "dog": 4})


def test_a_class_of_corrupt_images_only_is_a_problem_in_train_and_a_remark_elsewhere(clean: Path) -> None:
    for split in ("train", "test"):
        for path in (clean / split / "dog").iterdir():
            path.write_bytes(b"")

    result = check(clean)

    assert "classes without images in train (1): dog" in result.problems
    assert result.remarks == {"classes without images in test": ["dog"]}


def test_a_set_without_any_readable_image(tmp_path: Path) -> None:
    save(photo(0), tmp_path / "cat/a.png").write_bytes(b"")

    result = check(tmp_path)

    assert result.splits["train"].sizes == ()
    assert result.splits["train"].overview()["sizes"] == ""
    assert len(result.problems) == 2


def test_the_same_pixels_in_other_files_are_exact_duplicates(clean: Path) -> None:
    save(photo(0), clean / "train/cat/copy.bmp")

    result = check(clean)

    assert names(result.exact) == [["train/cat/0.png", "train/cat/copy.bmp"]]
    assert result.problems == ["exact duplicates (1): train/cat/0.png = train/cat/copy.bmp"]
    assert (result.near, result.leaks, result.conflicts) == ([], [], [])


def test_the_same_bytes_in_another_shape_are_no_duplicates(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    save(Image.fromarray(noise), tmp_path / "cat/wide.png")
    save(Image.fromarray(noise.reshape(40, 20, 3)), tmp_path / "cat/high.png")

    assert check(tmp_path).problems == []


def test_the_same_pixels_under_two_labels_conflict(clean: Path) -> None:
    save(photo(0), clean / "train/dog/copy.png")

    result = check(clean)

    assert names(result.conflicts) == [["train/cat/0.png", "train/dog/copy.png"]]
    assert "conflicting labels (1): train/cat/0.png (cat) = train/dog/copy.png (dog)" in result.problems


def mark(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, (20, 20, 22, 22))
    return mask


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "one level brighter": lambda image: image.point(lambda value: min(value + 1, 255)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "of less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
    "scaled": lambda image: image.resize((128, 96)),
    "with a small mark": lambda image: Image.composite(Image.new("RGB", image.size), image, mark(image.size)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_a_near_duplicate_and_only_a_remark(clean: Path, change: str) -> None:
    save(CHANGES[change](photo(0)), clean / "train/cat/copy.png")

    result = check(clean)

    assert names(result.near) == [["train/cat/0.png", "train/cat/copy.png"]]
    assert result.problems == []
    assert result.remarks == {"near duplicates within a split": ["train/cat/0.png ~ train/cat/copy.png"]}


def test_a_photo_saved_again_is_a_near_duplicate(clean: Path) -> None:
    photo(0).save(clean / "train/cat/copy.jpg", quality=30)

    assert names(check(clean).near) == [["train/cat/0.png", "train/cat/copy.jpg"]]


@pytest.mark.parametrize("change", [ImageOps.mirror, ImageOps.flip, ImageOps.invert])
def test_a_mirrored_or_inverted_copy_is_not_found(clean: Path, change: Callable[[Image.Image], Image.Image]) -> None:
    save(change(photo(0)), clean / "train/cat/copy.png")

    assert check(clean).near == []


def test_a_chain_of_near_duplicates_is_one_group(clean: Path) -> None:
    for name, factor in (("a", 0.9), ("b", 0.8), ("c", 0.7)):
        save(ImageEnhance.Brightness(photo(0)).enhance(factor), clean / f"train/cat/{name}.png")
    save(photo(0), clean / "train/cat/exact.png")

    group = ["train/cat/0.png", "train/cat/a.png", "train/cat/b.png", "train/cat/c.png"]
    assert names(check(clean).near) == [group]


def test_constant_images_are_remarked_and_alike_only_when_equal(clean: Path) -> None:
    for level in (0, 100, 101, 255):
        save(Image.new("RGB", (48, 40), (level, level, level)), clean / f"train/cat/flat{level}.png")
    save(Image.new("RGB", (48, 40), (100, 100, 100)), clean / "train/cat/again.png")

    result = check(clean)

    assert result.near == []
    assert names(result.exact) == [["train/cat/again.png", "train/cat/flat100.png"]]
    assert result.odd == [
        "of a single colour (5): train/cat/again.png, train/cat/flat0.png, train/cat/flat100.png and 2 more"
    ]


def test_nearly_flat_images_are_not_alike(clean: Path) -> None:
    ramp = np.linspace(100, 110, 48).round().astype(np.uint8)
    for shift in range(3):
        pixels = np.broadcast_to(ramp[None, :, None] + np.uint8(shift), (40, 48, 3))
        save(Image.fromarray(np.ascontiguousarray(pixels)), clean / f"train/cat/ramp{shift}.png")

    assert check(clean).near == []


def test_images_of_few_pixels_are_only_compared_exactly(tmp_path: Path) -> None:
    save(photo(0, (15, 40)), tmp_path / "cat/a.png")
    save(CHANGES["one level brighter"](photo(0, (15, 40))), tmp_path / "cat/b.png")
    save(photo(1, (16, 40)), tmp_path / "cat/c.png")
    save(CHANGES["one level brighter"](photo(1, (16, 40))), tmp_path / "cat/d.png")

    assert names(check(tmp_path).near) == [["cat/c.png", "cat/d.png"]]


def test_an_image_in_two_splits_leaks_once_by_its_likest_copy(clean: Path) -> None:
    save(CHANGES["darker"](photo(0)), clean / "train/cat/dark.png")
    save(photo(0), clean / "test/cat/exact.png")
    save(CHANGES["one level brighter"](photo(1)), clean / "test/cat/near.png")

    leaks = check(clean).leaks

    assert [(leak.earlier.name, leak.later.name, leak.kind) for leak in leaks] == [
        ("train/cat/0.png", "test/cat/exact.png", "exact"),
        ("train/cat/1.png", "test/cat/near.png", "near"),
    ]
    assert leaks[0].likeness == 1
    assert 0.99 < leaks[1].likeness < 1


def test_leaks_are_problems_and_no_duplicates_within_a_split(clean: Path) -> None:
    save(CHANGES["darker"](photo(0)), clean / "test/cat/dark.png")

    result = check(clean)

    assert result.problems == ["images in two splits (1): test/cat/dark.png = train/cat/0.png (near)"]
    assert result.remarks == {}


def test_an_image_in_three_splits_leaks_between_each_two(clean: Path) -> None:
    for name in ("cat", "dog"):
        save(photo(100 + len(name) + ord(name[0])), clean / "val" / name / "own.png")
    save(photo(0), clean / "val/cat/copy.png")
    save(photo(0), clean / "test/cat/copy.png")

    pairs = [(leak.earlier.split, leak.later.split) for leak in check(clean).leaks]

    assert pairs == [("train", "held-out"), ("train", "test"), ("held-out", "test")]


def test_odd_files_modes_and_shapes_are_remarks(clean: Path) -> None:
    (clean / "train/cat/notes.txt").write_text("notes")
    for row in range(4):
        save(photo(80 + row).convert("L"), clean / f"train/cat/gray{row}.png")
    save(photo(90, (7, 40)), clean / "test/dog/tiny.png")
    save(photo(91, (330, 30)), clean / "test/dog/long.png")
    save(photo(92, (300, 30)), clean / "test/dog/not-too-long.png")

    result = check(clean)

    assert result.odd == [
        "train/cat/notes.txt: not an image by its name",
        "of another mode than RGB (4): train/cat/gray0.png (L), train/cat/gray1.png (L), "
        "train/cat/gray2.png (L) and 1 more",
        "less than 8 pixels wide or high (1): test/dog/tiny.png (7x40)",
        "more than 10 times as long as wide (1): test/dog/long.png (330x30)",
    ]
    assert result.problems == []
    assert result.splits["train"].modes == {"RGB": 8, "L": 4}


def test_small_images_are_not_odd_where_all_are_small(tmp_path: Path) -> None:
    for seed in range(3):
        save(photo(seed, (6, 6)), tmp_path / f"cat/{seed}.png")

    assert check(tmp_path).odd == []


def test_worker_processes_find_the_same_and_leave_the_random_state_alone(tmp_path: Path) -> None:
    for seed in range(200):
        save(photo(seed, (20, 20)), tmp_path / f"cat/{seed:03d}.png")
    save(photo(7, (20, 20)), tmp_path / "cat/copy.png")
    (tmp_path / "cat/bad.png").write_bytes(b"")
    source, state = read_folder(tmp_path), torch.get_rng_state()

    together = check_source(source, workers=2)

    assert torch.equal(torch.get_rng_state(), state)
    assert together.to_dict() == check_source(source, workers=0).to_dict()
    assert names(together.exact) == [["cat/007.png", "cat/copy.png"]]


def test_plain_values_survive_json(clean: Path) -> None:
    save(photo(0), clean / "test/dog/copy.png")
    (clean / "train/dog/text.jpg").write_text("no image")

    values = json.loads(json.dumps(check(clean).to_dict()))

    assert values["corrupt"] == [{"name": "train/dog/text.jpg", "reason": "not an image, or of an unknown format"}]
    assert values["leaks"][0]["later"] == {"split": "test", "name": "test/dog/copy.png", "label": "dog"}
    assert values["splits"]["train"]["classes"] == {"cat": 4, "dog": 4}
    assert len(values["problems"]) == 3


@pytest.mark.parametrize("near", [0.0, 1.0, 95.0])
def test_a_correlation_out_of_range_is_refused(clean: Path, near: float) -> None:
    with pytest.raises(ValueError, match="near"):
        check(clean, near)


def test_pairs_are_those_of_comparing_all_with_all() -> None:
    """Across the borders of blocks, and though only some components are compared at first."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (4200, 16, 16, 3)).astype(np.float64)
    copies = {4100: 3, 2500: 2400, 4199: 2047}
    for late, early in copies.items():
        pixels[late] = pixels[early] * 0.8 + pixels[late] * 0.2 * generator.random()
    cells = pixels.astype(np.uint8)

    down, across = np.diff(cells.astype(np.float32), axis=1), np.diff(cells.astype(np.float32), axis=2)
    edges = np.concatenate([down.reshape(4200, -1), across.reshape(4200, -1)], axis=1)
    edges /= np.linalg.norm(edges, axis=1, keepdims=True)
    first, second = np.nonzero(np.triu(edges @ edges.T >= 0.95, k=1))

    found = {(one, other) for one, others in find_alike(cells).items() for other in others if one < other}
    assert found == set(zip(first.tolist(), second.tolist(), strict=True))
    assert found == {(early, late) for late, early in copies.items()}


def test_copies_are_those_of_comparing_each_with_each_and_no_other_image_is_named() -> None:
    """Against all pairs of a few hundred pictures, of which some are shown several times."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (300, 16, 16, 3)).astype(np.float64)
    near = {200: 7, 290: 150, 250: 100}
    for late, early in near.items():
        pictures[late] = pictures[early] * 0.9 + pictures[late] * 0.1
    shown = np.concatenate([np.arange(300), [7, 100, 5, 7, 299]])
    cells, digests = Spilled((16, 16, 3), np.uint8), np.zeros((len(shown), 16), np.uint8)
    cells.append(pictures.astype(np.uint8)[shown])
    digests[:, ::9] = np.stack([shown % 256, shown // 256], axis=1)  # equal pictures, equal digests
    named: list[int] = []

    def ref(number: int) -> ImageRef:
        named.append(number)
        return ImageRef("train", str(number), "cat")

    found, alike = distinct(digests, cells, ref, 0.95)

    groups = {first: [row for row, picture in enumerate(shown) if picture == first] for first in range(300)}
    expected = {
        first: rows for first, rows in groups.items() if len(rows) > 1 or first in {*near.keys(), *near.values()}
    }
    assert {first: [int(one.name) for one in places] for first, places in found.items()} == expected
    assert list(found) == sorted(expected)
    assert {(one, other) for one, others in alike.items() for other in others if one > other} == set(near.items())
    assert sorted(named) == sorted(row for rows in expected.values() for row in rows)


def test_shards_are_read_a_group_of_rows_at_a_time_and_found_to_hold_the_same(tmp_path: Path) -> None:
    for seed in range(250):
        save(photo(seed % 240, (20, 20)), tmp_path / f"set/{'cat' if seed % 2 else 'dog'}/{seed:03d}.png")
    pack(tmp_path / "set", tmp_path / "packed", to="parquet")

    held, read = (load_source(f"parquet:{tmp_path / 'packed'}", memory=memory) for memory in (4.0, 0.0))

    assert check_source(read, workers=2).to_dict() == check_source(held, workers=0).to_dict()
    assert len(check_source(read, workers=0).exact) == 10


def test_of_each_image_memory_keeps_some_tens_of_bytes(clean: Path) -> None:
    (clean / "train/cat/bad.png").write_bytes(b"")

    traits = traits_of(read_folder(clean), 0)

    assert (len(traits.table), len(traits.thumbnails), traits.table.dtype) == (16, 16, TRAITS)
    assert TRAITS.itemsize <= 48
    assert [str(traits.ref(number)) for number in (0, 8)] == ["train/cat/0.png", "test/cat/0.png"]
