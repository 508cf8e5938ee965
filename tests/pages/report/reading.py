"""A page as a reader's program sees it: its elements, and the text of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = {"meta", "link", "img", "br", "input"}


@dataclass
class Element:
    """An element with all text below it."""

    name: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        """The elements of that name below it."""
        return [
            found for child in self.children for found in [*([child] if child.name == name else []), *child.all(name)]
        ]


class Page(HTMLParser):
    """Reads a page; every element that must be closed has to be, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, ())
        self.open = [self.root]
        self.elements: list[Element] = []
        self.feed(text)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(one.name for one in self.open))
        self.elements.append(element)
        self.open[-1].children.append(element)
        if tag not in EMPTY:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag, tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def all(self, name: str) -> list[Element]:
        """The elements of that name."""
        return [element for element in self.elements if element.name == name]

    def by_id(self, key: str) -> Element:
        """The element of that id."""
        (found,) = (element for element in self.elements if element.attributes.get("id") == key)
        return found
