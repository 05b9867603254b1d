"""`config env` and `config argocd`: shells read the first, a parser the second; and what all targets are given."""

from __future__ import annotations

import re
import subprocess
import tempfile

import pytest
import yaml
from conftest import examples, need
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue import Catalogue, load, parse
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
    with tempfile.TemporaryDirectory() as home:  # fish writes its history there, and more
        process = subprocess.run(
            [need(shell), *options],
            input=f"# Written by crane-mirrors.\n{text}\nenv -0\n",
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": home},
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


# all of them ---------------------------------------------------------------------------------------------------------


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
