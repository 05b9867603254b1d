"""A new kind of host is one new file under `hosts/`, and rows in a catalogue: here GitLab, in a copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Ran

GITLAB = '''\
"""GitLab: Git repositories in groups of any depth, and raw files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.hosts._base import Found, HostKind, file_in, server_of, split_ref
from crane_mirrors.url import encode

if TYPE_CHECKING:
    from crane_mirrors.files import FilePath, Ref
    from crane_mirrors.url import URL

__all__ = ["KIND"]


class GitLab(HostKind):
    """https://gitlab.com, and everybody's own; what stands after `/-/` is not part of the repository's name."""

    domains = ("gitlab.com",)

    def raw_url(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build ``HOST/GROUP/REPO/-/raw/REF/PATH``."""
        return f"https://{clone.place.removesuffix('.git')}/-/raw/{encode(str(ref))}/{encode(str(path))}"

    def file_page(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build ``HOST/GROUP/REPO/-/blob/REF/PATH``."""
        return f"https://{clone.place.removesuffix('.git')}/-/blob/{encode(str(ref))}/{encode(str(path))}"

    def find(self, url: URL) -> Found | None:
        """Read clone URLs, and raw and page URLs of files."""
        name, dash, rest = (server_of(url) + url.path).partition("/-/")
        if not dash:
            return super().find(url)
        form, *more = rest.split("/")
        if form in ("raw", "blob"):
            return file_in(name, *split_ref(more), page=form == "blob")
        return Found(name, page=True) if form == "tree" else None


KIND = GitLab()
'''

CATALOGUE = """\
version: 1
regions:
  cn: [gitlab]
git:
  api:
    mirrors:
      gitlab: https://gitlab.com/finops/mirrors/api.git
  tool:
    origin: https://gitlab.com/team/tool
    mirrors:
      own: {url: https://git.corp.example/team/sub/tool.git, host_kind: gitlab}
"""

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy package and catalogue, and add GitLab's file."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("src", "data"):
        shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    folder.joinpath("src", "crane_mirrors", "hosts", "gitlab.py").write_text(GITLAB, encoding="utf-8")
    folder.joinpath("own.yaml").write_text(CATALOGUE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(copy: Path) -> Run:
    """Give a function that runs a command of the copy with the catalogue above."""

    def run(*arguments: str) -> Ran:
        process = subprocess.run(
            [sys.executable, "-P", "-m", "crane_mirrors", *arguments],
            cwd=copy,
            env={
                **os.environ,
                "PYTHONPATH": str(copy / "src"),
                "XDG_CACHE_HOME": str(copy / "cache"),
                "CRANE_MIRRORS_CATALOGUE": "own.yaml",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(process.returncode, process.stdout, process.stderr)

    return run


def rows(ran: Ran) -> list[dict[str, Any]]:
    assert (ran.code, ran.err) == (0, "")
    return list(json.loads(ran.out)["rows"])


def test_the_project_itself_has_no_such_kind() -> None:
    """What is shown here is an addition: nothing in the project knows that host."""
    for path in [*PROJECT.joinpath("src").rglob("*.py"), PROJECT / "data" / "mirrors.yaml"]:
        assert "gitlab.com" not in path.read_text(encoding="utf-8")
    assert not PROJECT.joinpath("src", "crane_mirrors", "hosts", "gitlab.py").exists()


def test_mirror_of_the_new_kind(run: Run) -> None:
    """A mirror on the kind's own domain is recognized by its host, and has raw files and pages in the kind's form."""
    best = rows(run("git", "api", "-o", "json"))[0]
    assert (best["mirror"], best["url"]) == ("gitlab", "https://gitlab.com/finops/mirrors/api.git")
    best = rows(run("raw", "api", "feature/x", "a b.yaml", "-o", "json"))[0]
    assert best["url"] == "https://gitlab.com/finops/mirrors/api/-/raw/feature/x/a%20b.yaml"
    assert best["page"] == "https://gitlab.com/finops/mirrors/api/-/blob/feature/x/a%20b.yaml"
    assert best["command"] == "curl -fsSL https://gitlab.com/finops/mirrors/api/-/raw/feature/x/a%20b.yaml"


def test_origin_of_the_new_kind_and_a_host_of_ones_own(run: Run) -> None:
    """An origin is called by the kind's name, and a catalogue can say that another host is of this kind."""
    found = {row["mirror"]: (row["url"], row["origin"]) for row in rows(run("raw", "tool", "v1", "a", "-o", "json"))}
    assert found == {
        "gitlab": ("https://gitlab.com/team/tool/-/raw/v1/a", True),
        "own": ("https://git.corp.example/team/sub/tool/-/raw/v1/a", False),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://gitlab.com/finops/mirrors/api", "https://github.com/gocrane/api.git"),
        ("git@gitlab.com:finops/mirrors/api.git", "https://github.com/gocrane/api.git"),
        (
            "https://gitlab.com/finops/mirrors/api/-/raw/main/a%20b.yaml?inline=false",
            "https://raw.githubusercontent.com/gocrane/api/main/a%20b.yaml",
        ),
        (
            "https://gitlab.com/finops/mirrors/api/-/blob/main/a.yaml#L3",
            "https://raw.githubusercontent.com/gocrane/api/main/a.yaml",
        ),
        ("https://git.corp.example/team/sub/tool/-/raw/main/a", "https://gitlab.com/team/tool/-/raw/main/a"),
    ],
)
def test_addresses_of_the_new_kind_lead_back_to_the_origin(run: Run, text: str, expected: str) -> None:
    """`resolve` reads what the new file can parse, on the kind's own domain and on a host of one's own."""
    assert run("resolve", text, "--mirror", "origin") == (0, f"{expected}\n", "")


def test_other_kinds_are_as_they_were(run: Run) -> None:
    """Nothing else changes by the addition."""
    assert run("git", "crane") == (0, "https://e.coding.net/finops/gocrane/crane.git\n", "")


def test_unknown_kind_names_the_new_one(run: Run, copy: Path) -> None:
    """The word for a catalogue is the name of the file, and so is the suggestion."""
    copy.joinpath("typo.yaml").write_text(CATALOGUE.replace("host_kind: gitlab", "host_kind: gitlap"), encoding="utf-8")
    ran = run("git", "tool", "-c", "typo.yaml")
    assert (ran.code, ran.out) == (5, "")
    assert "did you mean 'gitlab'?" in ran.err


def test_addition_is_strictly_typed(copy: Path) -> None:
    """The protocol of host kinds is typed: the new file passes mypy's strict checks as it is."""
    process = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "mypy", "-m", "crane_mirrors.hosts.gitlab"],
        cwd=copy,
        env={**os.environ, "MYPYPATH": str(copy / "src"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    errors = [line for line in process.stdout.splitlines() if "hosts/gitlab.py" in line]
    assert errors == []
    assert "error: " not in process.stderr
