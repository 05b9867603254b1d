"""`rewrite` on files and folders: what it prints, what it changes, and what it never leaves half done."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import CLI, absent, examples, need, unprivileged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_mirrors.cli._walk import text_files

if TYPE_CHECKING:
    from conftest import CLI

OLD = "image: docker.io/gocrane/craned:main\n"
NEW = "image: finops-docker.pkg.coding.net/gocrane/crane/craned:main\n"
PLAIN = "nothing of the catalogue\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a folder with two files to change and one to leave."""
    folder = tmp_path / "tree"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.yaml").write_text(OLD)
    (folder / "sub" / "b.yaml").write_text(PLAIN + OLD)
    (folder / "plain.txt").write_text(PLAIN)
    return folder


def test_files_are_printed_one_after_the_other(cli: CLI, tree: Path) -> None:
    """Without any option the new text goes to the standard output, and the files stay."""
    ran = cli("rewrite", str(tree / "a.yaml"), str(tree / "plain.txt"))
    assert ran == (0, NEW + PLAIN, "")
    assert (tree / "a.yaml").read_text() == OLD


def test_check_names_what_would_change_and_exits_with_1(cli: CLI, tree: Path) -> None:
    """Exit code 0 only where nothing would change."""
    ran = cli("rewrite", "--check", str(tree))
    assert (ran.code, ran.out) == (1, f"{tree}/a.yaml\n{tree}/sub/b.yaml\n")
    assert cli("rewrite", "--check", str(tree / "plain.txt")) == (0, "", "")


def test_in_place_changes_what_is_to_change_and_touches_nothing_else(cli: CLI, tree: Path) -> None:
    """A file without any change keeps its inode and times; a second run changes nothing."""
    before = (tree / "plain.txt").stat()
    assert cli("rewrite", "--in-place", str(tree)) == (0, "", "")
    assert (tree / "a.yaml").read_text() == NEW
    assert (tree / "sub" / "b.yaml").read_text() == PLAIN + NEW
    after = (tree / "plain.txt").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    done = (tree / "a.yaml").stat()
    assert cli("rewrite", "-i", str(tree)) == (0, "", "")
    assert (tree / "a.yaml").stat().st_ino == done.st_ino
    assert sorted(os.listdir(tree)) == ["a.yaml", "plain.txt", "sub"]


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o4755, 0o444])
def test_mode_and_owner_stay(cli: CLI, tree: Path, mode: int) -> None:
    """Also those that a change of owner takes away, and a file that only its folder's owner may replace."""
    path = tree / "a.yaml"
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    path.chmod(mode)
    before = path.stat()
    assert cli("rewrite", "-i", str(path)).code == 0
    after = path.stat()
    assert path.read_text() == NEW
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_the_set_user_id_bit_stays_for_anybody(tree: Path, path_with_program: str) -> None:
    """A write takes that bit away, unless it is root's: so all is written before it is set."""
    path = tree / "a.yaml"
    path.chmod(0o4755)
    program = [need("env"), f"PATH={path_with_program}", "crane-mirrors", "rewrite", "-i", str(path)]
    subprocess.run([*unprivileged(), *program], check=True)
    assert path.read_text() == NEW
    assert path.stat().st_mode & 0o7777 == 0o4755


def test_a_symbolic_link_is_followed_and_stays_one(cli: CLI, tree: Path) -> None:
    """The file that it names is replaced, wherever that is."""
    link = tree / "sub" / "link.yaml"
    link.symlink_to("../a.yaml")
    assert cli("rewrite", "-i", str(link)).code == 0
    assert link.is_symlink()
    assert (tree / "a.yaml").read_text() == NEW


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check", "--in-place", "x"], "give one of them"),
        (["--in-place"], "needs files"),
        (["--in-place", "-"], "needs files"),
        (["."], "is a folder"),
        (["--prefer", "raw"], "KIND=NAME"),
        (["--prefer", "rwa=gitee"], "did you mean 'raw'?"),
    ],
)
def test_options_that_make_no_sense_together(cli: CLI, arguments: list[str], message: str) -> None:
    """One line, exit code 2."""
    ran = cli("rewrite", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err


@pytest.mark.parametrize("arguments", [["-m", "codng"], ["--prefer", "raw=codng"]])
def test_an_unknown_mirror_is_refused_before_anything_is_read(cli: CLI, arguments: list[str]) -> None:
    """Otherwise nothing would be rewritten, and nobody would know why."""
    ran = cli("rewrite", *arguments, "missing.yaml")
    assert (ran.code, ran.out) == (3, "")
    assert "did you mean 'coding'?" in ran.err


def test_what_cannot_be_read_is_said_and_the_rest_is_done(cli: CLI, tree: Path) -> None:
    """A missing file, a broken link and a socket's folder do not stop the others; exit code 6."""
    (tree / "broken.yaml").symlink_to("nowhere")
    ran = cli("rewrite", "-i", str(tree / "missing"), str(tree / "broken.yaml"), str(tree / "a.yaml"))
    assert ran.code == 6
    assert ran.err.count("\n") == 2
    assert f"{tree}/missing: no such file or directory" in ran.err
    assert (tree / "a.yaml").read_text() == NEW


def test_a_folder_that_may_not_be_written_leaves_the_file_as_it_was(tree: Path, path_with_program: str) -> None:
    """Nothing is written, and nothing is left behind; without root's powers, which no mode stops."""
    tree.chmod(0o555)
    program = [need("env"), f"PATH={path_with_program}", "crane-mirrors", "rewrite", "-i", str(tree / "a.yaml")]
    ran = subprocess.run([*unprivileged(), *program], capture_output=True, text=True, check=False)
    tree.chmod(0o755)
    assert (ran.returncode, ran.stdout) == (6, "")
    assert ran.stderr == f"crane-mirrors: {tree}/a.yaml: permission denied; nothing was written\n"
    assert (tree / "a.yaml").read_text() == OLD
    assert sorted(os.listdir(tree)) == ["a.yaml", "plain.txt", "sub"]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, path_with_program: str) -> None:
    """The new file does not fit; the old one is whole, and no other file is there."""
    if os.geteuid() != 0:
        absent("root, to mount a small file system")
    need("unshare")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=256k tmpfs {disk} && for i in $(seq 4000); do echo 'docker.io/gocrane/craned'; done"
        f" > {disk}/f; cp {disk}/f {tmp_path}/before; crane-mirrors rewrite -i {disk}/f; echo $?;"
        f" cmp {disk}/f {tmp_path}/before && ls -A {disk}"
    )
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        env={**os.environ, "PATH": path_with_program},
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount:" in ran.stderr:
        pytest.skip("no file system may be mounted here")
    assert ran.stdout == "6\nf\n"
    assert "no space left on device; nothing was written" in ran.stderr


def test_whoever_is_killed_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Die at each call that `replace_file` makes of the operating system, one after the other."""
    path = tmp_path / "f"
    code = f"""
import os, sys, tempfile
from crane_mirrors.cli import _sources
at, count = int(sys.argv[1]), 0
def dying(function):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == at: os._exit(9)
        result = function(*args, **kwargs)
        count += 1
        if count == at: os._exit(9)
        return result
    return call
for name in ("fstat", "fchmod", "fchown", "fsync", "replace", "stat", "unlink"):
    setattr(os, name, dying(getattr(os, name)))
tempfile.mkstemp = dying(tempfile.mkstemp)
_sources.replace_file({str(path)!r}, lambda old, new: new.write(dying(old.read)().upper()))
"""
    seen = set()
    for at in range(1, 60):
        path.write_text("old\n")
        ran = subprocess.run([sys.executable, "-c", code, str(at)], check=False)
        seen.add(path.read_text())
        assert path.read_text() in ("old\n", "OLD\n")
        for left in tmp_path.glob(".f.*"):
            left.unlink()
        if ran.returncode == 0:
            break
    assert ran.returncode == 0
    assert seen == {"old\n", "OLD\n"}


def test_a_file_that_changes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Somebody's own work is worth more than ours."""
    from crane_mirrors.cli._sources import replace_file
    from crane_mirrors.errors import FileFailed

    path = tmp_path / "f"
    path.write_text("old")

    def write(_old: object, _new: object) -> None:
        path.write_text("somebody's own work")

    with pytest.raises(FileFailed, match="changed by someone else"):
        replace_file(str(path), write)
    assert path.read_text() == "somebody's own work"
    assert os.listdir(tmp_path) == ["f"]


def test_what_is_no_regular_file_is_never_replaced(cli: CLI, tmp_path: Path) -> None:
    """A FIFO can be read, but not changed."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = subprocess.Popen(["sh", "-c", 'printf "$1" >"$2"', "sh", OLD, fifo])
    ran = cli("rewrite", "-i", str(fifo))
    writer.wait(timeout=30)
    assert ran.code == 6
    assert "not a regular file" in ran.err
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_gitignore_is_respected(tmp_path: Path) -> None:
    """Files, folders, negation, anchors, rules of folders above up to the repository, and its own exclude file."""
    files = {
        ".git/config": "x", ".git/info/exclude": "excluded.txt\n", ".gitignore": "*.log\n!keep.log\n/top.txt\nout/\n",
        "a.txt": "x", "b.log": "x", "keep.log": "x", "top.txt": "x", "out/c.txt": "x", "excluded.txt": "x",
        "sub/.gitignore": "d.txt\n!e.log\n", "sub/d.txt": "x", "sub/e.log": "x", "sub/top.txt": "x", "sub/f.txt": "x",
        "binary": "a\0b", "sub/deep/d.txt": "x", "empty": "",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "loop").symlink_to(".")
    found = [os.path.relpath(path, tmp_path) for path in text_files(str(tmp_path))]
    assert found == [
        ".gitignore",
        "a.txt",
        "empty",
        "keep.log",
        "sub/.gitignore",
        "sub/e.log",
        "sub/f.txt",
        "sub/top.txt",
    ]
    assert [os.path.relpath(path, tmp_path) for path in text_files(str(tmp_path / "sub"))] == found[4:]


def test_git_agrees_on_what_is_ignored(tmp_path: Path) -> None:
    """The same files as `git ls-files`, on a tree of awkward rules."""
    git = need("git")
    rules = ["a*", "!ab", "/x", "d/", "**/e", "f/**/g", "[hi]", "\\#j", "k ", "l\\ ", "!a*/n"]
    (tmp_path / ".gitignore").write_text("\n".join(rules) + "\n")
    names = [
        "ab",
        "aa",
        "x",
        "d",
        "e",
        "g",
        "h",
        "i",
        "#j",
        "k",
        "l ",
        "n",
        "ax/n",
        "f/g",
        "f/q/g",
        "s/x",
        "s/e/z",
        "s/d/y",
    ]
    for name in [*names, *(f"t/{name}" for name in names)]:
        path = tmp_path / name
        if not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
    subprocess.run([git, "init", "-q", tmp_path], check=True)
    listed = subprocess.run(
        [git, "-C", tmp_path, "ls-files", "-z", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = {os.path.relpath(path, tmp_path) for path in text_files(str(tmp_path))}
    assert found == set(filter(None, listed.stdout.split("\0")))


def test_the_report_names_what_was_rewritten_and_what_is_left(cli: CLI, tmp_path: Path) -> None:
    """File and line, from and to; then what no mirror has. Nothing of it on the standard output."""
    text = (
        f"{OLD}\nsee https://github.com/gocrane/crane/issues/1 and https://api.github.com/x\n- image: nginx:1.25\n{OLD}"
    )
    (tmp_path / "f").write_text(text + "curl https://u:secret@github.com/gocrane/crane.git\nFROM base\n")
    ran = cli("rewrite", "--report", "f")
    assert ran.out.startswith(NEW)
    to = "finops-docker.pkg.coding.net/gocrane/crane/craned"
    assert ran.err.splitlines() == [
        f"f:1: docker.io/gocrane/craned -> {to}",
        "f:3: no mirror: https://github.com/gocrane/crane/issues/1 (github.com)",
        "f:3: no mirror: https://api.github.com/x (api.github.com)",
        "f:4: no mirror: nginx:1.25 (docker.io)",
        f"f:5: docker.io/gocrane/craned -> {to}",
        "f:6: no mirror: https://github.com/gocrane/crane.git (github.com)",
        "2 rewritten, 4 left without a mirror",
    ]
    assert "secret" not in ran.err


def test_the_report_as_json(cli: CLI, tmp_path: Path) -> None:
    """The envelope of all commands, on stderr, since the text has the standard output."""
    (tmp_path / "f").write_text(OLD + "ghcr.io/x/y:1\n")
    ran = cli("rewrite", "--report", "-o", "json", "--check", "f")
    assert (ran.code, ran.out) == (1, "f\n")
    envelope = json.loads(ran.err)
    assert (envelope["schema"], envelope["command"], envelope["errors"]) == (1, "rewrite", [])
    assert [(row["file"], row["line"], row["action"]) for row in envelope["rows"]] == [
        ("f", 1, "rewritten"),
        ("f", 2, "no mirror"),
    ]


@pytest.mark.parametrize("tool", [["patch", "-p1", "-s"], ["git", "apply"]])
@pytest.mark.parametrize("name", ["f", "a b", "a b/c"])
def test_the_file_of_a_diff_is_found(name: str, tool: list[str], cli: CLI, tmp_path: Path) -> None:
    """A name with spaces is the file's whole name."""
    need(tool[0])
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(OLD, encoding="utf-8")
    diff = cli("rewrite", "--diff", name).out
    subprocess.run(tool, input=diff, text=True, cwd=tmp_path, check=True, capture_output=True)
    assert path.read_text(encoding="utf-8") == NEW


@pytest.mark.parametrize("tool", [["patch", "-p1", "-s"], ["git", "apply"]])
@settings(examples(15), suppress_health_check=list(HealthCheck))
@given(
    lines=st.lists(st.sampled_from([OLD, PLAIN, "\n", "a\rb\r\n", "\t x \n", "é\n"]), max_size=40),
    end=st.sampled_from(["", "no newline", OLD[:-1]]),
)
def test_a_diff_makes_of_the_old_text_the_new_one(
    tool: list[str], lines: list[str], end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`patch` and `git apply` are who reads it."""
    need(tool[0])
    folder = tmp_path_factory.mktemp("diff")
    text = "".join(lines) + end
    (folder / "f").write_bytes(text.encode())
    from crane_mirrors import Choice, load
    from crane_mirrors.rewrite.changes import unified_diff
    from crane_mirrors.rewrite.rules import Rules

    kinds = ("image", "helm", "git", "raw")
    index = Rules(load(), {kind: Choice(("coding",)) for kind in kinds}).index()  # type: ignore[misc]
    with open(folder / "f", "rb") as file:
        diff = b"".join(unified_diff("f", file.read, index))
    assert bool(diff) == (OLD.strip() in text)
    if diff:
        subprocess.run(tool, input=diff, cwd=folder, check=True, capture_output=True)
    assert (folder / "f").read_bytes().decode() == text.replace(OLD.strip(), NEW.strip())


def _on_a_terminal(arguments: list[str], cwd: Path, path: str) -> tuple[int, str]:
    """Run the program with a terminal for all three streams; give its exit code and what was shown."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(cwd)
        os.environ.update(PATH=path, TERM="xterm-256color")
        os.execvp("crane-mirrors", ["crane-mirrors", *arguments])
    shown = b""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode()


def test_a_terminal_gets_colours_and_a_progress_bar(tree: Path, path_with_program: str) -> None:
    """A coloured diff, and progress over more than one file; both only there."""
    code, shown = _on_a_terminal(["rewrite", "--diff", "a.yaml"], tree, path_with_program)
    assert (code, "\x1b[32m+image" in shown, "\x1b[31m-image" in shown) == (0, True, True)
    code, shown = _on_a_terminal(["rewrite", "--check", "."], tree, path_with_program)
    assert (code, "100%" in shown) == (1, True)


def test_a_file_name_cannot_command_the_terminal(tmp_path: Path, path_with_program: str) -> None:
    """Control characters in a name are shown, not sent; in a pipe a name stays what it is."""
    name = "a\x1b[31mb\n"
    (tmp_path / name).write_text(OLD)
    code, shown = _on_a_terminal(["rewrite", "--check", "."], tmp_path, path_with_program)
    assert (code, "\x1b[31m" in shown, "a\\x1b[31mb\\n" in shown) == (1, False, True)
    piped = subprocess.run(
        ["crane-mirrors", "rewrite", "--check", "."],
        cwd=tmp_path,
        env={**os.environ, "PATH": path_with_program},
        capture_output=True,
        text=True,
        check=False,
    )
    assert piped.stdout == f"./{name}\n"


@pytest.mark.parametrize("data", [b"", b"\n", b"\0", b"\xff\xfe", b"docker.io/gocrane/craned"])
def test_standard_input_may_be_anything(data: bytes, path_with_program: str) -> None:
    """Bytes go in and come out; a pipe that closes early is no error."""
    ran = subprocess.run(
        ["crane-mirrors", "rewrite", "-m", "dockerhub"],
        input=data,
        env={**os.environ, "PATH": path_with_program},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, data, b"")
