"""The scripts in examples/ do what they say, from start to end, and leave nothing behind with --remove."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, need
from kyverno import Kyverno, built_in_images, created, published_schema
from servers.cluster import cluster
from servers.images import make_image
from servers.names import need_names
from servers.world import World, world

EXAMPLES = PROJECT / "examples"
HUB = "docker.io/gocrane"
CODING_IMAGES = "finops-docker.pkg.coding.net"
CODING = f"{CODING_IMAGES}/gocrane/crane"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All hosts of the built-in catalogue, on loopback."""
    need_names()
    with world(tmp_path_factory.mktemp("world"), states={}, dead=()) as hosts:
        yield hosts


@dataclass
class Machine:
    """A machine with a home of its own, on which `crane-mirrors` is the program under test."""

    folder: Path
    hosts: World
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("bin", "home", "state"):
            (self.folder / name).mkdir()
        program = self.folder / "bin" / "crane-mirrors"
        python = f"PYTHONPATH={shlex.quote(str(PROJECT / 'src'))} exec {shlex.quote(sys.executable)} -m crane_mirrors"
        program.write_text(f'#!/bin/sh\n{python} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "GIT_", "HELM_"))},
            **self.hosts.names.environment,
            "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.folder / "home"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "state"),
            "CI": "true",
        }

    def run(self, *command: str | Path) -> str:
        """Run a command among the hosts; it has to succeed."""
        done = self.tried(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tried(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command among the hosts, and see what becomes of it."""
        return subprocess.run(
            self.hosts.names.command(*command),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def use_podman(self) -> None:
        """Let podman have a store of its own, and be the only client on the path."""
        storage = f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n'
        (self.folder / "storage.conf").write_text(storage, encoding="utf-8")
        (self.folder / "state" / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self.environment["CONTAINERS_STORAGE_CONF"] = str(self.folder / "storage.conf")
        (self.folder / "bin" / "docker").unlink(missing_ok=True)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Give what is in a folder: every file and folder, its mode, and its content."""
    return {
        str(path.relative_to(folder)): (stat.S_IMODE(path.stat().st_mode), b"" if path.is_dir() else path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def machine(tmp_path: Path, hosts: World) -> Machine:
    hosts.names.requests.clear()
    return Machine(tmp_path, hosts)


@pytest.mark.parametrize("down", [(), (CODING_IMAGES, "finops.coding.net")], ids=["", "down"])
def test_ci_job(down: tuple[str, ...], machine: Machine) -> None:
    """A CI job gets its file and its image from mirrors, be Coding up or not, and its manifests name digests."""
    need("podman")
    machine.use_podman()
    manifests = machine.folder / "work" / "manifests"
    manifests.mkdir(parents=True)
    (manifests / "deployment.yaml").write_text("image: gocrane/craned:main\n", encoding="utf-8")
    path = machine.environment["PATH"]
    machine.environment["PATH"] = without(path, "docker", machine.folder / "narrow")
    names = machine.hosts.names
    before = dict(names.backends)
    for name in down:
        names.change(name, None)
    try:
        out = machine.run(EXAMPLES / "ci-job.sh", manifests)
    finally:
        for name in down:
            names.change(name, before[name])
    digest = make_image("craned").digest
    mirror = "ghcr.io/gocrane/crane" if down else CODING
    assert (manifests / "deployment.yaml").read_text(encoding="utf-8") == f"image: {mirror}/craned@{digest}\n"
    assert (manifests.parent / "values.yaml").stat().st_size > 0
    assert "pulled " in out
    assert digest in machine.run("podman", "images", "--digests", "--format", "{{.Digest}}")


def without(path: str, program: str, folder: Path) -> str:
    """Give a PATH with everything that is on another one but one program."""
    folder.mkdir()
    for place in path.split(os.pathsep):
        for found in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / found.name
            if found.name != program and not link.is_symlink():
                link.symlink_to(found)
    return str(folder)


def test_node_bootstrap(machine: Machine) -> None:
    """On a node that was set up, podman gets Docker Hub's image from the mirror; --remove leaves the node as it was."""
    need("podman")
    machine.use_podman()
    root = machine.folder / "node"
    (root / "etc" / "containers").mkdir(parents=True)
    before = files(root)
    machine.run(EXAMPLES / "node-bootstrap.sh", root)
    configured = files(root)
    assert {
        "etc/containers/registries.conf.d/50-crane-mirrors.conf",
        "etc/containerd/certs.d/ghcr.io/hosts.toml",
    } <= set(configured)
    conf = root / "etc" / "containers" / "registries.conf.d" / "50-crane-mirrors.conf"
    machine.environment["CONTAINERS_REGISTRIES_CONF"] = str(conf)
    machine.run("podman", "pull", "--quiet", f"{HUB}/dashboard:main")
    asked = {host for host, _, path in machine.hosts.names.asked if "/manifests/main" in path}
    assert asked == {"finops-docker.pkg.coding.net"}
    machine.run(EXAMPLES / "node-bootstrap.sh", root)
    assert files(root) == configured
    machine.run(EXAMPLES / "node-bootstrap.sh", "--remove", root)
    assert files(root) == before


def test_cluster_kyverno(machine: Machine) -> None:
    """kubectl applies a policy that mirrors the images of pods; --remove takes it from the cluster, and the file."""
    need("kubectl")
    folder = machine.folder / "policy"
    folder.mkdir()
    with cluster(published_schema()) as server:
        server.write_kubeconfig(machine.folder / "kubeconfig")
        machine.environment["KUBECONFIG"] = str(machine.folder / "kubeconfig")
        machine.run(EXAMPLES / "cluster-kyverno.sh", folder)
        applied, written = dict(server.policies), files(folder)
        (kept,) = applied.values()
        assert kept.applied == yaml.safe_load(written["crane-mirrors-kyverno.yaml"][1])
        expected = built_in_images()
        assert created(Kyverno(kept.object), list(expected)) == list(expected.values())
        machine.run(EXAMPLES / "cluster-kyverno.sh", folder)
        assert (server.policies, files(folder)) == (applied, written)
        for _ in range(2):
            machine.run(EXAMPLES / "cluster-kyverno.sh", "--remove", folder)
            assert (server.policies, files(folder)) == ({}, {})
        asked = [request.method for request in server.requests if request.method != "GET"]
    assert asked == ["PATCH"] * 2 + ["DELETE"] * 2


def test_laptop(machine: Machine) -> None:
    """Git and Helm use mirrors, pushes would go to the origin; --remove leaves the home as it was."""
    git, helm = need("git"), need("helm")
    home = machine.folder / "home"
    (home / ".config").mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = someone\n", encoding="utf-8")
    before = files(home)
    machine.run(EXAMPLES / "laptop.sh")
    configured = files(home)
    machine.run(git, "clone", "--quiet", "https://github.com/gocrane/crane.git", "clone")
    assert {host for host, _, _ in machine.hosts.names.asked} == {"e.coding.net"}
    remote = machine.run(git, "-C", "clone", "remote", "get-url", "--push", "origin")
    assert remote.strip() == "https://github.com/gocrane/crane.git"
    machine.environment["HELM_CACHE_HOME"] = str(machine.folder / "cache")
    machine.environment["HELM_DATA_HOME"] = str(machine.folder / "data")
    assert "finops-helm.pkg.coding.net" in machine.run(helm, "repo", "list")
    machine.run(helm, "repo", "update")
    machine.run(EXAMPLES / "laptop.sh")
    assert files(home) == configured
    machine.run(EXAMPLES / "laptop.sh", "--remove")
    assert files(home) == before


def test_laptop_of_somebody_new(machine: Machine) -> None:
    """A home without any configuration has none again after --remove, and a file that only seems empty stays."""
    need("git")
    home = machine.folder / "home"
    machine.run(EXAMPLES / "laptop.sh")
    assert (home / ".gitconfig").exists()
    for _ in range(2):
        machine.run(EXAMPLES / "laptop.sh", "--remove")
        assert files(home) == {}
    (home / ".gitconfig").write_text("# mine\n", encoding="utf-8")
    before = files(home)
    machine.run(EXAMPLES / "laptop.sh")
    machine.run(EXAMPLES / "laptop.sh", "--remove")
    assert set(files(home)) == set(before)


@pytest.mark.parametrize("name", ["laptop.sh", "node-bootstrap.sh", "cluster-kyverno.sh", "ci-job.sh"])
@pytest.mark.parametrize("option", ["--help", "--remvoe"])
def test_an_option_that_there_is_not_changes_nothing(name: str, option: str, machine: Machine) -> None:
    """A script that does not know an option says how it is called, and does nothing."""
    before = files(machine.folder)
    done = machine.tried(EXAMPLES / name, option)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"examples/{name}" in done.stderr
    assert files(machine.folder) == before


def test_every_example_is_tested_and_described() -> None:
    """No script in examples/ is left out of its table, nor of the tests."""
    scripts = {path.name for path in EXAMPLES.glob("*.sh")}
    here = Path(__file__).read_text(encoding="utf-8")
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(name in here and f"[{name}]({name})" in table for name in scripts)
    assert all(os.access(EXAMPLES / name, os.X_OK) for name in scripts)
    assert shutil.which("sh")
