"""Shell completion, in the shells themselves: their own completion functions are loaded and asked for candidates."""

from __future__ import annotations

import os
import re
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import need

import crane_mirrors.cli
from crane_mirrors.model import KINDS

CATALOGUE = """\
version: 1
regions: {moon: [origin]}
images: {crater: {origin: registry.example/crater, mirrors: {dark-side: dark.example/crater}}}
git: {lander: {origin: https://git.example/lander}}
"""

COMMANDS = {path.stem for path in Path(crane_mirrors.cli.__file__).parent.glob("[!_]*.py")}

#: What stands on the line when the tabulator key is pressed, and what is then offered.
CASES: list[tuple[str, set[str]]] = [
    ("crane-mirrors ", COMMANDS),
    ("crane-mirrors im", {"image"}),
    ("crane-mirrors image ", {"craned", "crane-agent", "metric-adapter", "dashboard", "fadvisor", "crane-scheduler",
                              "crane-scheduler-controller"}),
    ("crane-mirrors image crane-s", {"crane-scheduler", "crane-scheduler-controller"}),
    ("crane-mirrors image nope", set()),
    ("crane-mirrors helm ", {"gocrane", "crane", "prometheus-community", "grafana"}),
    ("crane-mirrors git ", {"crane", "helm-charts", "api", "crane-scheduler", "fadvisor"}),
    ("crane-mirrors raw he", {"helm-charts"}),
    ("crane-mirrors git api --mirror ", {"coding", "dockerhub", "ghcr", "gitee", "github", "origin"}),
    ("crane-mirrors git -m coding -m gi", {"gitee", "github"}),
    ("crane-mirrors git --region ", {"cn", "global"}),
    ("crane-mirrors git api --print ", {"command", "reference", "url", "page"}),
    ("crane-mirrors git api -o j", {"json"}),
    ("crane-mirrors image craned --client p", {"podman"}),
    ("crane-mirrors list ", set(KINDS)),
    ("crane-mirrors git --cat", {"--catalogue"}),
    ("crane-mirrors image -c own.yaml cra", {"craned", "crane-agent", "crane-scheduler", "crane-scheduler-controller",
                                             "crater"}),
    ("crane-mirrors git --catalogue own.yaml l", {"lander"}),
    ("crane-mirrors git l", set()),
    ("crane-mirrors image -c own.yaml crater -m d", {"dark-side", "dockerhub"}),
    ("crane-mirrors git -c own.yaml --region m", {"moon"}),
    ("crane-mirrors git -c missing.yaml ", set()),
    ("crane-mirrors git -c broken.yaml ", set()),
    ("crane-mirrors git api --region 'c", {"cn"}),
]  # fmt: skip

Shell = Callable[..., str]


@pytest.fixture
def shell(tmp_path: Path, path_with_program: str) -> Shell:
    """Give a function that runs a script in a shell, in a folder with a catalogue, and returns what it prints."""
    tmp_path.joinpath("own.yaml").write_text(CATALOGUE, encoding="utf-8")
    tmp_path.joinpath("broken.yaml").write_text("version: [", encoding="utf-8")

    def shell(*command: str, script: str) -> str:
        process = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path_with_program, "HOME": str(tmp_path)},
            input=script,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (process.returncode, process.stderr) == (0, "")
        return process.stdout

    return shell


#: Candidates come from the same program, whatever the shell, so one shell gets all cases and the others get some.
SOME_CASES = CASES[::3]


def assert_offered(cases: list[tuple[str, set[str]]], printed: str) -> None:
    """Compare cases with what a script printed: candidates one a line, and a line `==` after those of each case."""
    found = [set(block.split("\n")) - {""} for block in printed.split("==\n")[:-1]]
    assert dict(zip([line for line, _ in cases], found, strict=True)) == dict(cases)


def test_bash(shell: Shell) -> None:
    """Bash's programmable completion calls the function that the program gave it, with the words of the line."""
    script = ['eval "$(_CRANE_MIRRORS_COMPLETE=bash_source crane-mirrors)"']
    for line, _ in CASES:
        words = line.split(" ")
        quoted = " ".join(map(shlex.quote, words))
        script.append(
            f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMPREPLY=(); _crane_mirrors_completion crane-mirrors"
        )
        script.append("printf '%s\\n' \"${COMPREPLY[@]}\" ==")
    assert_offered(CASES, shell(need("bash"), "--norc", "--noprofile", script="\n".join(script)))


def test_bash_completes_the_command_by_name(shell: Shell) -> None:
    """The function is registered for the command, in the order of the program's own answer."""
    script = 'eval "$(_CRANE_MIRRORS_COMPLETE=bash_source crane-mirrors)"; complete -p crane-mirrors'
    assert shell(need("bash"), script=script) == "complete -o nosort -F _crane_mirrors_completion crane-mirrors\n"


def test_fish(shell: Shell) -> None:
    """Fish tells what it would offer for a line."""
    script = ["_CRANE_MIRRORS_COMPLETE=fish_source crane-mirrors | source"]
    for line, _ in SOME_CASES:
        escaped = line.replace("\\", "\\\\").replace("'", "\\'")
        script.append(f"complete --do-complete '{escaped}' | string replace --regex '\\t.*' ''; echo ==")
    assert_offered(SOME_CASES, shell(need("fish"), "--no-config", script="\n".join(script)))


def test_zsh(shell: Shell) -> None:
    """Zsh's completion function hands its candidates to `_describe` and `compadd`; here these print them."""
    script = [
        "compdef() { registered=$* }",
        'eval "$(_CRANE_MIRRORS_COMPLETE=zsh_source crane-mirrors)"',
        '[[ $registered == "_crane_mirrors_completion crane-mirrors" ]] || exit 9',
        "_describe() { print -rl -- ${${(P)3}%%:*} }",
        "compadd() { print -rl -- ${(P)argv[-1]} }",
    ]
    for line, _ in SOME_CASES:
        words = " ".join(map(shlex.quote, line.split(" ")))
        script.append(f"words=({words}); CURRENT=$#words; _crane_mirrors_completion; print -r '=='")
    assert_offered(SOME_CASES, shell(need("zsh"), "-f", script="\n".join(script)))


START = {
    "bash": (
        ["--norc", "--noprofile", "-i"],
        'PS1="$(echo ready)> "; bind "set enable-bracketed-paste off"; '
        'eval "$(_CRANE_MIRRORS_COMPLETE=bash_source crane-mirrors)"',
    ),
    "zsh": (
        ["-f", "-i"],
        'PS1="$(echo ready)> "; autoload -Uz compinit; compinit -D; '
        'eval "$(_CRANE_MIRRORS_COMPLETE=zsh_source crane-mirrors)"',
    ),
    "fish": (
        ["--no-config", "-i"],
        "function fish_prompt; echo (echo ready)'> '; end; _CRANE_MIRRORS_COMPLETE=fish_source crane-mirrors | source",
    ),
}


class Typist:
    """Somebody who types into a shell, and looks at what it shows."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self.terminal, self.shown = process, terminal, ""

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def wait_for(self, pattern: str) -> None:
        """Read on until a pattern has been shown since the last time."""
        end = time.monotonic() + 30
        while not (match := re.search(pattern, self.shown)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{pattern!r} is not in {self.shown!r}"
            self.shown += os.read(self.terminal, 65536).decode(errors="replace")
        self.shown = self.shown[match.end() :]


@pytest.fixture
def typist(request: pytest.FixtureRequest, tmp_path: Path, path_with_program: str) -> Iterator[Typist]:
    """Give somebody in front of an interactive shell that has loaded the program's completion."""
    arguments, setup = START[request.param]
    tmp_path.joinpath("own.yaml").write_text(CATALOGUE, encoding="utf-8")
    ours, its = os.openpty()
    environment = {**os.environ, "PATH": path_with_program, "HOME": str(tmp_path), "TERM": "dumb", "COLUMNS": "200"}
    process = subprocess.Popen(
        [need(request.param), *arguments],
        cwd=tmp_path,
        env=environment,
        preexec_fn=lambda: os.login_tty(its),
    )
    os.close(its)
    typist = Typist(process, ours)
    try:
        typist.type(f"{setup}\n")
        typist.wait_for("ready> ")
        yield typist
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("typist", START, indirect=True)
def test_tabulator_key(typist: Typist) -> None:
    """In a shell on a terminal the key completes what has one candidate, out of the catalogue that the line names."""
    typist.type("crane-mirrors git --cat\town.yaml lan\t-p com\t\n")
    typist.wait_for("git clone https://git.example/lander\\s")
    typist.wait_for("ready> ")
    typist.type("crane-mirrors hel\tgraf\t--mir\tgith\t -o plain\n")
    typist.wait_for("https://grafana.github.io/helm-charts\\s")
    typist.wait_for("ready> ")
    # A colon parts words for bash, and the catalogue knows no tags: what was typed stays as it is.
    typist.type("crane-mirrors image fadvisor:v1\t -o plain\n")
    typist.wait_for("docker pull finops-docker.pkg.coding.net/gocrane/crane/fadvisor:v1\\s")
