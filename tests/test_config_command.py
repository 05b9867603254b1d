"""`config` as a command: what it prints and says, its exit codes, and its envelope; every target alike."""

from __future__ import annotations

import json
import shlex
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from crane_mirrors.catalogue import load
from crane_mirrors.resolve.routes import Choice
from crane_mirrors.targets import Configuration, Copies, Options, copies, target_named, target_names

if TYPE_CHECKING:
    from conftest import CLI

NODES = ("buildkit", "containerd", "docker", "k3s", "registries.conf", "rke2")


def of_builtin(target: str, options: Options = Options()) -> Configuration:  # noqa: B008
    catalogue = load()
    kinds = target_named(target).kinds
    return target_named(target).configure(list(copies(catalogue, kinds, Choice())), options)


@pytest.mark.parametrize("target", target_names())
def test_target_says_what_it_is(target: str) -> None:
    """Each file of the folder is a target of that name, with kinds, and options that there are."""
    found = target_named(target)
    assert found.name == target
    assert found.kinds
    assert found.options <= set(Options._fields)
    assert type(found).__doc__


@pytest.mark.parametrize("target", target_names())
def test_files_of_earlier_runs_can_be_found(target: str) -> None:
    """Every file that a target writes has one of its shapes, whatever its options."""
    found = target_named(target)
    for options in (Options(), Options(**dict.fromkeys(found.options, True))):
        for file in of_builtin(target, options).files:
            shapes = [shape for shape in found.paths if shape.count("/") == file.path.count("/")]
            assert any(fnmatch(file.path, shape) for shape in shapes), file.path
            assert file.text.endswith("\n")


@pytest.mark.parametrize("target", target_names())
def test_left_out_names_targets_that_there_are(target: str) -> None:
    """Each reason is one line, and the targets that can do it are others, which exist."""
    for left in of_builtin(target).left_out:
        assert left.reason
        assert "\n" not in left.reason
        assert target not in left.instead


@pytest.mark.parametrize("target", target_names())
def test_target_writes_the_same_in_a_folder_and_finds_it_again(cli: CLI, tmp_path: Path, target: str) -> None:
    """What is printed has the texts of the files; written, it is unchanged the second time, and then goes away."""
    printed = cli("config", target, "--partial")
    if not of_builtin(target).files:
        assert (printed.code, printed.out) == (3, "")
        return
    assert printed.code == 0
    assert cli("config", target, "--partial", "--output-dir", "out").code == 0
    for file in of_builtin(target).files:
        assert file.text.removeprefix("#!/bin/sh\n") in printed.out
        assert file.text.removeprefix("#!/bin/sh\n") in (tmp_path / "out" / file.path).read_text()
    again = cli("config", target, "--partial", "--output-dir", "out")
    assert {line.split()[0] for line in again.out.splitlines()} == {"unchanged"}
    assert cli("config", target, "--output-dir", "out", "--remove").code == 0
    assert not (tmp_path / "out").exists()


def test_header_has_the_command_lines_that_make_and_remove_the_file(
    cli: CLI, tmp_path: Path, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pasted as they stand, they make the same file again, environment included, and take it away."""
    monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", hub)
    own = tmp_path / "my own.yaml"
    own.write_text("version: 1\nregions: {home: [corp]}\n")
    monkeypatch.setenv("CRANE_MIRRORS_REGION", "home")
    folder = "an 'odd' $folder"
    arguments = ("--mirror", "corp", "--catalogue", str(own), "--no-project", "--digest-only", "--output-dir", folder)
    assert cli("config", "registries.conf", *arguments).code == 0
    path = tmp_path / folder / "50-crane-mirrors.conf"
    text = path.read_text()
    lines = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("# ") and ": " in line)
    assert lines["its place"] == "/etc/containers/registries.conf.d/50-crane-mirrors.conf"
    monkeypatch.delenv("CRANE_MIRRORS_CATALOGUE")
    monkeypatch.delenv("CRANE_MIRRORS_REGION")
    program, *words = shlex.split(lines["made by"])
    assert program == "crane-mirrors"
    assert words[words.index("--region") + 1] == "home"
    assert cli(*words).out == f"unchanged {folder}/50-crane-mirrors.conf\n"
    path.unlink()
    path.parent.rmdir()
    assert cli(*words).code == 0
    assert path.read_text() == text
    assert cli(*shlex.split(lines["taken away by"])[1:]).code == 0
    assert not path.parent.exists()


def test_header_of_a_pasted_command_stays_the_same(
    cli: CLI, tmp_path: Path, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment is still what it was, neither its catalogues nor its region get into the way."""
    monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", hub)
    monkeypatch.setenv("CRANE_MIRRORS_REGION", "global")
    assert cli("config", "registries.conf", "--region", "cn", "--output-dir", "out").code == 0
    path = tmp_path / "out" / "50-crane-mirrors.conf"
    made_by = next(line.partition(": ")[2] for line in path.read_text().splitlines() if "made by: " in line)
    assert cli(*shlex.split(made_by)[1:]).out == "unchanged out/50-crane-mirrors.conf\n"


def test_several_files_are_printed_with_their_paths(cli: CLI, tmp_path: Path) -> None:
    """A comment says where each of them begins."""
    more = tmp_path / "more.yaml"
    more.write_text("version: 1\nimages:\n  x: {origin: quay.io/a/b, mirrors: {coding: m.example/q/a/b}}\n")
    ran = cli("config", "containerd", "--partial", "-c", str(more))
    assert [line for line in ran.out.splitlines() if line.endswith("hosts.toml") and "place" not in line] == [
        "# ghcr.io/hosts.toml",
        "# quay.io/hosts.toml",
    ]


def test_json_is_printed_as_json(cli: CLI, hub: str) -> None:
    """A format without comments has no header on the standard output."""
    ran = cli("config", "docker", "-c", hub)
    assert json.loads(ran.out) == {"registry-mirrors": ["https://docker.m.example"]}


@pytest.mark.parametrize("name", ["registries.con", "Docker", "", "_base", "../x", "registries_conf", "x" * 999])
def test_unknown_target(cli: CLI, name: str) -> None:
    """Exit code 3 and one line with the nearest name, or all of them."""
    ran = cli("config", name)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert "no target " in ran.err
    assert len(ran.err) < 400
    if name in ("registries.con", "registries_conf"):
        assert ran.err.endswith("did you mean 'registries.conf'?\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["k3s", "--digest-only"], "--digest-only is not for k3s: containerd or registries.conf can do it"),
        (["registries.conf", "--ssh"], "--ssh is not for registries.conf: "),
        (["docker", "--script"], "--script is not for docker: "),
        (["docker", "--dry-run"], "--dry-run needs --output-dir, such as /etc/docker"),
        (["docker", "--remove"], "--remove needs --output-dir, such as /etc/docker"),
        (["docker", "--output-dir", ""], "--output-dir is empty: name a folder, '.' for this one"),
    ],
)
def test_wrong_use(cli: CLI, tmp_path: Path, arguments: list[str], said: str) -> None:
    """Exit code 2, and a line that says which target or option would do; nothing is written."""
    if arguments[-1] in ("--ssh", "--script") and not any(
        arguments[-1][2:] in target_named(name).options for name in target_names()
    ):
        pytest.skip("no target knows it yet")
    ran = cli("config", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"crane-mirrors: {said}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["buildkit", "containerd", "docker"])
def test_what_a_format_cannot_say_is_refused(cli: CLI, tmp_path: Path, target: str) -> None:
    """One line names entries, the reason and who can do it; nothing is written."""
    ran = cli("config", target, "--output-dir", "out")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert ran.err.startswith(f"crane-mirrors: {target} cannot express image craned, image crane-agent, ")
    assert "(7 in all)" in ran.err
    assert "; use registries.conf, " in ran.err
    assert ran.err.endswith(", or --partial for the rest\n") == (target != "docker")
    assert list(tmp_path.iterdir()) == []


def test_a_reason_is_given_for_what_it_is_true_of(cli: CLI, tmp_path: Path) -> None:
    """Entries that the format cannot say for other reasons are named apart."""
    text = "version: 1\nbuiltin: false\nimages:\n  six: {origin: '[::1]:5000/a', mirrors: {m: m.example/a}}\n"
    text += "  hub: {origin: q.example/*, mirrors: {m: m.example/*}}\n"
    text += "".join(f"  f{n}: {{origin: q.example/f{n}/*, mirrors: {{m: m.example/f{n}/*}}}}\n" for n in range(3))
    (tmp_path / "own.yaml").write_text(text)
    assert cli("config", "kustomize", "-c", "own.yaml").err == (
        "crane-mirrors: kustomize cannot express image six: kustomize does not take an IPv6 address for a registry; "
        "use kyverno or registries.conf; for other reasons image hub, image f0, image f1, … (4 in all)\n"
    )


def test_partial_lists_what_is_left_out(cli: CLI) -> None:
    """A line for each entry on stderr, and the rest on the standard output."""
    ran = cli("config", "containerd", "--partial")
    assert ran.code == 0
    assert ran.out.endswith('[host."https://finops-docker.pkg.coding.net"]\ncapabilities = ["pull", "resolve"]\n')
    lines = [line for line in ran.err.splitlines() if "left out" in line]
    assert len(lines) == 7
    assert lines[0].startswith("note: left out: image craned on coding, ghcr: containerd puts something before ")


def test_partial_with_nothing_left(cli: CLI) -> None:
    """Where nothing can be said at all, --partial makes no empty file."""
    ran = cli("config", "docker", "--partial", "--output-dir", "out")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("crane-mirrors: docker cannot express ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--region", "global"],
            "region 'global' has no image with a mirror before its origin; name one with --mirror",
        ),
        (["-m", "origin"], "clients go to the origin by themselves\n"),
        (["-m", "dockerhub"], "clients go to the origin by themselves\n"),
        (["-m", "origin", "-m", "coding"], "clients go to the origin by themselves; name a mirror before it\n"),
        (["-c", "git.yaml"], "the catalogue has no image\n"),
        (["-m", "gitee"], "no image of the catalogue has a mirror called gitee"),
    ],
)
def test_nothing_to_configure(cli: CLI, tmp_path: Path, arguments: list[str], said: str) -> None:
    """Where every client goes to the origin anyway, exit code 3 says why."""
    (tmp_path / "git.yaml").write_text("version: 1\nbuiltin: false\n")
    ran = cli("config", "registries.conf", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert ran.err.startswith(f"crane-mirrors: nothing to configure: {said}")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-m", "nobody"], 3, "no mirror 'nobody'"),
        (["--region", "mars"], 3, "no region"),
        (["-c", "no.yaml"], 5, "no.y"),
    ],
)
def test_errors_of_the_catalogue_are_those_of_every_command(
    cli: CLI, arguments: list[str], code: int, said: str
) -> None:
    """Unknown mirrors and regions, and catalogues that cannot be read."""
    ran = cli("config", "registries.conf", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


def rows(text: str, reader: Any = json.loads) -> list[dict[str, Any]]:
    envelope = reader(text)
    assert {key: envelope[key] for key in ("schema", "command", "errors")} == {
        "schema": 1,
        "command": "config",
        "errors": [],
    }
    found: list[dict[str, Any]] = envelope["rows"]
    return found


@pytest.mark.parametrize(("output", "reader"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_envelope(cli: CLI, tmp_path: Path, output: str, reader: Any) -> None:
    """A row for each file says what became of it, and one for each mirror that is left out says why."""
    arguments = ("config", "containerd", "--partial", "-o", output)
    path = "out/ghcr.io/hosts.toml"
    printed, *left_out = rows(cli(*arguments).out, reader)
    assert (printed["target"], printed["path"], printed["state"]) == ("containerd", "ghcr.io/hosts.toml", "printed")
    assert 'server = "https://ghcr.io"' in printed["text"]
    assert len(left_out) == 14
    assert {row["state"] for row in left_out} == {"left out"}
    assert (left_out[0]["kind"], left_out[0]["name"], left_out[0]["mirror"]) == ("image", "craned", "coding")
    assert "registries.conf" in left_out[0]["instead"]
    dry = cli(*arguments, "--output-dir", "out", "--dry-run")
    assert dry.code == 1
    first = rows(dry.out, reader)[0]
    assert (first["path"], first["state"]) == (path, "would be written")
    assert f"+++ {path}\n" in first["diff"]
    assert not (tmp_path / "out").exists()
    expected = {"target": "containerd", "path": path}
    assert rows(cli(*arguments, "--output-dir", "out").out, reader)[0] == {**expected, "state": "written"}
    assert rows(cli(*arguments, "--output-dir", "out").out, reader)[0] == {**expected, "state": "unchanged"}
    remove = ("--output-dir", "out", "--remove")
    assert rows(cli(*arguments, *remove, "--dry-run").out, reader)[0]["state"] == "would be removed"
    assert rows(cli(*arguments, *remove).out, reader) == [{**expected, "state": "removed"}]
    assert rows(cli(*arguments, *remove).out, reader) == []


def test_errors_stand_in_the_envelope(cli: CLI, tmp_path: Path) -> None:
    """Whatever the exit code, JSON says it, too."""
    for arguments, code in ((["nobody"], 3), (["docker", "--ssh"], 2), (["docker"], 3)):
        ran = cli("config", *arguments, "-o", "json")
        assert (ran.code, json.loads(ran.out)["errors"][0]["exit_code"]) == (code, code)
    (tmp_path / "50-crane-mirrors.conf").write_text("mine\n")
    ran = cli("config", "registries.conf", "--output-dir", ".", "-o", "json")
    assert (ran.code, json.loads(ran.out)["errors"][0]["exit_code"]) == (6, 6)


def test_table_lists_files(cli: CLI) -> None:
    """A table is for what was done; a file that is only printed stays as it is."""
    text = cli("config", "registries.conf", "-o", "plain").out
    assert cli("config", "registries.conf", "-o", "table").out == text
    done = cli("config", "registries.conf", "--output-dir", "out", "-o", "table")
    assert done.out.split() == ["STATE", "FILE", "written", "out/50-crane-mirrors.conf"]


def test_project_that_has_a_part_is_named(cli: CLI, tmp_path: Path, hub: str) -> None:
    """A catalogue that came with somebody's repository does not change a machine's configuration in silence."""
    (tmp_path / ".crane-mirrors.yaml").write_text(Path(hub).read_text().replace("docker.m.", "other."))
    ran = cli("config", "docker")
    assert "https://other.example" in ran.out
    assert "note: .crane-mirrors.yaml has a part in this configuration (--no-project leaves it out)\n" in ran.err
    assert cli("config", "docker", "--no-project", "-c", hub).err == (
        "note: dockerd reads the file when it starts, and when it gets SIGHUP\n"
    )


def test_an_origin_that_is_preferred_needs_no_configuration() -> None:
    """Only mirrors that come before the origin are any client's business."""
    catalogue = load()
    assert list(copies(catalogue, ("image",), Choice(region="global"))) == []
    (row,) = (row for row in copies(catalogue, ("image",), Choice(("ghcr",))) if row.entry.name == "craned")
    assert isinstance(row, Copies)
    assert [place.name for place in row.mirrors] == ["ghcr"]


@pytest.mark.parametrize("target", NODES)
def test_prefix_catalogue_is_said_in_full(cli: CLI, hub: str, target: str) -> None:
    """A mirror of a whole registry, with the same paths, is what every target for nodes can express."""
    ran = cli("config", target, "-c", hub)
    assert ran.code == 0
    assert "docker.m.example" in ran.out
    assert "left out" not in ran.err
    assert "every repository" not in ran.err


@pytest.mark.parametrize("target", ["buildkit", "containerd", "k3s", "rke2"])
def test_note_says_which_mirror_sees_more_than_the_catalogue_has(cli: CLI, target: str) -> None:
    """Where a format has servers of registries, not of repositories, a person gets to know what that means."""
    ran = cli("config", target, "--partial")
    assert "asks finops-docker.pkg.coding.net for every repository of ghcr.io, before" in ran.err


def test_targets_complete(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell offers the targets by their names."""
    monkeypatch.setenv("_CRANE_MIRRORS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "crane-mirrors config r")
    monkeypatch.setenv("COMP_CWORD", "2")
    names = [line.partition(",")[2] for line in cli().out.splitlines()]
    assert {"registries.conf", "rke2"} <= set(names)
    assert all(name.startswith("r") for name in names)
