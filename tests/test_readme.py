"""The README is true: its examples run, and its tables say what the program does.

Each ``console`` block is a session of its own, in a fresh folder that has the files which the README names (a fence
like ``yaml mine.yaml``); one that is marked ``world`` finds the built-in catalogue's hosts on loopback. Lines that
begin with ``$ `` are commands, those between them are the whole output, stderr included. A command fails only where
the next one is ``echo $?``. A line of a ``python`` block that prints says in a comment what.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from conftest import PROJECT, absent, leftovers, need
from servers.names import need_names
from servers.world import World, world

import crane_mirrors
from crane_mirrors import errors
from crane_mirrors.cli._group import group

TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")

SECONDS = 300


class Block(NamedTuple):
    """A fenced block: the first word of its fence, the rest of it, its text, and where it begins."""

    language: str
    title: str
    text: str
    line: int


class Step(NamedTuple):
    """A command of a console block, and what the README says that it prints."""

    command: str
    output: str


def blocks(language: str = "", title: str | None = None) -> list[Block]:
    """Give the README's blocks in a language, and with a title; None is any title."""
    found = [
        Block(match[1], match[2].strip(), match[3], TEXT.count("\n", 0, match.start()) + 1)
        for match in re.finditer(r"^```(\S*)(.*)\n((?:.*\n)*?)```$", TEXT, re.MULTILINE)
    ]
    return [block for block in found if language in ("", block.language) and title in (None, block.title)]


def each(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=[f"line-{block.line}" for block in blocks])


def only(block: list[Block]) -> Block:
    (it,) = block
    return it


def steps(block: Block) -> list[Step]:
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    assert not parts[0], f"README.md:{block.line}: output before the first command"
    return [Step(*pair) for pair in zip(parts[1::2], parts[2::2], strict=True)]


def table(*header: str) -> list[list[list[str]]]:
    """Give the rows of each table with these columns, without the marks of code."""
    start = re.escape("| " + " | ".join(header) + " |")
    bodies = re.findall(rf"^{start}\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split(" | ")] for row in body.splitlines()] for body in bodies]


def names(rows: list[list[str]]) -> list[str]:
    return [row[0].strip("`") for row in rows]


class Machine:
    """A folder to work in, a home of its own, and a PATH whose crane-mirrors is the one under test."""

    def __init__(self, folder: Path, package: Path) -> None:
        self.here = folder / "here"
        self.here.mkdir()
        program = folder / "bin" / "crane-mirrors"
        program.parent.mkdir()
        call = f"PYTHONPATH={shlex.quote(str(package))} exec {shlex.quote(sys.executable)} -m crane_mirrors"
        program.write_text(f'#!/bin/sh\n{call} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        homes = {name: str(folder / "home") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
        path = os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)])
        self.environment = {**os.environ, **homes, "PATH": path, "LC_ALL": "C.UTF-8"}
        write_files(self.here, "yaml", "sh")

    def run(self, *command: str, **more: str) -> str:
        """Run a command that has to succeed; give what it prints, stderr included."""
        done = subprocess.run(
            command,
            cwd=self.here,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def outputs(self, block: Block) -> list[tuple[str, int]]:
        """Run a block as one session of bash; give each command's output and exit code."""
        mark = '_code=$?; printf "\\036%d\\036" "$_code"; (exit "$_code")'
        script = "".join(f"{step.command}\n{mark}\n" for step in steps(block)) + "exit 0\n"
        parts = self.run(need("bash"), "-c", script).split("\x1e")
        return [(output, int(code)) for output, code in zip(parts[0:-1:2], parts[1::2], strict=True)]


def write_files(folder: Path, *languages: str) -> None:
    """Write the files of the README that have a name, and are in one of these languages."""
    for block in blocks():
        if block.title and block.language in languages:
            file = folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, Path(crane_mirrors.__file__).parent.parent)


@pytest.fixture
def checkout(tmp_path: Path) -> Machine:
    """A machine whose program is a copy of the source tree with the README's additions to it."""
    for name in ("src", "data"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=leftovers)
    write_files(tmp_path, "python")
    return Machine(tmp_path, tmp_path / "src")


def assert_true(block: Block, machine: Machine) -> None:
    expected = steps(block)
    followers = [step.command for step in expected[1:]] + [""]
    for step, follower, (output, code) in zip(expected, followers, machine.outputs(block), strict=True):
        assert output == step.output, f"README.md:{block.line}: {step.command}"
        assert code == 0 or follower == "echo $?", f"README.md:{block.line}: exit code {code} from {step.command}"


@each(blocks("console", ""))
def test_console_block(block: Block, machine: Machine) -> None:
    """Every command of a console block prints exactly what the README says, and succeeds unless the code is shown."""
    assert_true(block, machine)


def plain(text: str) -> str:
    """Leave out of an output what is another each time: times, and the length of digests."""
    text = re.sub(r"[0-9]+(\.[0-9]+)? ms\b", "N ms", text)
    text = re.sub(r"(latency_seconds\{.*\}) [0-9.e-]+", r"\1 N", text)
    return re.sub(r"sha256:([0-9a-f]{64}|…)", "sha256:…", text)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All hosts of the built-in catalogue, on loopback; some mirrors are stale, one is dead, …"""
    need_names()
    with world(tmp_path_factory.mktemp("world")) as hosts:
        yield hosts


@each(blocks("console", "world"))
def test_console_block_that_asks_mirrors(block: Block, machine: Machine, hosts: World) -> None:
    """What commands say of servers is what the README says of the same servers, times apart."""
    script = "; ".join(f"{{ {step.command}; }}" for step in steps(block))
    command = hosts.names.command(need("bash"), "-c", f"{script}; exit 0")
    expected = "".join(step.output for step in steps(block))
    assert plain(machine.run(*command, **hosts.names.environment, CI="true")) == plain(expected)


def test_blocks_are_of_known_sorts() -> None:
    """A block that no test looks at is a plain shell line or a file, and only four are marked."""
    sorts = {(block.language, block.title) for block in blocks() if block.language != "yaml"}
    marked = {("console", mark) for mark in ("", "install", "tests", "checkout", "world")}
    files = {("python", "src/crane_mirrors/hosts/gitlab.py"), ("sh", "install.sh")}
    assert sorts == marked | files | {(name, "") for name in ("python", "sh", "bash", "zsh", "fish")}
    assert TEXT.count("```") == 2 * len(blocks())


@pytest.mark.install
def test_first_command_of_a_fresh_machine(machine: Machine) -> None:
    """In a copy of the source tree, the first command makes an environment and prints the line to use."""
    wheels = Path(sys.prefix, "wheelhouse")
    if not wheels.exists():
        absent("no wheelhouse; tests/run.py makes it")
    shutil.copytree(PROJECT, machine.here, ignore=leftovers, dirs_exist_ok=True)
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    machine.environment |= pip | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath])}
    assert_true(only(blocks("console", "install")), machine)


def test_second_command_of_a_fresh_machine() -> None:
    """The second command is that of the program which runs all tests, and its output ends as pytest's does."""
    (step,) = steps(only(blocks("console", "tests")))
    python, program = step.command.split()
    assert (python, program) == ("python3", "tests/run.py")
    done = subprocess.run([sys.executable, program, "--help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "Run all tests" in done.stdout
    *_, last = step.output.splitlines()
    assert re.fullmatch(r"=+ \d+ passed(, \d+ skipped)? in [0-9.]+s( \([0-9:]+\))? =+", last)
    assert "…" in step.output


@each(blocks("python", ""))
def test_python_block(block: Block, machine: Machine) -> None:
    """A Python example prints what its comments say."""
    said = re.findall(r"^ *print\(.*\)  # (.*)$", block.text, re.MULTILINE)
    package = str(Path(crane_mirrors.__file__).parent.parent)
    assert machine.run(sys.executable, "-c", block.text, PYTHONPATH=package).splitlines() == said
    assert len(said) == block.text.count("print(") > 0


@each(blocks("python", ""))
def test_python_block_is_typed(block: Block, machine: Machine) -> None:
    """A Python example passes the strict type check, with the types that the package brings."""
    (machine.here / "example.py").write_text(block.text, encoding="utf-8")
    package = str(Path(crane_mirrors.__file__).parent.parent)
    machine.run(sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "example.py", MYPYPATH=package)


def test_new_host_kind(checkout: Machine) -> None:
    """One file under hosts/ and rows of a catalogue are all that a new host kind takes."""
    assert_true(only(blocks("console", "checkout")), checkout)


@pytest.mark.parametrize(
    ("shell", "question", "answer"),
    [
        ("bash", "complete -p crane-mirrors", r"complete .* crane-mirrors\n"),
        ("zsh", "print $_comps[crane-mirrors]", r"_\w+\n"),
        ("fish", "complete crane-mirrors", r"complete .*crane-mirrors .*\n"),
    ],
)
def test_completion_line(shell: str, question: str, answer: str, machine: Machine) -> None:
    """The line for each shell's settings runs there without a word, and the shell then can complete the command."""
    script = only(blocks(shell)).text + question
    assert re.fullmatch(answer, machine.run(need(shell), "-c", script))


def test_exit_codes() -> None:
    """The table has the code of each error class, and besides these only yes, no and interrupted."""
    (rows,) = table("code", "what it means")
    classes = [getattr(errors, name) for name in errors.__all__]
    codes = {kind.exit_code for kind in classes if kind is not errors.CraneMirrorsError}
    assert [int(row[0]) for row in rows] == sorted({0, 1, 130} | codes)


def options(command: click.Command) -> set[str]:
    """Give the options of a command, and those of the commands in it."""
    context = click.Context(command)
    parameters = [*command.params, command.get_help_option(context)]
    own = {name for parameter in parameters if isinstance(parameter, click.Option) for name in parameter.opts}
    if command is group or not isinstance(command, click.Group):
        return own
    return own.union(*map(options, command.commands.values()))


@pytest.mark.parametrize("name", ["", *group.list_commands(click.Context(group))])
def test_options_are_described(name: str) -> None:
    """Each option that a command's help shows is in a table or a sentence of the README, in code."""
    command = group.get_command(click.Context(group), name) if name else group
    assert command is not None
    code = " ".join(re.findall(r"`([^`\n]+)`", re.sub(r"^```(?:.*\n)*?```$", "", TEXT, flags=re.MULTILINE)))
    assert {option for option in options(command) if not re.search(rf"(?<![\w-]){option}(?![\w-])", code)} == set()


@pytest.mark.parametrize("name", group.list_commands(click.Context(group)))
def test_command_has_an_example(name: str) -> None:
    """Each command has a section and an example that runs."""
    assert f"\n### `{name}`\n" in TEXT
    examples = blocks("console", "") + blocks("console", "world")
    assert any(f"crane-mirrors {name}" in step.command for block in examples for step in steps(block))


def test_json_fields(machine: Machine) -> None:
    """The tables of the JSON format have the fields that are there, in their order, and their types."""
    envelope, route, entry, *_, address, problem, error = table("field", "type", "what it is")

    def parsed(*arguments: str, streams: str = "2>/dev/null") -> Any:
        script = f"crane-mirrors {shlex.join(arguments)} --output json {streams} || :"
        return json.loads(machine.run(need("bash"), "-c", script))

    image, git = parsed("image", "craned"), parsed("git", "crane")
    assert list(image) == names(envelope)
    assert list(image["rows"][0]) == [name for name in names(route) if name != "url"]
    assert list(git["rows"][0]) == [name for name in names(route) if name != "reference"]
    assert list(parsed("list")["rows"][0]) == names(entry)
    assert list(parsed("git", "nothing")["errors"][0]) == names(error)
    rewritten = parsed("rewrite", "--report", "install.sh", streams=">/dev/null")["rows"][0]
    broken = parsed("catalogue", "validate", "broken.yaml")["rows"][0]
    assert (list(rewritten), list(broken)) == (names(address), names(problem))
    samples = ((envelope, image), (route, image["rows"][0]), (entry, parsed("list")["rows"][0]))
    for rows, value in (*samples, (address, rewritten), (problem, broken)):
        for name, kind, _ in rows:
            assert name.strip("`") == "url" or type(value[name.strip("`")]).__name__ in TYPES[kind]


def test_json_fields_of_live_commands(machine: Machine, hosts: World) -> None:
    """The tables of the rows of probe and check have the fields that are there, in their order, and their types."""
    _, _, _, measured, judged, fetched, pulled, written, *_ = table("field", "type", "what it is")
    podman = Path(machine.environment["PATH"].partition(os.pathsep)[0], "podman")
    podman.write_text("#!/bin/sh\n", encoding="utf-8")
    podman.chmod(0o755)
    for rows, words in (
        (measured, "probe crane"),
        (judged, "check crane-agent api"),
        (fetched, "fetch crane main integration/grafana/override_values.yaml --output-file f"),
        (fetched, "fetch crane main nothing --output-file f --mirror gitee"),
        (pulled, "pull craned dashboard --client podman"),
        (written, "config git --output-dir d"),
    ):
        script = f"crane-mirrors {words} --output json 2>/dev/null || :"
        command = hosts.names.command(need("bash"), "-c", script)
        found = json.loads(machine.run(*command, **hosts.names.environment))["rows"]
        assert found
        for row in found:
            assert list(row) == names(rows)
            for name, kind, _ in rows:
                assert type(row[name.strip("`")]).__name__ in TYPES[kind]


TYPES = {
    "number": ["int"],
    "number or null": ["int", "float", "NoneType"],
    "string": ["str"],
    "string or null": ["str", "NoneType"],
    "true or false": ["bool"],
    "list": ["list"],
    "list of strings": ["list"],
}


def test_environment_variables() -> None:
    """Every environment variable that the code names is in the table, and no other of the project's own."""
    (rows,) = table("variable", "what it does")
    source = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "src").rglob("*.py"))
    used = set(re.findall(r"(?<!_)\b(?:CRANE_MIRRORS|XDG)_[A-Z_]+\b", source))
    # `config env` makes names out of entries; the names of tokens end with a kind of host.
    used = {name for name in used if not re.match("CRANE_MIRRORS_(IMAGE|HELM|GIT|RAW|TOKEN)_", name)}
    used.add("CRANE_MIRRORS_TOKEN_HOSTKIND")
    assert {name for name in names(rows) if name.startswith(("CRANE", "XDG"))} == used


def test_dependencies() -> None:
    """The table of dependencies has what pyproject.toml declares."""
    import tomllib

    (rows,) = table("package", "why")
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    stated = [re.sub(r"\[(.*)\]\(.*\)", r"\1", row[0]).lower() for row in rows]
    assert stated == [re.split(r"[<>=~]", name)[0] for name in declared]


def test_links_lead_somewhere() -> None:
    """A link inside the repository names a file or a heading that exists."""
    titles = re.findall(r"^#+ (.*)", TEXT, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if not target.startswith("https://"):
            assert target[1:] in headings if target[0] == "#" else (PROJECT / target).exists(), target
