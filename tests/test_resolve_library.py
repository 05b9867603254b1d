"""`from crane_mirrors import …`: what other programs may use, with its types, and without what they did not ask for."""

from __future__ import annotations

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from conftest import PROJECT, Ran

import crane_mirrors
from crane_mirrors import Answer, Catalogue, Choice, CraneMirrorsError, Reference, Route, load

#: Everything public, used as its documentation says; what mypy finds wrong with it is wrong with the types.
PROGRAM = """
from __future__ import annotations

from crane_mirrors import (
    Answer, Catalogue, Choice, CraneMirrorsError, Reference, Route, load,
    resolve_git, resolve_helm, resolve_image, resolve_raw, resolve_string,
)


def targets(answer: Answer) -> list[str]:
    best: Route = answer.best
    assert best is answer.routes[0]
    command: tuple[str, ...] = best.command
    page: str | None = best.page
    notes: tuple[str, ...] = best.notes + answer.notes
    assert command, (page, notes)
    mirror: str = best.place.name
    assert mirror, best.place.is_origin
    return [route.target for route in answer.routes]


catalogue: Catalogue = load(["own.yaml"])
origin = Choice(mirrors=("origin",), region="global")
reference = Reference.parse(targets(resolve_image(catalogue, "craned", origin, tag="main"))[0])
print(reference.familiar, reference.tag, reference.digest)
print(*targets(resolve_image(catalogue, "ghcr.io/gocrane/crane/craned", client="podman", digest="sha256:" + 64 * "0")))
print(*targets(resolve_helm(catalogue, "grafana", Choice())))
print(*targets(resolve_git(catalogue, "api", Choice(mirrors=("mine",), every=False))))
print(*targets(resolve_raw(catalogue, "crane", "main", "README.md")))
try:
    resolve_git(catalogue, "nope")
except CraneMirrorsError as error:
    code: int = error.exit_code
    print(code, type(error).__name__)
print(*targets(resolve_string(catalogue, "git@github.com:gocrane/api.git", Choice(mirrors=("mine",), every=False))))
names: list[str] = catalogue.names("git")
print(*names)
"""

OUTPUT = f"""\
gocrane/craned:main main None
finops-docker.pkg.coding.net/gocrane/crane/craned@sha256:{64 * "0"} \
ghcr.io/gocrane/crane/craned@sha256:{64 * "0"} docker.io/gocrane/craned@sha256:{64 * "0"}
https://finops-helm.pkg.coding.net/gocrane/grafana https://grafana.github.io/helm-charts
https://mine.example/api
https://finops.coding.net/p/gocrane/d/crane/git/raw/main/README.md?download=false \
https://gitee.com/finops/crane/raw/main/README.md https://raw.githubusercontent.com/gocrane/crane/main/README.md
3 UnknownName
https://mine.example/api
crane helm-charts api crane-scheduler fadvisor
"""

#: Uses that a type checker has to refuse.
WRONG = """
from crane_mirrors import Choice, load, resolve_image, resolve_git

load("own.yaml", cache_dir=1)
resolve_image(load(), "craned", client="rkt")
resolve_image(load(), "craned", "origin")
resolve_git(load(), 1)
Choice(mirrors="origin")
resolve_git(load(), "api").best.target = "x"
load().nothing()
"""

#: What talks to a network or a terminal: none of it has a place in somebody else's program.
NEVER = ["click", "http.client", "httpx", "rich", "socket", "ssl", "subprocess", "tempfile", "urllib.request"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the Python of an environment that has the package, as it is installed, and nothing else."""
    folder = tmp_path_factory.mktemp("library")
    venv.create(folder / "environment")
    (site,) = folder.glob("environment/lib/python*/site-packages")
    package = shutil.copytree(PROJECT / "src" / "crane_mirrors", site / "crane_mirrors")
    shutil.copy(PROJECT / "data" / "mirrors.yaml", package)
    folder.joinpath("own.yaml").write_text(
        "version: 1\ngit: {api: {mirrors: {mine: https://mine.example/api}}}\n", encoding="utf-8"
    )
    return folder / "environment" / "bin" / "python"


def run(folder: Path, *command: str, **variables: str) -> Ran:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MYPY"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def check_types(installed: Path, text: str) -> Ran:
    folder = installed.parents[2]
    folder.joinpath("program.py").write_text(text, encoding="utf-8")
    mypy = ["-m", "mypy", "--strict", "--python-executable", str(installed), "--cache-dir", str(folder / "mypy")]
    return run(folder, sys.executable, *mypy, "program.py")


def test_public_names_are_all_there() -> None:
    """Every name of `__all__` is one of the package, in `dir()` order, and what begins with a capital is a class."""
    assert crane_mirrors.__all__ == sorted(crane_mirrors.__all__)
    for name in crane_mirrors.__all__:
        thing = getattr(crane_mirrors, name)
        assert callable(thing)
        assert isinstance(thing, type) == name[0].isupper()
        assert thing.__doc__
    namespace: dict[str, object] = {}
    exec("from crane_mirrors import *", namespace)
    assert set(crane_mirrors.__all__) <= set(namespace)


def test_what_a_type_checker_sees_is_what_runs() -> None:
    """The imports for type checkers, and the names that are imported when asked for, are the same."""
    tree = ast.parse(Path(crane_mirrors.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("crane_mirrors")
        for alias in node.names
    }
    assert sorted(seen) == crane_mirrors.__all__
    for name, module in seen.items():
        assert getattr(importlib.import_module(str(module)), name) is getattr(crane_mirrors, name)


def test_unknown_name_is_an_attribute_error() -> None:
    """What is not public, or not there, is refused as Python does."""
    with pytest.raises(AttributeError, match="module 'crane_mirrors' has no attribute 'nothing'"):
        _ = crane_mirrors.nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from crane_mirrors import nothing")


def test_program_of_ones_own_runs(installed: Path) -> None:
    """The installed package does what a program asks of it, whatever the environment says."""
    folder = installed.parents[2]
    folder.joinpath("program.py").write_text(PROGRAM, encoding="utf-8")
    folder.joinpath("broken.yaml").write_text("[", encoding="utf-8")
    (site,) = folder.glob("environment/lib/python*/site-packages")
    ran = run(
        folder,
        sys.executable,
        "program.py",
        PYTHONPATH=os.pathsep.join([str(site), *filter(None, sys.path)]),
        CRANE_MIRRORS_CATALOGUE="broken.yaml",
        CRANE_MIRRORS_REGION="moon",
    )
    assert ran == (0, OUTPUT, "")


def test_program_of_ones_own_is_typed(installed: Path) -> None:
    """mypy's strict mode has nothing to say against a program that uses every public name."""
    assert all(name in PROGRAM for name in crane_mirrors.__all__)
    ran = check_types(installed, PROGRAM)
    assert ran.code == 0, ran.out + ran.err


def test_wrong_use_is_seen_before_it_runs(installed: Path) -> None:
    """The types are there: mypy finds the mistake in each line of a program that makes one in each."""
    ran = check_types(installed, WRONG)
    wrong = [number for number, line in enumerate(WRONG.splitlines(), start=1) if line and "import" not in line]
    found = {int(line.split(":")[1]) for line in ran.out.splitlines() if ": error: " in line}
    assert found == set(wrong), ran.out


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("import crane_mirrors", ["yaml", "re", "crane_mirrors.errors"]),
        ("from crane_mirrors import Choice, Route, Answer, CraneMirrorsError", ["yaml", "crane_mirrors.catalogue"]),
        ("from crane_mirrors import *", ["yaml"]),
        ("from crane_mirrors import *; resolve_image(load(), 'craned:main')", []),
        ("from crane_mirrors import *; resolve_raw(load(), 'crane', 'main', 'a').best", []),
    ],
)
def test_nothing_is_loaded_that_was_not_asked_for(tmp_path: Path, code: str, more: list[str]) -> None:
    """No network, no terminal, no subprocess; and no YAML before a catalogue is read."""
    before = "import json, sys; start = set(sys.modules); "
    after = "; print(json.dumps(sorted(set(sys.modules) - start)))"
    ran = run(tmp_path, sys.executable, "-c", f"{before}{code}{after}", PYTHONPATH=str(PROJECT / "src"))
    assert ran.code == 0, ran.err
    assert not {*NEVER, *more} & set(json.loads(ran.out))


def test_values_are_values() -> None:
    """Answers compare, hash and print; none of them can be changed."""
    catalogue: Catalogue = load()
    choice = Choice(mirrors=("origin",))
    answer: Answer = crane_mirrors.resolve_git(catalogue, "api", choice)
    again = crane_mirrors.resolve_git(load(), "api", Choice(("origin",)))
    assert answer == again
    assert hash(answer) == hash(again)
    assert "https://github.com/gocrane/api.git" in repr(answer)
    route: Route = answer.best
    reference = Reference.parse("gocrane/craned")
    for value, name in (
        (answer, "kind"),
        (route, "target"),
        (choice, "region"),
        (reference, "tag"),
        (route.place, "name"),
    ):
        with pytest.raises(AttributeError):
            setattr(value, name, "x")


def test_catalogue_serves_any_number_of_choices() -> None:
    """One catalogue answers for every region and preference, in any order, as a fresh one does."""
    catalogue = load()
    choices = [Choice(mirrors, region) for mirrors in ((), ("origin",), ("gitee",)) for region in ("cn", "global")]
    for choice in [*choices, *reversed(choices)]:
        assert crane_mirrors.resolve_git(catalogue, "crane", choice) == crane_mirrors.resolve_git(
            load(), "crane", choice
        )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("resolve_image", ["craned:.x"]),
        ("resolve_image", ["nope"]),
        ("resolve_helm", ["nope"]),
        ("resolve_git", ["nope"]),
        ("resolve_raw", ["crane", "a..b", "x"]),
        ("resolve_raw", ["crane", "main", "../x"]),
        ("resolve_git", ["api", Choice(mirrors=("gitee",))]),
        ("resolve_git", ["api", Choice(region="moon")]),
    ],
)
def test_every_error_is_of_one_family(name: str, arguments: list[object]) -> None:
    """Whatever goes wrong is a CraneMirrorsError, with one line to show and an exit code to use."""
    with pytest.raises(CraneMirrorsError) as caught:
        getattr(crane_mirrors, name)(load(), *arguments)
    assert caught.value.exit_code in (2, 3)
    assert "\n" not in str(caught.value)
