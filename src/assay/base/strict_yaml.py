"""YAML from anywhere, as plain values: small enough to be handled, and without a key that is given twice.

PyYAML alone would keep the last of two equal keys, and a few lines of aliases to aliases would mean billions of values.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from assay.base.text import quoted, shorten

_MERGE = "tag:yaml.org,2002:merge"  # the key <<, which may be given more than once
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MOST_BYTES = 1_000_000
_MOST_VALUES = 50_000  # keys count too, and what an alias stands for each time
_DEEPEST = 20
_LONGEST_NUMBER = 100  # characters
_LONGEST_REASON = 300


def read_yaml(path: Path) -> Any:
    """The content of a file; raises ``ValueError`` as ``parse_yaml`` does, and ``OSError`` if it cannot be read."""
    with path.open("rb") as file:
        return parse_yaml(file.read(_MOST_BYTES + 1).decode())


def parse_yaml(text: str) -> Any:
    """The text's content as plain values.

    Raises:
        ValueError: in one short line, if the text is not YAML; has over a million characters, 50,000 values (those
            that aliases stand for included), 20 levels or 100 characters in a number; or a mapping has a key twice.
            Keys are names here, so they are compared as text: 1 and '1' are the same.
    """
    if len(text) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES:,} characters of YAML")
    try:
        return _parse(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {shorten(' '.join(str(error).split()), _LONGEST_REASON)}") from None
    except _RefusedError:
        raise
    # For the 13th month, or a tag that does not fit its value, PyYAML raises whatever it stumbles over.
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"not YAML: a value cannot be read ({shorten(str(error), _LONGEST_REASON)})") from None


def dump_yaml(content: Any) -> str:
    """Plain values as YAML; the keys of a mapping stay in their order."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False))


class _RefusedError(ValueError):
    """The text is YAML, but not such as is taken here."""


# Those in C are five to eight times as fast; a server reads the recipes of thousands of runs.
_Loader: type[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_Dumper: type[Any] = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper


def _parse(text: str) -> Any:
    _check_events(text)  # before nodes are made of them, by a function that calls itself
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        for count, (node, depth) in enumerate(_nodes(root, 0)):
            _check_extent(depth, count)
            if isinstance(node, yaml.MappingNode):
                _refuse_duplicates(loader, node)
            elif isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
                line = node.start_mark.line + 1
                raise _RefusedError(f"line {line}: a number of more than {_LONGEST_NUMBER} characters")
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_events(text: str) -> None:
    """Give up as soon as the text is too deep or too long, and not after all of it has been read."""
    depth = count = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.NodeEvent):
            _check_extent(depth, count)
            count += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)


def _check_extent(depth: int, count: int) -> None:
    counted = "counting what aliases (*name) stand for"
    if depth > _DEEPEST:
        raise _RefusedError(f"more than {_DEEPEST} levels, one in another, {counted}")
    if count >= _MOST_VALUES:
        raise _RefusedError(f"more than {_MOST_VALUES:,} values, {counted}")


def _nodes(node: yaml.Node, depth: int) -> Iterator[tuple[yaml.Node, int]]:
    """Yield the node and all below it with their depths, those under an alias each time that it is named."""
    yield node, depth
    if isinstance(node, yaml.MappingNode):
        children = [one for pair in node.value for one in pair]
    else:
        children = node.value if isinstance(node, yaml.SequenceNode) else []
    for child in children:
        yield from _nodes(child, depth + 1)  # an alias can make a node contain itself: it is too deep then


def _refuse_duplicates(loader: Any, node: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE):
        name, line = str(loader.construct_object(key)), key.start_mark.line + 1
        if name in lines:
            raise _RefusedError(f"key {quoted(name)} is given twice, in lines {lines[name]} and {line}")
        lines[name] = line
