"""Host kinds: one file each, whose name is the word on the command line; nothing else lists them."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

from crane_mirrors.errors import UnknownName
from crane_mirrors.hosts._base import Found, HostKind
from crane_mirrors.model import nearest, shown

__all__ = ["Found", "HostKind", "kind_named", "kind_names", "kind_of"]

GENERIC = HostKind()


@cache
def kind_names() -> tuple[str, ...]:
    """List the host kinds that have a file, sorted.

    >>> "coding" in kind_names()
    True
    """
    files = os.listdir(os.path.dirname(__file__))
    return tuple(sorted(name[:-3] for name in files if name.endswith(".py") and not name.startswith("_")))


@cache
def kind_named(name: str) -> HostKind:
    """Give the host kind of a name; ``generic`` is a host that no file describes. Raises UnknownName.

    >>> kind_named("gitee").domains
    ('gitee.com',)
    """
    if name == GENERIC.name:
        return GENERIC
    if name not in kind_names():
        raise UnknownName(f"unknown host kind {shown(name)}: {nearest(name, list(kind_names()))}")
    kind: HostKind = import_module(f"{__name__}.{name}").KIND
    return kind


@cache
def kind_of(host: str) -> HostKind:
    """Give the kind of a well-known host by its name, or the generic one.

    >>> kind_of("finops.coding.net").name, kind_of("docker.m.example").name
    ('coding', 'generic')
    """
    return next((kind for kind in map(kind_named, kind_names()) if kind.claims(host)), GENERIC)
