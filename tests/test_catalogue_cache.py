"""The cache of compiled catalogues: never needed to be right, never trusted when it is not its own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from conftest import CLI, PROJECT, examples, need
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_mirrors.catalogue import Catalogue, cache, load
from crane_mirrors.errors import InvalidCatalogue

MINE = "version: 1\nimages: {mine: {origin: r.example/mine, mirrors: {m: q.example/mine}}}\n"
MAKER = b"this code"
SOURCES = [("built-in", b"version: 1\n"), ("a.yaml", b"# a\n")]
COMPILED = b"\nregion cn\tcoding\n" * 50

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "crane-mirrors"


@pytest.fixture
def kept(folder: Path) -> Path:
    """Give the one file of a filled cache."""
    cache.store(str(folder), MAKER, SOURCES, COMPILED)
    (file,) = folder.iterdir()
    return file


def found(file: Path) -> bytes | None:
    return cache.load(str(file.parent), MAKER, SOURCES)


def answers(catalogue: Catalogue) -> list[str]:
    """Say all that a catalogue holds."""
    return [*map(str, catalogue.entries()), *(str(catalogue.order(name)) for name in catalogue.regions())]


# What is kept


def test_what_was_stored_is_loaded(kept: Path) -> None:
    """The same files, made by the same code, give the same compiled form back."""
    assert found(kept) == COMPILED


def test_the_folder_and_its_files_are_private(kept: Path) -> None:
    """Nobody else may read or write them, whatever the umask."""
    old = os.umask(0)
    try:
        cache.store(str(kept.parent), MAKER, [("b.yaml", b"")], COMPILED)
        cache.store(str(kept.parent / "new"), MAKER, SOURCES, COMPILED)
    finally:
        os.umask(old)
    assert stat.S_IMODE(kept.parent.stat().st_mode) == stat.S_IMODE((kept.parent / "new").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept.parent.glob("*.catalogue")} == {0o600}


@pytest.mark.parametrize(
    ("maker", "sources"),
    [
        (b"other code", SOURCES),
        (b"", SOURCES),
        (MAKER, SOURCES[:1]),
        (MAKER, [*SOURCES, ("b.yaml", b"")]),
        (MAKER, SOURCES[::-1]),
        (MAKER, [SOURCES[0], ("a.yaml", b"# b\n")]),
        (MAKER, [SOURCES[0], ("b.yaml", b"# a\n")]),
        (MAKER, [("built-in", b"version: 1\na.yaml"), ("", b"# a\n")]),
    ],
)
def test_anything_else_is_not_found(kept: Path, maker: bytes, sources: list[tuple[str, bytes]]) -> None:
    """Other code, or files of other names, contents or order, are something else, even under the same file name."""
    assert cache.load(str(kept.parent), maker, sources) is None
    name = cache._path(str(kept.parent), cache._head(maker, sources))
    shutil.copy(kept, name)
    assert cache.load(str(kept.parent), maker, sources) is None


def test_a_content_is_compared_and_not_a_date(tmp_path: Path, folder: Path) -> None:
    """A file that was changed to the same size and time of change is read anew."""
    file = tmp_path / "m.yaml"
    file.write_text(MINE)
    before = file.stat()
    assert load((str(file),), cache_dir=str(folder)).entry("image", "mine")
    file.write_text(MINE.replace("mine:", "your:"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    changed = load((str(file),), cache_dir=str(folder))
    assert changed.get("image", "mine") is None
    assert changed.entry("image", "your")


def test_a_stamp_changes_with_the_code(tmp_path: Path) -> None:
    """A source file that is new, gone, longer or written again changes the stamp; other files do not."""
    (tmp_path / "a.py").write_text("a")
    stamps = [cache.code_stamp(str(tmp_path))]
    (tmp_path / "b.py").write_text("b")
    stamps.append(cache.code_stamp(str(tmp_path)))
    (tmp_path / "b.py").write_text("bb")
    stamps.append(cache.code_stamp(str(tmp_path)))
    os.utime(tmp_path / "b.py", ns=(1, 1))
    stamps.append(cache.code_stamp(str(tmp_path)))
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    stamps.append(cache.code_stamp(str(tmp_path)))
    assert len(set(stamps)) == len(stamps)
    (tmp_path / "c.pyc").write_text("c")
    assert cache.code_stamp(str(tmp_path)) == stamps[-1]


def test_sixteen_files_are_kept(folder: Path) -> None:
    """The oldest files of the cache go when a new one comes, and nothing else in the folder does."""
    folder.mkdir(parents=True, mode=0o700)
    others = [folder / f"letter-{number}.txt" for number in range(30)]
    for other in others:
        other.write_text("keep me")
        os.utime(other, (0, 0))
    (folder / ".new-left-behind").touch()
    os.utime(folder / ".new-left-behind", (0, 0))
    for number in range(20):
        cache.store(str(folder), MAKER, [(str(number), b"")], COMPILED)
        file = cache._path(str(folder), cache._head(MAKER, [(str(number), b"")]))
        os.utime(file, (1000 + number, 1000 + number))
    cache.store(str(folder), MAKER, SOURCES, COMPILED)
    assert len(list(folder.glob("*.catalogue"))) == 16
    assert cache.load(str(folder), MAKER, SOURCES) == COMPILED
    assert [number for number in range(20) if cache.load(str(folder), MAKER, [(str(number), b"")])] == [*range(5, 20)]
    assert sorted(folder.glob("letter-*")) == sorted(others)
    assert not (folder / ".new-left-behind").exists()


# What is damaged


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data + b"\0" * 1_000_000,
        lambda data: data * 2,
        lambda _: b"garbage\n" * 10_000,
        lambda data: data[::-1],
        lambda data: data.replace(b"coding", b"codinG", 1),
        lambda data: data[: -len(COMPILED)] + b"\xff" * len(COMPILED),
        lambda data: data[: -len(COMPILED) - 8] + b"zzzzzzzz" + COMPILED,
        lambda data: data[: -len(COMPILED) - 8],
        lambda data: data[: -len(COMPILED)],
    ],
)
def test_a_damaged_file_is_as_if_it_were_not_there(kept: Path, damage: object) -> None:
    """A file that is cut, longer, of zeros or of garbage is not used, and is replaced by the next store."""
    assert callable(damage)
    kept.write_bytes(damage(kept.read_bytes()))
    assert found(kept) is None
    cache.store(str(kept.parent), MAKER, SOURCES, COMPILED)
    assert found(kept) == COMPILED


@given(st.integers(min_value=0), st.integers(0, 7))
@settings(examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_found(kept: Path, position: int, bit: int) -> None:
    """No single bit of a file can change without its being refused."""
    good = kept.read_bytes()
    data = bytearray(good)
    data[position % len(data)] ^= 1 << bit
    kept.write_bytes(data)
    assert found(kept) is None
    kept.write_bytes(good)
    assert found(kept) == COMPILED


def test_a_huge_file_is_not_read(kept: Path) -> None:
    """A file that has grown to a terabyte of nothing costs neither time nor memory."""
    os.truncate(kept, 2**40)
    assert found(kept) is None
    cache.store(str(kept.parent), MAKER, SOURCES, COMPILED)
    assert found(kept) == COMPILED


# What is not a private file


def make_fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def make_folder(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path / "x").touch()


def make_link_to_a_copy(path: Path) -> None:
    path.symlink_to(path.with_name("copy"))


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def make_link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_fifo, make_folder, make_link_to_a_copy, make_link_to_itself, make_link_to_zeros])
def test_something_else_in_a_files_place(kept: Path, make: object) -> None:
    """A pipe, a folder or a link in a file's place is not read, and does not keep the program waiting."""
    assert callable(make)
    kept.rename(kept.with_name("copy"))
    make(kept)
    assert found(kept) is None
    cache.store(str(kept.parent), MAKER, SOURCES, COMPILED)
    assert found(kept) == (None if make is make_folder else COMPILED)
    assert not list(kept.parent.glob(".new-*"))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_file_that_others_can_write_is_not_trusted(kept: Path, mode: int) -> None:
    """Somebody else could have put other addresses into it."""
    kept.chmod(mode)
    assert found(kept) is None
    kept.chmod(0o644)
    assert found(kept) == COMPILED


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_can_write_is_not_used(kept: Path, mode: int) -> None:
    """Neither read nor written: somebody else could exchange its files."""
    kept.parent.chmod(mode)
    assert found(kept) is None
    cache.store(str(kept.parent), MAKER, [("b.yaml", b"")], COMPILED)
    assert list(kept.parent.iterdir()) == [kept]


@as_root
def test_files_and_folders_of_somebody_else_are_not_used(kept: Path) -> None:
    """What belongs to another user is theirs to change."""
    os.chown(kept, 12345, 12345)
    assert found(kept) is None
    os.chown(kept, 0, 0)
    assert found(kept) == COMPILED
    os.chown(kept.parent, 12345, 12345)
    assert found(kept) is None
    cache.store(str(kept.parent), MAKER, [("b.yaml", b"")], COMPILED)
    assert list(kept.parent.iterdir()) == [kept]


def test_a_linked_folder_is_not_used(kept: Path) -> None:
    """A link can be turned to another folder between two looks at it."""
    link = kept.parent.with_name("link")
    link.symlink_to(kept.parent)
    assert cache.load(str(link), MAKER, SOURCES) is None
    cache.store(str(link), MAKER, [("b.yaml", b"")], COMPILED)
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize("name", ["file", "file/below", "dangling", "x" * 300, "/proc/nowhere", "/dev/null/x"])
def test_a_folder_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    """Where there can be no cache there is none, and that is no error."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere/at all")
    path = os.path.join(tmp_path, name)
    cache.store(path, MAKER, SOURCES, COMPILED)
    assert cache.load(path, MAKER, SOURCES) is None
    assert answers(load(cache_dir=path)) == answers(load())


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(kept: Path) -> None:
    """A read-only folder is read all the same."""
    kept.parent.chmod(0o500)
    try:
        cache.store(str(kept.parent), MAKER, [("b.yaml", b"")], COMPILED)
        assert list(kept.parent.iterdir()) == [kept]
        assert found(kept) == COMPILED
    finally:
        kept.parent.chmod(0o700)


# Disks, and other processes

FILL = """
import os, sys
from crane_mirrors.catalogue import cache, load
folder = os.path.join(sys.argv[1], "cache")
cache.store(folder, b"x", [("a", b"")], b"a" * 20_000)
assert cache.load(folder, b"x", [("a", b"")]) == b"a" * 20_000
cache.store(folder, b"x", [("b", b"")], b"b" * 200_000)
assert cache.load(folder, b"x", [("b", b"")]) is None
assert cache.load(folder, b"x", [("a", b"")]) == b"a" * 20_000
assert len(os.listdir(folder)) == 1, os.listdir(folder)
print("full")
"""


def test_a_full_disk(tmp_path: Path) -> None:
    """Where a file does not fit, nothing of it is left behind, and the others stay whole."""
    script = f"mount -t tmpfs -o size=64k none {tmp_path} || exit 77; exec {sys.executable} -c '{FILL}' {tmp_path}"
    process = subprocess.run(
        [need("unshare"), "-m", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode == 77 or "unshare" in process.stderr:
        pytest.skip("may not mount a small disk")
    assert (process.returncode, process.stdout) == (0, "full\n"), process.stderr


def write_and_read(folder: str, number: int, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    for turn in range(60):
        sources = [(f"{(number + turn) % 3}.yaml", b"x" * 5_000)]
        cache.store(folder, MAKER, sources, COMPILED * 20)
        assert cache.load(folder, MAKER, sources) in (None, COMPILED * 20)


def test_many_processes_at_once(folder: Path) -> None:
    """Processes that write and read the same files at the same time see whole files or none."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    processes = [context.Process(target=write_and_read, args=(str(folder), n, barrier)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(folder.iterdir())) == 3
    assert all(cache.load(str(folder), MAKER, [(f"{n}.yaml", b"x" * 5_000)]) for n in range(3))


def test_an_interrupted_store_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a file is written takes the half of it away."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.store(str(folder), MAKER, SOURCES, COMPILED)
    assert list(folder.iterdir()) == []


# The command line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    (tmp_path / "m.yaml").write_text(MINE)
    return tmp_path / "home"


CALL = ("image", "mine:1", "-c", "m.yaml", "-p", "reference", "-m", "m")


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({}, "home/.cache/crane-mirrors"),
        ({"XDG_CACHE_HOME": ""}, "home/.cache/crane-mirrors"),
        ({"XDG_CACHE_HOME": "relative"}, "home/.cache/crane-mirrors"),
        ({"XDG_CACHE_HOME": "{}/xdg"}, "xdg/crane-mirrors"),
        ({"CRANE_MIRRORS_NO_CACHE": "1"}, None),
        ({"CRANE_MIRRORS_NO_CACHE": "1", "XDG_CACHE_HOME": "{}/xdg"}, None),
        ({"CRANE_MIRRORS_NO_CACHE": ""}, "home/.cache/crane-mirrors"),
        ({"HOME": "relative"}, None),
    ],
)
def test_where_the_cache_is(
    home: Path, cli: CLI, variables: dict[str, str], place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In XDG_CACHE_HOME if that is an absolute path, else in ~/.cache; nowhere with CRANE_MIRRORS_NO_CACHE."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home.parent))
    for _ in range(2):
        ran = cli(*CALL)
        assert (ran.code, ran.out, ran.err) == (0, "q.example/mine:1\n", "")
    files = sorted(str(file.relative_to(home.parent)) for file in home.parent.rglob("*") if file.is_file())
    assert [file.rpartition("/")[0] for file in files if file != "m.yaml"] == ([place] if place else [])


def test_without_a_home(home: Path, cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HOME the user's entry in the password file counts; a user without one has no cache."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cli(*CALL).out == "q.example/mine:1\n"
    assert [file.name for file in home.parent.rglob("*")] == ["m.yaml"]


@pytest.mark.parametrize("make", [make_fifo, make_folder, make_link_to_itself, make_link_to_zeros])
def test_the_answer_is_the_same_whatever_the_cache_holds(home: Path, cli: CLI, make: object) -> None:
    """With and without a cache, and with anything in its place, the answer is one."""
    assert callable(make)
    assert cli(*CALL).out == "q.example/mine:1\n"
    (file,) = (home / ".cache" / "crane-mirrors").iterdir()
    data = file.read_bytes()
    for damaged in (b"", data[:-5], data[:100], b"\xff" * 1000):
        file.write_bytes(damaged)
        assert cli(*CALL).out == "q.example/mine:1\n"
        assert file.read_bytes() == data
    file.unlink()
    make(file)
    assert cli(*CALL) == (0, "q.example/mine:1\n", "")


def test_with_and_without_a_cache(tmp_path: Path, folder: Path) -> None:
    """A catalogue out of the cache holds what one out of YAML does."""
    file = tmp_path / "m.yaml"
    file.write_text(MINE)
    plain = load((str(file),))
    first, second = (load((str(file),), cache_dir=str(folder)) for _ in range(2))
    assert answers(plain) == answers(first) == answers(second)
    assert len(list(folder.iterdir())) == 1


def test_an_invalid_catalogue_is_not_kept(tmp_path: Path, folder: Path) -> None:
    """Its problems are found again each time."""
    file = tmp_path / "m.yaml"
    file.write_text("version: 2\n")
    for _ in range(2):
        with pytest.raises(InvalidCatalogue, match="version '2' is not known"):
            load((str(file),), cache_dir=str(folder))
    assert not folder.exists()


HOSTILE = [
    b"",
    b"\n",
    b"\n\n\n",
    b"no tab at all\nregion cn\tcoding\n",
    b"\nregion cn\tcoding\nname image mine\trow without fields\n",
    b"\nregion cn\tcoding\nname image mine\t\x1e\x1f\n",
    b"\nregion cn\tcoding\nname image mine\timage\x1fmine\x1f\x1f\x1f\x1f\x1eorigin\x1fNO\x1fgeneric\x1f\x1fa\n",
    b"\nregion cn\tcoding\nname image mine\tother\nname image other\tmine\n",
    b"\nregion cn\tcoding\nname image mine\tcut off",
    b"\nregion cn\tcoding\nname image mine\t\xff\xfe\n",
    b"\nregion cn\tcoding\nat image r.example/mine\tnobody\n",
]


@pytest.mark.parametrize("compiled", HOSTILE)
@pytest.mark.parametrize("arguments", [CALL, ("list", "-c", "m.yaml"), ("git", "nothing", "-c", "m.yaml")])
def test_a_file_with_a_right_checksum_and_wrong_contents(
    home: Path, cli: CLI, compiled: bytes, arguments: tuple[str, ...]
) -> None:
    """Only its owner can make one; even then an error is one line, without a traceback."""
    cli(*CALL)
    (file,) = (home / ".cache" / "crane-mirrors").iterdir()
    good = file.read_bytes()
    start = good.index(b"\nregion ")
    file.write_bytes(good[: start - 8] + b"%08x" % zlib.crc32(compiled) + compiled)
    ran = cli(*arguments)
    assert ran.code in (0, 3, 5)
    assert ran.err.count("\n") == (ran.code != 0)
    assert ran.err.strip("\n").isprintable()
