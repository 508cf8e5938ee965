"""``folder:PATH``: one folder per class, with or without train, val and test folders above."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from assay.data.choices import OnUnlabelled
from assay.data.images import EXTENSIONS, FileImages
from assay.data.split import Source, Split
from assay.data.walk import first_names, subfolders, visible_files

SPLIT_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "held-out": ("val", "valid", "validation", "dev", "held-out"),
    "test": ("test", "testing"),
}


def read_folder(folder: Path, unlabelled: OnUnlabelled = "error") -> Source:
    """The images below ``folder``; classes are the sorted names of the folders that hold them.

    Args:
        folder: holds class folders, or folders of splits that do.
        unlabelled: ``"skip"`` leaves a test or validation folder out whose images are in no class folder.

    Raises:
        ValueError: no such folder, or one that cannot be read; two folders for a split, or one that may be a class; no
            class folders; a class without images; a class of the test or validation folder that train does not have.
    """
    if not folder.is_dir():
        raise ValueError(f"folder:{folder}: no such folder")
    folders = _split_folders(folder)
    classes = tuple(path.name for path in subfolders(folders["train"]))
    if not classes:
        raise ValueError(f"folder:{folders['train']}: expected one folder per class, found {_loose(folders['train'])}")
    splits: dict[str, Split] = {}
    left_out: list[str] = []
    known: set[Path] = set()
    for name, path in folders.items():
        paths, labels = _read_split(path, classes, all_needed=name == "train")
        loose = [] if paths else find_images(path)
        known.update(paths, loose)
        if loose:
            left_out.append(f"{path.name}: {_loose(path)}")
        else:
            names = [image.relative_to(folder).as_posix() for image in paths]
            splits[name] = Split(FileImages(paths, names), np.array(labels, dtype=np.int64))
    if left_out and unlabelled == "error":
        raise ValueError(f"folder:{folder}: {left_out[0]}; leave it out with data.unlabelled skip")
    return Source(splits, classes, tuple(_leftovers(folder, known)), left_out)


def find_images(folder: Path) -> list[Path]:
    """Every image file below ``folder``, sorted; hidden files are passed over.

    Raises:
        ValueError: a folder cannot be read.
    """
    return [path for path in visible_files(folder) if is_image(path)]


def is_image(path: Path) -> bool:
    """Whether a file is an image by its name."""
    return path.suffix.lower() in EXTENSIONS


def _split_folders(folder: Path) -> dict[str, Path]:
    """The folder of each split; names in any case, and the folder itself where none is called train."""
    found: dict[str, Path] = {}
    others: list[Path] = []
    for path in subfolders(folder):
        split = next((split for split, names in SPLIT_FOLDERS.items() if path.name.lower() in names), None)
        if split is None:
            others.append(path)
        elif split in found:
            raise ValueError(f"folder:{folder}: {found[split].name} and {path.name} both stand for {split}")
        else:
            found[split] = path
    _check_layout(folder, found, others)
    return found if "train" in found else {"train": folder}


def _check_layout(folder: Path, found: Mapping[str, Path], others: Sequence[Path]) -> None:
    """Refuse a folder that may be a split or a class, and splits without train."""
    if list(found) == ["train"]:  # with a test or validation folder it is a split
        classes = [path.name for path in others if find_images(path)]
        if classes:
            raise ValueError(
                f"folder:{folder}: {found['train'].name} may be a split or a class, as {first_names(classes)} beside "
                "it hold images too; if it is a class, rename it, and else move the others out"
            )
    elif "train" not in found and not others and any(subfolders(path) for path in found.values()):
        path = next(iter(found.values()))
        raise ValueError(f"folder:{folder}: no folder train in it; for one of the others alone name it: folder:{path}")
    elif "train" not in found:
        names = {path.name for path in others}
        for path in found.values():
            both = [child.name for child in subfolders(path) if child.name in names]
            if both:
                raise ValueError(
                    f"folder:{folder}: {path.name} holds the classes {first_names(both)} as the folder itself does; "
                    "move the others into a folder train"
                )


def _loose(folder: Path) -> str:
    images = len(find_images(folder))
    return f"{images} image{'s' * (images > 1)} in no class folder" if images else "none"


def _read_split(folder: Path, classes: tuple[str, ...], *, all_needed: bool) -> tuple[list[Path], list[int]]:
    """The images in a split's class folders, and the number of the class of each."""
    paths: list[Path] = []
    labels: list[int] = []
    for subfolder in subfolders(folder):
        if subfolder.name not in classes:
            raise ValueError(f"folder:{folder}: class {subfolder.name!r} is not among the classes of train")
        images = find_images(subfolder)
        if not images and all_needed:
            raise ValueError(f"folder:{folder}: class {subfolder.name!r} has no images")
        paths += images
        labels += [classes.index(subfolder.name)] * len(images)
    return paths, labels


def _leftovers(folder: Path, known: set[Path]) -> Iterator[str]:
    """A remark on the files that are not known yet, for each reason and ending."""

    def kind(path: Path) -> tuple[str, str]:
        return "an image that is in no class folder" if is_image(path) else "not an image by its name", path.suffix

    files = sorted((path for path in visible_files(folder) if path not in known), key=kind)
    for (reason, ending), group in groupby(files, kind):
        names = [path.relative_to(folder).as_posix() for path in group]
        count = f"{len(names)} files {ending or 'without an ending'}: " if len(names) > 1 else ""
        yield f"{count}{first_names(names)}: {reason}"
