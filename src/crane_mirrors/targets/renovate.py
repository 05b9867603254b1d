"""Renovate: a preset that has it look for versions on mirrors, while what it updates keeps naming the origin.

The tests let Renovate 39 validate it, look up with it, and commit what it found. Renovate 44, which needs a newer Node,
has passed them by hand; it asks the mirror once more for a digest.

All is said in ``packageRules``. ``registryAliases`` would be shorter for a prefix, but not every manager of Renovate
follows them (Argo CD's, Tekton's, and in version 39 Helm's for charts in registries). Here they only tell Helm's
managers what ``@name`` and ``alias:name`` are; elsewhere ``grafana`` would be every image of that owner.

A rule with ``overridePackageName`` changes the name that later rules see. So the more special rule comes first, and a
rule for a prefix leaves out the mirrors of others, and what stays where it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from crane_mirrors.catalogue.entry import Prefix
from crane_mirrors.reference import DOCKER_HUB, Repository
from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._cluster import repository_of, spellings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET"]

_MANAGERS_OF_HELM = ("helm-requirements", "helmfile", "helmsman", "helmv3")
_SCHEME = "Renovate looks a chart up where it is written to be, in a registry or on a web server, not in the other"
_PREFIX = "Renovate can give a Helm repository another URL, but not all that are under one"

#: What begins so Renovate writes back by the package's name, so that has to be the old one again once it has looked.
_WRITTEN_BACK = ("library/", "amd64/", "arm64/", "quay.io:")
_LOOKING = "$not($exists(updateType))"

_NOTES = (
    'name it in a repository\'s configuration, "extends": ["local>OWNER/REPOSITORY//crane-mirrors.json5"], '
    "or take over its contents",
    "manifests that name a mirror need nothing of this: Renovate looks there by itself",
    "a rule of your own finds an image by matchDepNames: for matchPackageNames it already has the mirror's name",
    "a digest that Renovate pins is then what the mirror says; crane-mirrors image --pin asks the origin",
)


class Renovate(Target):
    """A preset in JSON5 with a rule for each image, each folder of images and each Helm repository."""

    kinds = ("image", "helm")

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the rules, for single images first, then for folders from the innermost to whole registries."""
        rules: list[dict[str, Any]] = []
        names: dict[str, str] = {}
        left_out: list[LeftOut] = []
        images = [row for row in rows if row.entry.kind == "image"]
        moves = [_Move(_place(row.entry.origin), _place(row.mirrors[0])) for row in images if row.entry.is_prefix]
        for row in rows:
            if row.entry.kind == "helm":
                left_out += _helm(row, moves, rules, names)
        kept = [name for move in moves for name in _below(move.mirror, charts=move.charts)]
        kept += [name for row in rows for each in row.stay for name in _staying(each.place)]
        kept = list(dict.fromkeys(kept))
        for row in images:
            if not row.entry.is_prefix:
                rules += _override(spellings(repository_of(row.entry.origin)), str(row.mirrors[0].location))
        for move in sorted(moves, key=lambda move: move.origin.count("/"), reverse=True):
            rules += _full_names(move, kept)
            rules += _bare_names(move, kept)
        preset: dict[str, Any] = {"$schema": "https://docs.renovatebot.com/renovate-schema.json"}
        preset |= {manager: {"registryAliases": names} for manager in _MANAGERS_OF_HELM if names}
        preset |= {"packageRules": rules} if rules else {}
        return Configuration(_files(preset), tuple(left_out), _NOTES)


def _files(preset: dict[str, Any]) -> tuple[File, ...]:
    """Write JSON with a line for each manager and each rule."""
    from json import dumps

    def item(value: Any) -> str:
        if isinstance(value, dict):
            return "{\n" + ",\n".join(f"    {dumps(name)}: {dumps(each)}" for name, each in value.items()) + "\n  }"
        if isinstance(value, list):
            return "[\n" + ",\n".join(f"    {dumps(each)}" for each in value) + "\n  ]"
        return dumps(value)

    text = ",\n".join(f"  {dumps(name)}: {item(value)}" for name, value in preset.items())
    return (File("crane-mirrors.json5", f"{{\n{text}\n}}\n", "//"),) if len(preset) > 1 else ()


class _Move(NamedTuple):
    """A folder of images or charts, or a whole registry, and where its mirror has all that is in it."""

    origin: str
    mirror: str
    charts: bool = False


def _below(place: str, *, charts: bool) -> list[str]:
    """Give patterns that keep all that is in a folder or a registry out of other rules, in every spelling."""
    registry, slash, folder = place.partition("/")
    heads = [f"{host}{slash}{folder}" for host in _hosts(registry)]
    bare = [folder] if registry == DOCKER_HUB[0] and folder and not charts else []
    return [f"!{head}/**" for head in (*bare, *heads)]


def _staying(place: Place) -> list[str]:
    """Give patterns for what the catalogue has an entry of its own for, and leaves where it is."""
    if isinstance(place.location, Repository):
        return [f"!{name}" for name in spellings(place.location)]
    if str(place.location).startswith(("https:", "http:")):
        return []
    return _below(_place(place), charts=not isinstance(place.location, Prefix))


def _place(place: Place) -> str:
    return str(place.location).removeprefix("oci://").removesuffix("/*")


def _hosts(registry: str) -> tuple[str, ...]:
    return DOCKER_HUB if registry in DOCKER_HUB else (registry,)


def _full_names(move: _Move, kept: list[str]) -> Iterator[dict[str, Any]]:
    """Give the rules for all that is named with the registry, in whichever way the registry is called."""
    registry, slash, folder = move.origin.partition("/")
    hosts = _hosts(registry)
    kept = [name for name in kept if name[1:].startswith(hosts)]
    if registry == DOCKER_HUB[0] and folder in ("", "library") and not move.charts:
        yield from _override([f"{host}/*" for host in hosts], f"{_library(folder, move.mirror)}/{_without(1)}", kept)
    name = f"{move.mirror}/{_without(move.origin.count('/') + 1)}"
    yield from _override([f"{host}{slash}{folder}/**" for host in hosts], name, kept)


def _bare_names(move: _Move, kept: list[str]) -> Iterator[dict[str, Any]]:
    """Give the rules for images of Docker Hub that are named without the registry."""
    registry, _, folder = move.origin.partition("/")
    if move.charts or registry != DOCKER_HUB[0]:
        return
    if folder and Repository(registry, f"{folder}/any").familiar.startswith(registry):
        return  # localhost/any is not on Docker Hub
    kept = [name for name in kept if not re.match("[^/]*[.:]", name)]
    if folder in ("", "library"):
        yield from _override(["/^[^/]+$/"], f"{_library(folder, move.mirror)}/{_without(0)}", kept)
    if folder:
        yield from _override([f"{folder}/**"], f"{move.mirror}/{_without(folder.count('/') + 1)}", kept)
    else:
        # With another registry the name itself can stay, whatever it begins with.
        names = ["/^[^./:]+//", "!/^localhost//", *kept]
        yield _rule("docker", {"matchPackageNames": names}, registryUrls=[f"https://{move.mirror}"])


def _library(folder: str, mirror: str) -> str:
    """Give where the official images are, which have ``library/`` in their path, but seldom in their name."""
    return mirror if folder else f"{mirror}/library"


def _without(segments: int) -> str:
    """Write a template of Handlebars for a name without the first of its segments.

    >>> _without(0), _without(2)
    ('{{{packageName}}}', "{{{replace '^[^/]+/[^/]+/' '' packageName}}}")
    """
    return f"{{{{{{replace '^{'[^/]+/' * segments}' '' packageName}}}}}}" if segments else "{{{packageName}}}"


def _helm(row: Copies, moves: list[_Move], rules: list[dict[str, Any]], names: dict[str, str]) -> Iterator[LeftOut]:
    """Add what a Helm repository needs, for its best mirror that is of the same sort as its origin."""
    from json import dumps

    origin = str(row.entry.origin.location)
    for place in row.mirrors:
        mirror = str(place.location)
        if mirror.startswith("oci:") != origin.startswith("oci:"):
            yield LeftOut("helm", row.entry.name, place.name, _SCHEME, ("helm", "env"))
        elif mirror.startswith("oci:"):
            moves.append(_Move(_place(row.entry.origin), _place(place), charts=True))
            return
        elif row.entry.is_prefix:
            yield LeftOut("helm", row.entry.name, place.name, _PREFIX, ("env",))
        else:
            # matchRegistryUrls would be shorter, but Renovate 39 does nothing at all where it finds that.
            asked = f"registryUrls[$ in {dumps([origin, f'{origin}/'])}]"
            rules.append(_rule("helm", {"matchJsonata": [asked]}, registryUrls=[mirror]))
            names.update(dict.fromkeys((row.entry.name, *row.entry.aliases), mirror))
            return


def _override(names: Sequence[str], name: str, kept: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Give the rule by which these names are looked up as another, but for those that are kept."""
    for written_back in (False, True):
        some = [each for each in names if each.startswith(_WRITTEN_BACK) == written_back]
        if some:
            when = {"matchJsonata": [_LOOKING]} if written_back else {}
            yield _rule("docker", {"matchPackageNames": [*some, *kept], **when}, overridePackageName=name)


def _rule(datasource: str, matchers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"matchDatasources": [datasource], **matchers, **changes}


TARGET = Renovate()
