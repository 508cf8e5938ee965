"""Damage to the content of a file, drawn at random: to its bytes, or to the values that are written in it."""

from __future__ import annotations

import contextlib
import copy
import gzip
import io
import json
import math
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

Mutate = Callable[[bytes, Random], bytes]


def nested(depth: int) -> Any:
    """Lists, one in another."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 1, 0.5, 2**31, 2**63, -(2**70), 1e-300, 1e308, math.nan, math.inf, "",
    "0", "1e3", "nan",
    "x" * 5000, "a\nb\x1b[31m\0", "../../etc/passwd", [], {}, [1], [None], {"a": 1}, "=1+1", "\u202eabc",
    nested(20), nested(120),
)  # fmt: skip


def mutate_bytes(content: bytes, chance: Random) -> bytes:
    """Flip, cut, insert, repeat or exchange some bytes."""
    data, size = bytearray(content), len(content)
    start = chance.randrange(size + 1)
    end = min(size, start + chance.choice([1, 4, 64, 1024, size]))
    match chance.randrange(8):
        case 0:
            for _ in range(chance.choice([1, 3, 30])):
                data[chance.randrange(size)] ^= 1 << chance.randrange(8)
        case 1:
            del data[start:]
        case 2:
            del data[start:end]
        case 3:
            data[start:start] = chance.randbytes(chance.choice([1, 8, 500]))
        case 4:
            data[start:start] = data[start:end]
        case 5:
            data[start:end] = bytes([chance.choice([0, 255, 32, 91])]) * (end - start)
        case 6:
            data[start:end] = data[end : 2 * end - start]
        case _:
            data = bytearray(chance.choice([b"", b"\0", b"[" * 20_000, b"{}", b"\xff\xfe", chance.randbytes(300)]))
    return bytes(data)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a tree with each of its keys or places."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def mutate_values(tree: Any, chance: Random) -> Any:
    """Drop, add, exchange or replace some values of a tree of dictionaries and lists."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice([1, 1, 2, 5])):
        found = list(places(tree))
        if not found:
            return chance.choice(NASTY)
        container, key = chance.choice(found)
        match chance.randrange(6):
            case 0:
                del container[key]
            case 1:
                other, place = chance.choice(found)
                with contextlib.suppress(LookupError):  # of a part that is gone meanwhile
                    container[key] = copy.deepcopy(other[place])
            case 2 if isinstance(container, dict):
                container[chance.choice([*NASTY[14:20], f"{key}s", 7])] = container.pop(key)
            case _:
                container[key] = copy.deepcopy(chance.choice(NASTY))
    return tree


def of_text(read: Callable[[str], Any], write: Callable[[Any], str]) -> Mutate:
    """Mutate the values of a text file, or its bytes."""

    def mutate(content: bytes, chance: Random) -> bytes:
        if chance.random() < 0.3:
            return mutate_bytes(content, chance)
        return write(mutate_values(read(content.decode()), chance)).encode(errors="surrogateescape")

    return mutate


def mutate_lines(content: bytes, chance: Random) -> bytes:
    """Mutate a line of JSON, or repeat, drop or exchange lines."""
    lines = content.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            lines.insert(place, lines[place])
        case 1:
            del lines[place]
        case 2:
            chance.shuffle(lines)
        case 3:
            return mutate_bytes(content, chance)
        case _:
            lines[place] = of_text(json.loads, json.dumps)(lines[place].rstrip(), chance) + b"\n"
    return b"".join(lines)


def mutate_safetensors(content: bytes, chance: Random) -> bytes:
    """Mutate the header of a file of tensors, or assay's own header in it, or the bytes."""
    if chance.random() < 0.3:
        return mutate_bytes(content, chance)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    own = header.get("__metadata__", {})
    if own and chance.random() < 0.7:
        own["assay"] = of_text(json.loads, json.dumps)(own["assay"].encode(), chance).decode(errors="replace")
    else:
        header = mutate_values(header, chance)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def mutate_checkpoint(content: bytes, chance: Random) -> bytes:
    """Mutate the values and tensors of a checkpoint, or its bytes."""
    if chance.random() < 0.3:
        return mutate_bytes(content, chance)
    buffer = io.BytesIO()
    tree = mutate_values(torch.load(io.BytesIO(content), weights_only=True), chance)
    tensors = [(holder, key) for holder, key in places(tree) if isinstance(holder[key], torch.Tensor)]
    if tensors and chance.random() < 0.3:
        holder, key = chance.choice(tensors)
        holder[key] = chance.choice(
            [holder[key].flatten()[:1], holder[key].double(), torch.zeros(3, 3), torch.tensor(math.nan)]
        )
    torch.save(tree, buffer)
    return buffer.getvalue()


def mutate_parquet(content: bytes, chance: Random) -> bytes:
    """Mutate the rows or the hub's description of a Parquet file, or its bytes."""
    if chance.random() < 0.3:
        return mutate_bytes(content, chance)
    table = pq.read_table(io.BytesIO(content))
    about = {key.decode(): json.loads(value) for key, value in (table.schema.metadata or {}).items()}
    columns = table.to_pydict()
    if about and chance.random() < 0.5:
        about = {"huggingface": mutate_values(about, chance)}
    else:
        columns = mutate_values(columns, chance)
    buffer = io.BytesIO()
    try:
        changed = pa.table(columns).replace_schema_metadata({key: json.dumps(value) for key, value in about.items()})
        pq.write_table(changed, buffer)
    except (pa.ArrowException, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        return mutate_bytes(content, chance)  # values that no Parquet file can hold
    return buffer.getvalue()


def mutate_zip(content: bytes, chance: Random) -> bytes:
    """Mutate a member of a zip archive, its name or number, or the bytes."""
    if chance.random() < 0.4:
        return mutate_bytes(content, chance)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            names = [name, f"../{name}", f"/{name}", "a\nb.png", f"{'d/' * 300}x.png", "\x1b[31m.png"]
            members = [old.read(name), mutate_bytes(old.read(name), chance), bytes(20_000_000)]
            for _ in range(chance.choice([0, 1, 1, 1, 2])):
                with warnings.catch_warnings(action="ignore"):  # of a name that is there twice
                    new.writestr(chance.choice(names), chance.choice(members))
    return buffer.getvalue()


def mutate_tar(content: bytes, chance: Random) -> bytes:
    """Mutate the header or content of a member of a tar archive, or the bytes before or after they are compressed."""
    if chance.random() < 0.3:
        return mutate_bytes(content, chance)
    is_compressed = content.startswith(b"\x1f\x8b")
    if is_compressed and chance.random() < 0.4:
        return gzip.compress(mutate_bytes(gzip.decompress(content), chance), 1)
    buffer, mode = io.BytesIO(), "w:gz" if is_compressed else "w"
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=buffer, mode=mode) as new:  # type: ignore[call-overload]
        for member in old.getmembers():
            data = chance.choice([old.extractfile(member).read(), bytes(20_000_000)])  # type: ignore[union-attr]
            member.name = chance.choice([member.name, f"../{member.name}", f"/{member.name}", "\x1b[31m\n.png"])
            member.type = chance.choice([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
            member.linkname = chance.choice(["", member.name, "../../etc/passwd"])
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


mutate_json = of_text(json.loads, json.dumps)
mutate_yaml = of_text(yaml.safe_load, lambda values: str(yaml.dump(values)))
