"""What the program does to terminals, pipes, closed and full outputs, in odd locales, at Ctrl-C, and in other shells.

Every test here runs the program as a process of its own, against the real thing.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PROJECT, Ran, need

IMAGE = [
    "finops-docker.pkg.coding.net/gocrane/crane/craned:v1",
    "ghcr.io/gocrane/crane/craned:v1",
    "gocrane/craned:v1",
]

Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., Ran]


@pytest.fixture
def start(tmp_path: Path, path_with_program: str) -> Start:
    """Give a function that starts the program, or a shell's script that uses it, in an empty folder."""

    def start(
        *command: str,
        env: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm", "PYTHONUNBUFFERED": "", "PATH": path_with_program, **(env or {})},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            errors="surrogateescape",
        )

    return start


@pytest.fixture
def run(start: Start) -> Run:
    """Give a function that starts the same, waits for it, and holds that there is never a traceback."""

    def run(*command: str, env: dict[str, str] | None = None, **streams: int) -> Ran:
        process = start(*command, env=env, **streams)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in (err or "")
        return Ran(process.returncode, out or "", err or "")

    return run


def read_all(terminal: int) -> str:
    """Read what was written to a pseudoterminal, until no process has its other end any more."""
    read = b""
    while True:
        try:
            read += os.read(terminal, 65536)
        except OSError:  # EIO is Linux's end of file here
            os.close(terminal)
            return read.decode().replace("\r\n", "\n")


@pytest.fixture
def on_terminal(start: Start) -> Callable[..., Ran]:
    """Give a function that runs the program with its three streams on a terminal, and gives what that shows."""

    def on_terminal(*arguments: str, columns: int = 100, env: dict[str, str] | None = None) -> Ran:
        ours, its = os.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = start("crane-mirrors", *arguments, env=env, stdin=its, stdout=its, stderr=its)
        os.close(its)
        shown = read_all(ours)
        return Ran(process.wait(60), shown, "")

    return on_terminal


def test_terminal_gets_a_table_of_every_route_with_the_best_one_marked(on_terminal: Run) -> None:
    """On a terminal there is a table, in colour, without lines around it that would be copied with an address."""
    ran = on_terminal("image", "craned:v1")
    assert ran.code == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", ran.out)
    assert plain == (
        "  MIRROR     COMMAND\n"
        f"▸ coding     docker pull {IMAGE[0]}\n"
        f"  ghcr       docker pull {IMAGE[1]}\n"
        f"  dockerhub  docker pull {IMAGE[2]}\n"
    )
    assert plain != ran.out


@pytest.mark.parametrize("columns", [60, 40, 8, 1])
def test_narrow_terminal_gets_every_address_whole(on_terminal: Run, columns: int) -> None:
    """Where a row does not fit, its address stands on a line of its own, which the terminal wraps, not the program."""
    ran = on_terminal("image", "craned:v1", columns=columns, env={"NO_COLOR": "1"})
    assert ran == (
        0,
        f"  MIRROR\n    COMMAND\n▸ coding\n    docker pull {IMAGE[0]}\n"
        f"  ghcr\n    docker pull {IMAGE[1]}\n  dockerhub\n    docker pull {IMAGE[2]}\n",
        "",
    )


def test_narrow_table_keeps_the_columns_that_fit(on_terminal: Run) -> None:
    """A wide table moves its last column to lines of its own; the others stay aligned as long as they fit."""
    environment = {"NO_COLOR": "1"}
    assert on_terminal("list", "image", columns=60, env=environment).out.splitlines()[:4] == [
        "KIND   NAME                        MIRRORS",
        "  ORIGIN",
        "image  craned                      coding ghcr",
        "  docker.io/gocrane/craned",
    ]
    assert on_terminal("list", "image", columns=40, env=environment).out.splitlines()[:4] == [
        "KIND  NAME  MIRRORS",
        "  ORIGIN",
        "image  craned  coding ghcr",
        "  docker.io/gocrane/craned",
    ]


@pytest.mark.parametrize(
    ("environment", "columns", "in_one_line"),
    [
        ({}, 0, True),  # a terminal that does not know its size: 80
        ({"COLUMNS": "40"}, 200, False),
        ({"COLUMNS": "200"}, 40, True),
        ({"COLUMNS": "0"}, 40, False),
        ({"COLUMNS": "-7"}, 40, False),
        ({"COLUMNS": "wide"}, 40, False),
        ({"COLUMNS": "٤٠"}, 200, False),  # Python reads any script's digits
        ({"COLUMNS": "9" * 4000}, 200, True),
    ],
)
def test_width_is_that_of_columns_or_of_the_terminal(
    on_terminal: Run, environment: dict[str, str], columns: int, in_one_line: bool
) -> None:
    """COLUMNS counts before the terminal's own size; nonsense there is as if it were not there."""
    ran = on_terminal("image", "craned:v1", "-p", "reference", columns=columns, env={**environment, "NO_COLOR": "1"})
    assert ran.code == 0
    assert (f"▸ coding     {IMAGE[0]}\n" in ran.out) is in_one_line


@pytest.mark.parametrize(
    ("environment", "colour"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0"}, False),
        ({"NO_COLOR": ""}, True),  # https://no-color.org: "when present and not an empty string"
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour(on_terminal: Run, environment: dict[str, str], colour: bool) -> None:
    """Colour is for terminals that can show it and people who want it."""
    assert ("\x1b" in on_terminal("image", "craned:v1", env=environment).out) is colour


@pytest.mark.parametrize("output", ["", "-o plain", "-o json", "-o yaml"])
def test_only_the_table_knows_colour(on_terminal: Run, run: Run, output: str) -> None:
    """Every other format is the same on a terminal as in a pipe, byte for byte."""
    command = f"git api --all {output or '-o plain'}".split()
    in_pipe = run("crane-mirrors", *command, env={"FORCE_COLOR": "1"})
    assert on_terminal(*command, env={"FORCE_COLOR": "1"}).out == in_pipe.out
    assert in_pipe.out.isascii()
    assert "\x1b" not in in_pipe.out


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "COLUMNS": "30"}])
def test_table_off_a_terminal_has_no_colour_and_no_lines(run: Run, environment: dict[str, str]) -> None:
    """A table that was asked for in a pipe is text and nothing else, in 80 columns."""
    assert run("crane-mirrors", "image", "craned:v1", "-o", "table", env=environment) == (
        0,
        "  MIRROR     COMMAND\n"
        f"▸ coding     docker pull {IMAGE[0]}\n"
        f"  ghcr       docker pull {IMAGE[1]}\n"
        f"  dockerhub  docker pull {IMAGE[2]}\n",
        "",
    )


def test_note_on_tokens_is_for_terminals(start: Start, on_terminal: Run, run: Run) -> None:
    """That Coding may ask for a token is said where a person reads stderr, and nowhere else."""
    note = "note: Coding may ask for a token before it serves raw files\n"
    command = ("raw", "crane", "main", "a")
    assert on_terminal(*command).out.startswith(note)
    assert note not in on_terminal(*command, "-m", "gitee").out
    assert run("crane-mirrors", *command).err == ""
    ours, its = os.openpty()
    process = start("crane-mirrors", *command, stderr=its)
    os.close(its)
    assert process.communicate(timeout=60)[0].startswith("https://finops.coding.net/")
    assert read_all(ours) == note


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "iso-8859-1:strict"},
    ],
    ids=lambda environment: " ".join(f"{name}={value}" for name, value in environment.items()),
)
def test_locale_without_unicode(run: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    """A character that the locale cannot write becomes another one, or its escape; an answer is the same everywhere."""
    own = "version: 1\ngit: {app: {origin: https://git.example/ü图?ü}}\n"
    tmp_path.joinpath("own.yaml").write_text(own, encoding="utf-8")
    for line, code in (
        ("image craned:v1 -p reference -o yaml", 0),
        ("raw crane main ü/图 --all", 0),
        ("image --help", 0),
        ("git app -c own.yaml", 0),
        ("git app -c own.yaml -o json", 0),
        ("git app -c own.yaml -o yaml", 0),
        ("image ü图", 2),
        ("git ü图 -o json", 3),
        ("git api -c ü图.yaml", 5),
    ):
        ran = run("crane-mirrors", *line.split(), env=environment)
        assert ran.code == code
        if "iso" not in str(environment):
            assert (ran.out + ran.err).isascii()
        if "-o" in line:
            assert ran.out.isascii()
        assert len(ran.err.splitlines()) == (1 if code else 0)
        if "craned:v1" in line:
            assert IMAGE[0] in ran.out
        if line.endswith("own.yaml"):
            assert ran.out.startswith("https://git.example/%C3%BC%E5%9B%BE?")
        if "--all" in line:
            assert ran.out.splitlines()[1] == "https://gitee.com/finops/crane/raw/main/%C3%BC/%E5%9B%BE"
    table = run("crane-mirrors", "image", "craned:v1", "-o", "table", env=environment)
    assert table.out.splitlines()[1] == f"* coding     docker pull {IMAGE[0]}"


#: A call for each way in which the program writes to stdout.
WRITERS = {
    "plain": "crane-mirrors list --all",
    "table": "crane-mirrors list -o table",
    "json": "crane-mirrors list -o json",
    "yaml": "crane-mirrors list -o yaml",
    "one line": "crane-mirrors git api",
    "help": "crane-mirrors --help",
    "help of a command": "crane-mirrors image --help",
    "version": "crane-mirrors --version",
    "completion": "_CRANE_MIRRORS_COMPLETE=zsh_source crane-mirrors",
    "error as json": "crane-mirrors git nope -o json",
}
writers = pytest.mark.parametrize("line", WRITERS.values(), ids=WRITERS)


@writers
def test_reader_that_has_enough_is_no_error(run: Run, line: str) -> None:
    """Where nobody reads any more, as with `| head -1`, the program ends quietly; a failure stays one."""
    reader, writer = os.pipe()
    os.close(reader)
    ran = run("sh", "-c", line, stdout=writer)
    os.close(writer)
    assert ran.code == (3 if "nope" in line else 0)
    assert len(ran.err.splitlines()) == (1 if "nope" in line else 0)


def test_head_gets_its_line(run: Run) -> None:
    """`| head -1` works in a script that stops at the first failure in a pipe."""
    script = "set -euo pipefail; crane-mirrors list --all | head -1; crane-mirrors list -o json | head -1"
    assert run("bash", "-c", script) == (
        0,
        "image\tcraned\tcoding\tfinops-docker.pkg.coding.net/gocrane/crane/craned:main\n{\n",
        "",
    )


@writers
def test_full_disk(run: Run, line: str) -> None:
    """Where the output cannot be written there is exit code 6 and a line that says so."""
    ran = run("sh", "-c", f"{line} >/dev/full")
    assert ran.code == 6
    assert ran.err.splitlines()[-1] == "crane-mirrors: cannot write the output: no space left on device"
    assert len(ran.err.splitlines()) == (2 if "nope" in line else 1)


def test_output_without_a_buffer(run: Run) -> None:
    """With PYTHONUNBUFFERED, which images of Python like to set, a write fails earlier, and the same happens."""
    environment = {"PYTHONUNBUFFERED": "1"}
    for line in ("list --all", "list -o json", "--help"):
        assert run("sh", "-c", f"crane-mirrors {line} >/dev/full", env=environment) == (
            6,
            "",
            "crane-mirrors: cannot write the output: no space left on device\n",
        )
        reader, writer = os.pipe()
        os.close(reader)
        assert run("crane-mirrors", *line.split(), env=environment, stdout=writer) == (0, "", "")
        os.close(writer)


def test_output_that_is_only_for_reading(run: Run) -> None:
    """A descriptor that cannot be written to is the same kind of failure."""
    ran = run("sh", "-c", "crane-mirrors git api 1</dev/null")
    assert ran == (6, "", "crane-mirrors: cannot write the output: bad file descriptor\n")


@pytest.mark.parametrize(
    ("streams", "code"),
    [(">&-", 6), ("2>&-", 0), ("<&-", 0), (">&- 2>&-", 6), ("<&- 2>&-", 0), ("<&- >&- 2>&-", 6)],
)
def test_closed_streams(run: Run, streams: str, code: int) -> None:
    """A closed stdout is a failure to write; a closed stderr or stdin is nothing to the answer."""
    for line in ("git api", "image craned -o json", "git nope -o json", "--help"):
        ran = run("sh", "-c", f"crane-mirrors {line} {streams}")
        assert ran.code == (code or (3 if "nope" in line else 0))
        if code:
            assert ran.err == ("" if "2>" in streams else "crane-mirrors: the standard output is closed\n")
        else:
            assert ran.out == run("crane-mirrors", *line.split()).out


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        ("image craned", 0, "docker pull finops-docker.pkg.coding.net/gocrane/crane/craned:main\n"),
        ("git nope", 3, ""),
        ("git", 2, ""),
        ("", 2, ""),
    ],
)
def test_messages_that_nobody_gets_change_nothing(run: Run, line: str, code: int, out: str) -> None:
    """Where stderr is full, closed or read by nobody any more, answer and exit code are what they are elsewhere."""
    reader, writer = os.pipe()
    os.close(reader)
    nobody = run("crane-mirrors", *line.split(), stderr=writer)
    os.close(writer)
    assert nobody == (code, out, "")
    assert run("sh", "-c", f"crane-mirrors {line} 2>&-") == (code, out, "")
    assert run("sh", "-c", f"crane-mirrors {line} 2>/dev/full") == (code, out, "")


INTERRUPTED_IN = """
import signal, sys

module = sys.argv.pop(1)

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            del sys.meta_path[0]
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from crane_mirrors.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("click", "git api"),
        ("crane_mirrors.cli._run", "git api"),
        ("crane_mirrors.cli.git", "git api"),
        ("crane_mirrors.catalogue", "git api"),
        ("yaml", "git api -c own.yaml"),
        ("crane_mirrors.catalogue.merge", "git api -c own.yaml"),
        ("tempfile", "git api -c own.yaml"),
        ("difflib", "git apy"),
        ("rich.console", "git api -o table"),
        ("crane_mirrors.render.json", "git api -o json"),
        ("crane_mirrors.render.json", "git apy -o json"),
        ("click._textwrap", "--help"),
        ("crane_mirrors.cli.list", "--help"),
    ],
)
def test_interrupt_anywhere(run: Run, tmp_path: Path, module: str, arguments: str) -> None:
    """Ctrl-C is exit code 130 and silence, wherever it strikes: here when a module is about to be loaded."""
    tmp_path.joinpath("own.yaml").write_text("version: 1\n")
    environment = {"PYTHONPATH": str(PROJECT / "src"), "XDG_CACHE_HOME": str(tmp_path)}
    ran = run(sys.executable, "-c", INTERRUPTED_IN, module, *arguments.split(), env=environment)
    assert ran == (130, "", "")


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(3000):
        if happened():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen in 30 s")


def test_interrupt_while_reading(start: Start, tmp_path: Path) -> None:
    """Ctrl-C ends the program while it waits for a catalogue that comes through a pipe."""
    pipe = tmp_path / "own.yaml"
    os.mkfifo(pipe)
    process = start("crane-mirrors", "git", "api", "-c", str(pipe))
    ends: list[int] = []

    def is_read() -> bool:
        try:
            ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # ENXIO: nobody has opened it for reading yet
            return False
        return True

    wait_for(is_read)
    os.write(ends[0], b"version: 1\n")
    time.sleep(1)  # until it waits for more: between two reads, Python looks at no signal
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130
    os.close(ends[0])


def test_interrupt_while_writing(start: Start, tmp_path: Path) -> None:
    """Ctrl-C ends the program while it waits for someone to read what it has written."""
    entries = "".join(f"  app{number}: {{origin: https://git.example/app{number}}}\n" for number in range(500))
    tmp_path.joinpath("own.yaml").write_text(f"version: 1\ngit:\n{entries}")
    process = start("crane-mirrors", "list", "-o", "json", "-c", "own.yaml")
    assert process.stdout is not None
    full = fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ)

    def is_full() -> bool:
        (waiting,) = struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)))  # type: ignore[arg-type]
        return bool(waiting == full)

    wait_for(is_full)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    out, err = process.communicate(timeout=60)
    assert (len(out), err) == (full, "")


def test_interrupt_between_answers(start: Start) -> None:
    """What was not written when Ctrl-C came is not written at the end either, where it could fail or block."""
    with (
        open("/dev/full", "wb") as full,
        start("crane-mirrors", "resolve", "-", stdin=subprocess.PIPE, stdout=full.fileno()) as process,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("craned:v1\nnope\n")
        process.stdin.flush()
        assert "line 2" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == ""


HOSTILE = [
    "https://git.example/a?x=1&y=2;z=3",
    "https://git.example/$(id)/$HOME/$IFS",
    "https://git.example/it's/''/'",
    "https://git.example/!!/!id/!$",
    "https://git.example/~root/[a-z]?x=??",
    "https://git.example/(a)&&(b)",
    "https://git.example/=ls/a=~/%20%25s",
    "https://git.example/-n",
]


@pytest.fixture
def programs_that_show_their_arguments(tmp_path: Path) -> str:
    """Give a PATH on which the clients of the commands print their own name and arguments, each followed by NUL."""
    folder = tmp_path / "clients"
    folder.mkdir()
    for name in ("docker", "podman", "git", "helm", "curl"):
        script = folder / name
        script.write_text('#!/bin/sh\nprintf \'%s\\0\' "${0##*/}" "$@"\n')
        script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def write_hostile_catalogue(folder: Path) -> list[list[str]]:
    """Write a catalogue whose addresses a shell would take for code, and give the commands that are meant."""
    lines = ["version: 1", "builtin: false", "helm:"]
    lines += [f'  app{number}: {{origin: "{url}"}}' for number, url in enumerate(HOSTILE)]
    lines += ["git:"]
    lines += [f'  app{number}: {{origin: "{url}"}}' for number, url in enumerate(HOSTILE)]
    folder.joinpath("own.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    adds = [["helm", "repo", "add", f"app{number}", url] for number, url in enumerate(HOSTILE)]
    return adds + [["git", "clone", url] for url in HOSTILE]


SHELLS = [["dash"], ["bash"], ["zsh", "-f"], ["bash", "--norc", "--noprofile", "-i"], ["zsh", "-f", "-i"]]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_printed_commands_paste_into_shells(
    run: Run, on_terminal: Run, tmp_path: Path, programs_that_show_their_arguments: str, shell: list[str]
) -> None:
    """Whatever stands in a catalogue or a path, a printed command is one command with the very arguments it shows."""
    meant = write_hostile_catalogue(tmp_path)
    listed = run("crane-mirrors", "list", "-p", "command", "-c", "own.yaml")
    assert (listed.code, listed.err) == (0, "")
    text = (
        listed.out + run("crane-mirrors", "raw", "api", "v1'$(id)", "a b'\"$(id)`id`;!!\\", "-p", "command", "-a").out
    )
    path = "v1%27%24%28id%29/a%20b%27%22%24%28id%29%60id%60%3B%21%21%5C"
    meant += [
        ["curl", "-fsSL", f"https://finops.coding.net/p/gocrane/d/api/git/raw/{path}?download=false"],
        ["curl", "-fsSL", f"https://raw.githubusercontent.com/gocrane/api/{path}"],
    ]
    # What a person copies out of a narrow terminal's table has blanks before it.
    table = on_terminal("image", "craned:v1", "--client", "podman", columns=40, env={"NO_COLOR": "1"}).out
    text += "".join(line for line in table.splitlines(keepends=True) if line.startswith("    podman"))
    meant += [["podman", "pull", reference] for reference in (*IMAGE[:2], f"docker.io/{IMAGE[2]}")]
    tmp_path.joinpath("pasted").write_text(text, encoding="utf-8")
    with tmp_path.joinpath("pasted").open("rb") as pasted:
        ran = run(
            need(shell[0]),
            *shell[1:],
            stdin=pasted.fileno(),
            env={"PATH": programs_that_show_their_arguments, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        )
    shown = re.sub(r"\x1b\[\?2004[hl]", "", ran.out)
    assert shown == "".join(f"{word}\0" for command in meant for word in command)
