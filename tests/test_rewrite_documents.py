"""Documents in the forms that people have, each with what it becomes beside it: NAME, NAME.coding, NAME.gitee, …"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crane_mirrors import Choice, load
from crane_mirrors.rewrite.changes import changes
from crane_mirrors.rewrite.engine import blocks, rewrite_stream
from crane_mirrors.rewrite.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.model import Kind
    from crane_mirrors.rewrite.index import Index

FOLDER = Path(__file__).parent / "rewrite"
MIRRORS = ("coding", "gitee", "ghcr", "origin")
EXPECTED = sorted(path for path in FOLDER.iterdir() if path.suffix[1:] in MIRRORS)
DOCUMENTS = sorted(set(FOLDER.iterdir()) - set(EXPECTED))

# Some of their strings stand in another form than the catalogue's own, which is the form that comes back.
NO_WAY_BACK = {
    "05-values-bare.yaml": "names without docker.io",
    "06-workflow.yml": "a reference on ghcr.io",
    "07-Dockerfile": "a clone URL without .git",
    "12-kustomization.yaml": "a clone URL without .git",
    "15-bare.sh": "names without docker.io",
    "16-git-urls.txt": "ssh, git and short forms",
    "17-raw-urls.txt": "several forms of one file's URL",
    "18-mirrors-mixed.yaml": "references on mirrors",
    "29-gitmodules": "git@github.com",
    "37-expansions-and-neighbours.txt": "a path that is not percent-encoded",
}


@cache
def _index(mirror: str) -> Index:
    kinds: tuple[Kind, ...] = ("image", "helm", "git", "raw")
    return Rules(load(), dict.fromkeys(kinds, Choice((mirror,)))).index()


def _once(data: bytes) -> Callable[[int], bytes]:
    pieces = [data, b""]
    return lambda _: pieces.pop(0)


def _rewritten(data: bytes, mirror: str) -> bytes:
    written: list[bytes] = []
    rewrite_stream(_once(data), written.append, _index(mirror))
    return b"".join(written)


def test_there_are_at_least_thirty_documents() -> None:
    """Each has at least what it becomes on Coding."""
    assert len(DOCUMENTS) >= 30
    assert {path.name for path in DOCUMENTS} == {path.stem for path in EXPECTED if path.suffix == ".coding"}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: path.name)
def test_a_document_becomes_what_stands_beside_it(expected: Path) -> None:
    """Every address of the catalogue changes, and not one other byte; a second run changes nothing."""
    mirror = expected.suffix[1:]
    assert _rewritten(expected.with_suffix("").read_bytes(), mirror) == expected.read_bytes()
    assert _rewritten(expected.read_bytes(), mirror) == expected.read_bytes()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_comes_back(path: Path) -> None:
    """What stood in its canonical form is the same, byte for byte, after going to Coding and back to the origin."""
    back = _rewritten(_rewritten(path.read_bytes(), "coding"), "origin")
    assert (back == path.read_bytes()) == (path.name not in NO_WAY_BACK)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_changed_is_what_is_reported(path: Path) -> None:
    """Putting the reported strings in the place of the old ones, line by line, gives the new document."""
    lines = path.read_bytes().split(b"\n")
    at = [0] * len(lines)
    for block in blocks(_once(path.read_bytes()), _index("coding")):
        for change in changes(block, 1):
            line, start = lines[change.line - 1], at[change.line - 1]
            found = line.index(change.old, start)
            lines[change.line - 1] = line[:found] + change.new + line[found + len(change.old) :]
            at[change.line - 1] = found + len(change.new)
    assert b"\n".join(lines) == Path(f"{path}.coding").read_bytes()
