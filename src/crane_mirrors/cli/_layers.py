"""Which catalogue files a call uses: the user's, the project's, the environment's and the options', in this order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue

__all__ = ["Layers", "base_folder", "find_layers"]

PROJECT_FILE = ".crane-mirrors.yaml"


class Layers(NamedTuple):
    """The files over the built-in catalogue, the lowest first; ``project`` came with somebody's repository."""

    files: tuple[str, ...]
    project: str | None = None

    def load(self) -> Catalogue:
        """Load the catalogue with all layers. Raises InvalidCatalogue."""
        from crane_mirrors.catalogue import load

        return load(self.files, cache_dir=_cache_dir())

    @property
    def without_project(self) -> Layers:
        """The same without the project's file."""
        return Layers(tuple(file for file in self.files if file != self.project))

    def project_counts(self, catalogue: Catalogue) -> bool:
        """Tell whether a catalogue of these layers would be another one without the project's file."""
        if self.project is None:
            return False
        from crane_mirrors.errors import InvalidCatalogue

        try:
            return self.without_project.load().compiled != catalogue.compiled
        except InvalidCatalogue:
            return True


def find_layers(options: tuple[str, ...], *, project: bool = True) -> Layers:
    """Find the files that are there, and take those that the environment and the options name."""
    user = os.path.join(base_folder("XDG_CONFIG_HOME", ".config"), "crane-mirrors", "mirrors.yaml")
    users = (user,) if os.path.isabs(user) and os.path.lexists(user) else ()
    own = _project_file() if project else None
    environment = os.environ.get("CRANE_MIRRORS_CATALOGUE", "").split(os.pathsep)
    return Layers((*users, *filter(None, (own, *environment)), *options), own)


def _project_file() -> str | None:
    """Look in this folder and, inside a Git repository, in those above it up to the repository's root."""
    try:
        here = folder = os.getcwd()
    except OSError:
        return None
    folders = [folder]
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            folders = [here]
            break
        folders.append(folder := parent)
    files = (os.path.join(folder, PROJECT_FILE) for folder in folders)
    # Reading a FIFO would wait for whoever writes to it; a link that leads nowhere is a mistake to be told.
    found = (file for file in files if os.path.isfile(file) or (os.path.islink(file) and not os.path.exists(file)))
    return next((os.path.relpath(file, here) for file in found), None)


def _cache_dir() -> str | None:
    if os.environ.get("CRANE_MIRRORS_NO_CACHE"):
        return None
    folder = os.path.join(base_folder("XDG_CACHE_HOME", ".cache"), "crane-mirrors")
    return folder if os.path.isabs(folder) else None


def base_folder(variable: str, default: str) -> str:
    """Give a base directory of the user: the variable's, or the default in the home."""
    # The XDG base directory specification: a path that is not absolute is to be ignored.
    base = os.environ.get(variable, "")
    return base if os.path.isabs(base) else os.path.join(os.path.expanduser("~"), default)
