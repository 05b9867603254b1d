"""YAML text → nodes that know where they stand, in bounded time and memory.

A catalogue needs mappings, sequences and strings only: anchors, aliases and tags are refused (an alias bomb
cannot be written), nesting is limited, every scalar stays the string that was typed (``1.10``, ``no``, ``on``),
and a key that stands twice is an error. PyYAML does the parsing, by events, since its composer recurses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from crane_mirrors.catalogue.problems import At
from crane_mirrors.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crane_mirrors.catalogue.problems import Problems

__all__ = ["MAX_BYTES", "MapNode", "Node", "Scalar", "SeqNode", "read_nodes"]

MAX_BYTES = 64 * 2**20
"""The largest catalogue that is read, in bytes."""

MAX_DEPTH = 16
# What the reading of a file costs is a matter of how many values it holds; a full entry has about 30.
MAX_EVENTS = 1_000_000


class Scalar(NamedTuple):
    """A string, or nothing (``~``, ``null``, or no value at all)."""

    at: At
    text: str | None


@dataclass(frozen=True, slots=True)
class SeqNode:
    """A list of nodes."""

    at: At
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; ``keys`` holds where each key stands."""

    at: At
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, At] = field(default_factory=dict)


Node = Scalar | SeqNode | MapNode


class _Refused(Exception):
    def __init__(self, at: At, message: str) -> None:
        self.at, self.message = at, message


def read_nodes(file: str, data: bytes, problems: Problems) -> Node | None:
    """Read one YAML document; None, with a problem noted, where it is not one that a catalogue may be."""
    import yaml

    if len(data) > MAX_BYTES:
        problems.add(file, f"larger than {MAX_BYTES // 2**20} MiB")
        return None
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        # All before the bad byte is valid, and a column counts characters.
        lines = data[: error.start].decode().split("\n")
        bad = At(file, len(lines), len(lines[-1]) + 1)
        problems.add(bad, f"not UTF-8: byte 0x{data[error.start]:02x}")
        return None
    try:
        return _Composer(file, problems).compose(_events(text))
    except _Refused as refused:
        problems.add(refused.at, refused.message)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = At(file, mark.line + 1, mark.column + 1) if mark else file
        problems.add(at, f"not YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        problems.add(_bad_character(file, text), f"not YAML: {error.reason}")
    except (OverflowError, ValueError) as error:
        # PyYAML's own scanner, where libyaml is missing, makes numbers of escapes and versions unchecked.
        problems.add(file, f"not YAML: {error}")
    return None


def _bad_character(file: str, text: str) -> At:
    # libyaml counts bytes, PyYAML's own reader characters: look for it by the rule (YAML 1.1, "c-printable").
    bad = re.search("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    before = text[: bad.start()] if bad else ""
    return At(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _events(text: str) -> Iterator[Any]:
    import yaml

    # libyaml is ten times as fast, but not in every build of PyYAML.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return iter(yaml.parse(text, Loader=loader))


class _Composer:
    """Build nodes with a stack of open collections, so that depth is a number and not recursion."""

    def __init__(self, file: str, problems: Problems) -> None:
        self.file, self.problems = file, problems
        self.stack: list[SeqNode | MapNode] = []
        self.key: list[str | None] = []
        self.root: Node | None = None

    def compose(self, events: Iterator[Any]) -> Node | None:
        import yaml

        documents = 0
        for number, event in enumerate(events):
            if number > MAX_EVENTS:
                raise _Refused(self._at(event), f"more than {MAX_EVENTS} values: that is no catalogue")
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise _Refused(self._at(event), "a second YAML document: a catalogue is one")
                case yaml.AliasEvent():
                    raise _Refused(self._at(event), "YAML anchors and aliases are not allowed in a catalogue")
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._open(event)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self.stack.pop()
                    self.key.pop()
                    if self.key:
                        self.key[-1] = None
        if self.root is None:
            self.problems.add(self.file, "an empty catalogue: it must hold at least 'version: 1'")
        return self.root

    def _at(self, event: Any) -> At:
        path = ""
        if self.stack:
            top, key = self.stack[-1], self.key[-1]
            if isinstance(top, SeqNode):
                path = f"{top.at.path}[{len(top.items)}]"
            else:
                # A key's own place has its path already, fit to be shown.
                path = top.at.path if key is None else top.keys[key].path
        mark = event.start_mark
        return At(self.file, mark.line + 1, mark.column + 1, path)

    def _scalar(self, event: Any) -> None:
        self._refuse_marks(event)
        top = self.stack[-1] if self.stack else None
        if isinstance(top, MapNode) and self.key[-1] is None:
            at = self._at(event).key(shown(event.value)[1:-1])
            if event.value in top.keys:
                self.problems.add(at, f"the key stands twice, first in line {top.keys[event.value].line}")
            top.keys[event.value] = at
            self.key[-1] = event.value
            return
        plain = not event.style and event.value in ("", "~", "null", "Null", "NULL")
        self._add(Scalar(self._at(event), None if plain else event.value))

    def _open(self, event: Any) -> None:
        self._refuse_marks(event)
        if len(self.stack) >= MAX_DEPTH:
            raise _Refused(At(self.file, event.start_mark.line + 1, event.start_mark.column + 1), "nested too deeply")
        if self.stack and isinstance(self.stack[-1], MapNode) and self.key[-1] is None:
            raise _Refused(self._at(event), "a key must be a string")
        node = MapNode(self._at(event)) if type(event).__name__.startswith("Map") else SeqNode(self._at(event))
        self._add(node)
        self.stack.append(node)
        self.key.append(None)

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.root = node
        elif isinstance(top := self.stack[-1], SeqNode):
            top.items.append(node)
        else:
            key = self.key[-1]
            assert key is not None
            top.items[key] = node
            # The key stays open while the value's own items are read, for their paths.
            if isinstance(node, Scalar):
                self.key[-1] = None

    def _refuse_marks(self, event: Any) -> None:
        if event.anchor:
            raise _Refused(self._at(event), "YAML anchors and aliases are not allowed in a catalogue")
        if event.tag:
            raise _Refused(self._at(event), f"YAML tags are not allowed in a catalogue: {shown(event.tag)}")
