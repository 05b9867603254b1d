"""The header of a file that this program owns: what wrote it, how to take it away, and a checksum of all the rest."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

from crane_mirrors.model import printable

__all__ = ["PROOF", "Stamp", "proof", "read_proof", "read_stamp", "stamped"]

PROOF = ".crane-mirrors"
"""What is put behind the name of a file that can have no header, for the file that has it instead."""

_FIRST = re.compile(r"(\S+) Written by crane-mirrors for ([a-z0-9.]+); a file that was changed is left alone\.")
_FOLDERS = "folders made with it: "
_SUM = "sha256 of all other lines: "
_CONTENTS = "sha256 of it: "


class Stamp(NamedTuple):
    """A header's contents: the target, command lines to show, and how many folders around the file came with it."""

    target: str
    made_by: str = ""
    removed_by: str = ""
    place: str = ""
    folders: int = 0
    intact: bool = True

    def lines(self) -> list[str]:
        """Give the header without its checksum; nothing in it can end a line before its time."""
        return [
            f"Written by crane-mirrors for {self.target}; a file that was changed is left alone.",
            *([f"its place: {printable(self.place)}"] if self.place else []),
            f"made by: {printable(self.made_by)}",
            f"taken away by: {printable(self.removed_by)}",
            *([f"{_FOLDERS}{self.folders}"] if self.folders else []),
        ]


def stamped(stamp: Stamp, text: str, comment: str = "#") -> str:
    """Put the header before a text; the first line that tells a system what to run it with stays the first.

    >>> made = stamped(Stamp("env", "a", "b"), "#!/bin/sh\\ntrue\\n")
    >>> made.splitlines()[0], read_stamp(made).intact, read_stamp(made + "false").intact
    ('#!/bin/sh', True, False)
    """
    first, rest = "", text
    if text.startswith("#!"):
        first, _, rest = text.partition("\n")
        first += "\n"
    head = first + "".join(f"{comment} {line}\n" for line in stamp.lines())
    rest = f"\n{rest}"
    return f"{head}{comment} {_SUM}{_hash(head + rest)}\n{rest}"


def read_stamp(text: str) -> Stamp | None:
    """Read the header of a text, None where it has none; it is ``intact`` if all is as it was written."""
    lines = text.split("\n", 12)[:12]
    start = 1 if text.startswith("#!") else 0
    first = _FIRST.fullmatch(lines[start]) if start < len(lines) else None
    if first is None:
        return None
    comment, target = first.groups()
    folders = intact = 0
    for line in lines[start:]:
        folders = _number(line, f"{comment} {_FOLDERS}") or folders
        if line.startswith(f"{comment} {_SUM}"):
            intact = line == f"{comment} {_SUM}{_hash(text.replace(line + chr(10), '', 1))}"
            break
    return Stamp(target, folders=folders, intact=bool(intact))


def _number(line: str, start: str) -> int:
    digits = line.removeprefix(start)
    return int(digits) if line.startswith(start) and digits.isdecimal() and len(digits) < 4 else 0


def proof(stamp: Stamp, *texts: str, earlier: str = "") -> str:
    """Write the file that stands for the header of another one, which has one of the given texts.

    Those that an ``earlier`` such file stands for count as well.
    """
    lines = [line for line in earlier.split("\n") if line.startswith(_CONTENTS)]
    lines += [f"{_CONTENTS}{_hash(text)}" for text in texts]
    return stamped(stamp, "".join(f"{line}\n" for line in dict.fromkeys(lines)))


def read_proof(text: str, contents: str | None) -> Stamp | None:
    """Read what ``proof`` wrote; ``intact`` only if the other file has one of its texts, or is not there."""
    stamp = read_stamp(text)
    if stamp is None or contents is None:
        return stamp
    return stamp._replace(intact=stamp.intact and f"{_CONTENTS}{_hash(contents)}\n" in text)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
