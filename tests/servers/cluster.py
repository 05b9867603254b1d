"""A Kubernetes API server that has nothing but Kyverno's ClusterPolicies: as much of one as kubectl asks.

    with cluster(published_schema()) as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        run("kubectl", "apply", "--server-side", "--filename", "policy.yaml", KUBECONFIG=tmp_path / "kubeconfig")
        assert server.policies["crane-mirrors"].applied["kind"] == "ClusterPolicy"

It answers discovery, all groups in one document; the part of OpenAPI by which kubectl learns that the server checks the
fields; and GET, DELETE and server-side apply of one policy. Who applies owns all of it: there is no second manager
here, and so nothing to merge. What `check` refuses with a ValueError is refused as an API server refuses it.
`server.requests` is what it was asked so far.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import yaml

from servers.web import Request, Response, Web, web

GROUP, VERSION, KIND = "kyverno.io", "v1", "ClusterPolicy"
POLICIES = f"/apis/{GROUP}/{VERSION}/clusterpolicies"
APPLY = "application/apply-patch+yaml"

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_GROUPS = {
    "metadata": {"name": GROUP},
    "versions": [
        {
            "version": VERSION,
            "freshness": "Current",
            "resources": [
                {
                    "resource": "clusterpolicies",
                    "responseKind": {"group": GROUP, "version": VERSION, "kind": KIND},
                    "scope": "Cluster",
                    "singularResource": "clusterpolicy",
                    "verbs": ["delete", "get", "patch"],
                }
            ],
        }
    ],
}
_OPENAPI = {
    "openapi": "3.0.0",
    "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
    "paths": {
        f"{POLICIES}/{{name}}": {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": {"group": GROUP, "version": VERSION, "kind": KIND},
            }
        }
    },
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A policy as it was applied, and the version of the cluster in which it became so."""

    applied: Any
    version: int

    @property
    def object(self) -> Any:
        """The policy with what the server adds to it."""
        added = {"uid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "resourceVersion": str(self.version)}
        return {**self.applied, "metadata": {**self.applied["metadata"], **added}}


@dataclass(slots=True)
class Cluster:
    """What the server keeps, by name."""

    check: Callable[[Any], None]
    policies: dict[str, Kept] = field(default_factory=dict)
    server: Web = field(init=False)
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def requests(self) -> list[Request]:
        return self.server.requests

    def write_kubeconfig(self, path: Path) -> None:
        """Write the file by which kubectl finds the server."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.server.url}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": ""}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(config), encoding="utf-8")

    def respond(self, request: Request) -> Response:
        path, _, query = request.path.partition("?")
        if path in ("/api", "/apis"):
            if DISCOVERY not in request.headers.get("accept", ""):
                return refusal(406, "NotAcceptable", "this server has discovery in one document only")
            groups = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
            return answer({**groups, "items": [_GROUPS] if path == "/apis" else []}, media_type=DISCOVERY)
        if path == "/openapi/v3":
            url = f"/openapi/v3/apis/{GROUP}/{VERSION}"
            return answer({"paths": {f"apis/{GROUP}/{VERSION}": {"serverRelativeURL": url}}})
        if path == f"/openapi/v3/apis/{GROUP}/{VERSION}":
            return answer(_OPENAPI)
        folder, _, name = path.rpartition("/")
        if folder != POLICIES:
            return refusal(404, "NotFound", "the server could not find the requested resource")
        if request.method == "PATCH":
            return self._apply(name, request, parse_qs(query))
        kept = self.policies.get(name)
        if kept is None:
            return refusal(404, "NotFound", f'clusterpolicies.{GROUP} "{name}" not found')
        if request.method == "DELETE":
            del self.policies[name]
            return answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        return answer(kept.object) if request.method == "GET" else refusal(405, "MethodNotAllowed", request.method)

    def _apply(self, name: str, request: Request, query: Mapping[str, list[str]]) -> Response:
        if request.headers.get("content-type") != APPLY:
            return refusal(415, "UnsupportedMediaType", f"the body of the request has to be {APPLY}")
        applied = yaml.safe_load(request.body)
        if (applied["apiVersion"], applied["kind"], applied["metadata"]["name"]) != (f"{GROUP}/{VERSION}", KIND, name):
            return refusal(400, "BadRequest", "the object is not the one of the URL")
        if "fieldManager" not in query or query.get("fieldValidation") != ["Strict"]:
            return refusal(400, "BadRequest", "fieldManager and fieldValidation=Strict are wanted here")
        try:
            self.check(applied)
        except ValueError as error:
            return refusal(422, "Invalid", f'{KIND}.{GROUP} "{name}" is invalid: {error}')
        before = self.policies.get(name)
        if before is None or before.applied != applied:
            self.policies[name] = Kept(applied, next(self._versions))
        return answer(self.policies[name].object, 201 if before is None else 200)


@contextmanager
def cluster(check: Callable[[Any], None]) -> Iterator[Cluster]:
    """Run an empty cluster, which takes the policies that pass the check, for as long as the block lasts."""
    empty = Cluster(check)
    with web(empty.respond) as empty.server:
        yield empty


def answer(value: Any, code: int = 200, *, media_type: str = "application/json") -> Response:
    return Response(code, {"Content-Type": media_type}, json.dumps(value).encode())


def refusal(code: int, reason: str, message: str) -> Response:
    """Refuse as the API server does, with an object that says why."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return answer({**status, "message": message, "reason": reason, "code": code}, code)
