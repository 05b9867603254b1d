"""`pull` and `fetch` with the built-in catalogue as it is: its hosts are on loopback, some of them in a bad way."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, need
from servers.git import RAW_PATH
from servers.images import make_image
from servers.web import login_page
from servers.world import World, world

CODING, GHCR, HUB = "finops-docker.pkg.coding.net", "ghcr.io", "registry-1.docker.io"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as hosts:
        yield hosts


@pytest.fixture
def run(hosts: World, tmp_path: Path) -> Run:
    storage = f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    (tmp_path / "storage.conf").write_text(storage, encoding="utf-8")
    (tmp_path / "registries.conf").write_text("", encoding="utf-8")
    environment = {
        **os.environ,
        **hosts.names.environment,
        "PYTHONPATH": str(PROJECT / "src"),
        "HOME": str(tmp_path),
        "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf"),
    }

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        wrapped = hosts.names.command(*command)
        return subprocess.run(
            wrapped, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    hosts.names.requests.clear()
    return run


PROGRAM = (sys.executable, "-P", "-m", "crane_mirrors")


def test_podman_finds_the_images_of_a_manifest(hosts: World, run: Run) -> None:
    """What the origin has comes from the first mirror that has exactly that, and is there by the origin's name."""
    need("podman")
    names = ("craned", "crane-agent", "fadvisor")
    done = run(*PROGRAM, "pull", *names, "--pin", "--jobs", "3", "--client", "podman", "-o", "json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    # Coding's crane-agent is stale, its fadvisor missing.
    assert {name: row["mirror"] for name, row in rows.items()} == {
        "craned": "coding",
        "crane-agent": "ghcr",
        "fadvisor": "ghcr",
    }
    for name in names:
        form = "{{range .RepoDigests}}{{.}} {{end}}"
        found = run("podman", "image", "inspect", "--format", form, f"docker.io/gocrane/{name}:main")
        assert make_image(name).digest in found.stdout, found.stderr
    assert not [asked for asked in hosts.names.asked if asked.host == HUB and "/blobs/" in asked.path]


def test_podman_asks_the_next_mirror(hosts: World, run: Run) -> None:
    """An image that the first mirror lacks comes from the second; nobody else is asked."""
    need("podman")
    done = run(*PROGRAM, "pull", "fadvisor:main", "--client", "podman")
    assert (done.returncode, done.stdout) == (0, "docker.io/gocrane/fadvisor:main\n")
    asked = [asked.host for asked in hosts.names.asked]
    assert list(dict.fromkeys(asked)) == [CODING, GHCR]


def test_a_docker_that_is_podman(run: Run, tmp_path: Path) -> None:
    """The package podman-docker calls it so; it takes a short name for one on this machine."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").symlink_to(need("podman"))
    path = f"PATH={tmp_path}/bin:{os.environ['PATH']}"
    done = run("env", path, *PROGRAM, "pull", "craned")
    assert (done.returncode, done.stdout) == (0, "gocrane/craned:main\n"), done.stderr
    for name in ("gocrane/craned:main", "docker.io/gocrane/craned:main"):
        assert run("podman", "image", "exists", name).returncode == 0, name


def test_a_file_comes_from_coding(hosts: World, run: Run) -> None:
    """The best mirror's address is the built-in one, and the file is what Git has there."""
    done = run(*PROGRAM, "fetch", "helm-charts", "main", RAW_PATH, "--verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "grafana:\n  replicas: 3\n"
    hosts_asked = [asked.host for asked in hosts.names.asked]
    assert hosts_asked == ["raw.githubusercontent.com", "finops.coding.net"]
    assert hosts.names.asked[1].path == f"/p/gocrane/d/helm-charts/git/raw/main/{RAW_PATH}?download=false"


def test_verify_finds_a_stale_file(run: Run) -> None:
    """A mirror whose repository is behind is found out: exit 1, and nothing comes out."""
    done = run(*PROGRAM, "fetch", "api", "main", RAW_PATH, "--verify")
    assert (done.returncode, done.stdout) == (1, "")
    (old, new) = (hashlib.sha256(b"grafana:\n  replicas: %d\n" % number).hexdigest() for number in (2, 3))
    assert f"coding has {old}, the origin {new}; nothing was written\n" in done.stderr


def test_a_login_page_and_a_dead_host_are_passed_over(hosts: World, run: Run) -> None:
    """When Coding wants a login and Gitee is gone, GitHub's file comes out."""
    coding = f"https://finops.coding.net/p/gocrane/d/crane/git/raw/main/{RAW_PATH}"
    hosts.names.change("finops.coding.net", login_page)
    done = run(*PROGRAM, "fetch", coding, "--output-file", "values.yaml")
    assert done.returncode == 0, done.stderr
    assert " from github, https://raw.githubusercontent.com/gocrane/crane/main/" in done.stderr
    assert done.stderr.endswith(", after coding: login page, after gitee: refused\n")
