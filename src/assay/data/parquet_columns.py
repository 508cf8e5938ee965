"""Which columns of a Parquet file hold the images and their labels, by the hub's description and by their names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from assay.base.json_files import parse_json
from assay.base.registry import nearest
from assay.base.text import quoted
from assay.data.places import Place

_NAMES = ("image", "img")


def image_column(schema: pa.Schema, file: Place) -> str:
    """The column of images: the hub's Image feature, else one called image or img, else the only one that may be.

    Raises:
        ValueError: no column holds bytes, or several do and none of them is described or called so.
    """
    candidates = [str(field.name) for field in schema if _holds_bytes(field.type)]
    if not candidates:
        raise ValueError(f"{file}: no column of images among {_with_types(schema)}")
    described = _features(schema, file)
    for chosen in (
        [name for name in candidates if described.get(name, {}).get("_type") == "Image"],
        [name for name in candidates if name.lower() in _NAMES],
    ):
        candidates = [name for name in candidates if name in chosen] or candidates
    if len(candidates) > 1:
        raise ValueError(
            f"{file}: several columns may hold the images ({', '.join(candidates)}); rename the right one to image"
        )
    return candidates[0]


def label_column(schema: pa.Schema, wanted: str | None, images: str, file: Place) -> str:
    """The column of labels: the wanted one, else the hub's only ClassLabel, else the only one that is called so.

    Raises:
        ValueError: there is no such column, or several may be meant.
    """
    if wanted is not None:
        check_column(schema, wanted, images, file)
        return wanted
    others = [name for name in schema.names if name != images]
    described = _features(schema, file)
    named = [name for name in others if described.get(name, {}).get("_type") == "ClassLabel"]
    candidates = named or [name for name in others if "label" in name.lower() or "class" in name.lower()]
    if len(candidates) != 1:
        problem = f"several label columns ({', '.join(candidates)})" if candidates else "no label column"
        raise ValueError(f"{file}: {problem}; choose one of {', '.join(others)} with --data.label")
    return str(candidates[0])


def check_column(schema: pa.Schema, wanted: str, images: str, file: Place) -> None:
    """Raise ``ValueError`` if the file has no such column beside that of the images."""
    others = [name for name in schema.names if name != images]
    if wanted not in others:
        raise ValueError(f"{file}: no column {quoted(wanted)}: {nearest(wanted, others)}")


def class_names(schema: pa.Schema, column: str, file: Place) -> tuple[str, ...]:
    """The names of a column's classes in the hub's description, in the order of their numbers; empty without any.

    Raises:
        ValueError: they are no list of texts.
    """
    names = _features(schema, file).get(column, {}).get("names")
    if not names:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{file}: column {column}: its class names are {json.dumps(names):.60}, expected texts alone")
    return tuple(names)


def _features(schema: pa.Schema, file: Place) -> Mapping[str, Any]:
    """The hub's own description of the columns, from the schema's metadata."""
    content: Any = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        content = parse_json(content)
        for key in ("info", "features"):
            content = content.get(key) or {}
        return {name: feature for name, feature in content.items() if isinstance(feature, dict)}  # some are lists
    except (ValueError, AttributeError):
        raise ValueError(
            f"{file}: its metadata 'huggingface' is not the hub's JSON object (info, in it features)"
        ) from None


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _with_types(schema: pa.Schema) -> str:
    """The columns; of a struct with its type, because images are structs, and one of a wrong type should be seen."""
    texts: Sequence[str] = [
        f"{field.name} ({field.type})" if pa.types.is_struct(field.type) else field.name for field in schema
    ]
    return ", ".join(texts)
