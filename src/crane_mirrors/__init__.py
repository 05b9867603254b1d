"""Resolve the mirrors of container images, Helm repositories and Git repositories from a YAML catalogue.

>>> from crane_mirrors import Choice, load, resolve_git, resolve_image
>>> catalogue = load()
>>> resolve_image(catalogue, "craned", tag="main").best.target
'finops-docker.pkg.coding.net/gocrane/crane/craned:main'
>>> resolve_git(catalogue, "api", Choice(mirrors=("origin",))).best.target
'https://github.com/gocrane/api.git'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from crane_mirrors.catalogue import Catalogue, load
    from crane_mirrors.errors import CraneMirrorsError
    from crane_mirrors.reference import Reference
    from crane_mirrors.resolve.image import resolve_image
    from crane_mirrors.resolve.raw import resolve_raw
    from crane_mirrors.resolve.repository import resolve_git, resolve_helm
    from crane_mirrors.resolve.routes import Answer, Choice, Route
    from crane_mirrors.resolve.strings import resolve_string

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Catalogue",
    "Choice",
    "CraneMirrorsError",
    "Reference",
    "Route",
    "load",
    "resolve_git",
    "resolve_helm",
    "resolve_image",
    "resolve_raw",
    "resolve_string",
]

# Names are imported when they are first asked for, so that a command pays only for what it uses.
_ROOMS = {
    "Answer": "resolve.routes",
    "Catalogue": "catalogue",
    "Choice": "resolve.routes",
    "CraneMirrorsError": "errors",
    "Reference": "reference",
    "Route": "resolve.routes",
    "load": "catalogue",
    "resolve_git": "resolve.repository",
    "resolve_helm": "resolve.repository",
    "resolve_image": "resolve.image",
    "resolve_raw": "resolve.raw",
    "resolve_string": "resolve.strings",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
