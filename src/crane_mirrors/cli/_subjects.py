"""Which things a live command asks about: all, or those that a person named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from crane_mirrors.cli._settings import CatalogueName
from crane_mirrors.errors import InvalidInput, NoRoute, NotFound, UnknownName
from crane_mirrors.model import nearest, shown
from crane_mirrors.resolve.routes import check_mirrors, is_chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.model import Kind
    from crane_mirrors.resolve.routes import Answer

__all__ = ["Subject", "Wanted", "subject_options", "subjects"]

KINDS: tuple[Kind, ...] = ("image", "helm", "git")
"""The kinds that can be asked about by name."""


_OPTIONS = (
    click.argument(
        "names",
        nargs=-1,
        metavar="[NAME[:TAG]...]",
        type=CatalogueName(lambda catalogue: [name for kind in KINDS for name in catalogue.names(kind)]),
    ),
    click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only things of this kind."),
    click.option("--raw", nargs=3, metavar="REPO REF PATH", help="A file of a Git repository instead of names."),
)


def subject_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add to a command what a person can ask about: ``names``, ``kinds`` and ``raw``."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


class Wanted(NamedTuple):
    """What a person asks about: names, none meaning everything, or one file of a Git repository."""

    names: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    tag: str | None = None
    raw: tuple[str, str, str] | None = None


class Subject(NamedTuple):
    """One thing, with the routes to its copies; ``named`` if a person asked for it."""

    answer: Answer
    entry: Entry
    named: bool

    def chosen(self, settings: Settings) -> tuple[Place, ...]:
        """Give the copies that a person chose with ``--mirror``, otherwise all."""
        return tuple(route.place for route in self.answer.routes if is_chosen(route.place, settings.mirror))


def subjects(catalogue: Catalogue, settings: Settings, wanted: Wanted) -> list[Subject]:
    """Give what is to be asked about. Raises InvalidInput, NotFound."""
    check_mirrors(catalogue, settings.mirror)
    if wanted.raw:
        if wanted.names or wanted.kinds or wanted.tag:
            raise InvalidInput("--raw names one file: leave out names, --kind and --tag")
        return [_file(catalogue, settings, *wanted.raw)]
    kinds = wanted.kinds or KINDS
    if wanted.names:
        named = [subject for name in wanted.names for subject in _named(catalogue, settings, name, wanted)]
        # A name and an alias of it are one thing, which is asked about once.
        return list({(subject.answer.kind, subject.answer.best.target): subject for subject in named}.values())
    found = []
    for entry in catalogue.entries():
        if entry.kind in kinds and not entry.is_prefix:
            try:
                found.append(Subject(_answer(catalogue, settings, entry, wanted.tag), entry, named=False))
            except NoRoute:
                continue  # it is not on the mirrors that were chosen
    if not found:
        raise NoRoute("the catalogue has nothing to ask about that is of this kind and on these mirrors")
    return found


def _file(catalogue: Catalogue, settings: Settings, repo: str, ref: str, path: str) -> Subject:
    from crane_mirrors.resolve.raw import resolve_raw

    choice = settings.choice._replace(every=True)
    return Subject(resolve_raw(catalogue, repo, ref, path, choice), catalogue.entry("git", repo), named=True)


def _named(catalogue: Catalogue, settings: Settings, text: str, wanted: Wanted) -> Iterator[Subject]:
    found = False
    for kind in wanted.kinds or KINDS:
        try:
            entry, tag, digest = _entry(catalogue, kind, text)
        except (NotFound, InvalidInput):
            continue
        if entry is None or entry.is_prefix:
            continue
        if digest:
            raise InvalidInput(f"{shown(text)} has a digest, and what has a digest is never stale: give a tag")
        if tag and wanted.tag and tag != wanted.tag:
            raise InvalidInput(f"two tags: {shown(tag)} in the name, {shown(wanted.tag)} by --tag; give one of them")
        found = True
        yield Subject(_answer(catalogue, settings, entry, tag or wanted.tag), entry, named=True)
    if not found:
        known = sorted({name for kind in wanted.kinds or KINDS for name in catalogue.names(kind)})
        what = " or ".join(wanted.kinds) or "entry"
        raise UnknownName(f"no {what} {shown(text)} in the catalogue: {nearest(text, known)}")


def _entry(catalogue: Catalogue, kind: Kind, text: str) -> tuple[Entry | None, str | None, str | None]:
    if kind != "image":
        return catalogue.get(kind, text), None, None
    from crane_mirrors.resolve.image import find_image

    return find_image(catalogue, text)


def _answer(catalogue: Catalogue, settings: Settings, entry: Entry, tag: str | None) -> Answer:
    choice = settings.choice._replace(every=True)
    if entry.kind == "image":
        from crane_mirrors.resolve.image import answer_image

        return answer_image(catalogue, entry, tag or entry.default_tag or "latest", None, choice)
    from crane_mirrors.resolve.repository import answer_repository

    return answer_repository(catalogue, entry, choice)
