"""Argo CD: repositories declared as Secrets (its "Declarative Setup": label and keys of a repository). Not run.

A Secret makes a repository known; it sends nobody there. An Application names its repository in ``repoURL``, and Argo
CD has no way to take another for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._cluster import left_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET"]

_PREFIX = "Argo CD knows repositories one by one, and this covers all that are under it"
_LONGEST = 200

_NOTES = (
    "kubectl apply -f crane-mirrors-argocd.yaml; the Secrets are for the namespace argocd",
    "an Application has to name the mirror in repoURL: crane-mirrors rewrite changes its manifest",
    "images are not Argo CD's: use kyverno, or kustomize in the repository",
)


class ArgoCD(Target):
    """A Secret of type ``repository`` for the best mirror of each Helm and Git repository."""

    kinds = ("helm", "git")

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the Secrets as documents of one file; prefixes are left out."""
        documents: list[str] = []
        left: list[LeftOut] = []
        for row in rows:
            if row.entry.is_prefix:
                left += left_out(row, _PREFIX, "git" if row.entry.kind == "git" else "env")
            else:
                documents.append(_secret(row))
        text = "".join(f"---\n{document}" for document in documents)
        return Configuration((File("crane-mirrors-argocd.yaml", text),) if text else (), tuple(left), _NOTES)


def _name(kind: str, name: str) -> str:
    """Make the name of an object (RFC 1123, "DNS subdomain"), with a checksum where a catalogue's name is none.

    >>> _name("git", "crane"), _name("git", "a_B.")
    ('crane-mirrors-git-crane', 'crane-mirrors-git-a-b-dba706bf')
    """
    from zlib import crc32

    plain = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST]
    return f"crane-mirrors-{kind}-{plain}" + ("" if plain == name else f"-{crc32(name.encode()):08x}")


def _secret(row: Copies) -> str:
    import json

    name = _name(row.entry.kind, row.entry.name)
    location = str(row.mirrors[0].location)
    data = {"type": row.entry.kind, "name": row.entry.name, "url": location.removeprefix("oci://")}
    data |= {"enableOCI": "true"} if location.startswith("oci://") else {}
    values = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in data.items())
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: argocd\n"
        f"  labels:\n    argocd.argoproj.io/secret-type: repository\nstringData:\n{values}"
    )


TARGET = ArgoCD()
