"""The image sets by name: what ``data.name`` may be, and how each becomes labelled splits."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from assay.base.registry import nearest
from assay.base.text import quoted
from assay.data.cache import FINGERPRINTS
from assay.data.choices import NEAR_DUPLICATES, CacheUse, OnUnlabelled
from assay.data.folder import read_folder
from assay.data.images import ArrayImages
from assay.data.parquet import MEMORY, read_parquet
from assay.data.places import Place, files_below, is_address, place_at
from assay.data.shards import SHARDS, files_of_no_split, find_shards
from assay.data.split import Source, Split
from assay.data.walk import visible_files
from assay.data.webdataset import read_webdataset


def load_source(
    name: str,
    *,
    root: Path | None = None,
    label: str | None = None,
    groups: str | None = None,
    unlabelled: OnUnlabelled = "error",
    cache: CacheUse = "on",
    memory: float = MEMORY,
) -> Source:
    """The splits of a set by its name.

    Args:
        name: ``digits``, ``cifar10``, ``cifar100``, ``cifar100-coarse``, ``fashion-mnist``,
            ``folder:PATH``, ``parquet:PATH`` or ``webdataset:PATH``; the path of shards may be an address that fsspec
            knows, as ``s3://bucket/folder``.
        root: where the named sets lie, or are downloaded to; by default ``data_root()``.
        label: the label column of a Parquet set that has several, or the field of the JSON files in tar shards.
        groups: which images of train no cut parts: ``near-duplicates``, or those with an equal value in this column
            of a Parquet set.
        unlabelled: ``"skip"`` leaves out the images of folders and Parquet files that have no label.
        cache: how far what near-duplicates are found by, and the index of tar shards, are kept.
        memory: GiB up to which the encoded images of a Parquet set are held in memory.

    Raises:
        ValueError: no such set, nothing at PATH, or an option that the set does not have.
    """
    if groups == NEAR_DUPLICATES:
        from assay.data.decode import default_workers  # imports torch, and a set's name alone is needed without it
        from assay.data.groups import group_near_duplicates

        return group_near_duplicates(
            load_source(name, root=root, label=label, unlabelled=unlabelled, cache=cache, memory=memory),
            default_workers(),
            FINGERPRINTS[cache],
        )
    kind, colon, path = name.partition(":")
    if groups is not None and kind != "parquet":
        raise ValueError(f"data.groups: columns are those of parquet:PATH sets; {name} takes {NEAR_DUPLICATES} alone")
    if label is not None and kind not in SHARDS:
        raise ValueError(f"data.label is for parquet:PATH and webdataset:PATH sets; {name} has one kind of label")
    if colon and kind == "folder" and is_address(path):
        raise ValueError(
            f"{name}: image files are read from a local folder; make shards of it there with assay pack, and read them "
            f"from an address as webdataset:{path} or parquet:{path}"
        )
    if colon and kind == "folder":
        return read_folder(Path(path).expanduser(), unlabelled)
    if colon and kind in SHARDS:
        place, ending = place_at(path), SHARDS[kind]
        files = find_shards(place, kind, ending)
        if kind == "parquet":
            source = read_parquet(files, label, groups, unlabelled, memory)
        else:
            source = read_webdataset(files, label, unlabelled, fingerprint=FINGERPRINTS[cache])
        return replace(source, odd=(*source.odd, *files_of_no_split(place, files, ending)))
    if name not in NAMED:
        kinds = [f"{kind}:PATH" for kind in ("folder", *SHARDS)]
        raise ValueError(f"unknown data {quoted(name)}: {nearest(name, [*NAMED, *kinds])}")
    return NAMED[name]((root or data_root()).expanduser())


def name_of_set(place: str | Path) -> str:
    """The name, as in ``data.name``, of the set at a place.

    Args:
        place: a folder of class folders, a Parquet or tar file or a folder of such, which may lie at an address; or a
            set's name already.

    Raises:
        ValueError: there is neither a set of that name nor a folder or Parquet file.
    """
    text, path = str(place), Path(place).expanduser()
    if text in NAMED or text.partition(":")[0] in ("folder", *SHARDS):
        return text
    if is_address(text):
        return f"{_kind_at(place_at(text))}:{text}"
    if text and path.is_dir():
        endings = {file.suffix for file in visible_files(path)}
        kind = next((kind for kind, ending in SHARDS.items() if ending in endings), "folder")
        return f"{kind}:{Path(place)}"
    for kind, ending in SHARDS.items():
        if path.suffix.lower() == ending and path.is_file():
            return f"{kind}:{Path(place)}"
    if text and path.exists():
        raise ValueError(
            f"{place}: expected a folder of images, with a folder for each class, or a .parquet or .tar file"
        )
    raise ValueError(f"{place}: no such folder, Parquet or tar file, and no set of that name: {nearest(text, NAMED)}")


def _kind_at(address: Place) -> str:
    """The kind of the shards at an address, by the ending of the file or of those below; raises ``ValueError``."""
    for endings in ({address.suffix}, {file.suffix for file in files_below(address)}):
        for kind, ending in SHARDS.items():
            if ending in endings:
                return kind
    raise ValueError(f"{address}: no .parquet or .tar file there")


def full_name(name: str) -> str:
    """The name with a local path made absolute, so that a set has the same name from every working directory."""
    kind, colon, path = name.partition(":")
    return f"{kind}:{Path(path).expanduser().resolve()}" if colon and not is_address(path) else name


def data_root() -> Path:
    """``$ASSAY_DATA``, or the folder for this user's cached data."""
    return Path(os.environ.get("ASSAY_DATA") or platformdirs.user_cache_path("assay") / "data").expanduser()


def digits(_root: Path) -> Source:
    """Scikit-learn's 1,797 handwritten digits, 8x8 pixels; every fifth of each class is the test split."""
    table = _digits_table()
    labels = table[:, 64]
    pixels = np.rint(table[:, :64].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)  # its grey levels are 0 to 16
    order_in_class = np.zeros(len(pixels), dtype=np.int64)
    for digit in range(10):
        members = np.flatnonzero(labels == digit)
        order_in_class[members] = np.arange(len(members))
    is_test = order_in_class % 5 == 4  # by rule, not by chance: the same split in every version of numpy
    splits = {}
    for split, rows in (("train", np.flatnonzero(~is_test)), ("test", np.flatnonzero(is_test))):
        images = ArrayImages(pixels[rows], [f"digits/{row:04d}" for row in rows])
        splits[split] = Split(images, labels[rows])
    return Source(splits, tuple(str(digit) for digit in range(10)))


@cache
def _digits_table() -> NDArray[np.int64]:
    """The file of ``sklearn.datasets.load_digits``: a row for each image, 64 grey levels and the label."""
    # Found without importing scikit-learn, which takes longer than training on the digits.
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    return np.loadtxt(file, delimiter=",").astype(np.int64)


def _torchvision(root: Path, name: str) -> Source:
    """The official archive as torchvision reads it."""
    splits, classes = {}, ()
    for split in ("train", "test"):
        part = _fetch(name, root, train=split == "train")
        names = [f"{split}/{row:05d}" for row in range(len(part.targets))]
        splits[split] = Split(ArrayImages(np.asarray(part.data), names), np.asarray(part.targets, dtype=np.int64))
        classes = tuple(part.classes)
    return Source(splits, classes)


def _fetch(name: str, root: Path, *, train: bool) -> Any:
    """A split as torchvision's dataset, downloaded if it is not under the root."""
    import torchvision

    kind = getattr(torchvision.datasets, name)
    try:
        try:
            return kind(str(root), train=train, download=False)
        except RuntimeError:  # torchvision's way to say that the files are not there
            return kind(str(root), train=train, download=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{name} is not under {root} and cannot be downloaded ({reason}); "
            "name the folder that holds it with --data.root or ASSAY_DATA"
        ) from None


def _coarse(root: Path) -> Source:
    """The official archive with its coarse labels, which torchvision leaves out."""
    fine = _torchvision(root, "CIFAR100")

    def content(file: str) -> Any:
        # Unpickling can run code, but torchvision has just verified the checksums of these files.
        return pickle.loads((root / "cifar-100-python" / file).read_bytes(), encoding="latin1")

    splits = {
        split: Split(part.images, np.asarray(content(split)["coarse_labels"], dtype=np.int64))
        for split, part in fine.splits.items()
    }
    return Source(splits, tuple(content("meta")["coarse_label_names"]))


def _cifar(root: Path, *, folder: str, label: str, archive: Callable[[Path], Source]) -> Source:
    """CIFAR-10 or CIFAR-100 (Krizhevsky 2009), 60,000 photos of 32x32: the folder's Parquet files, else the archive."""
    parquet = root / folder
    if not parquet.is_dir():
        return archive(root)
    return read_parquet(find_shards(parquet, "parquet", SHARDS["parquet"]), label)


_CIFAR10, _CIFAR100 = (partial(_torchvision, name=name) for name in ("CIFAR10", "CIFAR100"))
NAMED: dict[str, Callable[[Path], Source]] = {
    "digits": digits,
    "cifar10": partial(_cifar, folder="cifar10", label="label", archive=_CIFAR10),
    "cifar100": partial(_cifar, folder="cifar100", label="fine_label", archive=_CIFAR100),
    "cifar100-coarse": partial(_cifar, folder="cifar100", label="coarse_label", archive=_coarse),
    "fashion-mnist": partial(_torchvision, name="FashionMNIST"),  # Xiao et al. 2017: 70,000 clothes, grayscale, 28x28
}
