"""The shape of the house: who may import whom, what stays in one room, what each command loads, how long things are."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from conftest import PROJECT

SOURCE = PROJECT / "src" / "crane_mirrors"

#: A room is a folder or a file of the package. Imports go one way: each line may import from the lines above it, and
#: rooms on one line not from each other. `library` is the package's own `__init__.py`, its public names.
ARCHITECTURE = """
errors                                                 the exception tree
model                                                  kinds, and how names are shown in messages
reference, tags, files, url, intervals, platforms      values that cannot be built invalid
hosts, clients                                         how each kind of host writes URLs, each client its command
catalogue                                              YAML → values, with good errors; layers
resolve                                                pure: any string or name → routes
rewrite, targets, live                                 pure text · a client's configuration · the network
library, render                                        the names for other programs · one file for each output format
cli                                                    one file for each command; prints and exits
__main__                                               `python -m crane_mirrors`
"""

#: Rooms whose files are words on the command line: adding one touches no other file, so none imports its siblings.
ROOMS_OF_WORDS = ("hosts", "targets", "render", "cli")

#: Packages that cost time to load, the rooms that may use them, and whether at the top of a file.
FOREIGN = {
    "click": (("cli",), True),
    "rich": (("render.table", "cli"), False),
    "yaml": (("catalogue", "render.yaml", "targets", "live", "cli"), False),
    "httpx": (("live",), False),
    "pathspec": (("cli",), False),
}

#: Standard modules that touch the world outside: only these rooms may.
WORLDLY = {
    "socket": ("live",),
    "ssl": ("live",),
    "http": ("live",),
    "urllib.request": ("live",),
    "asyncio": ("live",),
    "subprocess": ("cli",),
    "signal": ("cli",),
    "getpass": ("cli",),
    "logging": (),
}

#: What prints, exits or reads the environment belongs to `cli`.
OF_CLI = {
    "os.environ", "os.environb", "os.getenv", "os.getcwd", "os.get_terminal_size", "os.path.expanduser",
    "os.path.expandvars", "os.path.abspath", "os.path.realpath", "os._exit", "os.abort", "os.isatty",
    "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr", "sys.exit", "shutil.get_terminal_size", "locale.setlocale",
}  # fmt: skip
OF_CLI_BY_NAME = {"print", "input", "exit", "quit", "breakpoint"}


@dataclass(frozen=True)
class Import:
    """One import statement: the absolute name of what it loads, and whether it does so when its own file is loaded."""

    line: int
    name: str
    at_top: bool


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str
    path: Path
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    def imports(self) -> Iterator[Import]:
        for node, at_top in walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (Import(node.lineno, alias.name, at_top) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno}: a relative import"
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield Import(node.lineno, whole if is_module(whole) else str(node.module), at_top)

    def own_imports(self) -> Iterator[tuple[int, str]]:
        """Give line and name of each import from the package, TYPE_CHECKING and inside functions included."""
        for found in self.imports():
            if found.name == "crane_mirrors":
                yield found.line, "library"
            elif found.name.startswith("crane_mirrors."):
                yield found.line, found.name.removeprefix("crane_mirrors.")


def walk(tree: ast.AST, at_top: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Give every node, and whether it runs when the file is loaded: not in a function, nor for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        yield node, at_top
        yield from walk(node, at_top and not lazy and not typing_only)


def is_module(name: str) -> bool:
    path = PROJECT / "src" / Path(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@cache
def modules() -> list[Module]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "library"
        text = path.read_text(encoding="utf-8")
        found.append(Module(name, path, text, ast.parse(text)))
    return found


each_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)


def storeys() -> list[list[str]]:
    lines = ARCHITECTURE.strip().splitlines()
    return [[room.strip() for room in line.partition("   ")[0].split(",")] for line in lines]


def test_every_room_stands_in_the_architecture() -> None:
    """There is no room beside the table, and none stands in it twice."""
    rooms = [room for storey in storeys() for room in storey]
    assert len(rooms) == len(set(rooms))
    assert {module.room for module in modules()} <= set(rooms)


@each_module
def test_imports_go_one_way(module: Module) -> None:
    """A file imports from its own room and from the rooms above it, and from nowhere else in the package."""
    height = {room: number for number, storey in enumerate(storeys()) for room in storey}
    for line, name in module.own_imports():
        room = name.partition(".")[0]
        assert room == module.room or height[room] < height[module.room], f"{module.path}:{line} imports {name}"


@each_module
def test_words_do_not_know_each_other(module: Module) -> None:
    """Where a file's name is a word on the command line, it imports none of the other words' files."""
    if module.room in ROOMS_OF_WORDS:
        for line, name in module.own_imports():
            parts = name.split(".")
            own = parts[0] == module.room and name != module.name and len(parts) > 1
            assert not own or parts[1].startswith("_"), f"{module.path}:{line} imports {name}"


@each_module
def test_costly_packages_are_loaded_where_and_when_they_are_needed(module: Module) -> None:
    """Each of the dependencies has its rooms, and but for click loads inside the function that uses it."""
    for found in module.imports():
        package = found.name.partition(".")[0]
        if package in FOREIGN:
            rooms, may_be_at_top = FOREIGN[package]
            allowed = any(module.name == room or module.name.startswith(f"{room}.") for room in rooms)
            assert allowed, f"{module.path}:{found.line} imports {found.name}"
            assert may_be_at_top or not found.at_top, f"{module.path}:{found.line} imports {found.name} at the top"
        else:
            assert package in sys.stdlib_module_names | {"crane_mirrors"}, f"{module.path}:{found.line}"


@each_module
def test_only_some_rooms_touch_the_world(module: Module) -> None:
    """The network is in `live`; other programs, signals and passwords are in `cli`; nothing logs."""
    for found in module.imports():
        for name, rooms in WORLDLY.items():
            if found.name == name or found.name.startswith(f"{name}."):
                assert module.room in rooms, f"{module.path}:{found.line} imports {found.name}"


@each_module
def test_library_never_prints_exits_or_reads_the_environment(module: Module) -> None:
    """Only the command line knows of streams, arguments, exit codes, the environment and the current folder."""
    if module.room in ("cli", "__main__"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in OF_CLI, f"{module.path}:{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Name):
            assert node.id not in OF_CLI_BY_NAME | {"SystemExit"}, f"{module.path}:{node.lineno}: {node.id}"
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "sys", "shutil", "os.path"):
            for alias in node.names:
                assert f"{node.module}.{alias.name}" not in OF_CLI, f"{module.path}:{node.lineno}: {alias.name}"


@each_module
def test_all_names_what_is_there_for_others(module: Module) -> None:
    """Each file lists its public names; each of them is there, and other rooms use none that is not listed."""
    names = next(
        (
            ast.literal_eval(node.value)
            for node in module.tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ),
        None,
    )
    if names is None:
        assert len(module.tree.body) == 1, f"{module.path} has no __all__"
        return
    assert len(names) == len(set(names))
    loaded = importlib.import_module("crane_mirrors" if module.name == "library" else f"crane_mirrors.{module.name}")
    for name in names:
        assert hasattr(loaded, name), f"{module.path} has no {name}"
        assert not name.startswith("_"), f"{module.path} publishes {name}"
    for user in modules():
        if user.room == module.room:
            continue
        for node in ast.walk(user.tree):
            if isinstance(node, ast.ImportFrom) and node.module == loaded.__name__:
                used = {alias.name for alias in node.names if not is_module(f"{node.module}.{alias.name}")}
                assert used <= {*names, "__version__"}, f"{user.path}:{node.lineno} uses {used - set(names)}"


@each_module
def test_files_and_functions_are_short(module: Module) -> None:
    """A file has at most 250 lines and a function fewer than 40, so that each can be read at one go."""
    assert len(module.text.splitlines()) <= 250
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length < 40, f"{module.path}:{node.lineno}: {node.name} has {length} lines"


#: Runs one call as the installed program does, and then prints which modules were loaded for it.
LOADED_BY = """
import sys
before = set(sys.modules)
from crane_mirrors.cli import main
main()
sys.stdout.flush()
sys.__stdout__.write("\\0" + "\\n".join(set(sys.modules) - before))
"""

#: What only some calls need; everything else must not load it.
COSTLY = {"rich", "yaml", "httpx", "json", "difflib", "urllib.parse", "ipaddress", "tempfile", "shutil", "subprocess",
          "socket", "ssl", "asyncio", "logging", "textwrap", "random", "zipfile", "unittest", "hashlib"}  # fmt: skip


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def loaded_by(arguments: str, cache_folder: Path) -> set[str]:
    """Name the modules that a call loads, in an interpreter that loads nothing by itself, `site` included."""
    process = subprocess.run(
        [sys.executable, "-S", "-P", "-c", LOADED_BY, *arguments.split()],
        cwd=cache_folder,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), *filter(None, sys.path)]),
            "XDG_CACHE_HOME": str(cache_folder),
            "XDG_CONFIG_HOME": str(cache_folder),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return set(process.stdout.partition("\0")[2].split("\n"))


@pytest.mark.parametrize(
    ("arguments", "costly"),
    [
        ("image craned --tag main", set()),
        ("image craned", set()),
        ("image ghcr.io/gocrane/crane/craned:v1 --all --region global", set()),
        ("image craned --branch main --commit abc1234 --client skopeo --platform linux/arm64", set()),
        ("helm grafana", {"urllib.parse", "ipaddress"}),
        ("git api --print command", {"urllib.parse", "ipaddress"}),
        ("raw crane main a", {"urllib.parse", "ipaddress"}),
        ("list", {"urllib.parse", "ipaddress"}),
        ("image craned --tag main --output json", {"json"}),
        ("--version", set()),
    ],
)
def test_a_call_loads_what_it_needs(arguments: str, costly: set[str], cache_folder: Path) -> None:
    """With a warm cache no call reads YAML, and none loads what only others need, another command least of all."""
    loaded_by("image craned --tag main", cache_folder)
    loaded = loaded_by(arguments, cache_folder)
    assert loaded & COSTLY <= costly
    commands = {name for name in loaded if name.startswith("crane_mirrors.cli.") and "._" not in name}
    assert commands == ({f"crane_mirrors.cli.{arguments.split()[0]}"} if arguments[0] != "-" else set())
    assert not any(name.startswith(("crane_mirrors.catalogue.layer", "crane_mirrors.rewrite")) for name in loaded)
    hosts = {name for name in loaded if name.startswith("crane_mirrors.hosts.") and "._" not in name}
    assert hosts == ({"crane_mirrors.hosts.coding"} if arguments.startswith("raw") else set())
    formats = {name.rpartition(".")[2] for name in loaded if name.startswith("crane_mirrors.render.")}
    assert formats - {"_result"} <= {"json" if "json" in arguments else "plain"}


def test_main_job_loads_these_modules_of_the_package_and_no_other(cache_folder: Path) -> None:
    """The call that CI scripts make a thousand times a day is paid for module by module."""
    loaded_by("image craned --tag main", cache_folder)
    loaded = loaded_by("image craned --tag main", cache_folder)
    package = {name.removeprefix("crane_mirrors.") for name in loaded if name.startswith("crane_mirrors.")}
    assert package == {
        "errors", "model", "reference", "clients",
        "catalogue", "catalogue.cache", "catalogue.entry", "catalogue.index",
        "resolve", "resolve.image", "resolve.routes",
        "render", "render._result", "render.plain",
        "cli", "cli._answer", "cli._group", "cli._layers", "cli._messages", "cli._run", "cli._settings", "cli.image",
    }  # fmt: skip


def test_cold_cache_is_what_reads_yaml(tmp_path: Path) -> None:
    """The check above can see YAML: without a cache it is loaded."""
    assert "yaml" in loaded_by("image craned --tag main", tmp_path)


def test_importing_the_library_loads_nothing() -> None:
    """`import crane_mirrors` costs next to nothing: a name is loaded when it is first used."""
    script = "import sys, crane_mirrors; print(*(name for name in sys.modules if name.startswith('crane_mirrors')))"
    process = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert process.stdout == "crane_mirrors\n"
