"""The command line of `image`, `helm`, `git`, `raw` and `list`: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import CLI, PROJECT, need

from crane_mirrors.clients import CLIENTS

DIGEST = "sha256:" + 64 * "a"

ORDERS = {
    "cn": ["coding", "gitee", "ghcr", "dockerhub", "github"],
    "global": ["dockerhub", "github", "ghcr", "gitee", "coding"],
}

#: Each image, and the folder on GHCR of the repository whose CI builds it.
IMAGES = {
    "craned": "crane",
    "crane-agent": "crane",
    "metric-adapter": "crane",
    "dashboard": "crane",
    "fadvisor": "crane",
    "crane-scheduler": "crane-scheduler",
    "crane-scheduler-controller": "crane-scheduler",
}
HELM = {
    "gocrane": "https://gocrane.github.io/helm-charts",
    "prometheus-community": "https://prometheus-community.github.io/helm-charts",
    "grafana": "https://grafana.github.io/helm-charts",
}
GIT = ["crane", "helm-charts", "api", "crane-scheduler", "fadvisor"]
ON_GITEE = {"crane", "helm-charts", "crane-scheduler"}


def image_routes(name: str, tag: str) -> dict[str, str]:
    return {
        "coding": f"finops-docker.pkg.coding.net/gocrane/crane/{name}:{tag}",
        "ghcr": f"ghcr.io/gocrane/{IMAGES[name]}/{name}:{tag}",
        "dockerhub": f"docker.io/gocrane/{name}:{tag}",
    }


def helm_routes(name: str) -> dict[str, str]:
    return {"coding": f"https://finops-helm.pkg.coding.net/gocrane/{name}", "github": HELM[name]}


def git_routes(name: str) -> dict[str, str]:
    gitee = {"gitee": f"https://gitee.com/finops/{name}"} if name in ON_GITEE else {}
    return {
        "coding": f"https://e.coding.net/finops/gocrane/{name}.git",
        **gitee,
        "github": f"https://github.com/gocrane/{name}.git",
    }


def raw_routes(name: str, ref: str, path: str) -> dict[str, str]:
    gitee = {"gitee": f"https://gitee.com/finops/{name}/raw/{ref}/{path}"} if name in ON_GITEE else {}
    return {
        "coding": f"https://finops.coding.net/p/gocrane/d/{name}/git/raw/{ref}/{path}?download=false",
        **gitee,
        "github": f"https://raw.githubusercontent.com/gocrane/{name}/{ref}/{path}",
    }


def in_order(routes: dict[str, str], region: str) -> list[str]:
    return [routes[mirror] for mirror in ORDERS[region] if mirror in routes]


EVERYTHING = [
    *((f"image {name} --tag v1 --print reference", image_routes(name, "v1")) for name in IMAGES),
    *((f"helm {name}", helm_routes(name)) for name in HELM),
    *((f"git {name}", git_routes(name)) for name in GIT),
    *((f"raw {name} main deploy/a.yaml", raw_routes(name, "main", "deploy/a.yaml")) for name in GIT),
]


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("image craned --tag main --mirror dockerhub", "docker pull gocrane/craned:main"),
        (
            "image craned --tag main-abc123",
            "docker pull finops-docker.pkg.coding.net/gocrane/crane/craned:main-abc123",
        ),
        (
            "image craned --tag main-abc123 --mirror ghcr --print reference",
            "ghcr.io/gocrane/crane/craned:main-abc123",
        ),
        ("helm grafana", "https://finops-helm.pkg.coding.net/gocrane/grafana"),
        ("git api", "https://e.coding.net/finops/gocrane/api.git"),
        ("git crane --mirror gitee", "https://gitee.com/finops/crane"),
        (
            "raw helm-charts main integration/grafana/override_values.yaml",
            "https://finops.coding.net/p/gocrane/d/helm-charts/git/raw/main/integration/grafana/override_values.yaml"
            "?download=false",
        ),
        (
            "raw helm-charts main integration/grafana/override_values.yaml --mirror gitee",
            "https://gitee.com/finops/helm-charts/raw/main/integration/grafana/override_values.yaml",
        ),
    ],
)
def test_example_of_the_design(cli: CLI, line: str, output: str) -> None:
    """The examples that the design fixes hold to the letter, with nothing else on either stream."""
    assert cli(*line.split()) == (0, f"{output}\n", "")


@pytest.mark.parametrize("region", ORDERS)
@pytest.mark.parametrize(("line", "routes"), EVERYTHING, ids=[line for line, _ in EVERYTHING])
def test_all_gives_every_copy_in_the_order_of_the_region(
    cli: CLI, line: str, routes: dict[str, str], region: str
) -> None:
    """`--all` prints a line for every copy that there is, and without it there is the first of them alone."""
    expected = in_order(routes, region)
    assert cli(*line.split(), "--all", "--region", region) == (0, "".join(f"{row}\n" for row in expected), "")
    assert cli(*line.split(), "--region", region) == (0, f"{expected[0]}\n", "")


@pytest.mark.parametrize(("line", "routes"), EVERYTHING, ids=[line for line, _ in EVERYTHING])
def test_mirror_chooses_each_copy_by_name(cli: CLI, line: str, routes: dict[str, str]) -> None:
    """`--mirror` takes the name of every copy, and `origin` is the one that is no mirror."""
    for mirror, target in routes.items():
        assert cli(*line.split(), "--mirror", mirror) == (0, f"{target}\n", "")
    assert cli(*line.split(), "--mirror", "origin") == (0, f"{list(routes.values())[-1]}\n", "")


@pytest.mark.parametrize(
    ("options", "order"),
    [
        ("-m ghcr", ["ghcr", "coding", "dockerhub"]),
        ("-m origin -m ghcr", ["dockerhub", "ghcr", "coding"]),
        ("-m ghcr -m origin -m ghcr", ["ghcr", "dockerhub", "coding"]),
        ("-m gitee -m ghcr", ["ghcr", "coding", "dockerhub"]),
        ("-m dockerhub --region global", ["dockerhub", "ghcr", "coding"]),
    ],
)
def test_mirrors_come_in_order_of_preference(cli: CLI, options: str, order: list[str]) -> None:
    """Chosen mirrors come first, as they were given; one that lacks the entry is passed over; the rest follow."""
    routes = image_routes("craned", "v1")
    expected = "".join(f"{routes[mirror]}\n" for mirror in order)
    assert cli("image", "craned:v1", "--all", "--print", "reference", *options.split()) == (0, expected, "")


@pytest.mark.parametrize(
    "registry",
    [
        "",
        "gocrane/",
        "docker.io/gocrane/",
        "index.docker.io/gocrane/",
        "registry-1.docker.io/gocrane/",
        "DOCKER.IO/gocrane/",
        "ghcr.io/gocrane/crane/",
        "ghcr.io:443/gocrane/crane/",
        "finops-docker.pkg.coding.net/gocrane/crane/",
    ],
)
@pytest.mark.parametrize("version", [":v0.11.0", f"@{DIGEST}", f":v0.11.0@{DIGEST}"])
def test_image_takes_every_spelling(cli: CLI, registry: str, version: str) -> None:
    """A name, Docker Hub's spellings, or any mirror's reference: all are the same image, with its tag and digest."""
    expected = f"docker pull finops-docker.pkg.coding.net/gocrane/crane/craned{version}\n"
    assert cli("image", f"{registry}craned{version}") == (0, expected, "")


@pytest.mark.parametrize("name", ["craned", "gocrane/craned", "ghcr.io/gocrane/crane/craned"])
def test_default_tag_is_told_on_stderr(cli: CLI, name: str) -> None:
    """Without any tag the catalogue's default is taken, and a note says so, also off a terminal."""
    expected = "docker pull finops-docker.pkg.coding.net/gocrane/crane/craned:main\n"
    assert cli("image", name) == (0, expected, "note: no tag given: using main, the catalogue's default\n")


def test_default_tag_is_latest_where_a_catalogue_has_none(cli: CLI, tmp_path: Path) -> None:
    """Where a catalogue names no default tag, it is the one that registries take."""
    tmp_path.joinpath("own.yaml").write_text("version: 1\nimages: {app: {origin: registry.example/team/app}}\n")
    ran = cli("image", "app", "-c", "own.yaml")
    assert ran == (0, "docker pull registry.example/team/app:latest\n", ran.err)
    assert ran.err == "note: no tag given: using latest, the registries' default\n"


@pytest.mark.parametrize(
    ("arguments", "version"),
    [
        ("craned --tag v1", ":v1"),
        ("craned:v1 --tag v1", ":v1"),
        ("craned --branch main", ":main"),
        ("craned --branch feature/X", ":x"),
        ("craned --branch refs/heads/feature/X", ":x"),
        ("craned --branch feature/X --commit abc1234", ":x-abc1234"),
        ("craned --branch main --commit v0.11.0-3-gabc1234", ":main-v0.11.0-3-gabc1234"),
        (f"craned --branch main --commit {'0123456789' * 4}", ":main-0123456"),
        ("craned:x --branch feature/X", ":x"),
        ("craned --pr 12 --commit abc1234", ":pr-12-abc1234"),
        (f"craned --digest {DIGEST}", f"@{DIGEST}"),
        (f"craned@{DIGEST} --digest {DIGEST}", f"@{DIGEST}"),
        (f"craned --tag v1 --digest {DIGEST}", f":v1@{DIGEST}"),
        (f"craned:v1 --digest {DIGEST}", f":v1@{DIGEST}"),
        (f"craned@{DIGEST} --tag v1", f":v1@{DIGEST}"),
    ],
)
def test_options_make_the_tag_and_the_digest(cli: CLI, arguments: str, version: str) -> None:
    """A tag comes from the name, an option, a branch or a pull request; a digest goes with it or alone."""
    expected = f"finops-docker.pkg.coding.net/gocrane/crane/craned{version}\n"
    assert cli("image", *arguments.split(), "--print", "reference") == (0, expected, "")


HUB, CODING = "docker.io/gocrane/craned:v1", "finops-docker.pkg.coding.net/gocrane/crane/craned:v1"
SKOPEO = f"docker-archive:craned-v1.tar:{HUB}"


@pytest.mark.parametrize(
    ("client", "plain", "for_arm64"),
    [
        ("docker", "docker pull gocrane/craned:v1", "docker pull --platform linux/arm64 gocrane/craned:v1"),
        ("podman", f"podman pull {HUB}", f"podman pull --platform linux/arm64 {HUB}"),
        ("nerdctl", f"nerdctl pull {HUB}", f"nerdctl pull --platform linux/arm64 {HUB}"),
        ("ctr", f"ctr images pull {HUB}", f"ctr images pull --platform linux/arm64 {HUB}"),
        ("crictl", f"crictl pull {HUB}", None),
        (
            "skopeo",
            f"skopeo copy docker://{HUB} {SKOPEO}",
            f"skopeo --override-os linux --override-arch arm64 copy docker://{HUB} {SKOPEO}",
        ),
        ("crane", f"crane pull {HUB} craned-v1.tar", f"crane pull --platform linux/arm64 {HUB} craned-v1.tar"),
    ],
)
def test_each_client_has_its_own_command(cli: CLI, client: str, plain: str, for_arm64: str | None) -> None:
    """Docker gets the familiar reference, all others the whole one; each spells the platform in its own way."""
    call = ("image", "craned:v1", "-m", "origin", "--client", client)
    assert cli(*call) == (0, f"{plain}\n", "")
    for arm64 in ("linux/arm64", "linux/aarch64", "linux/arm64/v8"):
        ran = cli(*call, "--platform", arm64)
        if for_arm64:
            assert ran == (0, f"{for_arm64}\n", "")
        else:
            assert (ran.code, ran.out) == (2, "")
            assert "leave out --platform" in ran.err
    amd64 = cli(*call, "--platform", "linux/amd64")
    assert amd64.out == (f"{for_arm64}\n".replace("arm64", "amd64") if for_arm64 else "")
    on_a_mirror = cli(*call, "-m", "coding", "-a").out.splitlines()[1]
    assert on_a_mirror == plain.replace(HUB, CODING).replace("gocrane/craned:v1", CODING, client == "docker")


def test_every_client_is_tested() -> None:
    """The table above has a row for each client that the program knows."""
    (mark,) = (mark for mark in test_each_client_has_its_own_command.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert [row[0] for row in mark.args[1]] == list(CLIENTS)


@pytest.mark.parametrize(
    ("path", "encoded"),
    [
        ("a/b.yaml", "a/b.yaml"),
        ("/a/b.yaml", "a/b.yaml"),
        ("a b", "a%20b"),
        ("a#b?c%d", "a%23b%3Fc%25d"),
        ("%2e%2e/a", "%252e%252e/a"),
        ("a&b;c'd\"e`f$(g)|h\\i", "a%26b%3Bc%27d%22e%60f%24%28g%29%7Ch%5Ci"),
        ("a+b=c,d@e:f~g-h_i.j", "a+b=c,d@e:f~g-h_i.j"),
        ("[a]{b}<c>^", "%5Ba%5D%7Bb%7D%3Cc%3E%5E"),
        ("...", "..."),
        ("..a/b..", "..a/b.."),
        (".github/ü/图", ".github/%C3%BC/%E5%9B%BE"),
        ("a\u202eb", "a%E2%80%AEb"),
        (os.fsdecode(b"a\xffb"), "a%FFb"),
    ],
)
def test_path_is_encoded_for_every_host(cli: CLI, path: str, encoded: str) -> None:
    """A path may hold anything but control characters and empty or dotted segments; bytes stay the bytes they are."""
    expected = in_order(raw_routes("crane", "main", encoded), "cn")
    assert cli("raw", "crane", "main", "--all", "--", path) == (0, "".join(f"{row}\n" for row in expected), "")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "an empty segment"),
        ("/", "an empty segment"),
        ("//a", "an empty segment"),
        ("a//b", "an empty segment"),
        ("a/", "an empty segment"),
        (".", r"the segment '\.'"),
        ("a/./b", r"the segment '\.'"),
        ("..", r"the segment '\.\.'"),
        ("a/../b", r"the segment '\.\.'"),
        ("/../a", r"the segment '\.\.'"),
        ("a\nb", r"'a\\nb': control characters"),
        ("a\0b", r"'a\\x00b': control characters"),
        ("a\x1b[2Jb", r"'a\\x1b\[2Jb': control characters"),
        ("a\x7f", "control characters"),
        ("a\x85b", "control characters"),
        ("a" * 5000, "more than 4096 characters"),
    ],
)
def test_path_that_is_none_is_refused(cli: CLI, path: str, reason: str) -> None:
    """What could leave the repository, name nothing, or play with the terminal is an error of one short line."""
    ran = cli("raw", "crane", "main", path)
    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(f"crane-mirrors: invalid path .*{reason}.*\n", ran.err)
    assert len(ran.err) < 250


@pytest.mark.parametrize("ref", ["main", "v0.11.0", "abc1234", "v1+x", "@work", "ü", os.fsdecode(b"\xff")])
def test_ref_without_a_slash_works_on_every_host(cli: CLI, ref: str) -> None:
    """A branch, a tag or a commit stands in every host's URL, encoded where it must be."""
    encoded = {"ü": "%C3%BC", os.fsdecode(b"\xff"): "%FF"}.get(ref, ref)
    expected = in_order(raw_routes("crane", encoded, "a"), "cn")
    assert cli("raw", "crane", ref, "a", "--all") == (0, "".join(f"{row}\n" for row in expected), "")


@pytest.mark.parametrize(
    "ref",
    ["", "-x", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "[a", "a\\b", "/a", "a/", "a//b", ".a", "@", "@{u}"],
)
def test_ref_that_git_refuses_is_refused(cli: CLI, ref: str) -> None:
    """What `git check-ref-format` does not let through is a usage error."""
    ran = cli("raw", "crane", "--", ref, "a")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("crane-mirrors: invalid ref ")


CANNOT = "Coding cannot express the ref 'feature/x': a slash would end the ref in its raw-file URLs"


@pytest.mark.parametrize(
    ("options", "mirrors"),
    [("", ["gitee", "github"]), ("-m github", ["github", "gitee"]), ("-m coding -m github", ["github", "gitee"])],
)
def test_ref_with_a_slash_goes_where_it_can_be_expressed(cli: CLI, options: str, mirrors: list[str]) -> None:
    """Coding cannot take a ref with a slash; the next mirror does, and a note says so if Coding was to be first."""
    routes = raw_routes("crane", "feature/x", "a")
    ran = cli("raw", "crane", "feature/x", "a", "--all", *options.split())
    assert (ran.code, ran.out.splitlines()) == (0, [routes[mirror] for mirror in mirrors])
    if options == "-m github":
        assert ran.err == ""
    else:
        assert re.fullmatch(f"note: {CANNOT}.*; using {mirrors[0]}\n", ran.err)


def test_ref_with_a_slash_is_refused_where_only_coding_was_wanted(cli: CLI) -> None:
    """A mirror that was asked for by name and cannot do it is exit code 3, with the reason and a way out."""
    ran = cli("raw", "api", "feature/x", "a", "-m", "coding")
    assert (ran.code, ran.out) == (3, "")
    assert re.fullmatch(f"crane-mirrors: {CANNOT}; use .* another mirror\n", ran.err)


ADDRESS = {"image": "reference", "helm": "url", "git": "url", "raw": "url"}
PRINTED = [
    ("image craned:v1", "command", f"docker pull {CODING}"),
    ("image craned:v1", "reference", CODING),
    ("image craned:v1", "page", "https://finops.coding.net/public-artifacts/gocrane/crane/packages"),
    ("image craned:v1 -m ghcr", "page", "https://github.com/orgs/gocrane/packages?repo_name=crane"),
    ("image craned:v1 -m dockerhub", "page", "https://hub.docker.com/u/gocrane"),
    ("helm crane", "command", "helm repo add gocrane https://finops-helm.pkg.coding.net/gocrane/gocrane"),
    ("helm crane", "url", "https://finops-helm.pkg.coding.net/gocrane/gocrane"),
    ("helm crane", "page", "https://finops.coding.net/public-artifacts/gocrane/gocrane/packages"),
    ("git api", "command", "git clone https://e.coding.net/finops/gocrane/api.git"),
    ("git api", "url", "https://e.coding.net/finops/gocrane/api.git"),
    ("git api", "page", "https://finops.coding.net/public/gocrane/api/git/files"),
    ("git crane -m gitee", "page", "https://gitee.com/finops/crane"),
    (
        "raw api main a",
        "command",
        "curl -fsSL 'https://finops.coding.net/p/gocrane/d/api/git/raw/main/a?download=false'",
    ),
    ("raw api main a", "url", "https://finops.coding.net/p/gocrane/d/api/git/raw/main/a?download=false"),
    ("raw api main a", "page", "https://finops.coding.net/public/gocrane/api/git/files/main/a"),
    ("raw crane main a -m gitee", "page", "https://gitee.com/finops/crane/blob/main/a"),
    ("raw crane main a -m github", "page", "https://github.com/gocrane/crane/blob/main/a"),
]


@pytest.mark.parametrize(("line", "field", "output"), PRINTED)
def test_print_gives_one_field_and_json_the_same(cli: CLI, line: str, field: str, output: str) -> None:
    """`--print` gives each field that the kind has, as plain text, and JSON holds the same text under its name."""
    assert cli(*line.split(), "--print", field) == (0, f"{output}\n", "")
    best = json.loads(cli(*line.split(), "--output", "json").out)["rows"][0]
    if not (line.startswith("image") and field == "command"):
        assert best[field] == output


@pytest.mark.parametrize(
    ("line", "field", "instead"),
    [
        ("image craned:v1", "url", "reference"),
        ("helm grafana", "reference", "url"),
        ("git api", "reference", "url"),
        ("raw api main a", "reference", "url"),
        ("list helm", "reference", "url"),
        ("list image", "url", "reference"),
    ],
)
def test_print_refuses_a_field_of_another_kind(cli: CLI, line: str, field: str, instead: str) -> None:
    """A field that this kind does not have is a usage error that names the one that it has."""
    ran = cli(*line.split(), "--print", field)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(f"has no {field}: use --print {instead}\n")


def test_page_that_the_catalogue_lacks_is_an_error_and_never_an_empty_line(cli: CLI, tmp_path: Path) -> None:
    """`$(… --print page)` must not be empty with exit code 0."""
    tmp_path.joinpath("own.yaml").write_text(
        "version: 1\n"
        "git: {app: {origin: https://git.example/app, mirrors: {a: {url: https://a.example/app, page: https://a.example}}}}\n"
    )
    ran = cli("git", "app", "-c", "own.yaml", "--print", "page", "-m", "origin")
    assert (ran.code, ran.out) == (3, "")
    assert "has no page" in ran.err
    assert cli("git", "app", "-c", "own.yaml", "--print", "page", "--all") == (0, "https://a.example\n", "")


@pytest.mark.parametrize(("line", "routes"), EVERYTHING, ids=[line for line, _ in EVERYTHING])
def test_json_carries_every_route(cli: CLI, line: str, routes: dict[str, str]) -> None:
    """The envelope has all routes, best first, with the documented keys; `--mirror` changes their order."""
    kind, name, *_ = line.split()
    ran = cli(*line.split(), "--output", "json")
    envelope = json.loads(ran.out)
    assert list(envelope) == ["schema", "command", "rows", "errors"]
    assert (ran.code, envelope["schema"], envelope["command"], envelope["errors"]) == (0, 1, kind, [])
    assert [row[ADDRESS[kind]] for row in envelope["rows"]] == in_order(routes, "cn")
    assert [row["recommended"] for row in envelope["rows"]] == [True] + [False] * (len(routes) - 1)
    assert [row["origin"] for row in envelope["rows"]] == [False] * (len(routes) - 1) + [True]
    keys = [
        "kind",
        "name",
        "mirror",
        "host",
        "origin",
        ADDRESS[kind],
        "command",
        "page",
        "recommended",
        "notes",
        "source",
    ]
    for row in envelope["rows"]:
        assert list(row) == keys
        assert (row["kind"], row["name"], row["source"]) == (kind, name, "built-in")
        assert shlex.split(row["command"])[-1] in (row[ADDRESS[kind]], row[ADDRESS[kind]].removeprefix("docker.io/"))
    chosen = json.loads(cli(*line.split(), "--output", "json", "--mirror", "origin").out)["rows"]
    assert [row["mirror"] for row in chosen] == [
        envelope["rows"][-1]["mirror"],
        *[row["mirror"] for row in envelope["rows"][:-1]],
    ]


@pytest.mark.parametrize(
    "line", ["image craned", "helm grafana", "git api", "raw crane main a", "list", "image nope", "raw crane main ../a"]
)
def test_yaml_says_what_json_says(cli: CLI, line: str) -> None:
    """The YAML envelope holds the same values as the JSON one, for answers and for errors."""
    as_json, as_yaml = cli(*line.split(), "-o", "json"), cli(*line.split(), "-o", "yaml")
    assert yaml.safe_load(as_yaml.out) == json.loads(as_json.out)
    assert re.findall(r"^\w+", as_yaml.out, re.MULTILINE) == ["schema", "command", "rows", "errors"]
    assert (as_yaml.code, as_yaml.err) == (as_json.code, as_json.err)


def test_notes_are_in_the_envelope(cli: CLI) -> None:
    """What a person is told on stderr stands in the rows as well; the host's own note only in its row."""
    (coding, gitee, github) = json.loads(cli("raw", "crane", "main", "a", "-o", "json").out)["rows"]
    assert coding["notes"] == ["Coding may ask for a token before it serves raw files"]
    assert gitee["notes"] == github["notes"] == []
    for row in json.loads(cli("image", "craned", "-o", "json").out)["rows"]:
        assert row["notes"] == ["no tag given: using main, the catalogue's default"]


def test_list_has_every_entry_with_its_mirrors(cli: CLI) -> None:
    """`list` prints kind, name and mirrors, a line each, in the order of the catalogue."""
    lines = [
        *(f"image\t{name}\tcoding,ghcr,dockerhub" for name in IMAGES),
        *(f"helm\t{name}\tcoding,github" for name in HELM),
        *(f"git\t{name}\t{','.join(git_routes(name))}" for name in GIT),
    ]
    assert cli("list") == (0, "".join(f"{line}\n" for line in lines), "")
    for kind in ("image", "helm", "git"):
        some = "".join(f"{line}\n" for line in lines if line.startswith(kind))
        assert cli("list", kind) == (0, some, "")


def test_list_all_has_every_route(cli: CLI) -> None:
    """`list --all` has a line for each copy of each thing: three of each image, two of each Helm repository, …."""
    rows = [line.split("\t") for line in cli("list", "--all").out.splitlines()]
    expected = [
        (kind, name, mirror, target)
        for kind, names, routes in (
            ("image", IMAGES, lambda name: image_routes(name, "main")),
            ("helm", HELM, helm_routes),
            ("git", GIT, git_routes),
        )
        for name in names
        for mirror, target in routes(name).items()
    ]
    assert [tuple(row) for row in rows] == expected
    assert len(rows) == 21 + 6 + 13


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("-m gitee", [name for name in GIT if name in ON_GITEE]),
        ("-m ghcr", list(IMAGES)),
        ("-m github", [*HELM, *GIT]),
        ("helm -m gitee", []),
    ],
)
def test_list_with_a_mirror_has_what_that_mirror_has(cli: CLI, options: str, names: list[str]) -> None:
    """`list --mirror` leaves out what is not there."""
    ran = cli("list", *options.split())
    assert (ran.code, ran.err) == (0, "")
    assert [line.split("\t")[1] for line in ran.out.splitlines()] == names


@pytest.mark.parametrize(
    ("options", "count", "first"),
    [
        ("--print command", 15, f"docker pull {CODING[:-3]}:main"),
        ("--print command --all", 40, f"docker pull {CODING[:-3]}:main"),
        ("--print reference", 7, f"{CODING[:-3]}:main"),
        ("--print url", 8, "https://finops-helm.pkg.coding.net/gocrane/gocrane"),
        ("--print page --all", 40, "https://finops.coding.net/public-artifacts/gocrane/crane/packages"),
        ("git --print url --all", 13, "https://e.coding.net/finops/gocrane/crane.git"),
    ],
)
def test_list_prints_a_field_of_what_has_it(cli: CLI, options: str, count: int, first: str) -> None:
    """`list --print` gives a line for each best route, with `--all` for each route; some kinds have no such field."""
    ran = cli("list", *options.split())
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert (len(lines), lines[0]) == (count, first)


def test_list_as_json(cli: CLI) -> None:
    """A row of `list` says all that the catalogue knows of an entry, with the routes of the entry's own command."""
    rows: list[dict[str, Any]] = json.loads(cli("list", "-o", "json").out)["rows"]
    assert [(row["kind"], row["name"]) for row in rows] == [
        (kind, name) for kind, names in (("image", IMAGES), ("helm", HELM), ("git", GIT)) for name in names
    ]
    by_name = {(row["kind"], row["name"]): row for row in rows}
    assert {key: by_name["image", "craned"][key] for key in ("aliases", "default_tag", "platforms", "synced")} == {
        "aliases": [],
        "default_tag": "main",
        "platforms": ["linux/amd64", "linux/arm64"],
        "synced": None,
    }
    assert (by_name["helm", "gocrane"]["aliases"], by_name["helm", "gocrane"]["synced"]) == (["crane"], "6h")
    assert by_name["git", "api"]["synced"] == "1d"
    assert by_name["git", "api"]["routes"] == json.loads(cli("git", "api", "-o", "json").out)["rows"]


ERRORS = [
    # What is not in the catalogue: the nearest name, or what there is.
    ("image crnaed", 3, "no image 'crnaed' in the catalogue: did you mean 'craned'\\?"),
    ("image gocrane/stress-ng", 3, "no image 'docker.io/gocrane/stress-ng' in the catalogue: there are: craned, .*"),
    ("image docker.io/library/nginx", 3, "no image 'docker.io/library/nginx' in .*"),
    ("image gocrane/craned/x", 3, "no image 'docker.io/gocrane/craned/x' in .*"),
    ("image ghcr.io:5000/gocrane/crane/craned", 3, "no image 'ghcr.io:5000/gocrane/crane/craned' in .*"),
    ("helm grafna", 3, "no helm 'grafna' in the catalogue: did you mean 'grafana'\\?"),
    ("helm craned", 3, "no helm 'craned' in the catalogue: but there is one of kind image"),
    ("git apy", 3, "no git 'apy' in the catalogue: did you mean 'api'\\?"),
    ("raw helm-chart main a", 3, "no git 'helm-chart' in the catalogue: did you mean 'helm-charts'\\?"),
    ("image craned -m gite", 3, "no mirror 'gite' in the catalogue: did you mean 'gitee'\\?"),
    ("list -m nope", 3, "no mirror 'nope' in the catalogue: there are: coding, .*"),
    ("git api --region zz", 3, "no region 'zz' in the catalogue: there are cn, global"),
    # A mirror that does not have it: those that do.
    ("image craned -m gitee", 3, r"image 'craned' is not on gitee: it is on coding, ghcr, dockerhub \(the origin\)"),
    ("git api -m gitee", 3, r"git 'api' is not on gitee: it is on coding, github \(the origin\)"),
    ("helm grafana -m ghcr", 3, r"helm 'grafana' is not on ghcr: it is on coding, github \(the origin\)"),
    ("raw api main a -m gitee", 3, r"git 'api' is not on gitee: it is on .*"),
    # Strings that cannot be parsed: what is allowed.
    ("image craned --tag .x", 2, "invalid tag '.x': letters, digits, .*"),
    (f"image craned --tag {129 * 'x'}", 2, "invalid tag 'xxx.*…': .* at most 128 characters.*"),
    ("image craned:", 2, "invalid tag '': .*"),
    ("image craned@", 2, "invalid digest '': .*"),
    ("image craned --digest sha256:abc", 2, "invalid digest 'sha256:abc': 'sha256:' takes 64 .*"),
    ("image https://hub.docker.com/r/gocrane/craned", 2, "invalid reference 'https://': .*"),
    ("image Crane/Craned", 2, "invalid .*"),
    ("image craned --platform windows/amd64", 2, "image 'craned' is not built for .*: .* linux/amd64, linux/arm64"),
    ("image craned --platform arm64", 2, "invalid platform 'arm64': use OS/MACHINE.*"),
    ("image craned --branch ü", 2, "branch 'ü' makes no valid tag: .*"),
    ("image craned --branch main --commit xyz", 2, "invalid commit 'xyz': .*"),
    # Options that contradict each other.
    ("image craned:a --tag b", 2, "two tags: 'a' in the name, 'b' by an option; give one of them"),
    (f"image craned@{DIGEST} --digest sha256:{64 * 'b'}", 2, "two digests: .*"),
    ("image craned --tag a --branch a", 2, "--tag names a tag as it is: leave out .*"),
    ("image craned --tag a --pr 1 --commit abc1234", 2, "--tag names a tag as it is: leave out .*"),
    ("image craned --tag a --commit abc1234", 2, "--tag names a tag as it is: leave out .*"),
    ("image craned:main --branch feature/X", 2, "two tags: 'main' in the name, 'x' by an option; .*"),
    ("image craned --branch a --pr 1 --commit abc1234", 2, ".* from a branch or from a pull request: .*"),
    ("image craned --commit abc1234", 2, "a commit alone makes no tag: .*"),
    ("image craned --pr 1", 2, "pull request 1 alone makes no tag: .*"),
    ("image craned --pr 0 --commit abc1234", 2, "a pull request's number is from 1 .*"),
    # Catalogues.
    ("git api -c missing.yaml", 5, "missing.yaml: no such file or directory"),
    ("git api -c .", 5, r"\.: is a directory"),
]


@pytest.mark.parametrize(("line", "code", "message"), ERRORS, ids=[line[:60] for line, _, _ in ERRORS])
def test_error_is_one_line_and_an_exit_code(cli: CLI, line: str, code: int, message: str) -> None:
    """An error says in one line on stderr what is wrong and what to do, and nothing on stdout."""
    ran = cli(*line.split())
    assert (ran.code, ran.out) == (code, "")
    assert re.fullmatch(f"crane-mirrors: {message}\n", ran.err)


@pytest.mark.parametrize(("line", "code", "message"), ERRORS, ids=[line[:60] for line, _, _ in ERRORS])
def test_error_is_in_the_envelope_too(cli: CLI, line: str, code: int, message: str) -> None:
    """In JSON an error stands in `errors`, with its exit code, and on stderr as ever."""
    ran = cli(*line.split(), "-o", "json")
    envelope = json.loads(ran.out)
    assert (envelope["schema"], envelope["command"], envelope["rows"]) == (1, line.split()[0], [])
    (error,) = envelope["errors"]
    assert error == {"exit_code": code, "message": ran.err.removeprefix("crane-mirrors: ").removesuffix("\n")}
    assert ran.code == code
    assert re.fullmatch(message, error["message"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("imagee craned", r"crane-mirrors: no command 'imagee': did you mean 'image'\? \(see 'crane-mirrors --help'\)"),
        ("zzz", r"crane-mirrors: no command 'zzz': there are: .*git, helm, image, list, .*raw.*"),
        ("image", r"crane-mirrors image: missing argument 'NAME\[:TAG\]' \(see 'crane-mirrors image --help'\)"),
        ("image craned dashboard", r"crane-mirrors image: got unexpected extra argument \(dashboard\) .*"),
        ("raw crane main", "crane-mirrors raw: missing argument 'PATH' .*"),
        ("git api --mirorr x", "crane-mirrors git: no such option '--mirorr'.*--mirror.*"),
        ("git api --mirror", "crane-mirrors: option '--mirror' requires an argument .*"),
        ("git api -o xml", "crane-mirrors git: .*'xml' is not one of 'json', 'plain', 'table', 'yaml' .*"),
        ("git api -p name", "crane-mirrors git: .*'name' is not one of 'command', 'reference', 'url', 'page' .*"),
        ("image craned --client rkt", "crane-mirrors image: .*'rkt' is not one of 'docker', 'podman', .*"),
        ("image craned --pr x", "crane-mirrors image: .*'x' is not a valid integer .*"),
        ("list charts", "crane-mirrors list: .*'charts' is not one of 'image', 'helm', 'git'.*"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(cli: CLI, line: str, message: str) -> None:
    """What click refuses looks like every other error, and says where there is help."""
    ran = cli(*line.split())
    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(f"{message}\n", ran.err)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "image {}",
        "image craned --tag {}",
        "image craned --branch {}",
        "image craned --digest {}",
        "image craned --platform {}",
        "helm {}",
        "git {}",
        "git api {}",
        "git api -m {}",
        "git api -o {}",
        "git api --region {}",
        "git api --{}",
        "raw {} main a",
        "list {}",
    ],
)
def test_message_holds_nothing_that_a_terminal_would_obey(cli: CLI, line: str) -> None:
    """Whatever stands in an argument, the message is one line of printable characters, and a short one."""
    for hostile in ("\x1b[2J", "a\nb", "a\rb", "\u202e", "\x9b31m", os.fsdecode(b"\xff"), "'", "x" * 10_000):
        ran = cli(*(word.replace("{}", hostile) for word in line.split()))
        assert (ran.code, ran.out) in ((2, ""), (3, ""))
        assert ran.err.endswith("\n")
        assert ran.err[:-1].isprintable()
        assert len(ran.err) < 500


def test_no_command_prints_the_help_and_fails(cli: CLI) -> None:
    """Without a command there is nothing to do: the help on stderr, exit code 2."""
    ran = cli()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == cli("--help").out


@pytest.mark.parametrize("command", ["git", "helm", "image", "list", "raw"])
def test_help_of_each_command(cli: CLI, command: str) -> None:
    """Every command has help with the shared options, and stands in the help of the whole."""
    ran = cli(command, "--help")
    assert (ran.code, ran.err) == (0, "")
    for option in (
        "-m, --mirror",
        "-a, --all",
        "-p, --print",
        "-o, --output",
        "--region",
        "-c, --catalogue",
        "-h, --help",
    ):
        assert f"  {option}" in ran.out
    assert re.search(rf"^  {command} +\w+", cli("-h").out, re.MULTILINE)


def test_region_comes_from_the_environment(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """CRANE_MIRRORS_REGION is what `--region` is without it; an unknown one is refused, an empty one is none."""
    monkeypatch.setenv("CRANE_MIRRORS_REGION", "global")
    assert cli("git", "api").out == "https://github.com/gocrane/api.git\n"
    assert cli("git", "api", "--region", "cn").out == "https://e.coding.net/finops/gocrane/api.git\n"
    monkeypatch.setenv("CRANE_MIRRORS_REGION", "moon")
    assert cli("git", "api").code == 3
    monkeypatch.setenv("CRANE_MIRRORS_REGION", "")
    assert cli("git", "api").out == "https://e.coding.net/finops/gocrane/api.git\n"


def test_catalogues_come_from_the_environment_and_the_options(
    cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CRANE_MIRRORS_CATALOGUE holds files, as PATH does; those of `--catalogue` lie on top, the last one highest."""
    for name in ("a", "b", "c", "d"):
        text = f"version: 1\ngit: {{api: {{mirrors: {{coding: https://{name}.example/api, {name}: https://{name}.example/x}}}}}}\n"
        tmp_path.joinpath(f"{name}.yaml").write_text(text)
    monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", f"a.yaml{os.pathsep}{os.pathsep}b.yaml")
    assert cli("git", "api").out == "https://b.example/api\n"
    rows = json.loads(cli("git", "api", "-c", "c.yaml", "-c", "d.yaml", "-o", "json").out)["rows"]
    assert {row["mirror"]: (row["url"], row["source"]) for row in rows} == {
        "coding": ("https://d.example/api", "d.yaml"),
        "a": ("https://a.example/x", "a.yaml"),
        "b": ("https://b.example/x", "b.yaml"),
        "c": ("https://c.example/x", "c.yaml"),
        "d": ("https://d.example/x", "d.yaml"),
        "github": ("https://github.com/gocrane/api.git", "built-in"),
    }


SCRIPT = """\
{options}
image="$(crane-mirrors image craned --tag main-abc123 --print reference)"
agent="$(crane-mirrors image crane-agent)"
charts="$(crane-mirrors helm gocrane --region global)"
code="$(crane-mirrors git crane --mirror gitee)"
values="$(crane-mirrors raw helm-charts main integration/grafana/override_values.yaml)"
test "$(crane-mirrors list git | wc -l)" -eq 5
printf '%s\\n' "$image" "$agent" "$charts" "$code" "$values"
if missing="$(crane-mirrors image nope 2>/dev/null)"; then exit 9; fi
test -z "$missing"
crane-mirrors git api --mirror gitee >/dev/null
echo not reached
"""


@pytest.mark.parametrize(("shell", "options"), [("bash", "set -euo pipefail"), ("dash", "set -eu")])
def test_script_of_a_ci_runs_unchanged(shell: str, options: str, tmp_path: Path, path_with_program: str) -> None:
    """In a strict script every answer is one line in `$(…)`, and an error ends the script with its exit code."""
    process = subprocess.run(
        [need(shell), "-c", SCRIPT.format(options=options)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path_with_program},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.stdout.splitlines() == [
        "finops-docker.pkg.coding.net/gocrane/crane/craned:main-abc123",
        "docker pull finops-docker.pkg.coding.net/gocrane/crane/crane-agent:main",
        "https://gocrane.github.io/helm-charts",
        "https://gitee.com/finops/crane",
        raw_routes("helm-charts", "main", "integration/grafana/override_values.yaml")["coding"],
    ]
    assert process.returncode == 3
    assert [line[:13] for line in process.stderr.splitlines()] == ["note: no tag ", "crane-mirrors"]


@pytest.mark.parametrize(
    "arguments",
    [["git", "api"], ["image", "nope"], ["--version"], ["raw", "crane", "main", os.fsdecode(b"\xc3\x28 \xff")]],
)
def test_module_is_the_same_program(cli: CLI, tmp_path: Path, path_with_program: str, arguments: list[str]) -> None:
    """`python -m crane_mirrors`, and `crane-mirrors` as a process, do what the tests above see in their own process."""
    ran = cli(*arguments)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "PATH": path_with_program}
    for command in ([sys.executable, "-P", "-m", "crane_mirrors"], ["crane-mirrors"]):
        process = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (process.returncode, process.stdout, process.stderr) == ran


@pytest.mark.parametrize("command", [["helm"], ["git"], ["raw", "main", "x"]])
def test_a_password_in_place_of_a_name_is_not_repeated(cli: CLI, command: list[str]) -> None:
    """Whoever pastes a URL where a name belongs finds it neither on the terminal nor in a log."""
    first, *rest = command
    ran = cli(first, "https://user:hunter2@git.example/x", *rest)
    assert (ran.code, "hunter2" in ran.out + ran.err) == (3, False)
