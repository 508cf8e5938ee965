"""Sets that lie in several files: which they are, and the split of each by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from assay.data.folder import SPLIT_FOLDERS
from assay.data.places import Place, files_below, is_file, is_folder, matching, parts_below
from assay.data.walk import first_names

SHARDS = {"parquet": ".parquet", "webdataset": ".tar"}
"""the kinds of sets that lie in files of many images each, and the files' ending"""
_MAGIC = re.compile(r"[*?[]")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def find_shards(place: Place, kind: str, ending: str) -> dict[str, list[Place]]:
    """The files of each split, sorted: ``train-*`` and so on.

    Args:
        place: one file; a folder, searched to the bottom; or a pattern with ``*``, ``?``, ``[...]`` or a range of
            numbers such as ``{000..127}``, each of which has to be there.
        kind: of the set, as in ``kind:PLACE``, for messages.
        ending: of the files in a folder.

    Raises:
        ValueError: nothing is there, a file of a range is missing, or none of several splits is train.
    """
    if is_file(place) and (isinstance(place, Path) or place.suffix == ending):  # a web server's folders are pages
        return {"train": [place]}
    if is_folder(place):
        files, root = _shards(place, ending), place
    elif _RANGE.search(str(place)) or _MAGIC.search(str(place)):
        files = _matching(place, kind)
        root = next(above for above in place.parents if not _RANGE.search(str(above)) and not _MAGIC.search(str(above)))
        if not any(_is_of(file, root, names) for file in files for names in SPLIT_FOLDERS.values()):
            return {"train": files}
    else:
        raise ValueError(f"{kind}:{place}: no such file or folder")
    if not files:
        raise ValueError(f"{kind}:{place}: no {ending} file in it")
    found = {split: [file for file in files if _is_of(file, root, names)] for split, names in SPLIT_FOLDERS.items()}
    if not found["train"]:
        raise ValueError(f"{kind}:{place}: none of its {len(files)} files is named train-*{ending}")
    return {split: part for split, part in found.items() if part}


def files_of_no_split(place: Place, found: Mapping[str, Sequence[Place]], ending: str) -> list[str]:
    """A remark on the files below a folder that are in no split by their names, if there are any."""
    used = set(chain.from_iterable(found.values()))
    names = ["/".join(parts_below(file, place)) for file in _shards(place, ending) if file not in used]
    return [f"{first_names(names)}: in no split by name"] if names else []


def _shards(folder: Place, ending: str) -> list[Place]:
    return [file for file in files_below(folder) if file.suffix == ending] if is_folder(folder) else []


def _matching(pattern: Place, kind: str) -> list[Place]:
    """The files of a pattern, sorted; raises ``ValueError`` if there are none or one of a range is missing."""
    texts = [str(pattern)]
    while any(_RANGE.search(text) for text in texts):
        texts = [one for text in texts for one in _numbered(text)]
    found = {
        text: [
            file
            for file in (matching(type(pattern)(text)) if _MAGIC.search(text) else [type(pattern)(text)])
            if is_file(file)
        ]
        for text in texts
    }
    missing = [text for text, files in found.items() if not files]
    if missing:
        raise ValueError(f"{kind}:{pattern}: missing: {first_names(missing)}")
    return list(chain.from_iterable(found.values()))


def _numbered(text: str) -> list[str]:
    """The texts of the first range in a pattern, with as many digits as its first number has; others as they are."""
    found = _RANGE.search(text)
    if found is None:
        return [text]
    first, last = found.groups()
    numbers = range(int(first), int(last) + 1)
    return [f"{text[: found.start()]}{number:0{len(first)}d}{text[found.end() :]}" for number in numbers]


def _is_of(file: Place, root: Place, names: Sequence[str]) -> bool:
    """Whether the first word of the file's name, or of its folder's, is one of the names."""
    first_words = [re.split(r"[-_.]", part)[0] for part in parts_below(file, root)[-2:]]
    return any(word in names for word in first_words)
