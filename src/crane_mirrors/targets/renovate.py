"""Renovate: a preset that has it look for versions on mirrors, while what it updates keeps naming the origin.

No test runs Renovate. It was held against the schema and the functions of Renovate 44 by hand.

``registryAliases`` replaces the beginning of a name, a whole folder of a registry and never one image; so it holds the
prefixes, and the registries of charts. It does nothing for names without a registry (``nginx``, ``bitnami/kafka``).
Those, and single images, are for ``packageRules`` with ``overridePackageName``; a Helm repository is for
``registryUrls``, and its name in ``@name`` and ``alias:name`` for the ``registryAliases`` of Helm's managers alone,
since for the others ``grafana`` would be every image of that owner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from crane_mirrors.catalogue.entry import Prefix
from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._cluster import HUB_HOSTS, folders, repository_of, spellings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET"]

_MANAGERS_OF_HELM = ("helm-requirements", "helmfile", "helmsman", "helmv3")
_SCHEME = "Renovate looks a chart up where it is written to be, in a registry or on a web server, not in the other"
_NAME = "{{{packageName}}}"
_PREFIX = "Renovate can give a Helm repository another URL, but not all that are under one"

_NOTES = (
    'name it in a repository\'s configuration, "extends": ["local>OWNER/REPOSITORY//crane-mirrors.json5"], '
    "or take over its contents",
    "manifests that name a mirror need nothing of this: Renovate looks there by itself",
    "a digest that Renovate pins is then what the mirror says; crane-mirrors image --pin asks the origin",
)


class Renovate(Target):
    """A preset in JSON5 with ``registryAliases`` and ``packageRules``, as Renovate 44 has them in its schema."""

    kinds = ("image", "helm")

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write aliases for prefixes and registries of charts, and a rule for each image and each Helm repository."""
        aliases: dict[str, str] = {}
        rules: list[dict[str, Any]] = []
        names: dict[str, str] = {}
        left_out: list[LeftOut] = []
        images = [row for row in rows if row.entry.kind == "image"]
        prefixes = sorted((row for row in images if row.entry.is_prefix), key=_depth, reverse=True)
        for row in prefixes:
            aliases |= _image_aliases(row)
        for row in rows:
            if row.entry.kind == "helm":
                left_out += _helm(row, aliases, rules, names)
        aliases = dict(sorted(aliases.items(), key=lambda item: -item[0].count("/")))
        rules += [_library_rule(row) for row in prefixes if row.entry.origin.location == f"{HUB_HOSTS[0]}/*"]
        rules += [_image_rule(row, aliases) for row in images if not row.entry.is_prefix]
        for row in prefixes:
            rules += _bare_rules(row)
        preset: dict[str, Any] = {"$schema": "https://docs.renovatebot.com/renovate-schema.json"}
        preset |= {"registryAliases": aliases} if aliases else {}
        preset |= {manager: {"registryAliases": names} for manager in _MANAGERS_OF_HELM if names}
        preset |= {"packageRules": rules} if rules else {}
        return Configuration(_files(preset), tuple(left_out), _NOTES)


def _files(preset: dict[str, Any]) -> tuple[File, ...]:
    """Write JSON with a line for each alias and each rule."""
    from json import dumps

    def item(value: Any) -> str:
        if isinstance(value, dict):
            return "{\n" + ",\n".join(f"    {dumps(name)}: {dumps(each)}" for name, each in value.items()) + "\n  }"
        if isinstance(value, list):
            return "[\n" + ",\n".join(f"    {dumps(each)}" for each in value) + "\n  ]"
        return dumps(value)

    text = ",\n".join(f"  {dumps(name)}: {item(value)}" for name, value in preset.items())
    return (File("crane-mirrors.json5", f"{{\n{text}\n}}\n", "//"),) if len(preset) > 1 else ()


def _depth(row: Copies) -> int:
    return str(row.entry.origin.location).count("/")


def _head(row: Copies) -> str:
    location = row.mirrors[0].location
    return location.head if isinstance(location, Prefix) else str(location)


def _image_aliases(row: Copies) -> dict[str, str]:
    """Give the aliases of a prefix, with all names that Docker Hub has."""
    registry, slash, folder = str(row.entry.origin.location).removesuffix("/*").partition("/")
    hosts = HUB_HOSTS if registry == HUB_HOSTS[0] else (registry,)
    return {f"{host}{slash}{folder}": _head(row) for host in hosts}


def _image_rule(row: Copies, aliases: dict[str, str]) -> dict[str, Any]:
    """Give the rule of one image, by every name that it can have, those included that an alias has changed before."""
    names = dict.fromkeys(spellings(repository_of(row.entry.origin)))
    for name in tuple(names):
        alias = next((folder for folder in folders(name) if folder in aliases), None)
        if alias:
            names[aliases[alias] + name[len(alias) :]] = None
    return _rule("docker", {"matchPackageNames": list(names)}, overridePackageName=str(row.mirrors[0].location))


def _library_rule(row: Copies) -> dict[str, Any]:
    """Give the rule that says ``library/`` where an alias has replaced ``docker.io`` before an official image."""
    head = _head(row)
    official = {"matchPackageNames": [f"/^{_escaped(head)}/[^/]+$/"]}
    return _rule("docker", official, overridePackageName=f"{head}/library/{_without(head)}")


def _without(folder: str) -> str:
    """Write a template of Handlebars for a name without a folder before it; in a set, a dot is a dot."""
    return f"{{{{{{replace '^{folder.replace('.', '[.]')}/' '' packageName}}}}}}"


def _bare_rules(row: Copies) -> Iterator[dict[str, Any]]:
    """Give the rules for names without a registry under a prefix of Docker Hub."""
    registry, _, folder = str(row.entry.origin.location).removesuffix("/*").partition("/")
    if registry != HUB_HOSTS[0]:
        return
    if folder:
        yield _rule(
            "docker", {"matchPackageNames": [f"{folder}/**"]}, overridePackageName=f"{_head(row)}/{_without(folder)}"
        )
    if folder in ("", "library"):
        library = _head(row) if folder else f"{_head(row)}/library"
        yield _rule("docker", {"matchPackageNames": ["/^[^/]+$/"]}, overridePackageName=f"{library}/{_NAME}")
    if not folder:
        names = ["/^[^./:]+//", "!/^localhost//"]
        yield _rule("docker", {"matchPackageNames": names}, overridePackageName=f"{_head(row)}/{_NAME}")


def _helm(
    row: Copies, aliases: dict[str, str], rules: list[dict[str, Any]], names: dict[str, str]
) -> Iterator[LeftOut]:
    """Add what a Helm repository needs, for its best mirror that is of the same sort as its origin."""
    origin = str(row.entry.origin.location)
    for place in row.mirrors:
        mirror = str(place.location)
        if mirror.startswith("oci:") != origin.startswith("oci:"):
            yield LeftOut("helm", row.entry.name, place.name, _SCHEME, ("helm", "env"))
        elif mirror.startswith("oci:"):
            aliases[origin.removeprefix("oci://").removesuffix("/*")] = mirror.removeprefix("oci://").removesuffix("/*")
            return
        elif row.entry.is_prefix:
            yield LeftOut("helm", row.entry.name, place.name, _PREFIX, ("env",))
        else:
            rules.append(_rule("helm", {"matchRegistryUrls": [f"/^{_escaped(origin)}/?$/"]}, registryUrls=[mirror]))
            names.update(dict.fromkeys((row.entry.name, *row.entry.aliases), mirror))
            return


def _rule(datasource: str, matchers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"matchDatasources": [datasource], **matchers, **changes}


def _escaped(text: str) -> str:
    r"""Escape what a regular expression would obey; a slash needs no escape in Renovate's.

    >>> _escaped("https://a.example/x")
    'https://a\\.example/x'
    """
    return re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\g<0>", text)


TARGET = Renovate()
