"""The files of `config`: what it writes, renews, removes and leaves alone, and what a kill or a fault leaves."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import PROJECT, absent, examples, need, unprivileged
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.cli._diff import unified_diff
from crane_mirrors.cli._owned import Change, Owned
from crane_mirrors.cli._stamp import Stamp, proof, read_proof, read_stamp, stamped

if TYPE_CHECKING:
    from conftest import CLI, Ran

NAME = "50-crane-mirrors.conf"


def tree(folder: Path) -> dict[str, str]:
    """Give every file below a folder with its text, and every folder with nothing."""
    return {
        str(path.relative_to(folder)): "" if path.is_dir() or path.is_symlink() else path.read_text()
        for path in sorted(folder.rglob("*"))
    }


def registries_conf(cli: CLI, *arguments: str) -> Ran:
    return cli("config", "registries.conf", "--output-dir", "out", *arguments)


def test_file_and_folders_come_and_go(cli: CLI, tmp_path: Path) -> None:
    """What --output-dir makes, folders included, --remove takes away; the second time there is nothing to do."""
    before = tree(tmp_path)
    arguments = ("config", "containerd", "--partial", "--output-dir", "new/certs.d")
    assert cli(*arguments).out == "written new/certs.d/ghcr.io/hosts.toml\n"
    assert cli(*arguments).out == "unchanged new/certs.d/ghcr.io/hosts.toml\n"
    removed = cli("config", "containerd", "--output-dir", "new/certs.d", "--remove")
    assert (removed.code, removed.out) == (0, "removed new/certs.d/ghcr.io/hosts.toml\n")
    assert tree(tmp_path) == before
    again = cli("config", "containerd", "--output-dir", "new/certs.d", "--remove")
    assert (again.code, again.out) == (0, "")
    assert again.err == "note: new/certs.d: nothing there that 'config containerd' wrote\n"


def test_folders_that_were_there_stay(cli: CLI, tmp_path: Path) -> None:
    """Only folders that came with the files go with them, also when a later run wrote more."""
    (tmp_path / "out" / "ghcr.io").mkdir(parents=True)
    assert cli("config", "containerd", "--partial", "--output-dir", "out").code == 0
    assert cli("config", "containerd", "--partial", "--output-dir", "out", "-m", "coding").code == 0
    assert cli("config", "containerd", "--output-dir", "out", "--remove").code == 0
    assert tree(tmp_path) == {"out": "", "out/ghcr.io": ""}


def test_folder_that_another_file_needs_stays(cli: CLI, tmp_path: Path) -> None:
    """A person's file in a folder that this program made keeps the folder."""
    assert registries_conf(cli).code == 0
    (tmp_path / "out" / "mine.conf").write_text("mine\n")
    assert registries_conf(cli, "--remove").code == 0
    assert tree(tmp_path) == {"out": "", "out/mine.conf": "mine\n"}


def test_folders_of_a_path_that_goes_back_come_and_go(cli: CLI, tmp_path: Path) -> None:
    """Behind a link it goes back to where the system says; what it only passes through is not made."""
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/inner")
    (tmp_path / "there").mkdir()
    for folder, place in (("no/../out", "out"), ("link/../there", "far/there"), ("link/../in", "far/in")):
        before = sorted(tmp_path.rglob("*"))
        cli("config", "git", "--output-dir", str(tmp_path / folder))
        assert (tmp_path / place / "crane-mirrors.gitconfig").is_file()
        assert not (tmp_path / "no").exists()
        cli("config", "git", "--output-dir", str(tmp_path / folder), "--remove")
        assert sorted(tmp_path.rglob("*")) == before


def test_unchanged_file_is_left_alone(cli: CLI, tmp_path: Path) -> None:
    """The same configuration again keeps inode and times."""
    assert registries_conf(cli).out == f"written out/{NAME}\n"
    before = (tmp_path / "out" / NAME).stat()
    assert registries_conf(cli).out == f"unchanged out/{NAME}\n"
    after = (tmp_path / "out" / NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_new_file_keeps_the_mode_and_owner_of_the_old(cli: CLI, tmp_path: Path) -> None:
    """What a person gave to the file beside its contents stays."""
    path = tmp_path / "out" / NAME
    assert registries_conf(cli).code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    before = path.stat()
    assert registries_conf(cli, "-m", "ghcr").out == f"written out/{NAME}\n"
    after = path.stat()
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)
    assert before.st_ino != after.st_ino


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_fewer_files_take_the_others_away(cli: CLI, tmp_path: Path) -> None:
    """A registry that has no mirror any more loses its file, and nobody else's file goes with it."""
    more = tmp_path / "more.yaml"
    more.write_text("version: 1\nimages:\n  x: {origin: quay.io/a/b, mirrors: {coding: m.example/q/a/b}}\n")
    arguments = ("config", "containerd", "--partial", "--output-dir", "out")
    assert cli(*arguments, "-c", str(more)).code == 0
    (tmp_path / "out" / "mine").mkdir()
    (tmp_path / "out" / "mine" / "hosts.toml").write_text("mine\n")
    assert set(tree(tmp_path / "out")) == {
        "ghcr.io", "ghcr.io/hosts.toml", "mine", "mine/hosts.toml", "quay.io", "quay.io/hosts.toml",
    }  # fmt: skip
    ran = cli(*arguments)
    assert ran.out == "written out/ghcr.io/hosts.toml\nremoved out/quay.io/hosts.toml\n"
    assert set(tree(tmp_path / "out")) == {"ghcr.io", "ghcr.io/hosts.toml", "mine", "mine/hosts.toml"}


@pytest.mark.parametrize("folder", ["new\nline", "b\udcff'd\\", "\x1b[31m", "-dash", "a b"])
def test_header_of_an_odd_folder_can_be_pasted(cli: CLI, tmp_path: Path, folder: str) -> None:
    """A shell makes of the command on the header's line the very folder, be its name printable or not."""
    assert cli("config", "registries.conf", "--output-dir", folder).code == 0
    text = (tmp_path / folder / NAME).read_text()
    assert text.splitlines()[2].isprintable()
    for line in text.splitlines()[2:4]:
        script = f"crane-mirrors() {{ printf '%s' \"$4\"; }}; {line.partition(': ')[2]}"
        ran = subprocess.run([need("bash"), "-c", script], capture_output=True, check=True)
        assert os.fsdecode(ran.stdout) == folder


FOREIGN = ["", "mine\n", "# Written by crane-mirrors for registries.conf; a file that was changed is left alone.\n"]


@pytest.mark.parametrize("text", FOREIGN)
def test_foreign_file_is_not_touched(cli: CLI, tmp_path: Path, text: str) -> None:
    """A file without this program's whole header stays, with one line that names it, and so does an edited one."""
    path = tmp_path / "out" / NAME
    path.parent.mkdir()
    path.write_text(text)
    before = path.stat()
    ran = registries_conf(cli)
    assert (ran.code, ran.out) == (6, "")
    assert ran.err.startswith(f"crane-mirrors: out/{NAME}: ")
    assert ran.err.count("\n") == 1
    assert (path.read_text(), path.stat().st_mtime_ns) == (text, before.st_mtime_ns)
    assert os.listdir(path.parent) == [NAME]


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "[[registry]]\n",
        lambda text: text.replace("craned", "crane"),
        lambda text: text.replace("# made by", "# made  by", 1),
        lambda text: text.replace("sha256", "sha255", 1),
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_edited_file_is_a_persons_own(cli: CLI, tmp_path: Path, edit: object) -> None:
    """Neither a renewal nor --remove touches a file that was changed, wherever, and both say so with exit code 6."""
    assert registries_conf(cli).code == 0
    path = tmp_path / "out" / NAME
    assert callable(edit)
    text = edit(path.read_text())
    path.write_bytes(text.encode())
    for more in ((), ("-m", "ghcr"), ("--dry-run",), ("--remove",)):
        ran = registries_conf(cli, *more)
        # Without its first line nobody knows that the file was ours once.
        if more == ("--remove",) and "\r\n" in text:
            assert (ran.code, path.read_bytes()) == (0, text.encode())
            continue
        assert (ran.code, path.read_bytes()) == (6, text.encode())
        assert ran.err.startswith(f"crane-mirrors: out/{NAME}: ")
        assert ran.err.count("\n") == 1


def test_edited_file_that_is_not_needed_any_more_is_named(cli: CLI, tmp_path: Path) -> None:
    """The others are renewed; the edited one stays, which a note says."""
    more = tmp_path / "more.yaml"
    more.write_text("version: 1\nimages:\n  x: {origin: quay.io/a/b, mirrors: {coding: m.example/q/a/b}}\n")
    arguments = ("config", "containerd", "--partial", "--output-dir", "out")
    assert cli(*arguments, "-c", str(more)).code == 0
    edited = tmp_path / "out" / "quay.io" / "hosts.toml"
    edited.write_text(edited.read_text() + "# mine\n")
    ran = cli(*arguments)
    assert ran.code == 0
    assert "kept out/quay.io/hosts.toml\n" in ran.out
    assert "note: out/quay.io/hosts.toml: not needed any more" in ran.err
    assert edited.read_text().endswith("# mine\n")


def test_file_of_another_target_is_not_touched(cli: CLI, tmp_path: Path) -> None:
    """k3s and rke2 have a file of one name: whoever was first has the folder."""
    assert cli("config", "k3s", "--output-dir", "out").code == 0
    before = tree(tmp_path)
    ran = cli("config", "rke2", "--output-dir", "out")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        6,
        "crane-mirrors: out/registries.yaml: belongs to 'config k3s': use another folder",
    )
    assert cli("config", "rke2", "--output-dir", "out", "--remove").code == 0
    assert tree(tmp_path) == before


@pytest.mark.parametrize("there", ["file", "nothing", "folder", "fifo", "socket folder"])
def test_link_in_the_way_is_a_foreign_file(cli: CLI, tmp_path: Path, there: str) -> None:
    """Neither what a link leads to nor anything else that is no file is read, waited for or replaced."""
    out = tmp_path / "out"
    out.mkdir()
    path = out / NAME
    match there:
        case "file":
            assert cli("config", "registries.conf", "--output-dir", "elsewhere").code == 0
            path.symlink_to(tmp_path / "elsewhere" / NAME)
        case "nothing":
            path.symlink_to(tmp_path / "nowhere")
        case "fifo":
            os.mkfifo(path)
        case _:
            path.mkdir()
    before = tree(tmp_path) if there != "fifo" else {}
    for arguments, code in (((), 6), (("--dry-run",), 6), (("--remove",), 0)):
        ran = registries_conf(cli, *arguments)
        assert ran.code == code
        assert ran.err.count("\n") == 1
        assert f"out/{NAME}: not written by crane-mirrors" in ran.err or code == 0
    assert there == "fifo" or tree(tmp_path) == before


def test_folder_that_is_a_link_to_nowhere(cli: CLI, tmp_path: Path) -> None:
    """The folder may be named through a link, which has to lead somewhere."""
    (tmp_path / "out").symlink_to("nowhere")
    ran = registries_conf(cli)
    assert (ran.code, ran.err) == (6, f"crane-mirrors: out/{NAME}: no such file or directory\n")


def test_linked_folder_inside_is_not_entered(cli: CLI, tmp_path: Path) -> None:
    """Only the output folder itself may be a link; below it none is followed, neither to write nor to remove."""
    elsewhere = tmp_path / "elsewhere"
    assert cli("config", "containerd", "--partial", "--output-dir", "elsewhere").code == 0
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ghcr.io").symlink_to(elsewhere / "ghcr.io")
    before = tree(tmp_path)
    ran = cli("config", "containerd", "--partial", "--output-dir", "out")
    assert (ran.code, ran.out) == (6, "")
    assert ran.err.splitlines()[-1].startswith("crane-mirrors: out/ghcr.io/hosts.toml: not written by crane-mirrors")
    assert cli("config", "containerd", "--output-dir", "out", "--remove").code == 0
    assert tree(tmp_path) == before
    (tmp_path / "linked").symlink_to(elsewhere)
    assert cli("config", "containerd", "--output-dir", "linked", "--remove").out == (
        "removed linked/ghcr.io/hosts.toml\n"
    )
    assert not (elsewhere / "ghcr.io").exists()


def test_nothing_is_written_where_one_file_cannot_be(cli: CLI, tmp_path: Path) -> None:
    """All files are looked at before the first is written."""
    more = tmp_path / "more.yaml"
    more.write_text("version: 1\nimages:\n  x: {origin: quay.io/a/b, mirrors: {coding: m.example/q/a/b}}\n")
    (tmp_path / "out" / "quay.io").mkdir(parents=True)
    (tmp_path / "out" / "quay.io" / "hosts.toml").write_text("mine\n")
    before = tree(tmp_path)
    assert cli("config", "containerd", "--partial", "--output-dir", "out", "-c", str(more)).code == 6
    assert tree(tmp_path) == before


@pytest.mark.parametrize("there", [False, True])
def test_file_that_changes_meanwhile_is_not_replaced(
    cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """Somebody who writes the file between the look and the rename keeps what was written."""
    path = tmp_path / "out" / NAME
    path.parent.mkdir()
    assert not there or registries_conf(cli).code == 0
    fsync = os.fsync

    def meddle(handle: int) -> None:
        fsync(handle)
        path.write_text("mine\n")

    monkeypatch.setattr(os, "fsync", meddle)
    ran = registries_conf(cli, "-m", "ghcr")
    assert (ran.code, path.read_text()) == (6, "mine\n")
    assert ran.err == f"crane-mirrors: out/{NAME}: changed by someone else meanwhile: try again\n"
    assert os.listdir(path.parent) == [NAME]


def test_file_that_changes_meanwhile_is_not_removed(cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who writes the file between the look and the removal keeps what was written."""
    assert registries_conf(cli).code == 0
    path = tmp_path / "out" / NAME
    apply = Owned.apply

    def meddle(owned: Owned, changes: Sequence[Change]) -> None:
        path.write_text("mine\n")
        apply(owned, changes)

    monkeypatch.setattr(Owned, "apply", meddle)
    ran = registries_conf(cli, "--remove")
    assert (ran.code, path.read_text()) == (6, "mine\n")
    assert ran.err == f"crane-mirrors: out/{NAME}: changed by someone else meanwhile: try again\n"


def test_interrupted_call_leaves_nothing_half_done(cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a file is written: the old one stays, and no temporary file."""
    assert registries_conf(cli).code == 0
    before = tree(tmp_path)

    def interrupt(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        registries_conf(cli, "-m", "ghcr")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("folder", ["out", "a folder"])
def test_dry_run_prints_a_diff_that_patch_applies(cli: CLI, tmp_path: Path, folder: str) -> None:
    """It writes nothing, exits with 1 while something would change, and with 0 when nothing would."""
    patch = need("patch")
    command = ("config", "registries.conf", "--output-dir", folder)

    def apply(diff: str) -> None:
        subprocess.run([patch, "-p0", "--quiet"], input=diff, text=True, cwd=tmp_path, check=True)

    for arguments in ((), ("-m", "ghcr"), ("--remove",)):
        before = tree(tmp_path)
        dry = cli(*command, *arguments, "--dry-run")
        assert (dry.code, tree(tmp_path)) == (1, before)
        if arguments == ():
            # The header counts the folders that are made, so the first diff needs the folder not to be there.
            (tmp_path / folder).mkdir()
        apply(dry.out)
        patched = tree(tmp_path)
        assert cli(*command, *arguments, "--dry-run")[:2] == (0, "")
        assert cli(*command, *arguments).code == 0
        assert tree(tmp_path) == patched


def patched(old: list[str], diff: list[str]) -> list[str]:
    """Apply a unified diff by the numbers in it, and check what it says of the old text."""
    new: list[str] = []
    done = 0
    for line in diff[2:]:
        if line.startswith("@@"):
            start, _, size = line.split()[1][1:].partition(",")
            begin = int(start) - (size != "0")
            new += old[done:begin]
            done = begin
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[done] == line[1:]
            new += [line[1:]] if line[0] == " " else []
            done += 1
    return new + old[done:]


LINES = st.lists(st.sampled_from(["\n", "a\n", "b\n", "c\n", "d\n", "e\n", "f\n", "@@\n", "--- a\n"]), max_size=30)


@given(LINES, LINES)
@examples(400)
def test_diff_makes_the_new_text_of_the_old(old: list[str], new: list[str]) -> None:
    """Whatever repeats, moves or goes away; two equal texts have no diff."""
    diff = list(unified_diff(old, new, "old", "new"))
    assert patched(old, diff) == new
    assert (diff == []) == (old == new)


def test_diff_of_large_files_is_as_small_as_the_change() -> None:
    """Of ten thousand tables that look alike, one is changed, one goes and one comes: three hunks, within seconds."""
    old = [line for number in range(10_000) for line in ("[[registry]]\n", f"prefix = {number}\n", "a = 1\n", "\n")]
    new = [*old[:400], "[[registry]]\n", "prefix = new\n", "\n", *old[400:8000], *old[8004:]]
    new[20_003] = "a = 2\n"
    diff = list(unified_diff(old, new, "old", "new"))
    assert patched(old, diff) == new
    assert [line[0] for line in diff].count("@") == 3
    assert len([line for line in diff if line[0] in "+-"]) == 2 + 3 + 4 + 2
    rewritten = [line.replace("a = ", "b = ") for line in old]
    assert len(list(unified_diff(old, rewritten, "old", "new"))) < 5 * 10_000 + 10


def test_companion_proves_a_file_without_comments(cli: CLI, tmp_path: Path, hub: str) -> None:
    """JSON has no comments, so a file beside it has the header, and goes with it."""
    arguments = ("config", "docker", "-c", hub, "--output-dir", "out")
    assert cli(*arguments).out == "written out/daemon.json\nwritten out/daemon.json.crane-mirrors\n"
    path, beside = tmp_path / "out" / "daemon.json", tmp_path / "out" / "daemon.json.crane-mirrors"
    assert beside.read_text().startswith("# Written by crane-mirrors for docker;")
    assert cli(*arguments).out == "unchanged out/daemon.json\nunchanged out/daemon.json.crane-mirrors\n"
    text = path.read_text()
    path.write_text(text.replace("m.example", "n.example"))
    assert cli(*arguments).code == 6
    assert cli("config", "docker", "--output-dir", "out", "--remove").code == 6
    path.write_text(text)
    proved = beside.read_text()
    beside.write_text(proved + "\n")
    assert cli(*arguments).code == 6
    beside.unlink()
    assert cli(*arguments).code == 6
    assert cli("config", "docker", "--output-dir", "out", "--remove").err.startswith("note: ")
    beside.write_text(proved)
    removed = cli("config", "docker", "--output-dir", "out", "--remove")
    assert removed.out == "removed out/daemon.json\nremoved out/daemon.json.crane-mirrors\n"
    assert not (tmp_path / "out").exists()


def test_two_runs_at_once_leave_a_file_that_is_proved(
    cli: CLI, tmp_path: Path, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first run's two files a second one writes both, or tries to: what lies there is still ours."""
    first = ("config", "docker", "-c", hub, "--output-dir", "out")
    assert cli(*first).code == 0
    path = tmp_path / "out" / "daemon.json"
    text = path.read_text()
    path.unlink()
    fsync, steps = os.fsync, iter(range(9))

    def meddle(handle: int) -> None:
        fsync(handle)
        if next(steps) == 1:
            path.write_text(text)

    monkeypatch.setattr(os, "fsync", meddle)
    (tmp_path / "other.yaml").write_text(Path(hub).read_text().replace("docker.m", "other.m"))
    ran = cli("config", "docker", "-c", "other.yaml", "--output-dir", "out")
    assert (ran.code, path.read_text()) == (6, text)
    monkeypatch.setattr(os, "fsync", fsync)
    assert cli(*first).code == 0
    assert cli("config", "docker", "--output-dir", "out", "--remove").code == 0
    assert not (tmp_path / "out").exists()


def test_foreign_companion_is_not_touched(cli: CLI, tmp_path: Path, hub: str) -> None:
    """A person's file by the companion's name is in the way like any other."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "daemon.json.crane-mirrors").write_text("mine\n")
    ran = cli("config", "docker", "-c", hub, "--output-dir", "out")
    assert (ran.code, ran.out) == (6, "")
    assert "out/daemon.json.crane-mirrors: not written by crane-mirrors" in ran.err
    assert tree(tmp_path / "out") == {"daemon.json.crane-mirrors": "mine\n"}


#: Runs each call of a list in a process of its own that is killed at its Nth step, for N from 1 until it gets through,
#: each time from the same state of the folder `out`; prints what was there after each kill.
KILLED = """
import json, os, shutil, signal, sys
from crane_mirrors.cli import _folder, _owned
from crane_mirrors.cli._run import run

def once(arguments, last):
    steps = 0
    def step():
        nonlocal steps
        steps += 1
        if steps > last:
            os.kill(os.getpid(), signal.SIGKILL)
    def counted(function):
        def call(*arguments, **options):
            step()
            return function(*arguments, **options)
        return call
    class File:
        def __init__(self, file): self.file = file
        def __enter__(self): return self
        def __exit__(self, *reason): step(); self.file.close()
        def flush(self): step(); self.file.flush()
        def read(self, size): return self.file.read(size)
        def write(self, data):
            half = len(data) // 2
            for part in (data[:half], data[half:]):
                step(); self.file.write(part); self.file.flush()
    for name in ("open", "mkdir", "makedirs", "fsync", "replace", "unlink", "rmdir", "fchmod", "fchown", "listdir"):
        setattr(os, name, counted(getattr(os, name)))
    _folder.open = lambda handle, mode: File(os.fdopen(handle, mode))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    os._exit(run(arguments))

def state():
    found = {}
    for folder, _, names in os.walk("out"):
        for name in names:
            path = os.path.join(folder, name)
            with open(path) as file:
                found[path] = file.read()
    return found

arguments = json.loads(sys.argv[1])
shutil.copytree("out", "start")
for last in range(1000):
    shutil.rmtree("out")
    shutil.copytree("start", "out")
    child = os.fork()
    if child == 0:
        once(arguments, last)
    _, status = os.waitpid(child, 0)
    after = state()
    child = os.fork()
    if child == 0:
        once(arguments, 10**6)
    _, again = os.waitpid(child, 0)
    print(json.dumps([status, after, again, state()]))
    if not os.WIFSIGNALED(status):
        break
"""

REGISTRIES = ["config", "registries.conf", "--output-dir", "out"]
CONTAINERD = ["config", "containerd", "--partial", "--output-dir", "out"]
DOCKER = ["config", "docker", "--output-dir", "out"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([], REGISTRIES),
        (REGISTRIES, [*REGISTRIES, "-m", "ghcr"]),
        (REGISTRIES, [*REGISTRIES, "--remove"]),
        ([*CONTAINERD, "-c", "more.yaml"], CONTAINERD),
        ([*CONTAINERD, "-c", "more.yaml"], [*CONTAINERD, "--remove"]),
        ([], [*DOCKER, "-c", "hub.yaml"]),
        ([*DOCKER, "-c", "hub.yaml"], [*DOCKER, "-c", "hub.yaml", "-c", "other.yaml", "-m", "other"]),
        ([*DOCKER, "-c", "hub.yaml"], [*DOCKER, "--remove"]),
    ],
    ids=lambda value: "-".join(word.strip("-") for word in value[1:]) or "nothing",
)
def test_kill_leaves_the_old_file_or_the_new_one(
    cli: CLI, tmp_path: Path, hub: str, first: list[str], then: list[str]
) -> None:
    """After SIGKILL at any step every file is whole, old or new; the next call finishes, and nothing else is left."""
    assert hub
    (tmp_path / "other.yaml").write_text("version: 1\nimages: {hub: {mirrors: {other: other.m.example/*}}}\n")
    (tmp_path / "more.yaml").write_text(
        "version: 1\nimages:\n  x: {origin: quay.io/a/b, mirrors: {coding: m.example/q/a/b}}\n"
    )
    (tmp_path / "out").mkdir()
    if first:
        assert cli(*first).code == 0
    old = dict(_files(tmp_path))
    process = subprocess.run(
        [sys.executable, "-P", "-c", KILLED, json.dumps(then)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    runs = [json.loads(line) for line in process.stdout.splitlines()]
    new = runs[-1][3]
    assert new != old
    assert len(runs) > 8
    for status, after, again, final in runs:
        assert os.WIFSIGNALED(status) or status == 0
        for path, text in after.items():
            # The companion of a file without comments may prove both of them for a while.
            if path.endswith(".crane-mirrors-new") or path.endswith(".json.crane-mirrors"):
                continue
            assert text in (old.get(path), new.get(path)), path
        assert {path for path in old if path in new} <= set(after)
        assert (again, final) == (0, new)
    assert [os.WIFSIGNALED(run[0]) for run in runs] == [True] * (len(runs) - 1) + [False]
    assert os.WTERMSIG(runs[0][0]) == signal.SIGKILL


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((folder / "out").rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_text()


def call(folder: Path, *words: str, wrapped: list[str] | None = None, umask: int = 0o022) -> Ran:
    """Run the program in a process of its own, wrapped in another."""
    from conftest import Ran

    program = [sys.executable, "-P", "-m", "crane_mirrors", *words]
    process = subprocess.run(
        [*(wrapped or []), *program],
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "CRANE_MIRRORS_NO_CACHE": "1",
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        umask=umask,
        check=False,
    )
    return Ran(process.returncode, process.stdout, process.stderr)


@pytest.mark.parametrize("what", ["write", "make", "read", "enter"])
def test_no_permission(tmp_path: Path, what: str) -> None:
    """Who may not write, make, read or enter gets one line that names the file, and the old file stays."""
    out = tmp_path / "out"
    out.mkdir()
    if what in ("read", "enter"):
        assert call(tmp_path, *REGISTRIES).code == 0
    match what:
        case "read":
            (out / NAME).chmod(0)
        case "enter":
            out.chmod(0)
        case _:
            out.chmod(0o555)
    folder = "out/sub" if what == "make" else "out"
    ran = call(tmp_path, "config", "registries.conf", "--output-dir", folder, wrapped=unprivileged())
    out.chmod(0o755)
    assert (ran.code, ran.out) == (6, ""), ran.err
    assert ran.err == f"crane-mirrors: {folder}/{NAME}: permission denied\n"
    if what == "read":
        removed = call(tmp_path, *REGISTRIES, "--remove", wrapped=unprivileged())
        assert removed == (6, "", ran.err)
    assert [name for name in os.listdir(out) if name != NAME] == []


@pytest.mark.parametrize("mode", [0o444, 0o111, 0])
def test_a_folder_that_hides_what_is_in_it(tmp_path: Path, mode: int) -> None:
    """Whether anything of ours is in folders of any name cannot be known then, and "nothing" would be a guess."""
    out = tmp_path / "out"
    config = ("config", "containerd", "--output-dir", "out")
    assert call(tmp_path, *config, "-m", "coding", "--partial").code == 0
    before = tree(tmp_path)
    out.chmod(mode)
    ran = call(tmp_path, *config, "--remove", wrapped=unprivileged())
    out.chmod(0o755)
    assert ran == (6, "", "crane-mirrors: out/*/hosts.toml: permission denied\n")
    assert tree(tmp_path) == before


def mounted(folder: Path, *mount: str) -> list[str]:
    """Give the words that run a command with a file system of its own at a folder."""
    if sys.platform != "linux" or os.geteuid() != 0:
        absent("mounting takes root on Linux")
    command = " ".join(["mount", *mount, '"$0"', "&&", 'exec "$@"'])
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", command, str(folder)]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        absent("this process may not mount")
    return words


def test_read_only_file_system(tmp_path: Path) -> None:
    """One line says so, also where only a removal was wanted, and everything stays."""
    assert call(tmp_path, *REGISTRIES).code == 0
    before = tree(tmp_path)
    words = mounted(tmp_path / "out", "--bind", "-o", "ro", f"'{tmp_path / 'out'}'")
    for more in (["-m", "ghcr"], ["--remove"]):
        ran = call(tmp_path, *REGISTRIES, *more, wrapped=words)
        assert (ran.code, ran.out) == (6, "")
        assert ran.err == f"crane-mirrors: out/{NAME}: read-only file system\n"
    assert tree(tmp_path) == before


def test_full_disk(tmp_path: Path) -> None:
    """The file that has no room is not there at all, and neither is what was written of it; the old one stays."""
    (tmp_path / "out").mkdir()
    script = textwrap.dedent("""
        set -e
        mount -t tmpfs -o size=16k tmpfs out
        "$@" -m ghcr
        cp out/* before
        head -c 100000 /dev/zero > out/ballast || true
        code=0
        "$@" || code=$?
        cmp before out/50-crane-mirrors.conf
        ls -A out
        exit $code
    """)
    assert mounted(tmp_path / "out", "-t", "tmpfs", "tmpfs")
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    ran = call(tmp_path, *REGISTRIES, wrapped=words)
    assert ran.code == 6, ran
    assert ran.out.splitlines()[1:] == [NAME, "ballast"]
    assert ran.err.splitlines()[-1] == f"crane-mirrors: out/{NAME}: no space left on device"


#: As it was written by the first version that had a header.
WRITTEN = """\
#!/bin/sh
# Written by crane-mirrors for env; a file that was changed is left alone.
# its place: /etc/x/y
# made by: crane-mirrors config env --output-dir x
# taken away by: crane-mirrors config env --output-dir x --remove
# folders made with it: 2
# sha256 of all other lines: ddae85a7d099c7c983c98bedbfe4292dbecba0bd2fe153b8eca187e6e03bf799

A=1
"""


def test_files_of_earlier_versions_stay_ours() -> None:
    """Another wording of the header would make strangers of all files that are out there."""
    made_by = "crane-mirrors config env --output-dir x"
    stamp = Stamp("env", made_by, f"{made_by} --remove", "/etc/x/y", 2)
    assert stamped(stamp, "#!/bin/sh\nA=1\n") == WRITTEN
    assert read_stamp(WRITTEN) == Stamp("env", folders=2)


@given(st.text(), st.sampled_from(["#", "//", ";"]), st.integers(0, 99), st.text(max_size=40))
def test_stamp_proves_every_text(text: str, comment: str, folders: int, words: str) -> None:
    """A stamped text is intact, and any other text under the same header is not; no word ends the header early."""
    text = text.encode("utf-8", "replace").decode()
    stamp = Stamp("env", words, "a\nb", "/etc/x", folders)
    made = stamped(stamp, text, comment)
    said = read_stamp(made)
    assert said == Stamp("env", folders=folders)
    changed = read_stamp(made + "x")
    assert changed is None or not changed.intact
    both = proof(stamp, text, "other")
    assert [
        bool(found and found.intact) for found in (read_proof(both, each) for each in (text, "other", "third"))
    ] == [
        True,
        True,
        text == "third",
    ]


@given(st.text())
def test_nothing_else_has_a_stamp(text: str) -> None:
    """Whatever a person writes, even behind the header's first line, proves nothing."""
    assert read_stamp(text) is None
    first = "# Written by crane-mirrors for env; a file that was changed is left alone.\n"
    said = read_stamp(first + text)
    assert said is not None
    assert not said.intact


@pytest.mark.parametrize("word", ["a\nb", "\x1b[2J", "\udcff", "é", "$(reboot)", "'"])
def test_header_is_as_many_lines_as_it_should_be(cli: CLI, tmp_path: Path, word: str) -> None:
    """A folder's name cannot put a line of its own into a file."""
    assert cli("config", "registries.conf", "--output-dir", word).code == 0
    lines = (tmp_path / word / NAME).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    head = [line for line in lines if line.startswith("# ")]
    assert len(head) == 6
    assert lines[:6] == head
    assert lines[7] == "[[registry]]"
    assert cli("config", "registries.conf", "--output-dir", word, "--remove").code == 0
