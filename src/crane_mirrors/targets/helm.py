"""Helm 3 and 4: the list of repositories that `helm repo` keeps, or a script that adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.catalogue.entry import Prefix
from crane_mirrors.targets._base import Configuration, File, LeftOut, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.catalogue.entry import Entry
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET"]

_OCI = "a registry is not added as a repository: helm pull oci://… names it each time"
_PREFIX = "a list of repositories names each one, and this covers all that are under it"

_INDEX = "helm fetches a chart from where the index says, be it the origin: crane-mirrors check tells of such an index"
_LIST_NOTES = (
    _INDEX,
    "helm reads one list of repositories: where you have one already, add the mirrors with --script, "
    "or say HELM_REPOSITORY_CONFIG=FILE",
    "helm repo add and remove write the list anew, and then it is yours: crane-mirrors will not replace it",
    "run helm repo update before the first helm install",
)
_SCRIPT_NOTES = (
    _INDEX,
    "a repository of the same name gets the mirror's URL in place of its own (--force-update)",
)


class Helm(Target):
    """``repositories.yaml``, whose form is that of Helm's own pkg/repo; with ``options.script`` a shell script."""

    kinds = ("helm",)
    folder = "~/.config/helm"
    options = frozenset({"script"})

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Name each repository as the catalogue does, with its best mirror that is a web server."""
        found: dict[str, str] = {}
        left_out: list[LeftOut] = []
        for row in rows:
            for place in row.mirrors:
                reason = _PREFIX if isinstance(place.location, Prefix) else _OCI
                if reason is _OCI and not str(place.location).startswith("oci:"):
                    found[row.entry.name] = str(place.location)
                    break
                left_out.append(LeftOut("helm", row.entry.name, place.name, reason, _instead(row.entry)))
        write = _script if options.script else _list
        name = "crane-mirrors-helm.sh" if options.script else "repositories.yaml"
        files = (File(name, "".join(write(found))),) if found else ()
        return Configuration(files, tuple(left_out), _SCRIPT_NOTES if options.script else _LIST_NOTES)


def _instead(entry: Entry) -> tuple[str, ...]:
    return ("env",) if entry.is_prefix else ("argocd", "env")


def _list(repositories: dict[str, str]) -> Iterator[str]:
    """Write the list; a name such as ``no`` or ``1.10`` is a string only in quotes.

    >>> print("".join(_list({"no": "https://a.example/x"})), end="")
    apiVersion: ""
    generated: "0001-01-01T00:00:00Z"
    repositories:
      - name: "no"
        url: "https://a.example/x"
    """
    import json

    # Helm keeps when it wrote the list last, and asks for nothing but that it is a date.
    yield 'apiVersion: ""\ngenerated: "0001-01-01T00:00:00Z"\nrepositories:\n'
    for name, url in repositories.items():
        yield f"  - name: {json.dumps(name)}\n    url: {json.dumps(url)}\n"


def _script(repositories: dict[str, str]) -> Iterator[str]:
    """Write the script, which stops at the first repository that does not answer.

    >>> print("".join(_script({"x": "https://a.example/it's"})), end="")
    set -eu
    helm repo add --force-update x 'https://a.example/it'"'"'s'
    """
    from shlex import quote

    yield "set -eu\n"
    for name, url in repositories.items():
        yield f"helm repo add --force-update {quote(name)} {quote(url)}\n"


TARGET = Helm()
