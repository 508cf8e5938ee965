"""``folder:PATH``: one folder per class, with or without train, val and test folders above."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from assay.data.images import EXTENSIONS, FileImages
from assay.data.split import Source, Split

SPLIT_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "held-out": ("val", "valid", "validation", "dev", "held-out"),
    "test": ("test", "testing"),
}


def read_folder(folder: Path) -> Source:
    """The images below ``folder``; classes are the sorted names of the folders that hold them.

    Raises:
        ValueError: no such folder, two folders for a split, no class folders, a class without images, or a class of the
            test or validation folder that train does not have.
    """
    if not folder.is_dir():
        raise ValueError(f"folder:{folder}: no such folder")
    folders = _split_folders(folder)
    classes = tuple(sorted(path.name for path in _subfolders(folders["train"])))
    if not classes:
        images = sum(path.suffix.lower() in EXTENSIONS for path in folders["train"].iterdir())
        found = f"{images} image{'s' * (images > 1)} in no class folder" if images else "none"
        raise ValueError(f"folder:{folders['train']}: expected one folder per class, found {found}")
    splits = {name: _read_split(folder, path, classes, all_needed=name == "train") for name, path in folders.items()}
    used = {path for split in splits.values() if isinstance(split.images, FileImages) for path in split.images.paths}
    return Source(splits, classes, tuple(_leftovers(folder, used)))


def find_images(folder: Path) -> list[Path]:
    """Every image file below ``folder``, sorted; hidden files are passed over."""
    return [path for path in _visible_files(folder) if path.suffix.lower() in EXTENSIONS]


def _split_folders(folder: Path) -> dict[str, Path]:
    """The folder of each split; names in any case, and the folder itself where none is called train."""
    found: dict[str, Path] = {}
    for path in _subfolders(folder):
        for split in (split for split, names in SPLIT_FOLDERS.items() if path.name.lower() in names):
            if split in found:
                raise ValueError(f"folder:{folder}: {found[split].name} and {path.name} both stand for {split}")
            found[split] = path
    return found if "train" in found else {"train": folder}


def _subfolders(folder: Path) -> list[Path]:
    # Sorted, because file systems list in orders of their own and the order of the images decides the training.
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _read_split(root: Path, folder: Path, classes: tuple[str, ...], *, all_needed: bool) -> Split:
    paths: list[Path] = []
    labels: list[int] = []
    for subfolder in _subfolders(folder):
        if subfolder.name not in classes:
            raise ValueError(f"folder:{folder}: class {subfolder.name!r} is not among the classes of train")
        images = find_images(subfolder)
        if not images and all_needed:
            raise ValueError(f"folder:{folder}: class {subfolder.name!r} has no images")
        paths += images
        labels += [classes.index(subfolder.name)] * len(images)
    names = [path.relative_to(root).as_posix() for path in paths]
    return Split(FileImages(paths, names), np.array(labels, dtype=np.int64))


def _visible_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _leftovers(folder: Path, used: set[Path]) -> list[str]:
    """A remark on every file that is in no split."""
    reasons = {True: "an image that is in no class folder", False: "not an image by its name"}
    return [
        f"{path.relative_to(folder).as_posix()}: {reasons[path.suffix.lower() in EXTENSIONS]}"
        for path in _visible_files(folder)
        if path not in used
    ]
