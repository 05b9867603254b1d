"""Kyverno: a ClusterPolicy that gives the images of new pods their mirrors' names. Tested without a Kyverno.

One table holds what is renamed: ``registry/path`` for one image, ``registry/`` or ``registry/folder/`` for all that is
under a prefix. For each container the policy writes the image's name out in full, as the container runtime would
(``nginx:1`` is ``docker.io/library/nginx:1``), and looks that up, then the folders above it, the longest first. Names
are compared whole, so ``gocrane/crane`` has nothing to do with ``gocrane/crane-agent``; what is on a mirror stays, also
where that mirror stands under another prefix. Of Kyverno's own JMESPath functions it takes ``lookup``, ``replace`` and
``regex_replace_all``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.catalogue.entry import Prefix
from crane_mirrors.reference import DOCKER_HUB
from crane_mirrors.targets._base import Configuration, File, Target
from crane_mirrors.targets._cluster import folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET"]

_HUB, *_ALIASES = DOCKER_HUB
# A first part is no registry if it has no dot, no colon and no capital, and is not "localhost".
_FULL_NAME = (
    "starts_with(element.image, 'localhost/') && element.image || "
    f"regex_replace_all('^{_HUB.replace('.', '[.]')}/([^/]+)$', "
    "regex_replace_all('^([^/.:A-Z]+/|[^/]+$)', "
    f"regex_replace_all('^({'|'.join(_ALIASES).replace('.', '[.]')})/', element.image, '{_HUB}/'), "
    f"'{_HUB}/$1'), '{_HUB}/library/$1')"
)
_REPOSITORY = "regex_replace_all('(:[^:/@]*)?(@.*)?$', fullName, '')"

_LARGE = 1_000_000
_NOTES = (
    "kubectl apply --server-side -f crane-mirrors-kyverno.yaml, in a cluster with Kyverno 1.11 or newer",
    "new pods only: a pod that runs keeps its image, and what makes pods (a Deployment …) keeps its own text",
    "a pod is let through with its own images when Kyverno does not answer (failurePolicy: Ignore)",
)
_TOO_LARGE = "the policy has more than 1 MB, and a cluster takes up to 1.5 MB: use prefixes, or registries.conf"

_HEAD = """\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: crane-mirrors
  annotations:
    pod-policies.kyverno.io/autogen-controllers: none
    policies.kyverno.io/title: Pull images from mirrors
spec:
  background: false
  failurePolicy: Ignore
  rules:
    - name: mirror-images
      match:
        any:
          - resources:
              kinds: [Pod]
              operations: [CREATE]
          - resources:
              kinds: [Pod/ephemeralcontainers]
              operations: [UPDATE]
      context:
        - name: mirrors
          variable:
            value:
"""
_FOREACH = """\
          - list: "request.operation == '{operation}' && request.object.spec.{containers} || `[]`"
            context:
{variables}            preconditions:
              all:
                - key: "{{{{ target }}}}"
                  operator: NotEquals
                  value: "{{{{ fullName }}}}"
{condition}            patchStrategicMerge:
              spec:
                {containers}:
                  - name: "{{{{ element.name }}}}"
                    image: "{{{{ target }}}}"
"""
# The API server refuses a change of an ephemeral container that is there already.
_IS_NEW = """\
                - key: "{{ element.name }}"
                  operator: AnyNotIn
                  value: "{{ request.oldObject.spec.ephemeralContainers[].name || `[]` }}"
"""


class Kyverno(Target):
    """``ClusterPolicy`` of kyverno.io/v1, for the pods that are made and for the containers of ``kubectl debug``."""

    kinds = ("image",)

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write one policy for all images and prefixes; there is nothing that it cannot express."""
        table = _table(rows)
        variables = "".join(_variables(table))
        parts = [_HEAD, *_lines(table), "      mutate:\n        foreach:\n"]
        for containers, operation, condition in (
            ("containers", "CREATE", ""),
            ("initContainers", "CREATE", ""),
            ("ephemeralContainers", "UPDATE", _IS_NEW),
        ):
            parts.append(
                _FOREACH.format(containers=containers, operation=operation, condition=condition, variables=variables)
            )
        text = "".join(parts)
        notes = (*_NOTES, _TOO_LARGE) if len(text) > _LARGE else _NOTES
        return Configuration((File("crane-mirrors-kyverno.yaml", text),) if rows else (), (), notes)


def _table(rows: Sequence[Copies]) -> dict[str, str]:
    """Give what becomes what, folders with a slash behind them."""
    table = {_key(row.entry.origin): _key(row.mirrors[0]) for row in rows}
    mirrors = [_key(place) for row in rows for place in row.entry.mirrors]
    # Were they not in the table, a mirror and an exception under a prefix would be mirrored.
    under = [key for key in mirrors if any(f"{folder}/" in table for folder in folders(key))]
    for key in (*under, *(_key(each.place) for row in rows for each in row.stay)):
        table.setdefault(key, key)
    return table


def _key(place: Place) -> str:
    return f"{place.location.head}/" if isinstance(place.location, Prefix) else str(place.location)


def _lines(table: dict[str, str]) -> Iterator[str]:
    import json

    return (f"              {json.dumps(key)}: {json.dumps(value)}\n" for key, value in table.items())


def _variables(table: dict[str, str]) -> Iterator[str]:
    """Write the steps from a container to what its image becomes."""
    depths = sorted({key.count("/") for key in table if key.endswith("/")}, reverse=True)
    parents = {f"folder{depth}": depth for depth in depths}
    steps = {"fullName": _FULL_NAME, "repository": _REPOSITORY}
    steps |= {
        name: f"regex_replace_all('^({'[^/]+/' * depth}).*$', repository, '$1')" for name, depth in parents.items()
    }
    found = [f"lookup(mirrors, {name}) && replace(fullName, {name}, lookup(mirrors, {name}), `1`)"
             for name in ("repository", *parents)]  # fmt: skip
    steps["target"] = " || ".join([*found, "fullName"])
    for name, expression in steps.items():
        yield f'              - name: {name}\n                variable:\n                  jmesPath: "{expression}"\n'


TARGET = Kyverno()
