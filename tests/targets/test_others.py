"""`config env`, `config argocd` and `config renovate`: shells read the first, parsers and a model the others."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml
from conftest import examples, need
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue import Catalogue, load, parse
from crane_mirrors.errors import InvalidReference
from crane_mirrors.reference import Reference, Repository
from crane_mirrors.resolve.routes import Choice
from crane_mirrors.targets import Configuration, Options, copies, target_named

CODING = "https://finops-helm.pkg.coding.net/gocrane"
IMAGES = "finops-docker.pkg.coding.net/gocrane/crane"


def catalogue_of(text: str | None) -> Catalogue:
    return load() if text is None else parse([("built-in", f"version: 1\nregions: {{cn: []}}\n{text}".encode())])


def configured(name: str, text: str | None = None, *mirrors: str) -> Configuration:
    target = target_named(name)
    rows = list(copies(catalogue_of(text), target.kinds, Choice(mirrors)))
    return target.configure(rows, Options())


# env ---------------------------------------------------------------------------------------------------------------


def variables(shell: str, text: str) -> dict[str, str]:
    """Let a shell that refuses unset variables evaluate a text, and see what another program finds exported."""
    options = ["-u"] if shell in ("dash", "bash") else []
    process = subprocess.run(
        [need(shell), *options],
        input=f"# Written by crane-mirrors.\n{text}\nenv -0\n",
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        check=True,
    )
    assert process.stderr == ""
    items = (item.partition("=") for item in process.stdout.split("\0") if item.startswith("CRANE_MIRRORS_"))
    return {name: value for name, _, value in items}


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "fish"])
def test_shells_find_every_entry(shell: str) -> None:
    """Each entry has a variable that tells where its best mirror is, to which a script appends what it needs."""
    found = variables(shell, configured("env").files[0].text)
    assert len(found) == 7 + 3 + 5
    assert found["CRANE_MIRRORS_IMAGE_CRANED"] == f"{IMAGES}/craned"
    assert found["CRANE_MIRRORS_IMAGE_CRANE_SCHEDULER_CONTROLLER"] == f"{IMAGES}/crane-scheduler-controller"
    assert found["CRANE_MIRRORS_HELM_GRAFANA"] == f"{CODING}/grafana"
    assert found["CRANE_MIRRORS_GIT_CRANE"] == "https://e.coding.net/finops/gocrane/crane.git"


def test_eval_in_a_script() -> None:
    """`eval "$(…)"` keeps the values whole."""
    text = configured("env", None, "gitee").files[0].text
    script = 'eval "$1"\nprintf "%s" "$CRANE_MIRRORS_GIT_CRANE"'
    process = subprocess.run(
        [need("dash"), "-uc", script, "-", f"# A header.\n{text}"], capture_output=True, check=True
    )
    assert process.stdout == b"https://gitee.com/finops/crane"


ODD = st.from_regex(r"[A-Za-z0-9._~!$&'()*+,;=:@-]{1,9}", fullmatch=True).filter(
    lambda part: part.strip(".") and part != "*"
)


def single_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@examples(60)
@given(st.lists(ODD.filter(lambda part: "*" not in part), min_size=1, max_size=8, unique=True))
def test_values_mean_nothing_to_a_shell(paths: list[str]) -> None:
    """Whatever a URL may hold, quotes and `$(…)` among it, arrives as it is."""
    urls = {f"u{number}": f"https://m.example/{number}/$(id)/{path}" for number, path in enumerate(paths)}
    text = "helm:\n" + "".join(
        f"  {name}: {{origin: 'https://o.example/{name}', mirrors: {{m: {single_quoted(url)}}}}}\n"
        for name, url in urls.items()
    )
    expected = {f"CRANE_MIRRORS_HELM_{name.upper()}": url for name, url in urls.items()}
    for shell in ("dash", "bash"):
        assert variables(shell, configured("env", text).files[0].text) == expected


def test_names_that_make_one_variable_are_left_out() -> None:
    """Neither gets the variable, whichever came first; kinds do not get in each other's way."""
    text = "images:\n" + "".join(
        f"  {name}: {{origin: o.example/x{number}, mirrors: {{m: m.example/x{number}}}}}\n"
        for number, name in enumerate(["a.b", "A-b", "ab"])
    )
    text += "helm:\n  a-b: {origin: 'https://o.example/h', mirrors: {m: 'https://m.example/h'}}\n"
    configuration = configured("env", text)
    assert [left.name for left in configuration.left_out] == ["a.b", "A-b"]
    assert set(variables("dash", configuration.files[0].text)) == {"CRANE_MIRRORS_IMAGE_AB", "CRANE_MIRRORS_HELM_A_B"}


def test_prefixes_are_what_stands_before_the_rest() -> None:
    """A prefix has a variable too, for raw files as well."""
    text = "images:\n  hub: {origin: 'docker.io/*', mirrors: {m: 'm.example:5000/hub/*'}}\n"
    text += "raw:\n  gh: {origin: 'https://raw.githubusercontent.com/*', mirrors: {m: 'https://m.example/gh/*'}}\n"
    expected = {"CRANE_MIRRORS_IMAGE_HUB": "m.example:5000/hub", "CRANE_MIRRORS_RAW_GH": "https://m.example/gh"}
    assert variables("dash", configured("env", text).files[0].text) == expected


def test_no_variable_is_one_that_the_program_reads() -> None:
    """An entry called after a setting does not change the setting."""
    names = ["REGION", "CATALOGUE", "NO_CACHE", "TOKEN_GITHUB"]
    text = "images:\n" + "".join(
        f"  {name}: {{origin: o.example/{number}, mirrors: {{m: m.example/{number}}}}}\n"
        for number, name in enumerate(names)
    )
    found = set(variables("dash", configured("env", text).files[0].text))
    assert not found & {f"CRANE_MIRRORS_{name}" for name in names}


# argocd ------------------------------------------------------------------------------------------------------------


def test_secrets_declare_repositories() -> None:
    """Each document has the label and the keys that Argo CD's declarative setup documents, and a valid name."""
    text = "helm:\n  chart_S: {origin: 'oci://o.example/c', mirrors: {m: 'oci://m.example/c'}}\n"
    text += "  no: {origin: 'https://o.example/n', mirrors: {m: 'https://m.example/n'}}\n"
    text += f"git:\n  {'x' * 128}: {{origin: 'https://o.example/g', mirrors: {{m: 'https://m.example/g.git'}}}}\n"
    (file,) = configured("argocd", text).files
    secrets = list(yaml.safe_load_all(f"# Written by crane-mirrors.\n{file.text}"))
    assert [secret["stringData"] for secret in secrets] == [
        {"type": "helm", "name": "chart_S", "url": "m.example/c", "enableOCI": "true"},
        {"type": "helm", "name": "no", "url": "https://m.example/n"},
        {"type": "git", "name": "x" * 128, "url": "https://m.example/g.git"},
    ]
    for secret in secrets:
        assert (secret["apiVersion"], secret["kind"]) == ("v1", "Secret")
        assert secret["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repository"}
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?", secret["metadata"]["name"])
        assert all(isinstance(value, str) for value in secret["stringData"].values())


def test_argocd_has_the_built_in_repositories_and_no_prefixes() -> None:
    """Three Helm and five Git repositories; a prefix is told with the target that can."""
    secrets = list(yaml.safe_load_all(configured("argocd").files[0].text))
    assert len({secret["metadata"]["name"] for secret in secrets}) == 3 + 5
    text = "git:\n  hub: {origin: 'https://o.example/*', mirrors: {m: 'https://m.example/*'}}\n"
    configuration = configured("argocd", text)
    assert configuration.files == ()
    assert [(left.name, left.instead) for left in configuration.left_out] == [("hub", ("git",))]


# renovate ----------------------------------------------------------------------------------------------------------


class Renovate:
    """Where Renovate looks, by what it documents of registryAliases and packageRules."""

    def __init__(self, configuration: Configuration) -> None:
        (file,) = configuration.files
        assert (file.path, file.comment) == ("crane-mirrors.json5", "//")
        self.preset: dict[str, Any] = json.loads(file.text)

    def image(self, name: str) -> str:
        """Say which repository is asked for an image's tags."""
        for alias, registry in self.preset.get("registryAliases", {}).items():
            if name.startswith(f"{alias}/"):
                name = f"{registry}/{name[len(alias) + 1 :]}"
                break
        for rule in self.preset["packageRules"]:
            if rule["matchDatasources"] == ["docker"] and self.matches(name, rule["matchPackageNames"]):
                name = self.filled(rule["overridePackageName"], name)
        return name

    def charts(self, url: str) -> str:
        """Say which URL is asked for a Helm repository's index."""
        for rule in self.preset["packageRules"]:
            if rule["matchDatasources"] == ["helm"] and self.matches(url, rule["matchRegistryUrls"]):
                (url,) = rule["registryUrls"]
        return url

    @staticmethod
    def matches(text: str, patterns: list[str]) -> bool:
        def found(pattern: str) -> bool:
            if pattern.startswith("/"):
                return bool(re.search(pattern[1:-1], text))
            return text.startswith(pattern[:-2]) if pattern.endswith("/**") else text == pattern

        wanted = [pattern for pattern in patterns if pattern[0] != "!"]
        return any(map(found, wanted)) and not any(found(pattern[1:]) for pattern in patterns if pattern[0] == "!")

    @staticmethod
    def filled(template: str, name: str) -> str:
        """Do what Handlebars does with a variable, and with Renovate's `replace`."""
        match = re.fullmatch(r"(.*)\{\{\{(?:replace '(.*)' '' )?packageName\}\}\}", template)
        return match[1] + re.sub(match[2] or "^$", "", name) if match else template


def test_renovate_looks_on_mirrors_for_the_catalogue() -> None:
    """Images by every spelling of theirs, Helm repositories by URL and by name; what only looks alike stays."""
    renovate = Renovate(configured("renovate"))
    for name in ("gocrane/craned", "docker.io/gocrane/craned", "index.docker.io/gocrane/craned"):
        assert renovate.image(name) == f"{IMAGES}/craned"
    for name in (
        "gocrane/crane",
        "gocrane/stress-ng",
        "x.example/gocrane/craned",
        "grafana/grafana",
        f"{IMAGES}/craned",
    ):
        assert renovate.image(name) == name
    assert renovate.charts("https://grafana.github.io/helm-charts") == f"{CODING}/grafana"
    assert renovate.charts("https://grafana.github.io/helm-charts/") == f"{CODING}/grafana"
    for url in ("https://grafana.github.io/helm-charts/x", "https://grafanaxgithub.io/helm-charts"):
        assert renovate.charts(url) == url
    for manager in ("helmv3", "helmfile", "helmsman", "helm-requirements"):
        assert renovate.preset[manager]["registryAliases"]["crane"] == f"{CODING}/gocrane"
    assert "registryAliases" not in renovate.preset


PREFIXES = """
images:
  hub: {origin: 'docker.io/*', mirrors: {m: 'm.example/hub/*'}}
  ghcr: {origin: 'ghcr.io/*', mirrors: {m: 'm.example:5000/*'}}
  folder: {origin: 'docker.io/bitnami/*', mirrors: {m: 'm.example/b/*'}}
  redis: {origin: bitnami/redis, mirrors: {m: m.example/redis}}
  nginx: {origin: nginx, mirrors: {m: m.example/nginx}}
helm:
  charts: {origin: 'oci://o.example/charts', mirrors: {m: 'oci://m.example/charts'}}
"""
PARTS = [
    "docker.io",
    "index.docker.io",
    "ghcr.io",
    "ghcr.io:5000",
    "localhost",
    "a",
    "bitnami",
    "redis",
    "library",
    "nginx",
]
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join)


@examples(500)
@given(name=NAMES)
def test_renovate_agrees_with_the_catalogue(name: str, renovate: Renovate, prefixes: Catalogue) -> None:
    """Single images, folders and registries: each name is looked up where the catalogue says, in every spelling."""
    found = renovate.image(name)
    try:
        repository = Reference.parse(f"{name}:tag").repository
    except InvalidReference:
        return  # a name with something like a tag behind it: Renovate has taken that away before
    entry = prefixes.covering("image", str(repository))
    if entry and entry.origin.location == repository:
        best = entry.mirrors[0].location
        assert isinstance(best, Repository)
        assert found == str(best)
    else:
        assert found == name


@pytest.fixture(scope="module")
def renovate() -> Renovate:
    """Give the preset for prefixes."""
    return Renovate(configured("renovate", PREFIXES))


@pytest.fixture(scope="module")
def prefixes() -> Catalogue:
    """Give the catalogue of prefixes."""
    return catalogue_of(PREFIXES)


def test_renovate_takes_registries_of_charts_for_folders(renovate: Renovate) -> None:
    """A chart in a registry is an image to Renovate, under the repository's name."""
    assert renovate.image("o.example/charts/craned") == "m.example/charts/craned"
    assert renovate.image("o.example/charts-x/craned") == "o.example/charts-x/craned"


def test_renovate_cannot_change_a_charts_sort() -> None:
    """A repository that moves between a web server and a registry is left out, and so is a prefix of web servers."""
    text = "helm:\n  x: {origin: 'https://o.example/x', mirrors: {m: 'oci://m.example/x', n: 'https://n.example/x'}}\n"
    text += "  all: {origin: 'https://all.example/*', mirrors: {m: 'https://m.example/all/*'}}\n"
    configuration = configured("renovate", text)
    assert [(left.name, left.mirror) for left in configuration.left_out] == [("x", "m"), ("all", "m")]
    assert Renovate(configuration).charts("https://o.example/x") == "https://n.example/x"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["coding", "ghcr"]),
        (("origin", "ghcr"), None),
        (("ghcr", "origin", "coding"), ["ghcr"]),
        (("ghcr",), ["ghcr"]),
    ],
)
def test_only_what_is_preferred_to_the_origin_is_configured(words: tuple[str, ...], names: list[str] | None) -> None:
    """Who puts the origin before a mirror wants no configuration that asks the mirror first."""
    found = {row.entry.name: [place.name for place in row.mirrors] for row in copies(load(), ("image",), Choice(words))}
    assert found.get("craned") == names
