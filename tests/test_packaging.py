"""What is in the wheel and in the sdist, to the file."""

from __future__ import annotations

import ast
import email
import re
import sys
import tarfile
import zipfile
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from conftest import PROJECT, Shipped, build

import crane_mirrors

VERSION = crane_mirrors.__version__
INFO = f"crane_mirrors-{VERSION}.dist-info"


@pytest.fixture(scope="module")
def wheel(shipped: Shipped) -> dict[str, bytes]:
    with zipfile.ZipFile(shipped.wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(shipped: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(shipped.sdist) as archive:
        # As tarfile's documentation has it for all Pythons: before 3.11.4 there are no filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        archive.extractall(folder)
    return folder / f"crane_mirrors-{VERSION}"


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> Message:
    return email.message_from_string(wheel[f"{INFO}/METADATA"].decode())


def files(folder: Path, *below: str) -> set[str]:
    found = (path for part in below for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found}


def test_wheel_holds_the_package_and_nothing_else(wheel: dict[str, bytes], shipped: Shipped) -> None:
    """Every file of the package, the catalogue and the usual metadata; no tests, no benchmarks."""
    package = {name.removeprefix("src/") for name in files(shipped.source, "src")}
    info = {f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    assert set(wheel) == package | {"crane_mirrors/mirrors.yaml"} | info
    assert "crane_mirrors/py.typed" in wheel


@pytest.mark.parametrize(
    ("shipped_as", "original"),
    [("crane_mirrors/mirrors.yaml", "data/mirrors.yaml"), (f"{INFO}/licenses/LICENSE", "LICENSE")],
)
def test_wheel_holds_the_very_bytes(wheel: dict[str, bytes], shipped_as: str, original: str) -> None:
    """The catalogue and the license are the ones of the source tree, byte for byte."""
    assert wheel[shipped_as] == (PROJECT / original).read_bytes()


def test_wheel_declares_the_command(wheel: dict[str, bytes]) -> None:
    """Installing the wheel makes one command, and it is the one that `python -m` runs."""
    lines = wheel[f"{INFO}/entry_points.txt"].decode().split("\n")
    assert [line for line in lines if line] == ["[console_scripts]", "crane-mirrors = crane_mirrors.__main__:main"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Name", "crane-mirrors"),
        ("Version", VERSION),
        ("Requires-Python", ">=3.11"),
        ("License-Expression", "Apache-2.0"),
        ("Description-Content-Type", "text/markdown"),
    ],
)
def test_metadata(metadata: Message, field: str, value: str) -> None:
    """What an index and an installer read is what the project says of itself."""
    assert metadata.get_all(field) == [value]


def imported(source: Path) -> set[str]:
    """Name the distributions that have the modules that the package imports, wherever in its code it does."""
    modules: set[str] = set()
    for path in (source / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module)
    foreign = {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"crane_mirrors"}
    homes = packages_distributions()
    return {home.lower() for module in foreign for home in homes.get(module, [module])}


def test_metadata_requires_what_the_package_imports(metadata: Message, shipped: Shipped) -> None:
    """A user gets all that the code imports, and no tool of the tests: those are in the one extra."""
    lines = metadata.get_all("Requires-Dist", [])
    required, extra = ({name(line) for line in lines if ("extra ==" in line) is of_extra} for of_extra in (False, True))
    assert imported(shipped.source) <= required
    assert required.isdisjoint(extra)
    assert metadata.get_all("Provides-Extra") == ["test"]


def name(requirement: str) -> str:
    """Give the name that a requirement starts with, in lower case."""
    return re.split(r"[^\w-]", requirement.lower())[0]


def test_metadata_carries_the_readme(metadata: Message) -> None:
    """The long description is the README, unchanged."""
    assert metadata.get_payload() == (PROJECT / "README.md").read_text(encoding="utf-8")


def test_sdist_holds_all_that_a_packager_needs(sdist: Path, shipped: Shipped) -> None:
    """Source, catalogue, tests, benchmarks, examples and papers, and nothing else."""
    papers = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml", ".gitignore"}
    assert files(sdist, ".") == files(shipped.source, "src", "data", "tests", "benchmarks", "examples") | papers | {
        "PKG-INFO"
    }


def test_sdist_builds_the_same_wheel(sdist: Path, shipped: Shipped, tmp_path: Path) -> None:
    """The wheel that the sdist builds is the one that the source tree builds, byte for byte."""
    (again,) = build(sdist, tmp_path, "--wheel")
    assert again.name == shipped.wheel.name
    assert again.read_bytes() == shipped.wheel.read_bytes()
