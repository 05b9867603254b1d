"""All hosts of the built-in catalogue on loopback, so that it can be tested unchanged.

    with world(tmp_path) as hosts:
        command = hosts.names.command(sys.executable, "-m", "crane_mirrors", "check", "--output", "json")
        subprocess.run(command, env={**os.environ, **hosts.names.environment})
        assert hosts.state("git", "api", "coding") == "stale"
        hosts.names.change("ghcr.io", None)

Every origin is there, and every mirror is `fresh` but for those in STATES; a test may give other states. Docker Hub
wants the token of auth.docker.io. Raw files come with the Git repositories (git.RAW_PATH).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from conftest import PROJECT, need

from servers.git import make_repository, smart_http
from servers.helm import index_text
from servers.images import make_image
from servers.names import Backend, Names, public_names
from servers.registry import Registry, registry
from servers.tokens import token_server
from servers.web import Request, Responder, Response, file, forward, login_page, routes

State = str  # "fresh", "stale", "tampered", "missing", "login page"; of a whole host: "dead"
Key = tuple[str, str, str]  # kind, name, mirror

#: What is wrong with the world, if a test does not say otherwise.
STATES: Mapping[Key, State] = {
    ("image", "crane-agent", "coding"): "stale",
    ("image", "fadvisor", "coding"): "missing",
    ("image", "craned", "ghcr"): "tampered",
    ("helm", "prometheus-community", "coding"): "stale",
    ("helm", "grafana", "coding"): "login page",
    ("git", "api", "coding"): "stale",
    ("git", "fadvisor", "coding"): "tampered",
}
DEAD = ("gitee.com",)

DOCKER_HUB = "registry-1.docker.io"
VERSIONS = ("0.9.0", "0.10.0", "0.11.0")


@dataclass(slots=True)
class World:
    """All hosts, and what is wrong with their copies."""

    names: Names
    states: Mapping[Key, State]
    dead: tuple[str, ...]
    hosts: Mapping[Key, str]

    def state(self, kind: str, name: str, mirror: str) -> State:
        """Tell what state a copy is in; `origin` is a mirror's name, too."""
        key = (kind, name, mirror)
        return "dead" if self.hosts[key] in self.dead else self.states.get(key, "fresh")


@dataclass(slots=True)
class _Builder:
    """Collects what each host has to serve."""

    folder: Path
    states: Mapping[Key, State]
    registries: dict[str, Registry]
    tables: dict[str, dict[str, Responder]] = field(default_factory=dict)
    hosts: dict[Key, str] = field(default_factory=dict)
    pushes: list[tuple[str, str, str, str]] = field(default_factory=list)  # host, repository, tag, marker

    def add(self, key: Key, address: str) -> None:
        """Put one copy where the catalogue says that it is."""
        kind, name, _ = key
        url = urlsplit(address if "://" in address else f"https://{address}")
        host = DOCKER_HUB if url.netloc == "docker.io" else url.netloc
        self.hosts[key] = host
        state = self.states.get(key, "fresh")
        table = self.tables.setdefault(host, {})
        if state == "login page":
            table[f"/v2{url.path}" if kind == "image" else url.path] = login_page
        elif kind == "image":
            self._add_image(name, host, url.path.strip("/"), state)
        elif kind == "helm" and state != "missing":
            versions = VERSIONS[:-1] if state == "stale" else VERSIONS
            index = index_text({name: versions}, salt="tampered" if state == "tampered" else "")
            table[f"{url.path}/index.yaml"] = file(index, "text/yaml")
        elif kind == "git" and state != "missing":
            self._add_repository(name, host, url.path, state)

    def _add_image(self, name: str, host: str, repository: str, state: State) -> None:
        if state != "missing":
            self.pushes.append((host, repository, "main", name if state == "fresh" else f"{name} {state}"))
        if host == DOCKER_HUB:  # the origin still has what a stale mirror has
            self.pushes.append((host, repository, "main-before", f"{name} stale"))

    def push(self) -> None:
        """Put all images where they belong, several at a time."""

        def one(host: str, repository: str, tag: str, marker: str) -> None:
            self.registries[host].push(repository, tag, make_image(marker))

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(one, *push) for push in self.pushes]:
                done.result()

    def _add_repository(self, name: str, host: str, path: str, state: State) -> None:
        root = self.folder / "git" / host
        last = "tampered" if state == "tampered" else ""
        repository = make_repository(root / path.strip("/"), commits=2 if state == "stale" else 3, last=last)
        self.tables[host][path] = smart_http(root)
        raw_host, prefix = {
            "github.com": ("raw.githubusercontent.com", f"/gocrane/{name}"),
            "e.coding.net": ("finops.coding.net", f"/p/gocrane/d/{name}/git/raw"),
            "gitee.com": ("gitee.com", f"/finops/{name}/raw"),
        }[host]
        self.tables.setdefault(raw_host, {})[prefix] = raw_files(repository, prefix)

    def backends(self) -> dict[str, Backend]:
        """Give the server of each host."""
        for host, server in self.registries.items():
            self.tables[host]["/"] = forward(server.authority)
        return {host: routes(table) for host, table in self.tables.items()}


def raw_files(repository: Path, prefix: str) -> Responder:
    """Serve the files of a repository at `PREFIX/REF/PATH`, for refs without a slash and for refs/heads/REF."""

    def respond(request: Request) -> Response:
        path = unquote(request.path.partition("?")[0]).removeprefix(f"{prefix}/").removeprefix("refs/heads/")
        ref, _, inner = path.partition("/")
        command = [need("git"), "-C", str(repository), "cat-file", "blob", f"{ref}:{inner}"]
        process = subprocess.run(command, capture_output=True, check=False)
        if process.returncode:
            return Response(404, {"Content-Type": "text/plain"}, b"not found\n")
        return file(process.stdout, "text/plain; charset=utf-8")(request)

    return respond


@contextmanager
def world(folder: Path, *, states: Mapping[Key, State] = STATES, dead: tuple[str, ...] = DEAD) -> Iterator[World]:
    """Run the world; takes about a second, docker-registry, git, openssl, root and Linux (see names.py)."""
    with ExitStack() as stack:
        tokens = stack.enter_context(token_server(folder / "tokens", realm="https://auth.docker.io/token"))
        registries = {
            host: stack.enter_context(registry(folder / host, tokens=tokens if host == DOCKER_HUB else None))
            for host in (DOCKER_HUB, "ghcr.io", "finops-docker.pkg.coding.net")
        }
        builder = _Builder(folder, states, registries)
        for key, address in copies():
            builder.add(key, address)
        builder.push()
        backends = builder.backends() | {"auth.docker.io": forward(tokens.web.authority)} | dict.fromkeys(dead)
        names = stack.enter_context(public_names(folder / "names", backends))
        yield World(names, states, dead, builder.hosts)


def copies() -> Iterator[tuple[Key, str]]:
    """Read the built-in catalogue as plain YAML: every origin and mirror, and its address."""
    catalogue: dict[str, Any] = yaml.safe_load((PROJECT / "data" / "mirrors.yaml").read_text(encoding="utf-8"))
    for kind, section in (("image", "images"), ("helm", "helm"), ("git", "git")):
        for name, entry in catalogue[section].items():
            for mirror, place in {"origin": entry["origin"], **entry["mirrors"]}.items():
                address = place if isinstance(place, str) else place.get("reference") or place["url"]
                yield (kind, name, mirror), address
