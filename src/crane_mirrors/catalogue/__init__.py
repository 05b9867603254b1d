"""YAML catalogues → values: files are read, checked with all their problems, and laid over each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from crane_mirrors.catalogue import cache
from crane_mirrors.catalogue.index import Catalogue
from crane_mirrors.errors import InvalidCatalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BUILTIN", "Catalogue", "load", "parse"]

BUILTIN = "built-in"
"""The ``source`` of what comes from the catalogue in the package."""


def load(files: Sequence[str] = (), *, cache_dir: str | None = None) -> Catalogue:
    """Read catalogue files and lay them over the built-in one, the last on top.

    With ``cache_dir`` (an absolute folder of the user's own) the result is kept there, keyed by the files' contents.
    Raises InvalidCatalogue with every problem found.
    """
    sources: list[tuple[str, bytes]] = []
    unreadable: list[str] = []
    for name, path in ((BUILTIN, _builtin_path()), *((file, file) for file in files)):
        try:
            sources.append((name, _read(path)))
        except InvalidCatalogue as error:
            unreadable += error.problems
    if cache_dir is None or unreadable:
        return parse(sources, unreadable)
    folder = os.path.dirname(__file__)
    package = os.path.dirname(folder)
    maker = cache.code_stamp(package, folder, os.path.join(package, "hosts"))
    compiled = cache.load(cache_dir, maker, sources)
    if compiled is not None:
        return Catalogue(compiled)
    catalogue = parse(sources)
    cache.store(cache_dir, maker, sources, catalogue.compiled)
    return catalogue


def parse(sources: Sequence[tuple[str, bytes]], unreadable: Sequence[str] = ()) -> Catalogue:
    """Make a catalogue of files' names and contents, the lowest layer first. Raises InvalidCatalogue.

    With problems of files that could not be read it always raises, with those of the others behind them.
    """
    from crane_mirrors.catalogue.layer import read_layer
    from crane_mirrors.catalogue.merge import merge
    from crane_mirrors.catalogue.problems import Problems

    problems = Problems(list(unreadable))
    layers = [read_layer(name, data, problems) for name, data in sources]
    problems.raise_any()
    catalogue = merge(layers, problems)
    problems.raise_any()
    return catalogue


def _builtin_path() -> str:
    package = os.path.dirname(os.path.dirname(__file__))
    inside = os.path.join(package, "mirrors.yaml")
    if os.path.exists(inside):
        return inside
    # In a checkout and an editable install the file stands at the top, for people to read.
    return os.path.join(os.path.dirname(os.path.dirname(package)), "data", "mirrors.yaml")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            # One byte more than is allowed shows that a file is too large, without reading all of it.
            return file.read(64 * 2**20 + 1)
    except OSError as error:
        raise InvalidCatalogue((f"{path}: {(error.strerror or str(error)).lower()}",)) from None
    except ValueError as error:
        raise InvalidCatalogue((f"{path!r}: {error}",)) from None
