"""`config helm` as Helm 3 and Helm 4 read it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import examples, need
from hypothesis import given
from hypothesis import strategies as st
from servers.helm import helm_server, make_charts
from servers.names import Asked, public_names
from servers.web import Web, files, status

from crane_mirrors.catalogue import load, parse
from crane_mirrors.resolve.routes import Choice
from crane_mirrors.targets import Configuration, Options, copies, target_named

TARGET = target_named("helm")
CODING = "https://finops-helm.pkg.coding.net/gocrane"


def configured(text: str | None = None, *, script: bool = False) -> Configuration:
    catalogue = (
        load() if text is None else parse([("built-in", f"version: 1\nregions: {{cn: []}}\nhelm:\n{text}".encode())])
    )
    return TARGET.configure(list(copies(catalogue, TARGET.kinds, Choice())), Options(script=script))


def entry(name: str, **places: str) -> str:
    origin = f"oci://r.example/o/{name.lower()}" if places["b"].startswith("oci:") else f"https://o.example/{name}"
    mirrors = ", ".join(f"{mirror}: '{url}'" for mirror, url in places.items())
    return f"  '{name}': {{origin: '{origin}', mirrors: {{{mirrors}}}}}\n"


def test_list_of_the_built_in_catalogue() -> None:
    """The list names the three repositories on Coding, in the catalogue's order."""
    (file,) = configured().files
    assert (file.path, file.comment) == ("repositories.yaml", "#")
    content = yaml.safe_load(f"# A header.\n{file.text}")
    assert content["repositories"] == [
        {"name": name, "url": f"{CODING}/{name}"} for name in ("gocrane", "prometheus-community", "grafana")
    ]
    assert content["apiVersion"] == ""


def test_registry_is_left_out_and_the_next_mirror_taken() -> None:
    """`helm repo` knows web servers only; what it cannot name is told with what can."""
    text = entry("both", b="oci://r.example/charts", a="https://m.example/both")
    text += entry("only", b="oci://r.example/only") + entry("two", b="https://m.example/1", a="https://m.example/2")
    configuration = configured(text)
    assert yaml.safe_load(configuration.files[0].text)["repositories"] == [
        {"name": "both", "url": "https://m.example/both"},
        {"name": "two", "url": "https://m.example/1"},
    ]
    assert [(left.name, left.mirror) for left in configuration.left_out] == [("both", "b"), ("only", "b")]
    assert configuration.left_out[0].instead == ("argocd", "env")
    assert configured(entry("only", b="oci://r.example/only")).files == ()


def test_prefix_is_left_out() -> None:
    """A list cannot name repositories that nobody has counted."""
    text = "  all: {origin: 'https://o.example/*', mirrors: {b: 'https://m.example/*', a: 'https://a.example/*'}}\n"
    configuration = configured(text)
    assert not configuration.files
    assert [(left.name, left.mirror) for left in configuration.left_out] == [("all", "b"), ("all", "a")]


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
PATHS = st.from_regex(r"[A-Za-z0-9._~!$&'()+,;=:@%-]{1,9}", fullmatch=True).filter(
    lambda path: path.strip(".") and "%" not in path
)


@examples(100)
@given(st.dictionaries(NAMES | st.sampled_from(["no", "1.10", "0x1", "null", "1e3", "2024-01-01"]), PATHS, min_size=1))
def test_names_and_urls_are_read_back_as_they_are(paths: dict[str, str]) -> None:
    """Whatever YAML and shells would make of them: names stay strings, and the script's words stay words."""
    urls = {name: f"https://m.example/{number}/{path}" for number, (name, path) in enumerate(paths.items())}
    lines = [f"  {yaml_quoted(name)}: {{origin: 'https://o.example/{number}', mirrors: {{b: {yaml_quoted(url)}}}}}\n"
             for number, (name, url) in enumerate(urls.items())]  # fmt: skip
    lists = yaml.safe_load(configured("".join(lines)).files[0].text)["repositories"]
    assert {item["name"]: item["url"] for item in lists} == urls
    script = configured("".join(lines), script=True).files[0].text
    called = subprocess.run(
        [need("dash")], input='helm() { printf "%s\\n" "$@"; }\n' + script, capture_output=True, text=True, check=True
    ).stdout
    words = called.split("\n")[:-1]
    assert words == [word for name, url in urls.items() for word in ("repo", "add", "--force-update", name, url)]


def yaml_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture(params=["helm", "helm4"])
def helm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the path of each helm, which keeps all that it keeps in the test's folder, and is what scripts call."""
    for variable in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin" / "helm"
    program.parent.mkdir()
    program.symlink_to(need(request.param))
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return str(program)


@pytest.fixture
def server(helm: str, tmp_path: Path) -> Iterator[Web]:  # noqa: ARG001  (scripts run in its environment)
    """Start a repository with one chart, made by helm itself."""
    (tmp_path / "served").mkdir()
    with helm_server(make_charts(tmp_path / "served", {"craned": ["0.9.0"]})) as server:
        yield server


def run(*command: str) -> str:
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def install(folder: Path, text: str) -> None:
    """Put the list where helm looks for it."""
    config = folder / "helm_config_home"
    config.mkdir()
    (config / "repositories.yaml").write_text(f"# Written by crane-mirrors.\n{text}", encoding="utf-8")


def test_helm_updates_from_the_list_and_pulls(helm: str, server: Web, tmp_path: Path) -> None:
    """helm takes the file for its own list: index and archive come from the mirror, and from nowhere else."""
    install(tmp_path, configured(entry("crane", b=server.url)).files[0].text)
    assert run(helm, "repo", "list").split()[-2:] == ["crane", server.url]
    run(helm, "repo", "update")
    run(helm, "pull", "crane/craned", "--version", "0.9.0")
    assert (tmp_path / "craned-0.9.0.tgz").exists()
    assert [request.path for request in server.requests] == ["/index.yaml", "/craned-0.9.0.tgz"]


def test_built_in_names_are_asked_for_on_the_mirror_alone(
    helm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every public host of the catalogue on loopback, helm asks Coding for the three indexes and the chart."""
    charts, names = tmp_path / "charts" / "gocrane", ("gocrane", "prometheus-community", "grafana")
    for name in names:
        (charts / name).mkdir(parents=True)
        make_charts(charts / name, {f"chart-of-{name}": ["1.0.0"]})
    mirror, origins = "finops-helm.pkg.coding.net", [f"{name}.github.io" for name in names]
    with public_names(
        tmp_path / "names", {mirror: files(charts.parent), **{name: status(500) for name in origins}}
    ) as world:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        install(tmp_path, configured().files[0].text)
        run(*world.command(helm, "repo", "update"))
        run(*world.command(helm, "pull", "grafana/chart-of-grafana"))
        expected = {Asked(mirror, "GET", f"/gocrane/{name}/index.yaml") for name in names}
        assert set(world.asked) == expected | {Asked(mirror, "GET", "/gocrane/grafana/chart-of-grafana-1.0.0.tgz")}
        assert len(world.asked) == 4


def test_script_adds_the_mirror_in_place_of_the_origin_as_often_as_one_likes(
    helm: str, server: Web, tmp_path: Path
) -> None:
    """The script replaces a repository of the same name, is the same the second time, and keeps the others."""
    script = tmp_path / "add.sh"
    text = configured(entry("crane", b=server.url), script=True).files[0].text
    script.write_text(f"# Written by crane-mirrors.\n{text}", encoding="utf-8")
    for name in ("crane", "other"):
        run(helm, "repo", "add", name, f"{server.url}/")
    for _ in range(2):
        run(need("sh"), str(script))
    listed = run(helm, "repo", "list").split()[2:]
    assert dict(zip(listed[::2], listed[1::2], strict=True)) == {"crane": server.url, "other": f"{server.url}/"}


def test_script_stops_at_a_repository_that_does_not_answer(server: Web, tmp_path: Path) -> None:
    """A failure is not hidden by what succeeds after it."""
    text = entry("bad", b=f"{server.url}/none") + entry("good", b=server.url)
    script = tmp_path / "add.sh"
    script.write_text(configured(text, script=True).files[0].text, encoding="utf-8")
    process = subprocess.run([need("sh"), str(script)], capture_output=True, check=False)
    assert process.returncode != 0
    assert [request.path for request in server.requests] == ["/none/index.yaml"]
