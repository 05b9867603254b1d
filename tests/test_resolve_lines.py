"""`crane-mirrors resolve -`, and several strings at once: one answer for each, in order, whatever comes in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import CLI, PROJECT, Ran, need

from crane_mirrors import Catalogue
from crane_mirrors.model import Kind

Pipe = Callable[..., Ran]

IMAGE = "gocrane/craned:main"
CODING = "finops-docker.pkg.coding.net/gocrane/crane/craned:main"
PULL = f"docker pull {CODING}"
API = "https://e.coding.net/finops/gocrane/api.git"
UNKNOWN = "the catalogue has nothing called 'nope'"
FOUND = "\n".join(
    (
        "ghcr.io/gocrane/crane/craned:main",
        "https://gocrane.github.io/helm-charts/",
        "https://gocrane.github.io/helm-charts/craned-1.tgz",
        "git@github.com:gocrane/crane.git",
        "https://github.com/gocrane/crane/blob/main/README.md",
        "",
    )
)

# A process's peak begins with that of the one that started it, so the program is started by a Python that is small.
LAUNCHER = """
import os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=sys.stderr)
"""


@pytest.fixture
def pipe(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """Give a function that runs the command line in this process with the given bytes as standard input."""

    def pipe(text: bytes | str, *arguments: str) -> Ran:
        data = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data)))
        return cli("resolve", *(arguments or ("-",)))

    return pipe


def shell(command: str, path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("bash"), "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("", []),
        ("\n", [""]),
        (IMAGE, [PULL]),
        (f"{IMAGE}\n", [PULL]),
        (f"{IMAGE}\r\n\r\n{IMAGE}\r\n", [PULL, "", PULL]),
        (f"\n{IMAGE}\n\n\ngit@github.com:gocrane/api.git", ["", PULL, "", "", API]),
        (f"  {IMAGE}\t\n   \n", [PULL, ""]),
        (f"{IMAGE}\n" * 3, [PULL] * 3),
        (
            FOUND,
            [
                PULL,
                "https://finops-helm.pkg.coding.net/gocrane/gocrane",
                "https://finops-helm.pkg.coding.net/gocrane/gocrane/craned-1.tgz",
                "https://e.coding.net/finops/gocrane/crane.git",
                "https://finops.coding.net/p/gocrane/d/crane/git/raw/main/README.md?download=false",
            ],
        ),
    ],
)
def test_one_line_in_one_line_out(pipe: Pipe, text: str, out: list[str]) -> None:
    """Each line is answered in its place, blank ones with a blank one; how lines end, and blanks, do not matter."""
    assert pipe(text) == (0, "".join(f"{line}\n" for line in out), "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nope", UNKNOWN),
        (b"gocrane/stress-ng:1", "no image 'docker.io/gocrane/stress-ng' in the catalogue: there are: craned, "),
        (b"gocrane/craned:.x", "invalid tag '.x'"),
        (b"https://github.com/gocrane/crane/issues/1", "that is no repository, file or chart"),
        (b"gocrane/cra\x00ned", "'gocrane/cra\\x00ned'"),
        (b"gocrane/cra\x1b[31mned", "'gocrane/cra\\x1b[31mned'"),
        (b"\xff\xfe", "\\udcff\\udcfe"),
        (b"https://github.com/gocrane/\xff", "\\udcff"),
        (b"https://github.com/gocrane/crane%zz", "broken percent-encoding"),
        (b"https://user:hunter2@github.com/nope", "'https://\u2026@github.com/nope'"),
        (b"-", "invalid"),
        (b"--help", "invalid"),
        (b"x" * 2000, "xxx"),
        (b"x" * (2**20 + 1), "longer than 1 MiB"),
        (b"/" * (5 * 2**20), "longer than 1 MiB"),
        (b"https://github.com/" + b"a" * 2**19, "more than 8192 characters"),
        (b"a/" * 2**18, "invalid"),
        (b"[" * 2**19, "invalid"),
        (b"a:" * 2**18, "invalid"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_has_no_answer_is_an_empty_line(pipe: Pipe, line: bytes, message: str) -> None:
    """Its error stands on stderr with its line's number, the lines around it are answered, and the exit code is 3."""
    ran = pipe(b"\n".join([IMAGE.encode(), line, b"", line, IMAGE.encode()]))
    assert (ran.code, ran.out) == (3, f"{PULL}\n\n\n\n{PULL}\n")
    second, fourth = ran.err.splitlines()
    assert second.startswith("crane-mirrors: line 2: ")
    assert message in second
    assert fourth == second.replace("line 2:", "line 4:")
    assert second.isprintable()
    assert len(second) < 500
    assert "hunter2" not in second


def test_suggestions_end_when_errors_do_not(pipe: Pipe) -> None:
    """The first errors say what there is instead; later ones do not, since that takes longer than all else."""
    lines = pipe("gocrane/crnaed:1\n" * 30).err.splitlines()
    message = "crane-mirrors: line {}: no image 'docker.io/gocrane/crnaed' in the catalogue"
    assert lines[:10] == [message.format(number) + ": did you mean 'craned'?" for number in range(1, 11)]
    assert lines[10:] == [message.format(number) for number in range(11, 31)]


@pytest.mark.parametrize(
    ("arguments", "out", "errors"),
    [
        ("craned:main api", [PULL, API], []),
        ("craned:main - api", [PULL, PULL, "", API], []),
        ("- craned:main", [PULL, "", PULL], []),
        ("- -", [PULL, ""], []),
        ("nope - nope", ["", PULL, "", ""], [1, 4]),
    ],
)
def test_strings_and_lines_are_numbered_as_they_come(
    pipe: Pipe, arguments: str, out: list[str], errors: list[int]
) -> None:
    """Among several strings '-' stands for the lines of the standard input; a number is that of the line printed."""
    ran = pipe(f"{IMAGE}\n\n", *arguments.split())
    assert ran.out.splitlines() == out
    assert [line[:24].split(":")[1] for line in ran.err.splitlines()] == [f" line {number}" for number in errors]
    assert ran.code == (3 if errors else 0)


@pytest.mark.parametrize(
    ("options", "out"),
    [
        ("-p reference", [CODING, "{helm}", "{helm}/craned-1.tgz", "{git}", "{raw}"]),
        ("-p url", [CODING, "{helm}", "{helm}/craned-1.tgz", "{git}", "{raw}"]),
        (
            "-p command",
            [
                PULL,
                "helm repo add gocrane {helm}",
                "helm pull {helm}/craned-1.tgz",
                "git clone {git}",
                "curl -fsSL '{raw}'",
            ],
        ),
        (
            "-p page",
            [
                "https://finops.coding.net/public-artifacts/gocrane/crane/packages",
                "https://finops.coding.net/public-artifacts/gocrane/gocrane/packages",
                "https://finops.coding.net/public-artifacts/gocrane/gocrane/packages",
                "https://finops.coding.net/public/gocrane/crane/git/files",
                "https://finops.coding.net/public/gocrane/crane/git/files/main/README.md",
            ],
        ),
        (
            "-m origin -p url",
            [
                "docker.io/gocrane/craned:main",
                "https://gocrane.github.io/helm-charts",
                "https://gocrane.github.io/helm-charts/craned-1.tgz",
                "https://github.com/gocrane/crane.git",
                "https://raw.githubusercontent.com/gocrane/crane/main/README.md",
            ],
        ),
    ],
)
def test_fields_of_mixed_kinds(pipe: Pipe, options: str, out: list[str]) -> None:
    """`reference` and `url` both are the address, since lines of all kinds may come; the others are each kind's own."""
    answers = {
        "helm": "https://finops-helm.pkg.coding.net/gocrane/gocrane",
        "git": "https://e.coding.net/finops/gocrane/crane.git",
        "raw": "https://finops.coding.net/p/gocrane/d/crane/git/raw/main/README.md?download=false",
    }
    ran = pipe(FOUND, "-", *options.split())
    assert ran == (0, "".join(f"{line.format(**answers)}\n" for line in out), "")


def test_mirror_that_one_line_lacks(pipe: Pipe) -> None:
    """A preference that one line's entry cannot keep is that line's error; one that nothing keeps is everybody's."""
    ran = pipe(f"{IMAGE}\ngit@github.com:gocrane/crane.git\n", "-", "-m", "gitee")
    assert (ran.code, ran.out) == (3, "\nhttps://gitee.com/finops/crane\n")
    assert ran.err.startswith("crane-mirrors: line 1: image 'craned' is not on gitee: ")
    ran = pipe(f"{IMAGE}\n{IMAGE}\n", "-", "-m", "nope")
    assert (ran.code, ran.out, ran.err.count("no mirror 'nope'")) == (3, "\n\n", 2)


def test_all_routes_of_each_line(pipe: Pipe) -> None:
    """With `--all` each line has as many answers as there are routes, best first."""
    ran = pipe(f"{IMAGE}\napi\n", "-", "--all", "-p", "reference")
    assert ran.out.splitlines() == [
        CODING,
        "ghcr.io/gocrane/crane/craned:main",
        "docker.io/gocrane/craned:main",
        API,
        "https://github.com/gocrane/api.git",
    ]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_envelope_has_lines(pipe: Pipe, form: str, read: Callable[[str], Any]) -> None:
    """In JSON and YAML one envelope holds all: rows and errors say which line they belong to; stderr has errors too."""
    ran = pipe("craned\nnope\n\napi\n", "-", "-o", form)
    envelope = read(ran.out)
    assert (ran.code, envelope["schema"], envelope["command"]) == (3, 1, "resolve")
    assert [(row["line"], row["kind"], row["mirror"]) for row in envelope["rows"]] == [
        (1, "image", "coding"),
        (1, "image", "ghcr"),
        (1, "image", "dockerhub"),
        (4, "git", "coding"),
        (4, "git", "github"),
    ]
    assert envelope["rows"][0]["notes"] == ["no tag given: using main, the catalogue's default"]
    (error,) = envelope["errors"]
    assert (error["line"], error["exit_code"]) == (2, 3)
    assert ran.err == f"crane-mirrors: line 2: {error['message']}\n"


def test_table_of_each_line(pipe: Pipe) -> None:
    """A table for each string, if tables are asked for."""
    out = pipe("craned:main\napi\n", "-", "-o", "table").out
    assert [line.split()[0] for line in out.splitlines()].count("MIRROR") == 2
    assert PULL in out
    assert API in out


def test_project_has_a_part(pipe: Pipe, tmp_path: Path) -> None:
    """A project's own catalogue is used, and said to be; `--no-project` leaves it out."""
    own = "version: 1\ngit: {api: {mirrors: {coding: https://own.example/api}}}\n"
    tmp_path.joinpath(".crane-mirrors.yaml").write_text(own, encoding="utf-8")
    ran = pipe("api\n")
    assert (ran.code, ran.out) == (0, "https://own.example/api\n")
    assert ran.err.startswith("note: .crane-mirrors.yaml has a part in ")
    assert pipe("api\n", "-", "--no-project") == (0, f"{API}\n", "")


def test_input_that_breaks(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that cannot be read is an error of its own, after the answers to what could be."""

    class Broken(BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            if not line:
                raise OSError(5, "Input/output error")
            return line

    monkeypatch.setattr(sys, "stdin", TextIOWrapper(Broken(b"api\n")))
    assert cli("resolve", "-") == (6, f"{API}\n", "crane-mirrors: -: input/output error\n")


def test_last_line_that_is_exactly_as_long_as_allowed(pipe: Pipe) -> None:
    """The limit is on the line with its end."""
    ran = pipe(b"x" * (2**20 - 1) + b"\n" + b" " * (2**20 - len(IMAGE)) + IMAGE.encode() + b"\n" + IMAGE.encode())
    assert ran.out == f"\n\n{PULL}\n"
    assert [line.partition(": ")[2][:12] for line in ran.err.splitlines()] == ["line 1: inva", "line 2: long"]


@pytest.mark.parametrize(
    ("command", "code", "out"),
    [
        (f"yes {IMAGE} | crane-mirrors resolve - | head -1; echo ${{PIPESTATUS[1]}}", 0, f"{PULL}\n0\n"),
        ("crane-mirrors resolve - <&-", 0, ""),
        ("crane-mirrors resolve - </dev/null", 0, ""),
        (f"echo {IMAGE} | crane-mirrors resolve - >&-", 6, ""),
        (f"echo {IMAGE} | crane-mirrors resolve - >/dev/full", 6, ""),
        (f"echo nope {IMAGE} | tr ' ' '\\n' | crane-mirrors resolve - 2>&-", 3, f"\n{PULL}\n"),
        (f"echo {IMAGE} | PYTHONIOENCODING=ascii LC_ALL=C crane-mirrors resolve -", 0, f"{PULL}\n"),
    ],
)
def test_pipes(path_with_program: str, tmp_path: Path, command: str, code: int, out: str) -> None:
    """A reader that has enough is no error; closed and full outputs are; a closed input is an empty one."""
    done = shell(command, path_with_program, tmp_path)
    assert (done.returncode, done.stdout) == (code, out)
    assert "Traceback" not in done.stderr


def measured(text: bytes, folder: Path) -> tuple[int, bytes, int]:
    """Run the program on a file; give its exit code, its output and its peak memory in MiB."""
    folder.joinpath("in").write_bytes(text)
    command = [sys.executable, "-P", "-m", "crane_mirrors", "resolve", "-"]
    with folder.joinpath("in").open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "src"), "HOME": str(folder)},
            stdin=stdin,
            capture_output=True,
            timeout=300,
            check=False,
        )
    *_, last = done.stderr.splitlines()
    code, peak = map(int, last.split())
    return code, done.stdout, peak // (2**20 if sys.platform == "darwin" else 2**10)


def test_100_000_lines_in_one_process(tmp_path: Path) -> None:
    """Lines of all kinds, answered in order, in memory that does not grow with their number."""
    few, many = (
        b"".join(
            b"gocrane/craned:v%d\nhttps://github.com/gocrane/crane/blob/v%d/a\nhttps://gocrane.github.io/helm-charts/a-%d.tgz\n"
            b"gocrane/stress-ng:%d\n" % (number, number, number, number)
            for number in range(count)
        )
        for count in (250, 25_000)
    )
    (_, _, at_first), (code, out, peak) = measured(few, tmp_path), measured(many, tmp_path)
    assert code == 3
    lines = out.split(b"\n")
    assert len(lines) == 100_001
    for number in (0, 1, 12_345, 24_999):
        assert lines[4 * number : 4 * number + 4] == [
            b"docker pull finops-docker.pkg.coding.net/gocrane/crane/craned:v%d" % number,
            b"https://finops.coding.net/p/gocrane/d/crane/git/raw/v%d/a?download=false" % number,
            b"https://finops-helm.pkg.coding.net/gocrane/gocrane/a-%d.tgz" % number,
            b"",
        ]
    assert peak - at_first < 10


def test_line_without_end_needs_no_memory(tmp_path: Path) -> None:
    """A line of 100 MB, the only one, is passed over without being kept."""
    _, _, nothing = measured(b"", tmp_path)
    code, out, peak = measured(b"x" * 100_000_000, tmp_path)
    assert (code, out) == (3, b"\n")
    assert peak - nothing < 20


@pytest.mark.parametrize("strings", ["found", "unknown"])
def test_number_of_entries_does_not_count(
    strings: str, monkeypatch: pytest.MonkeyPatch, pipe: Pipe, tmp_path: Path
) -> None:
    """However many entries there are, no line but those with suggestions looks at all of them."""
    images = "".join(f"  image-{number}: {{origin: docker.io/project/image-{number}}}\n" for number in range(2000))
    tmp_path.joinpath("many.yaml").write_text(f"version: 1\nimages:\n{images}", encoding="utf-8")
    looked = []
    names = Catalogue.names

    def watched(catalogue: Catalogue, kind: Kind) -> list[str]:
        looked.append(kind)
        return names(catalogue, kind)

    monkeypatch.setattr(Catalogue, "names", watched)
    line = "project/image-{}:x\n" if strings == "found" else "project/none-{}:x\n"
    pipe("".join(map(line.format, range(500))), "-", "-c", "many.yaml")
    assert len(looked) == (0 if strings == "found" else 10)
