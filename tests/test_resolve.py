"""Any string in, the same thing out: every spelling of what has mirrors, what is refused, and what is never said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from typing import NamedTuple

import pytest
from conftest import CLI, examples
from hypothesis import example, given
from hypothesis import strategies as st

from crane_mirrors import Answer, Catalogue, Choice, Reference, load
from crane_mirrors.catalogue import parse
from crane_mirrors.cli._run import run
from crane_mirrors.errors import InvalidInput, NotFound
from crane_mirrors.files import FilePath, Ref
from crane_mirrors.resolve.entry import answer_entry
from crane_mirrors.resolve.raw import answer_raw
from crane_mirrors.resolve.strings import resolve_string

DIGEST = "sha256:" + 64 * "a"
ORIGIN = Choice(mirrors=("origin",))

#: What the built-in catalogue lacks: charts in a registry, ports, hosts of one's own, whole registries and forges.
OWN = """
version: 1
regions:
  cn: [hub, corp, pages, copy, office, forge, proxy]
images:
  tool:
    origin: registry.example:5000/team/tool
    mirrors:
      hub: docker.io/mirror/tool
      v6: "[2001:db8::1]:5000/team/tool"
  everything:
    origin: docker.io/*
    mirrors: {corp: docker.m.example/*}
  ours:
    origin: quay.example/team/*
    mirrors: {corp: docker.m.example/quay/*}
helm:
  charts:
    origin: https://charts.example/origin
    mirrors: {pages: https://charts.example/stable, deep: "http://files.example:8080/a/b/"}
  other:
    origin: https://raw.githubusercontent.com/acme/charts/gh-pages
    mirrors: {copy: https://charts.example/acme}
  more:
    origin: https://helm.example/*
    mirrors: {copy: https://helm.m.example/x/*}
git:
  lib:
    origin: https://github.com/acme/lib.git
    mirrors:
      office: {url: "https://git.example:8443/mirrors/lib.git", host_kind: github}
      gitee: https://gitee.com/acme-mirror/Lib
      plain: https://git.plain.example/lib.git
  forge:
    origin: https://github.com/*
    mirrors: {forge: https://forge.example/github/*}
raw:
  proxy:
    origin: https://raw.githubusercontent.com/*
    mirrors: {proxy: https://proxy.example/https://raw.githubusercontent.com/*}
"""


@cache
def built_in() -> Catalogue:
    return load()


@cache
def own() -> Catalogue:
    return parse([("own.yaml", OWN.encode())])


class Thing(NamedTuple):
    """What some strings name: each of them has this kind, name, best address and origin."""

    kind: str
    name: str
    best: str
    origin: str


CODING = "finops-docker.pkg.coding.net/gocrane/crane"
GITHUB_RAW = "https://raw.githubusercontent.com"
RAW = f"{GITHUB_RAW}/gocrane/crane"
CODING_RAW = "https://finops.coding.net/p/gocrane/d/crane/git/raw"


def image(suffix: str, name: str = "craned") -> Thing:
    return Thing("image", name, f"{CODING}/{name}{suffix}", f"docker.io/gocrane/{name}{suffix}")


def chart(tail: str) -> Thing:
    coding = f"https://finops-helm.pkg.coding.net/gocrane/gocrane/{tail}"
    return Thing("chart", "gocrane", coding, f"https://gocrane.github.io/helm-charts/{tail}")


def file(ref: str, path: str) -> Thing:
    return Thing("raw", "crane", f"{CODING_RAW}/{ref}/{path}?download=false", f"{RAW}/{ref}/{path}")


HELM = Thing(
    "helm",
    "gocrane",
    "https://finops-helm.pkg.coding.net/gocrane/gocrane",
    "https://gocrane.github.io/helm-charts",
)
GRAFANA = Thing(
    "helm",
    "grafana",
    "https://finops-helm.pkg.coding.net/gocrane/grafana",
    "https://grafana.github.io/helm-charts",
)
GIT = Thing("git", "crane", "https://e.coding.net/finops/gocrane/crane.git", "https://github.com/gocrane/crane.git")
API = Thing("git", "api", "https://e.coding.net/finops/gocrane/api.git", "https://github.com/gocrane/api.git")

#: How people and programs write the repository of one image, on each of its registries.
REPOSITORIES = [
    "gocrane/craned",
    "docker.io/gocrane/craned",
    "index.docker.io/gocrane/craned",
    "registry-1.docker.io/gocrane/craned",
    "registry.hub.docker.com/gocrane/craned",
    "Docker.IO/gocrane/craned",
    "docker.io:443/gocrane/craned",
    "finops-docker.pkg.coding.net/gocrane/crane/craned",
    "FINOPS-docker.pkg.coding.net:443/gocrane/crane/craned",
    "ghcr.io/gocrane/crane/craned",
    "GHCR.io/gocrane/crane/craned",
    "ghcr.io:0443/gocrane/crane/craned",
]
FORMS = ["{}", "docker://{}", "DOCKER://{}"]
TAGS = ["", ":main", ":main-abc1234", f"@{DIGEST}", f":v0.11.0@{DIGEST}"]

IMAGES = [
    (form.format(repository + tag), image(tag or ":main"))
    for repository in REPOSITORIES
    for form in [*FORMS, *(["oci://{}"] if "." in repository.partition("/")[0] else [])]
    for tag in TAGS
]

SPELLINGS: dict[Thing, str] = {
    image(":main"): "craned craned:main",
    image(f"@{DIGEST}"): f"craned@{DIGEST}",
    image(f":1@{DIGEST}"): f"craned:1@{DIGEST}",
    image(":x", "crane-scheduler"): """
        gocrane/crane-scheduler:x
        crane-scheduler:x
        ghcr.io/gocrane/crane-scheduler/crane-scheduler:x
        finops-docker.pkg.coding.net/gocrane/crane/crane-scheduler:x
        """,
    HELM: """
        gocrane
        https://gocrane.github.io/helm-charts
        https://gocrane.github.io/helm-charts/
        https://gocrane.github.io/helm-charts///
        https://gocrane.github.io/helm-charts/index.yaml
        https://gocrane.github.io/helm-charts/index.yaml?nocache=1
        https://gocrane.github.io/helm-charts/#readme
        http://gocrane.github.io/helm-charts
        HTTPS://GoCrane.GitHub.io:443/helm-charts/
        https://gocrane.github.io./helm-charts
        https://somebody:password@gocrane.github.io/helm-charts
        gocrane.github.io/helm-charts
        gocrane.github.io/helm-charts/
        gocrane.github.io/helm-charts/index.yaml
        https://finops-helm.pkg.coding.net/gocrane/gocrane
        https://finops-helm.pkg.coding.net/gocrane/gocrane/
        https://finops-helm.pkg.coding.net/gocrane/gocrane/index.yaml
        finops-helm.pkg.coding.net/gocrane/gocrane
        """,
    GRAFANA: """
        grafana
        https://grafana.github.io/helm-charts
        https://finops-helm.pkg.coding.net/gocrane/grafana/index.yaml
        """,
    chart("craned-0.11.0.tgz"): """
        https://gocrane.github.io/helm-charts/craned-0.11.0.tgz
        https://gocrane.github.io/helm-charts/craned-0.11.0.tgz?download=1
        gocrane.github.io/helm-charts/craned-0.11.0.tgz
        https://finops-helm.pkg.coding.net/gocrane/gocrane/craned-0.11.0.tgz
        """,
    chart("craned-0.11.0.tgz.prov"): """
        https://gocrane.github.io/helm-charts/craned-0.11.0.tgz.prov
        https://finops-helm.pkg.coding.net/gocrane/gocrane/craned-0.11.0.tgz.prov
        """,
    chart(
        "%E6%96%87.tgz"
    ): "https://gocrane.github.io/helm-charts/文.tgz https://gocrane.github.io/helm-charts/%E6%96%87.tgz",
    chart("charts/craned-1.0.0%2Bbuild.tgz"): """
        https://gocrane.github.io/helm-charts/charts/craned-1.0.0%2Bbuild.tgz
        """,
    GIT: """
        https://github.com/gocrane/crane
        https://github.com/gocrane/crane/
        https://github.com/gocrane/crane.git
        https://github.com/gocrane/crane.git/
        http://github.com/gocrane/crane.git
        http://github.com:80/gocrane/crane.git
        https://github.com:443/gocrane/crane.git
        HTTPS://GitHub.COM/gocrane/crane.git
        https://www.github.com/gocrane/crane
        https://somebody@github.com/gocrane/crane.git
        https://somebody:password@github.com/gocrane/crane.git
        https://github.com/gocrane/crane#readme
        https://github.com/gocrane/crane?tab=readme-ov-file#quick-start
        https://github.com/gocrane/crane/tree/main
        https://github.com/gocrane/crane/tree/main/deploy/craned
        https://github.com/gocrane/crane/tree/feature/x/deploy
        ssh://git@github.com/gocrane/crane.git
        ssh://git@github.com/gocrane/crane
        ssh://github.com/gocrane/crane.git/
        ssh://git@github.com:22/gocrane/crane.git
        ssh://git@ssh.github.com:443/gocrane/crane.git
        SSH://git@GitHub.com/gocrane/crane.git
        git@github.com:gocrane/crane.git
        git@github.com:gocrane/crane
        git@GitHub.com:gocrane/crane.git/
        git@github.com:/gocrane/crane.git
        github.com:gocrane/crane.git
        git://github.com/gocrane/crane.git
        git://github.com:9418/gocrane/crane
        github.com/gocrane/crane
        github.com/gocrane/crane.git
        github.com/gocrane/crane/
        github.com/gocrane/crane/tree/main
        GitHub.com/gocrane/crane.git
        https://e.coding.net/finops/gocrane/crane.git
        https://e.coding.net/finops/gocrane/crane
        https://e.coding.net/finops/gocrane/crane/
        git@e.coding.net:finops/gocrane/crane.git
        ssh://git@e.coding.net/finops/gocrane/crane.git
        e.coding.net/finops/gocrane/crane.git
        https://finops.coding.net/public/gocrane/crane/git/files
        https://finops.coding.net/public/gocrane/crane/git/files/
        https://finops.coding.net/public/gocrane/crane/git/files/main
        https://finops.coding.net/p/gocrane/d/crane/git
        https://gitee.com/finops/crane
        https://gitee.com/finops/crane.git
        https://gitee.com/finops/crane/
        https://gitee.com/finops/crane/tree/main/docs
        git@gitee.com:finops/crane.git
        ssh://git@gitee.com/finops/crane
        git://gitee.com/finops/crane.git
        gitee.com/finops/crane
        """,
    API: """
        api
        git@github.com:gocrane/api.git
        https://e.coding.net/finops/gocrane/api.git
        https://finops.coding.net/public/gocrane/api/git/files
        """,
    file("main", "deploy/a.yaml"): """
        https://raw.githubusercontent.com/gocrane/crane/main/deploy/a.yaml
        https://raw.githubusercontent.com/gocrane/crane/refs/heads/main/deploy/a.yaml
        http://RAW.githubusercontent.com:80/gocrane/crane/main/deploy/a.yaml
        https://raw.githubusercontent.com/gocrane/crane/main/deploy/a.yaml?token=GHSAT0
        raw.githubusercontent.com/gocrane/crane/main/deploy/a.yaml
        https://github.com/gocrane/crane/raw/main/deploy/a.yaml
        https://github.com/gocrane/crane/raw/refs/heads/main/deploy/a.yaml
        https://github.com/gocrane/crane/blob/main/deploy/a.yaml
        https://github.com/gocrane/crane/blob/refs/heads/main/deploy/a.yaml
        https://github.com/gocrane/crane/blob/main/deploy/a.yaml#L10-L20
        https://github.com/gocrane/crane/blob/main/deploy/a.yaml?raw=true
        https://somebody:password@github.com/gocrane/crane/blob/main/deploy/a.yaml
        github.com/gocrane/crane/blob/main/deploy/a.yaml
        https://finops.coding.net/p/gocrane/d/crane/git/raw/main/deploy/a.yaml?download=false
        https://finops.coding.net/p/gocrane/d/crane/git/raw/main/deploy/a.yaml?download=true
        https://finops.coding.net/p/gocrane/d/crane/git/raw/main/deploy/a.yaml
        https://FinOps.Coding.net/p/gocrane/d/crane/git/raw/main/deploy/a.yaml
        finops.coding.net/p/gocrane/d/crane/git/raw/main/deploy/a.yaml
        https://finops.coding.net/public/gocrane/crane/git/files/main/deploy/a.yaml
        https://gitee.com/finops/crane/raw/main/deploy/a.yaml
        https://gitee.com/finops/crane/blob/main/deploy/a.yaml
        gitee.com/finops/crane/raw/main/deploy/a.yaml
        """,
    file("v0.11.0", "README.md"): """
        https://raw.githubusercontent.com/gocrane/crane/v0.11.0/README.md
        https://raw.githubusercontent.com/gocrane/crane/refs/tags/v0.11.0/README.md
        https://github.com/gocrane/crane/raw/refs/tags/v0.11.0/README.md
        https://gitee.com/finops/crane/blob/v0.11.0/README.md
        """,
    file("main", "docs/a%20b/%E6%96%87%23%3F.md"): """
        https://raw.githubusercontent.com/gocrane/crane/main/docs/a%20b/%E6%96%87%23%3F.md
        https://raw.githubusercontent.com/gocrane/crane/main/docs/%61%20b/%e6%96%87%23%3f.md
        https://github.com/gocrane/crane/blob/main/docs/a%20b/文%23%3F.md
        https://finops.coding.net/p/gocrane/d/crane/git/raw/main/docs/a%20b/%E6%96%87%23%3F.md?download=false
        """,
    file("main", "index.yaml"): "https://raw.githubusercontent.com/gocrane/crane/main/index.yaml",
    file("main", "a.tgz"): "https://github.com/gocrane/crane/raw/main/a.tgz",
    file("main", "x.git"): "https://github.com/gocrane/crane/raw/main/x.git",
    file("raw", "blob/tree"): "https://github.com/gocrane/crane/blob/raw/blob/tree",
}

OWN_SPELLINGS: dict[Thing, str] = {
    Thing("image", "tool", "docker.io/mirror/tool:1", "registry.example:5000/team/tool:1"): """
        registry.example:5000/team/tool:1
        Registry.Example:05000/team/tool:1
        mirror/tool:1
        docker://index.docker.io/mirror/tool:1
        oci://docker.io/mirror/tool:1
        [2001:db8::1]:5000/team/tool:1
        tool:1
        """,
    Thing("image", "everything", "docker.m.example/library/nginx:1.27", "docker.io/library/nginx:1.27"): """
        nginx:1.27
        library/nginx:1.27
        docker.io/nginx:1.27
        docker.m.example/library/nginx:1.27
        oci://docker.io/library/nginx:1.27
        """,
    Thing("image", "ours", "docker.m.example/quay/a/b:1", "quay.example/team/a/b:1"): """
        quay.example/team/a/b:1
        docker.m.example/quay/a/b:1
        """,
    Thing("helm", "charts", "https://charts.example/stable", "https://charts.example/origin"): """
        https://charts.example/origin
        https://charts.example/stable/
        https://charts.example/stable/index.yaml
        http://files.example:8080/a/b
        http://files.example:8080/a/b/index.yaml
        """,
    Thing("chart", "charts", "https://charts.example/stable/web-1.tgz", "https://charts.example/origin/web-1.tgz"): """
        https://charts.example/stable/web-1.tgz
        http://files.example:8080/a/b/web-1.tgz
        """,
    Thing("helm", "other", "https://charts.example/acme", "https://raw.githubusercontent.com/acme/charts/gh-pages"): """
        https://raw.githubusercontent.com/acme/charts/gh-pages
        https://raw.githubusercontent.com/acme/charts/gh-pages/index.yaml
        https://charts.example/acme/
        """,
    Thing("helm", "more", "https://helm.m.example/x/a/b", "https://helm.example/a/b"): """
        https://helm.example/a/b
        https://helm.example/a/b/
        https://helm.m.example/x/a/b
        """,
    Thing("chart", "more", "https://helm.m.example/x/a/b.tgz", "https://helm.example/a/b.tgz"): """
        https://helm.example/a/b.tgz
        """,
    Thing("git", "lib", "https://git.example:8443/mirrors/lib.git", "https://github.com/acme/lib.git"): """
        git@github.com:acme/lib.git
        https://git.example:8443/mirrors/lib
        https://gitee.com/acme-mirror/Lib.git
        git@git.plain.example:lib.git
        ssh://git@git.plain.example:2222/lib.git
        """,
    Thing("raw", "lib", "https://git.example:8443/mirrors/lib/raw/v1/a", f"{GITHUB_RAW}/acme/lib/v1/a"): """
        https://github.com/acme/lib/blob/v1/a
        https://git.example:8443/mirrors/lib/blob/v1/a
        https://gitee.com/acme-mirror/Lib/raw/v1/a
        """,
    Thing("git", "forge", "https://forge.example/github/kedacore/keda", "https://github.com/kedacore/keda"): """
        https://github.com/kedacore/keda
        git@github.com:kedacore/keda
        github.com/kedacore/keda/
        https://github.com/kedacore/keda/tree/main
        https://forge.example/github/kedacore/keda
        """,
    Thing("git", "forge", "https://forge.example/github/kedacore/keda.git", "https://github.com/kedacore/keda.git"): """
        https://github.com/kedacore/keda.git
        git@github.com:kedacore/keda.git
        https://forge.example/github/kedacore/keda.git
        """,
    Thing(
        "raw",
        "proxy",
        "https://proxy.example/https://raw.githubusercontent.com/kedacore/keda/main/x.git",
        "https://raw.githubusercontent.com/kedacore/keda/main/x.git",
    ): """
        https://raw.githubusercontent.com/kedacore/keda/main/x.git
        https://proxy.example/https://raw.githubusercontent.com/kedacore/keda/main/x.git
        """,
}  # fmt: skip


def words(text: str) -> list[str]:
    return text.split()


def flat(table: dict[Thing, str]) -> list[tuple[str, Thing]]:
    return [(spelling, thing) for thing, spellings in table.items() for spelling in words(spellings)]


def routes(answer: Answer) -> list[tuple[str, str]]:
    return [(route.place.name, route.target) for route in answer.routes]


def assert_names(catalogue: Catalogue, text: str, thing: Thing) -> None:
    answer, back = resolve_string(catalogue, text), resolve_string(catalogue, text, ORIGIN)
    assert Thing(answer.kind, answer.name, answer.best.target, back.best.target) == thing
    assert sorted(routes(back)) == sorted(routes(answer))


@pytest.mark.parametrize(("text", "thing"), [*IMAGES, *flat(SPELLINGS)], ids=lambda value: str(value)[:80])
def test_every_spelling_names_the_same_thing(text: str, thing: Thing) -> None:
    """Whatever the spelling, and whether it is the origin's or a mirror's: one thing, with all its routes."""
    assert_names(built_in(), text, thing)


@pytest.mark.parametrize(("text", "thing"), flat(OWN_SPELLINGS), ids=lambda value: str(value)[:80])
def test_every_spelling_in_a_catalogue_of_ones_own(text: str, thing: Thing) -> None:
    """Charts in a registry, ports, hosts that only the catalogue knows, and what stands under a prefix."""
    assert_names(own(), text, thing)


@pytest.mark.parametrize("text", [text for text, _ in IMAGES])
def test_default_tag_is_said(text: str) -> None:
    """Without tag and digest the catalogue's default is used, and the answer says so; otherwise it has no note."""
    bare = not text.endswith(tuple(filter(None, TAGS)))
    assert resolve_string(built_in(), text).notes == (
        ("no tag given: using main, the catalogue's default",) if bare else ()
    )


def entries_with_mirrors() -> list[tuple[str, str, str, str]]:
    return [
        (entry.kind, entry.name, place.name, other.name)
        for entry in built_in().entries()
        for place in entry.places
        for other in entry.places
    ]


@pytest.mark.parametrize(("kind", "name", "here", "there"), entries_with_mirrors())
def test_from_every_place_to_every_other(kind: str, name: str, here: str, there: str) -> None:
    """Every address of the built-in catalogue becomes any other of its entry with `--mirror`."""
    (entry,) = (entry for entry in built_in().entries() if (entry.kind, entry.name) == (kind, name))
    place = {place.name: place for place in entry.places}
    tag = ":v1" if kind == "image" else ""
    answer = resolve_string(built_in(), f"{place[here].location}{tag}", Choice(mirrors=(there,)))
    assert (answer.kind, answer.name) == (kind, name)
    assert answer.best.target == f"{place[there].location}{tag}"


ISSUES = "that is no repository, file or chart"
REFUSED = [
    # Pages of a repository that no mirror has, and what only begins like something known.
    ("https://github.com/gocrane/crane/issues/12", 3, ISSUES),
    ("https://github.com/gocrane/crane/issues", 3, ISSUES),
    ("https://github.com/gocrane/crane/pull/3/files", 3, ISSUES),
    ("https://github.com/gocrane/crane/releases", 3, ISSUES),
    ("https://github.com/gocrane/crane/releases/download/v0.1.0/crane.tgz", 3, ISSUES),
    ("https://github.com/gocrane/crane/archive/refs/heads/main.zip", 3, ISSUES),
    ("https://github.com/gocrane/crane/commit/abc1234", 3, ISSUES),
    ("https://github.com/gocrane/crane/wiki", 3, ISSUES),
    ("https://github.com/gocrane/crane/edit/main/README.md", 3, ISSUES),
    ("https://github.com/gocrane/crane/blob/main", 3, ISSUES),
    ("https://github.com/gocrane", 3, ISSUES),
    ("https://github.com", 3, ISSUES),
    ("https://github.com//crane", 3, ISSUES),
    ("https://gitee.com//crane", 3, ISSUES),
    ("https://raw.githubusercontent.com/gocrane/crane/main", 3, ISSUES),
    ("https://gitee.com/finops/crane/issues", 3, ISSUES),
    ("https://finops.coding.net/p/gocrane/d/crane/git/commit/abc", 3, ISSUES),
    ("https://gocrane.github.io/helm-charts/other", 3, ISSUES),
    ("https://gocrane.github.io/helm-charts2/index.yaml", 3, ISSUES),
    ("https://gocrane.github.io/craned-0.1.0.tgz", 3, ISSUES),
    ("github.com/gocrane/crane/pkg/utils", 3, "nothing called 'github.com/gocrane/crane/pkg/utils'"),
    ("https://github.com/gocrane/crane/pkg/utils", 3, ISSUES),
    # Unknown, with the nearest that is known.
    ("https://github.com/gocrane/crane-schedular", 3, "no such repository: did you mean 'crane-scheduler'?"),
    ("https://github.com/gocrane/nothing.git", 3, "no such repository: there are: crane, helm-charts, "),
    ("https://github.com:8443/gocrane/crane", 3, "no such repository"),
    ("https://github.com.example.org/gocrane/crane", 3, "no such repository"),
    ("https://evil.example/github.com/gocrane/crane", 3, "no such repository"),
    ("https://gitee.com/gocrane/crane", 3, "no such repository"),
    ("git@sha.example:owner/repo.git", 3, "no such repository"),
    ("ftp.example/x/y", 3, "nothing called 'ftp.example/x/y'"),
    ("gocrane/stress-ng", 3, "no image 'docker.io/gocrane/stress-ng' in the catalogue: there are: craned, "),
    ("gocrane/stress-ng:v1", 3, "no image 'docker.io/gocrane/stress-ng'"),
    ("gocrane/crane", 3, "no image 'docker.io/gocrane/crane' in the catalogue: did you mean 'craned'?"),
    ("gocrane/craned2", 3, "no image 'docker.io/gocrane/craned2' in the catalogue: did you mean 'craned'?"),
    ("gocrane/craned/x", 3, "no image 'docker.io/gocrane/craned/x'"),
    ("ghcr.io:5000/gocrane/crane/craned", 3, "nothing called 'ghcr.io:5000/gocrane/crane/craned'"),
    ("quay.io/gocrane/crnaed:v1", 3, "no image 'quay.io/gocrane/crnaed' in the catalogue: did you mean 'craned'?"),
    ("docker://github.com/gocrane/crane", 3, "no image 'github.com/gocrane/crane'"),
    ("oci://github.com/gocrane/crane", 3, "nothing called 'oci://github.com/gocrane/crane': did you mean 'crane'?"),
    ("oci://gocrane/craned", 3, "nothing called 'oci://gocrane/craned'"),
    ("crnaed", 3, "nothing called 'crnaed': did you mean 'craned'?"),
    ("library/craned", 3, "no image 'docker.io/library/craned'"),
    (
        "https://gocr\u00e4n\u0435.example/x",
        3,
        "'https://gocr\u00e4n\u0435.example/x': the catalogue has no such repository",
    ),
    # One name, two things.
    ("crane", 2, "'crane' names helm and git: use 'crane-mirrors helm', or an address"),
    ("crane-scheduler", 2, "'crane-scheduler' names image and git: use 'crane-mirrors image', or an address"),
    # What is no address at all.
    ("", 2, "invalid"),
    ("-x", 2, "invalid"),
    ("/", 2, "invalid repository path '/': an empty name"),
    ("@", 2, "it is [REGISTRY/]PATH[:TAG][@DIGEST]"),
    ("gocrane/craned?x#y", 2, "invalid reference 'gocrane/craned?…': it is [REGISTRY/]PATH[:TAG][@DIGEST]"),
    ("docker://user:password@ghcr.io/x", 2, "invalid reference '…@ghcr.io/x': it is [REGISTRY/]PATH[:TAG][@DIGEST]"),
    ("https://", 2, "no valid host name"),
    ("https:///gocrane/crane", 2, "no valid host name"),
    ("https://-.example/x", 2, "no valid host name"),
    ("https://a..b/x", 2, "no valid host name"),
    ("https://xn--\u0080.example/x", 2, "invalid URL"),
    ("https://" + 64 * "ü" + ".example/x", 2, "no valid host name"),
    ("https://github.com:0/gocrane/crane", 2, "the port must be from 1 to 65535"),
    ("https://github.com:65536/gocrane/crane", 2, "the port must be from 1 to 65535"),
    ("https://github.com:x/gocrane/crane", 2, "no valid host name"),
    ("https://[::1/gocrane/crane", 2, "no valid host name"),
    ("ftp://github.com/gocrane/crane", 2, "it must begin with one of https, http, ssh, git, oci"),
    ("//github.com/gocrane/crane", 2, "invalid repository path"),
    ("https:/github.com/gocrane/crane", 2, "invalid"),
    ("https://github.com/gocrane/crane%", 2, "broken percent-encoding"),
    ("https://github.com/gocrane/crane%2", 2, "broken percent-encoding"),
    ("https://github.com/gocrane/%zzcrane", 2, "broken percent-encoding"),
    ("https://raw.githubusercontent.com/gocrane/crane/main/%ff", 2, "not UTF-8"),
    ("https://raw.githubusercontent.com/gocrane/crane/main/a/../b", 2, "'.' and '..' are not allowed"),
    ("https://raw.githubusercontent.com/gocrane/crane/main/%2e%2e/b", 2, "'.' and '..' are not allowed"),
    ("https://gocrane.github.io/helm-charts/../other/x.tgz", 2, "'.' and '..' are not allowed"),
    ("https://raw.githubusercontent.com/gocrane/crane/main/%00", 2, "control characters are not allowed"),
    ("https://raw.githubusercontent.com/gocrane/crane/ma%20in/b", 2, "invalid ref 'ma in'"),
    ("https://raw.githubusercontent.com/gocrane/crane/main/" + 9000 * "x", 2, "more than 8192 characters"),
    ("https://github.com/gocrane/cr\x00ane", 2, "cr\\x00ane': spaces, quotes, braces and control characters"),
    ("https://github.com/gocrane/crane\n", 2, "control characters"),
    ("https://github.com/gocrane/cr\x1b[31mane", 2, "control characters"),
    ("https://github.com/gocrane/cr\u202eane", 3, ""),
    ("https://github.com/gocrane/cr\udcffane", 2, ""),
    ("gocrane/cr\x00aned", 2, "invalid repository path 'gocrane/cr\\x00aned'"),
    ("gocrane/craned\n", 2, "white space"),
    ("gocrane/craned:", 2, "invalid tag ''"),
    ("gocrane/craned:.x", 2, "invalid tag '.x'"),
    ("gocrane/craned:" + 129 * "x", 2, "invalid tag"),
    ("gocrane/craned@sha256:abc", 2, "invalid digest 'sha256:abc'"),
    ("gocrane/craned@sha256:" + 64 * "A", 2, "invalid digest"),
    ("gocrane/Craned", 2, "repository names are lower case"),
    ("gocrane/" + 300 * "x", 2, "at most 255"),
    (64 * "a", 2, "an image ID, not a name"),
    (2**20 * "a/", 2, "invalid"),
]


@pytest.mark.parametrize(("text", "code", "message"), REFUSED, ids=[ascii(text)[:70] for text, _, _ in REFUSED])
def test_refused(cli: CLI, text: str, code: int, message: str) -> None:
    """One printable line that says what is wrong, nothing on stdout, and the exit code that fits."""
    ran = cli("resolve", "--", text)
    assert (ran.code, ran.out) == (code, "")
    assert re.fullmatch(
        f"crane-mirrors: .*{re.escape(message).replace(re.escape(chr(92) * 2), re.escape(chr(92)))}.*\n", ran.err
    )
    assert ran.err[:-1].isprintable()
    assert len(ran.err) < 600


# Property tests.

SEGMENT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=8)
REFS = SEGMENT.filter(lambda text: valid(Ref, text)).filter(lambda text: text != "refs")
PATHS = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join).filter(lambda text: valid(FilePath, text))
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}|blake3:[0-9a-f]{32,64}", fullmatch=True)
CHART = st.from_regex(r"([A-Za-z0-9_-]{1,8}/){0,2}[a-z0-9][a-z0-9.+-]{0,12}\.tgz(\.prov)?", fullmatch=True)


def valid(make: Callable[[str], object], text: str) -> bool:
    try:
        make(text)
    except InvalidInput:
        return False
    return True


def entries_of(kind: str) -> st.SearchStrategy[tuple[Catalogue, str]]:
    found = [
        (catalogue, entry.name)
        for catalogue in (built_in(), own())
        for entry in catalogue.entries()
        if entry.kind == kind and not entry.is_prefix
    ]
    return st.sampled_from(found)


def assert_same_from_everywhere(catalogue: Catalogue, answer: Answer) -> None:
    for route in answer.routes:
        assert resolve_string(catalogue, route.target)._replace(notes=answer.notes) == answer


@examples(600)
@given(found=entries_of("image"), tag=st.none() | TAG, digest=st.none() | DIGESTS)
def test_image_is_the_same_from_every_registry(
    found: tuple[Catalogue, str], tag: str | None, digest: str | None
) -> None:
    """An image's reference on any registry, with any tag and digest, resolves to what the name resolves to."""
    catalogue, name = found
    suffix = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    entry = catalogue.entry("image", name)
    for place in entry.places:
        answer = resolve_string(catalogue, f"{place.location}{suffix}")
        assert (answer.kind, answer.name) == ("image", name)
        assert {route.target.removeprefix(str(route.place.location)) for route in answer.routes} == {
            suffix or f":{entry.default_tag or 'latest'}"
        }
        assert_same_from_everywhere(catalogue, answer)
        for route in answer.routes:
            assert resolve_string(catalogue, Reference.parse(route.target).familiar).routes == answer.routes


@examples(1000)
@given(found=entries_of("git"), ref=REFS, path=PATHS)
@example(found=(built_in(), "crane"), ref="a@b", path="@x/a@b")
@example(found=(built_in(), "crane"), ref="main", path="x.git/index.yaml")
@example(found=(own(), "lib"), ref="heads", path="refs/heads/x.tgz")
def test_file_is_the_same_from_every_host(found: tuple[Catalogue, str], ref: str, path: str) -> None:
    """A file's raw URL and its page, on any host that has them, resolve to the file: parsing undoes rendering."""
    catalogue, name = found
    answer = answer_raw(catalogue, catalogue.entry("git", name), Ref(ref), FilePath(path), Choice())
    assert_same_from_everywhere(catalogue, answer)
    for route in answer.routes:
        assert route.page is not None
        assert resolve_string(catalogue, route.page)._replace(notes=answer.notes) == answer


@examples(300)
@given(ref=st.lists(REFS, min_size=2, max_size=3).map("/".join).filter(lambda text: valid(Ref, text)), path=PATHS)
def test_file_at_a_ref_with_slashes_keeps_its_address(ref: str, path: str) -> None:
    """Where a ref ends cannot be told from the URL, and need not be: the same words stand there on GitHub and Gitee."""
    answer = answer_raw(built_in(), built_in().entry("git", "crane"), Ref(ref), FilePath(path), Choice())
    places = {route.place.name: route.target for route in answer.routes}
    for target in places.values():
        again = {route.place.name: route.target for route in resolve_string(built_in(), target).routes}
        assert {name: again[name] for name in places} == places


@examples(500)
@given(found=entries_of("helm"), tail=CHART)
def test_chart_is_the_same_from_every_repository(found: tuple[Catalogue, str], tail: str) -> None:
    """An archive's URL in any copy of a Helm repository resolves to the same archive in all of them."""
    catalogue, name = found
    for place in catalogue.entry("helm", name).places:
        answer = resolve_string(catalogue, f"{place.location}/{tail}")
        assert (answer.kind, answer.name) == ("chart", name)
        assert_same_from_everywhere(catalogue, answer)


@pytest.mark.parametrize("catalogue", [built_in, own])
def test_repository_is_the_same_from_every_place(catalogue: Callable[[], Catalogue]) -> None:
    """A Helm or Git repository's address resolves to what its name does, and so does its page, for Git."""
    for entry in catalogue().entries():
        if entry.kind in ("helm", "git") and not entry.is_prefix:
            answer = answer_entry(catalogue(), entry, Choice())
            assert_same_from_everywhere(catalogue(), answer)
            for route in answer.routes if entry.kind == "git" else ():
                assert route.page is None or resolve_string(catalogue(), route.page) == answer


FRAGMENTS = words("""
    https:// http:// ssh:// git:// oci:// docker:// HTTPS:// git@ user:password@ : :443 :5000 / // . .. @ # ? % %2F %ff
    github.com www.github.com raw.githubusercontent.com gitee.com e.coding.net finops.coding.net docker.io ghcr.io
    gocrane.github.io finops-helm.pkg.coding.net finops-docker.pkg.coding.net registry.example:5000 docker.m.example
    forge.example proxy.example helm.example [2001:db8::1] xn--a localhost
    gocrane finops crane craned helm-charts api library nginx charts stable acme lib mirrors team tool p d public git
    files raw blob tree refs heads tags main v1 .git .tgz .tgz.prov index.yaml ?download=false :main @sha256: a ü 文 \\
    ' \x00 \x1b
    \u202e \ud800 \u212a \uff0e
""")
KNOWN = [text for text, _ in [*IMAGES[::7], *flat(SPELLINGS), *flat(OWN_SPELLINGS)]]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(KNOWN))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 3))
        text = text[:start] + draw(st.sampled_from(["", *FRAGMENTS]) | st.characters()) + text[end:]
    return text


TEXTS = st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join) | damaged()


@pytest.mark.parametrize("catalogue", [built_in, own])
@examples(10_000)
@given(text=TEXTS)
def test_any_text_resolves_or_is_refused(catalogue: Callable[[], Catalogue], text: str) -> None:
    """Every text resolves to routes, which resolve again, or is refused with an error of the project's own."""
    try:
        answer = resolve_string(catalogue(), text)
    except (InvalidInput, NotFound):
        return
    assert answer.routes
    for route in answer.routes:
        assert re.fullmatch("[!-~]+", route.target)
    again = resolve_string(catalogue(), answer.best.target)
    assert routes(again) == routes(answer) or catalogue is own


SECRET = "hunter2"
HIDING = st.text(
    st.sampled_from("aZ09 .-_~!$&'()*+,;=:@/?#[]%\"<>\\^`{|}\t\n\r\x00\x1b\xa0ü文\u202e\ud800") | st.characters(),
    max_size=12,
)
SHAPES = [
    "{scheme}{user}:{password}@{rest}",
    "{scheme}{password}@{rest}",
    "{scheme}{user}:{password}@@{rest}",
    "{scheme}x:{password}@{user}:{password}@{rest}",
    "{scheme}{rest}?token={password}",
    "{scheme}{rest}#{password}",
]
SCHEMES = words(
    "https:// http:// ssh:// git:// oci:// docker:// HTTPS:// ftp:// git+https:// https:/ // :// https://x/https://"
)
RESTS = words("""
    github.com/gocrane/crane.git github.com/gocrane/nothing github.com/gocrane/crane/issues/1 github.com
    raw.githubusercontent.com/gocrane/crane/main/a raw.githubusercontent.com/gocrane/crane/ma%20in/a
    gocrane.github.io/helm-charts/craned-1.tgz ghcr.io/gocrane/crane/craned:main ghcr.io/x/y github.com:99999/x/y
    gocrane/craned localhost github.com:gocrane/crane.git gith%zzub.com/x github.com/%zz a..b/c [::1 x y/z
""")


@examples(1000)
@given(
    shape=st.sampled_from(SHAPES),
    scheme=st.sampled_from(SCHEMES),
    user=st.sampled_from(["user", "git", "craned", "us.er", "", "x-access-token"]),
    before=HIDING,
    after=HIDING,
    rest=st.sampled_from(RESTS),
    lines=st.booleans(),
)
@example(SHAPES[0], "", "craned", "", " ", "github.com", False)
@example(SHAPES[0], "", "us.er", "", "", "github.com/gocrane/nothing", True)
@example(SHAPES[0], "docker://", "user", "", "", "ghcr.io/x/y", False)
def test_password_is_never_repeated(
    shape: str, scheme: str, user: str, before: str, after: str, rest: str, lines: bool
) -> None:
    """What stands before an '@', in a query or in a fragment is in no output and in no message, whatever its form."""
    text = shape.format(scheme=scheme, user=user, password=before + SECRET + after, rest=rest)
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["resolve", "-o", "json" if lines else "plain", "--", text, *(["craned"] if lines else [])])
    assert code in (0, 2, 3)
    assert SECRET not in out.getvalue()
    assert SECRET not in err.getvalue()


# The command.


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("gocrane/craned:main", f"docker pull {CODING}/craned:main\n"),
        ("gocrane/craned:main --print reference", f"{CODING}/craned:main\n"),
        ("gocrane/craned:main -m dockerhub", "docker pull gocrane/craned:main\n"),
        ("gocrane/craned:main -p reference -m origin", "docker.io/gocrane/craned:main\n"),
        ("gocrane/craned:main -p reference --region global", "docker.io/gocrane/craned:main\n"),
        (
            "gocrane/craned:main -p reference --all -m ghcr",
            f"ghcr.io/gocrane/crane/craned:main\n{CODING}/craned:main\ndocker.io/gocrane/craned:main\n",
        ),
        ("craned:main -p page", "https://finops.coding.net/public-artifacts/gocrane/crane/packages\n"),
        ("https://gocrane.github.io/helm-charts/", f"{HELM.best}\n"),
        ("https://gocrane.github.io/helm-charts/ -p command", f"helm repo add gocrane {HELM.best}\n"),
        ("https://gocrane.github.io/helm-charts/a.tgz -p command", f"helm pull {HELM.best}/a.tgz\n"),
        ("git@github.com:gocrane/api.git", f"{API.best}\n"),
        ("git@github.com:gocrane/api.git -p command", f"git clone {API.best}\n"),
        ("git@github.com:gocrane/crane.git -m gitee", "https://gitee.com/finops/crane\n"),
        ("git@github.com:gocrane/crane.git -m gitee -m coding -m origin --all", f"https://gitee.com/finops/crane\n{GIT.best}\n{GIT.origin}\n"),
        ("https://github.com/gocrane/crane/blob/main/a", f"{CODING_RAW}/main/a?download=false\n"),
        ("https://github.com/gocrane/crane/blob/main/a -p page", "https://finops.coding.net/public/gocrane/crane/git/files/main/a\n"),
        ("github.com/gocrane/crane/blob/v1/a -p command", f"curl -fsSL '{CODING_RAW}/v1/a?download=false'\n"),
    ],
)  # fmt: skip
def test_one_string(cli: CLI, line: str, out: str) -> None:
    """All shared options work, whatever kind the string turns out to be."""
    ran = cli("resolve", *line.split())
    assert (ran.code, ran.out) == (0, out)
    assert ran.err == ""


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("image craned", "ghcr.io/gocrane/crane/craned"),
        ("helm grafana", "https://grafana.github.io/helm-charts"),
        ("git crane", "https://gitee.com/finops/crane.git"),
        ("raw crane main a/b", "https://github.com/gocrane/crane/blob/main/a/b"),
    ],
)
@pytest.mark.parametrize(
    "options", ["", "--all", "-p page", "-p command --all", "-m origin", "-o table", "-o json", "-o yaml"]
)
def test_one_string_says_what_the_command_of_its_kind_says(cli: CLI, line: str, address: str, options: str) -> None:
    """`resolve` of an address prints what `image`, `helm`, `git` or `raw` prints for the name: notes, rows and all."""
    by_name, by_address = cli(*line.split(), *options.split()), cli("resolve", address, *options.split())
    command = line.split()[0]
    for form in ('"command": "{}"', "command: {}\n"):
        by_name = by_name._replace(out=by_name.out.replace(form.format(command), form.format("resolve"), 1))
    assert by_address == by_name
    assert by_address.code == 0


def test_error_in_json(cli: CLI) -> None:
    """An error of a single string stands in the envelope, with its exit code."""
    ran = cli("resolve", "gocrane/stress-ng", "-o", "json")
    envelope = json.loads(ran.out)
    assert (ran.code, envelope["command"], envelope["rows"]) == (3, "resolve", [])
    assert [error["exit_code"] for error in envelope["errors"]] == [3]


def test_without_a_string(cli: CLI) -> None:
    """No string at all is wrong usage."""
    assert cli("resolve").code == 2
