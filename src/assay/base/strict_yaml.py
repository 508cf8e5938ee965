"""YAML that refuses a key given twice; PyYAML would silently keep the last."""

from __future__ import annotations

from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"  # the key <<, which may be given more than once


def parse_yaml(text: str) -> Any:
    """The text's content as plain values.

    Raises:
        ValueError: in one line, if the text is not YAML or a mapping has a key twice. Keys are names here, so
            they are compared as text: 1 and '1' are the same.
    """
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _refuse_duplicates(loader, root, set())
        return loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()


def _refuse_duplicates(loader: yaml.SafeLoader, node: yaml.Node, seen: set[int]) -> None:
    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))  # an alias can make a node contain itself
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE):
            name, line = str(loader.construct_object(key)), key.start_mark.line + 1
            if name in lines:
                raise ValueError(f"key {name!r} is given twice, in lines {lines[name]} and {line}")
            lines[name] = line
    inside = (value for _, value in node.value) if isinstance(node, yaml.MappingNode) else node.value
    for child in inside:
        _refuse_duplicates(loader, child, seen)
