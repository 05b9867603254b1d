"""`config renovate` as Renovate itself reads it: its validator, its lookups, and a run that commits what it found."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import CLI, need
from servers.forge import forge, put
from servers.git import git
from servers.helm import index_text
from servers.images import Image, make_image
from servers.names import Asked, Backend, Names, public_names
from servers.registry import Registry, registry
from servers.web import Request, Responder, Response, Web, file, forward, routes, status, web

from crane_mirrors.catalogue import Catalogue, parse
from crane_mirrors.errors import InvalidReference
from crane_mirrors.reference import Reference, Repository
from crane_mirrors.resolve.routes import Choice, rank
from crane_mirrors.targets import Configuration, Options, copies, target_named

PRESET = "crane-mirrors.json5"
OLD, NEW = "0.9.0", "0.11.0"

#: Its log says what it found, line by line. Its own engine for regular expressions would have to be built.
ENVIRONMENT = {"LOG_LEVEL": "debug", "LOG_FORMAT": "json", "RENOVATE_X_IGNORE_RE2": "true"}

#: Files for Kubernetes and Argo CD may have any name, so Renovate wants to be told which they are.
MANAGERS = {"kubernetes": {"fileMatch": ["^pods.yaml$"]}, "argocd": {"fileMatch": ["^argo.yaml$"]}}

CODING, CHARTS, HUB = "finops-docker.pkg.coding.net", "finops-helm.pkg.coding.net", "index.docker.io"

#: All hosts that might be asked for Docker Hub's images.
DOCKER_HUB = (HUB, "docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com", "auth.docker.io")

#: What no region names comes last, so the mirrors that are called far come after their origins.
REGIONS = "regions: {cn: [m, dockerhub, ghcr]}"

#: Folders and registries with mirrors, and single images in them.
PREFIXES = """
images:
  hub: {origin: 'docker.io/*', mirrors: {m: 'm.example/hub/*'}}
  ghcr: {origin: 'ghcr.io/*', mirrors: {m: 'm.example:5000/*'}}
  folder: {origin: 'docker.io/bitnami/*', mirrors: {m: 'm.example/b/*'}}
  redis: {origin: bitnami/redis, mirrors: {m: m.example/redis}}
  nginx: {origin: nginx, mirrors: {m: m.example/nginx}}
helm:
  charts: {origin: 'oci://o.example/charts', mirrors: {m: 'oci://m.example/charts'}}
  inner: {origin: 'oci://ghcr.io/acme/charts', mirrors: {m: 'oci://m.example/inner'}}
  stable: {aliases: [main], origin: 'https://o.example/stable', mirrors: {m: 'https://m.example/stable'}}
"""
#: Prefixes and single images in each other's way, mirrors below the origins of others, and what prefers its origin.
INTERLACED = """
images:
  hub: {origin: 'docker.io/*', mirrors: {m: 'ghcr.io/hub/*'}}
  ghcr: {origin: 'ghcr.io/*', mirrors: {m: 'm.example/ghcr/*'}}
  folder: {origin: 'docker.io/bitnami/*', mirrors: {m: 'm.example/b/*'}}
  official: {origin: 'docker.io/library/*', mirrors: {m: 'm.example/official/*'}}
  local: {origin: 'docker.io/localhost/*', mirrors: {m: 'm.example/local/*'}}
  redis: {origin: bitnami/redis, mirrors: {m: ghcr.io/a/redis}}
  nginx: {origin: nginx, mirrors: {m: m.example/nginx}}
  a: {origin: ghcr.io/a/a, mirrors: {m: docker.io/bitnami/a}}
  b: {origin: ghcr.io/a/nginx, mirrors: {m: docker.io/library/a}}
  image-that-stays: {origin: bitnami/nginx, mirrors: {far: far.example/nginx}}
  folder-that-stays: {origin: 'ghcr.io/library/*', mirrors: {far: 'far.example/library/*'}}
"""
OFFICIAL = "images: {official: {origin: 'docker.io/library/*', mirrors: {m: 'm.example/official/*'}}}"


class Dependency(NamedTuple):
    """Something that Renovate found in a file, where it looked for it, and which version it would write."""

    file: str
    name: str
    place: str
    update: str


class Looked(NamedTuple):
    """What a run of Renovate says that it found, and of which hosts it asked anything."""

    found: list[Dependency]
    hosts: set[str]


def catalogue_of(text: str) -> Catalogue:
    return parse([("built-in", f"version: 1\n{REGIONS}\n{text}".encode())])


def configured(text: str) -> Configuration:
    target = target_named("renovate")
    return target.configure(list(copies(catalogue_of(text), target.kinds, Choice())), Options())


def preset(cli: CLI, folder: Path, text: str | None = None) -> Path:
    """Let the command write the preset, for the built-in catalogue or another, and give its path."""
    options = []
    if text is not None:
        (folder / "own.yaml").write_text(f"version: 1\nbuiltin: false\n{REGIONS}\n{text}", encoding="utf-8")
        options = ["--catalogue", str(folder / "own.yaml")]
    assert cli("config", "renovate", *options, "--output-dir", str(folder / "out")).code == 0
    return folder / "out" / PRESET


def renovate(names: Names, folder: Path, *arguments: str) -> Looked:
    """Run Renovate in a folder, where it finds the names on loopback, and nobody's settings."""
    environment = {
        **ENVIRONMENT,
        **names.environment,
        "NODE_EXTRA_CA_CERTS": str(names.authority.file),
        "PATH": os.environ["PATH"],
        "HOME": str(names.folder / "home"),
        "RENOVATE_BASE_DIR": str(names.folder / "base"),
        "RENOVATE_CONFIG": json.dumps(MANAGERS),
    }
    command = names.command(need("renovate"), *arguments)
    process = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    log = {line["msg"]: line for line in map(json.loads, process.stdout.splitlines())}
    found = [
        Dependency(
            each["packageFile"],
            item["depName"],
            f"{item['registryUrl']}/{item.get('lookupName', item['packageName'])}" if "registryUrl" in item else "",
            " ".join(update["newValue"] for update in item["updates"]),
        )
        for files in log["packageFiles with updates"]["config"].values()
        for each in files
        for item in each["deps"]
    ]
    return Looked(found, set(log["HTTP statistics"]["hosts"]))


def image_of(repository: str, version: str) -> Image:
    return make_image(f"{repository} {version}")


def pushed(server: Registry, repositories: Iterable[str]) -> None:
    """Put two versions of each image into a registry."""
    for repository, version in product(repositories, (OLD, NEW)):
        server.push(repository, version, image_of(repository, version))


def index(*charts: str) -> Responder:
    return file(index_text(dict.fromkeys(charts, (OLD, NEW))), "text/yaml")


def lookup(host: str, repository: str) -> set[Asked]:
    """Say what it takes to learn the versions of an image: its tags, and the labels of the newest."""
    manifest = next(iter(image_of(repository, NEW).platforms.values()))
    config = json.loads(manifest.content)["config"]["digest"]
    paths = ["tags/list?n=10000", f"manifests/{NEW}", f"manifests/{manifest.digest}", f"blobs/{config}"]
    return {Asked(host, "GET", f"/v2/{repository}/{path}") for path in paths} | {Asked(host, "GET", "/v2/")}


def in_vain(host: str, repository: str) -> set[Asked]:
    """Say what is asked of a registry that does not know the image; of Docker Hub, its other interface before."""
    asked = {Asked(host, "GET", f"/v2/{repository}/tags/list?n=10000")}
    if host == HUB:
        query = "page_size=1000&ordering=last_updated"
        asked.add(Asked("hub.docker.com", "GET", f"/v2/repositories/{repository}/tags?{query}"))
    return asked


# the preset --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, PREFIXES], ids=["built-in", "prefixes"])
def test_validator_accepts_the_preset(text: str | None, cli: CLI, tmp_path: Path) -> None:
    """Renovate's own check of a configuration finds nothing wrong, and nothing that has another form by now."""
    command = [need("renovate-config-validator"), "--strict", str(preset(cli, tmp_path, text))]
    process = subprocess.run(
        command, env={**os.environ, "RENOVATE_X_IGNORE_RE2": "true"}, capture_output=True, text=True, timeout=60
    )
    assert (process.returncode, process.stderr) == (0, ""), process.stdout


def test_renovate_cannot_change_a_charts_sort() -> None:
    """A repository that moves between a web server and a registry is left out, and so is a prefix of web servers."""
    text = "helm:\n  x: {origin: 'https://o.example/x', mirrors: {m: 'oci://m.example/x', n: 'https://n.example/x'}}\n"
    text += "  all: {origin: 'https://all.example/*', mirrors: {m: 'https://m.example/all/*'}}\n"
    configuration = configured(text)
    assert [(left.name, left.mirror) for left in configuration.left_out] == [("x", "m"), ("all", "m")]
    (content,) = configuration.files
    assert [rule["registryUrls"] for rule in json.loads(content.text)["packageRules"]] == [["https://n.example/x"]]


# the built-in catalogue --------------------------------------------------------------------------------------------

BUILT_IN = {
    "Dockerfile": f"""\
FROM gocrane/craned:{OLD}
FROM docker.io/gocrane/crane-agent:{OLD}@{image_of("gocrane/crane/crane-agent", OLD).digest}
FROM index.docker.io/gocrane/metric-adapter:{OLD}
FROM registry-1.docker.io/gocrane/dashboard:{OLD}
FROM gocrane/stress-ng:{OLD}
FROM x.example/gocrane/craned:{OLD}
""",
    "pods.yaml": f"""\
apiVersion: v1
kind: Pod
spec:
  containers:
  - image: gocrane/craned:{OLD}
  - image: registry.hub.docker.com/gocrane/fadvisor:{OLD}
  - image: grafana/grafana:{OLD}
  - image: ghcr.io/gocrane/crane/craned:{OLD}
  - image: finops-docker.pkg.coding.net/gocrane/crane/craned:{OLD}
""",
    "kustomization.yaml": f"""\
images:
- name: gocrane/crane-scheduler
  newTag: {OLD}
- name: scheduler
  newName: docker.io/gocrane/crane-scheduler-controller
  newTag: {OLD}
helmCharts:
- {{name: gocrane, repo: "https://gocrane.github.io/helm-charts", version: {OLD}}}
""",
    "Chart.yaml": f"""\
apiVersion: v2
name: all
version: 1.0.0
dependencies:
- {{name: grafana, version: {OLD}, repository: "https://grafana.github.io/helm-charts"}}
- {{name: grafana, version: {OLD}, repository: "https://grafana.github.io/helm-charts/"}}
- {{name: gocrane, version: {OLD}, repository: "@crane"}}
- {{name: prometheus-community, version: {OLD}, repository: "alias:prometheus-community"}}
- {{name: other, version: {OLD}, repository: "https://grafana.github.io/helm-charts/other"}}
""",
    "values.yaml": f"""\
agent:
  image: {{registry: docker.io, repository: gocrane/crane-agent, tag: {OLD}}}
craned:
  image: {{repository: gocrane/craned, tag: {OLD}}}
dashboard:
  image: gocrane/dashboard:{OLD}
""",
}
IMAGES = (
    "craned", "crane-agent", "metric-adapter", "dashboard", "fadvisor", "crane-scheduler", "crane-scheduler-controller",
)  # fmt: skip
REPOSITORIES = ("gocrane", "prometheus-community", "grafana")
NOT_MIRRORED = ("gocrane/stress-ng", "x.example/gocrane/craned", "grafana/grafana", "ghcr.io/gocrane/crane/craned")


def test_built_in_names_are_looked_up_on_the_mirrors(cli: CLI, tmp_path: Path) -> None:
    """By every spelling and in every kind of file; the origin is asked for what only looks alike, and nobody else."""
    contents = preset(cli, tmp_path).read_text(encoding="utf-8")
    for name, text in {**BUILT_IN, "renovate.json5": contents}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    origins = [*DOCKER_HUB, "ghcr.io", "x.example", *(f"{name}.github.io" for name in REPOSITORIES)]
    backends: dict[str, Backend] = dict.fromkeys(origins, status(404))
    backends[CHARTS] = routes({f"/gocrane/{name}/index.yaml": index(name) for name in REPOSITORIES})
    with registry(tmp_path / "registry") as server:
        pushed(server, [f"gocrane/crane/{name}" for name in IMAGES])
        with public_names(tmp_path / "names", {**backends, CODING: forward(server.authority)}) as names:
            looked = renovate(names, tmp_path, "--platform=local", "--dry-run=lookup")
    agent = "/v2/gocrane/crane/crane-agent/manifests"
    pinned = image_of("gocrane/crane/crane-agent", OLD).digest
    expected = {Asked(CODING, "HEAD", f"{agent}/{each}") for each in (OLD, pinned)}
    expected |= {Asked(CHARTS, "GET", f"/gocrane/{name}/index.yaml") for name in REPOSITORIES}
    expected |= {Asked("grafana.github.io", "GET", "/helm-charts/other/index.yaml")}
    expected |= in_vain(HUB, "gocrane/stress-ng") | in_vain(HUB, "grafana/grafana")
    expected |= in_vain("ghcr.io", "gocrane/crane/craned") | in_vain("x.example", "gocrane/craned")
    assert set(names.asked) == expected.union(*(lookup(CODING, f"gocrane/crane/{name}") for name in IMAGES))
    assert looked.hosts == {asked.host for asked in names.asked}
    assert {dependency.file for dependency in looked.found} == set(BUILT_IN)
    assert len(looked.found) == 22
    for dependency in looked.found:
        last = "" if dependency.name in (*NOT_MIRRORED, "other") else dependency.name.rpartition("/")[2]
        assert (dependency.place.rpartition("/")[2], dependency.update) == (last, last and NEW), dependency


# prefixes ----------------------------------------------------------------------------------------------------------

#: What a manifest may call an image, and where that is.
SPELLINGS = {
    "nginx": "nginx",
    "library/nginx": "nginx",
    "docker.io/nginx": "nginx",
    "registry-1.docker.io/library/nginx": "nginx",
    "bitnami/redis": "redis",
    "index.docker.io/bitnami/redis": "redis",
    "bitnami/kafka": "b/kafka",
    "docker.io/bitnami/kafka": "b/kafka",
    "busybox": "hub/library/busybox",
    "library/busybox": "hub/library/busybox",
    "docker.io/busybox": "hub/library/busybox",
    "docker.io/library/busybox": "hub/library/busybox",
    "arm64/busybox": "hub/arm64/busybox",
    "a/b/c": "hub/a/b/c",
    "registry.hub.docker.com/grafana/loki": "hub/grafana/loki",
    "ghcr.io/acme/shop": "acme/shop",
}


def of_argo(url: str, chart: str) -> str:
    source = f"{{repoURL: '{url}', chart: {chart}, targetRevision: {OLD}}}"
    return f"---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {{source: {source}}}\n"


MANIFESTS = {
    "Dockerfile": "".join(f"FROM {name}:{OLD}\n" for name in SPELLINGS),
    "pods.yaml": "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"
    + "".join(f"  - image: {name}:{OLD}\n" for name in SPELLINGS),
    "values.yaml": "".join(
        f"one{number}:\n  image: {{repository: {name}, tag: {OLD}}}\ntwo{number}:\n  image: {name}:{OLD}\n"
        for number, name in enumerate(SPELLINGS)
    ),
    "argo.yaml": of_argo("https://o.example/stable", "web") + of_argo("o.example/charts", "web"),
    "Chart.yaml": "apiVersion: v2\nname: all\nversion: 1.0.0\ndependencies:\n"
    + "".join(
        f"- {{name: web, version: {OLD}, repository: '{url}'}}\n"
        for url in (
            "https://o.example/other",
            "https://o.example/stable",
            "@stable",
            "alias:main",
            "oci://o.example/charts",
            "oci://ghcr.io/acme/charts",
        )
    ),
    "kustomization.yaml": "helmCharts:\n"
    + "".join(
        f"- {{name: web, version: {OLD}, repo: '{url}'}}\n"
        for url in ("https://o.example/stable", "oci://o.example/charts", "oci://ghcr.io/acme/charts")
    ),
    "helmfile.yaml": f"""\
repositories:
- {{name: stable, url: "https://o.example/stable"}}
- {{name: registry, url: o.example/charts, oci: true}}
releases:
- {{name: one, chart: stable/web, version: {OLD}}}
- {{name: two, chart: registry/web, version: {OLD}}}
""",
}


def test_renovate_commits_what_mirrors_have_under_the_names_of_the_origins(cli: CLI, tmp_path: Path) -> None:
    """A repository that extends the preset as the note says gets new versions in all of its files, and nothing else."""
    ours = {
        "extends": [f"local>o/presets//{PRESET}"],
        "packageRules": [{"matchPackageNames": ["*"], "groupName": "all"}],
    }
    put(tmp_path / "git" / "o" / "app.git", {**MANIFESTS, "renovate.json": json.dumps(ours)})
    put(tmp_path / "git" / "o" / "presets.git", {PRESET: preset(cli, tmp_path, PREFIXES).read_text(encoding="utf-8")})
    backends: dict[str, Backend] = dict.fromkeys([*DOCKER_HUB, "ghcr.io"], status(404))
    backends["o.example"] = routes({"/other/index.yaml": index("web")})
    backends["forge.example"] = forge(tmp_path / "git", "https://forge.example")
    with registry(tmp_path / "registry") as server:
        everything = forward(server.authority)
        backends["m.example"] = routes({"/": everything, "/stable/index.yaml": index("web")})
        pushed(server, {*SPELLINGS.values(), "charts/web", "inner/web"})
        with (
            public_names(tmp_path / "names", backends) as names,
            other_port(names, "m.example", 5000, everything) as ghcr,
        ):
            options = ["--platform=gitea", "--endpoint=https://forge.example", "--token=token"]
            looked = renovate(names, tmp_path, *options, "o/app")
    on_5000 = {Asked("m.example", request.method, request.path) for request in ghcr.requests}
    assert on_5000 == lookup("m.example", "acme/shop")
    repositories = {*SPELLINGS.values(), "charts/web", "inner/web"} - {"acme/shop"}
    expected = set().union(*(lookup("m.example", repository) for repository in repositories))
    of_forge = {each for each in names.asked if each.host == "forge.example"}
    assert Asked("forge.example", "GET", f"/api/v1/repos/o/presets/contents/{PRESET}") in of_forge
    expected |= {Asked("m.example", "GET", "/stable/index.yaml"), Asked("o.example", "GET", "/other/index.yaml")}
    assert set(names.asked) - of_forge == expected
    assert looked.hosts == {"forge.example", "m.example", "o.example"}
    application = tmp_path / "git" / "o" / "app.git"
    for name, text in MANIFESTS.items():
        assert git("-C", application, "show", f"renovate/all:{name}") == text.replace(OLD, NEW).strip()
    changed = git("-C", application, "diff", "--name-only", "main", "renovate/all")
    assert set(changed.split()) == set(MANIFESTS)


@contextmanager
def other_port(names: Names, name: str, port: int, respond: Responder) -> Iterator[Web]:
    """Serve a name on another port, too."""
    with web(respond, address=names.addresses[name], port=port, certificate=names.authority.good(name)) as server:
        yield server


# all names ---------------------------------------------------------------------------------------------------------

PARTS = (
    "docker.io", "index.docker.io", "ghcr.io", "ghcr.io:5000", "localhost", "a", "bitnami", "redis", "library", "nginx",
)  # fmt: skip


def valid_names(count: int) -> list[str]:
    """Give names that an image can have: all of one or two parts, and of so many longer ones, the same each time."""
    (short, longer) = (
        ["/".join(parts) for length in lengths for parts in product(PARTS, repeat=length)]
        for lengths in ((1, 2), (3, 4))
    )
    names = [*short, *random.Random(0).sample(longer, count)]
    return [name for name in names if repository_of(name)]


def repository_of(name: str) -> Repository | None:
    try:
        return Reference.parse(f"{name}:tag").repository
    except InvalidReference:
        return None


def place_of(name: str, catalogue: Catalogue) -> str:
    """Say where an image should be looked up: on the mirror, or if there is none, where Renovate does by itself."""
    repository = repository_of(name)
    entry = catalogue.covering("image", str(repository))
    own = entry and entry.origin.location == repository
    place = str(rank(catalogue, entry, Choice()).places[0].location if entry and own else repository)
    registry, _, path = place.partition("/")
    if "." not in registry and ":" not in registry:
        registry, path = HUB, place
    return f"https://{HUB if registry == 'docker.io' else registry}/{path}"


def any_registry(request: Request) -> Response:
    """Answer as a registry that has every image, in one version."""
    if request.path == "/v2/" or request.path.endswith("/tags/list?n=10000"):
        return Response(200, {"Content-Type": "application/json"}, json.dumps({"tags": [NEW]}).encode())
    return Response(404)


@pytest.mark.parametrize(("text", "count"), [(INTERLACED, 100), (OFFICIAL, 10)], ids=["interlaced", "official"])
def test_every_name_is_looked_up_where_the_catalogue_says(text: str, count: int, cli: CLI, tmp_path: Path) -> None:
    """Single images, folders and registries, the longest first; no mirror of one is taken for the origin of another."""
    names = valid_names(count)
    (tmp_path / "Dockerfile").write_text("".join(f"FROM {name}:{OLD}\n" for name in names), encoding="utf-8")
    (tmp_path / "renovate.json5").write_text(preset(cli, tmp_path, text).read_text(encoding="utf-8"), encoding="utf-8")
    backends: dict[str, Backend] = dict.fromkeys([*DOCKER_HUB, "ghcr.io", "m.example"], any_registry)
    with (
        public_names(tmp_path / "names", {**backends, "hub.docker.com": status(404)}) as world,
        other_port(world, "m.example", 5000, any_registry),
        other_port(world, "ghcr.io", 5000, any_registry),
    ):
        looked = renovate(world, tmp_path, "--platform=local", "--dry-run=lookup")
    found = {name: dependency.place for name, dependency in zip(names, looked.found, strict=True)}
    catalogue = catalogue_of(text)
    assert found == {name: place_of(name, catalogue) for name in names}
