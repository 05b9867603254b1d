"""Everything that is wrong with a catalogue, each with its position, in the style of compilers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from crane_mirrors.errors import InvalidCatalogue
from crane_mirrors.model import printable

__all__ = ["At", "Problems"]

LIMIT = 1000


class At(NamedTuple):
    """A place in a catalogue file: line and column from 1, and the path of keys that leads there."""

    file: str
    line: int
    column: int
    path: str = ""

    def key(self, name: str) -> At:
        """Go one key down.

        >>> str(At("m.yaml", 3, 1, "images").key("craned"))
        'm.yaml:3:1: images.craned: '
        """
        return At(self.file, self.line, self.column, f"{self.path}.{name}" if self.path else name)

    def __str__(self) -> str:
        """Begin a message as compilers do: ``file:line:column: path: ``."""
        return f"{self.file}:{self.line}:{self.column}: " + (f"{self.path}: " if self.path else "")


@dataclass(slots=True)
class Problems:
    """A growing list of one-line messages; what comes after the thousandth is only counted, by file."""

    lines: list[str] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether a message would only be counted, so that nobody need work one out."""
        return len(self.lines) >= LIMIT

    def add(self, at: At | str, message: str) -> None:
        """Note one problem; ``at`` without a position is the name of a file."""
        if self.full:
            file = at.file if isinstance(at, At) else at
            self.more[file] = self.more.get(file, 0) + 1
        else:
            self.lines.append(printable(f"{at}{message}" if isinstance(at, At) else f"{at}: {message}"))

    def raise_any(self) -> None:
        """Raise InvalidCatalogue if there is any problem."""
        if self.lines:
            more = [printable(f"{file}: and {count} more problems") for file, count in self.more.items()]
            raise InvalidCatalogue((*self.lines, *more))
