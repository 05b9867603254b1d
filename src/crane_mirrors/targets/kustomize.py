"""Kustomize: a Component whose ``images`` transformer gives images their mirrors' names.

Kustomize takes ``name`` for a regular expression (``IsImageMatched`` in its api/image: ``^NAME(:TAG)?(@DIGEST)?$``), in
which a dot stands for any character. So a path's dot is written ``[.]``, lest ``b.c`` rename ``b-c`` as well, and that
of a registry with a port. Other registries keep theirs: ``ghcr-io/…`` would be an owner on Docker Hub, where names of
owners have letters and digits only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._cluster import left_out, repository_of, spellings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET"]

_PREFIX = "images are renamed one by one, and this covers all that are under it"
_ADDRESS = "kustomize does not take an IPv6 address for a registry"

_NOTES = (
    "name the folder of the file under 'components:' in a kustomization.yaml",
    "kustomize knows the images of pods and of what makes pods; those in a custom resource stay as they are",
)


class Kustomize(Target):
    """``kustomization.yaml`` of a Component (kustomize.config.k8s.io/v1alpha1), which any overlay can include."""

    kinds = ("image",)
    folder = "components/crane-mirrors"

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Rename each image, from its origin and from the mirrors that rank lower, to the best mirror."""
        lines: list[str] = []
        left: list[LeftOut] = []
        for row in rows:
            if row.entry.is_prefix:
                left += left_out(row, _PREFIX, "kyverno", "registries.conf")
            elif any("[" in str(place.location) for place in row.entry.places):
                left += left_out(row, _ADDRESS, "kyverno", "registries.conf")
            else:
                lines += _images(row)
        text = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n" + "".join(lines)
        return Configuration((File("kustomization.yaml", text),) if lines else (), tuple(left), _NOTES)


def _images(row: Copies) -> Iterator[str]:
    best = row.mirrors[0]
    for place in (row.entry.origin, *row.entry.mirrors):
        if place is best:
            continue
        for name in spellings(repository_of(place)):
            yield f'  - name: "{_exact(name)}"\n    newName: "{best.location}"\n'


def _exact(name: str) -> str:
    """Take a dot's meaning away where another image could have something else in its place.

    >>> _exact("nginx"), _exact("ghcr.io/a/b.c"), _exact("r.example:5000/a")
    ('nginx', 'ghcr.io/a/b[.]c', 'r[.]example:5000/a')
    """
    registry, slash, path = name.partition("/") if "/" in name else ("", "", name)
    if ":" in registry:
        registry = registry.replace(".", "[.]")
    return f"{registry}{slash}{path.replace('.', '[.]')}"


TARGET = Kustomize()
