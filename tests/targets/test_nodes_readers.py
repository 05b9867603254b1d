"""What podman, skopeo, ctr and dockerd do with the files of `config`, by the requests that public names get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import PROJECT, absent, need
from servers.images import Image, make_image
from servers.names import Asked, Names, public_names
from servers.process import end
from servers.registry import Registry, registry
from servers.web import forward

HUB, CODING, GHCR = "registry-1.docker.io", "finops-docker.pkg.coding.net", "ghcr.io"
CORP = "docker.m.example"
DROP_INS = "/etc/containers/registries.conf.d"

#: What each host has, under which path; every copy is another image, so that a digest says whose it is.
COPIES = {
    HUB: ("gocrane/craned", "gocrane/crane-scheduler", "gocrane/stress-ng", "library/nginx"),
    CODING: ("gocrane/crane/craned", "gocrane/crane/crane-scheduler"),
    GHCR: ("gocrane/crane/craned", "gocrane/crane-scheduler/crane-scheduler"),
    CORP: ("library/nginx", "gocrane/craned"),
}

PREFIX = """
version: 1
builtin: false
regions: {cn: [corp]}
images:
  hub: {origin: docker.io/*, mirrors: {corp: docker.m.example/*}}
"""


@dataclass(slots=True)
class World:
    """Public registries on loopback, and clients that see them."""

    folder: Path
    names: Names
    images: dict[str, Image]
    registries: dict[str, Registry] = field(default_factory=dict)

    def config(self, *arguments: str) -> Path:
        """Write a target's configuration as a person would, and give the folder."""
        out = self.folder / "out"
        command = [sys.executable, "-P", "-m", "crane_mirrors", "config", *arguments, "--output-dir", str(out)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert process.returncode == 0, process.stderr
        return out

    def prefix_catalogue(self) -> str:
        path = self.folder / "prefix.yaml"
        path.write_text(PREFIX, encoding="ascii")
        return str(path)

    def run(self, *command: str | Path, fails: bool = False) -> str:
        """Run a client that finds the public names, and give what it prints."""
        process = subprocess.run(
            self.names.command(*command),
            env={**os.environ, **self.names.environment, "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert fails or process.returncode == 0, process.stdout + process.stderr
        return process.stdout.strip()

    def with_drop_ins(self, folder: Path, *command: str | Path, fails: bool = False) -> str:
        """Run a client for which the folder is that of the system's drop-ins."""
        if not os.path.isdir(DROP_INS):
            absent(f"{DROP_INS} is not there")
        mount = f'mount --bind "$0" {DROP_INS} && exec "$@"'
        return self.run("sh", "-c", mount, folder, *command, fails=fails)

    def digest(self, host: str) -> str:
        return self.images[host].digest

    def asked(self) -> dict[str, set[str]]:
        """Give the paths that each host was asked for since the last time; `/v2/` alone asks for nothing."""
        found: dict[str, set[str]] = {}
        for host, method, path in self.names.asked:
            assert method in ("GET", "HEAD"), (host, method, path)
            if path != "/v2/":
                found.setdefault(host, set()).add(path.partition("?")[0])
        self.names.requests.clear()
        return found


@contextmanager
def public_registries(folder: Path) -> Iterator[World]:
    with ExitStack() as stack:
        registries = {host: stack.enter_context(registry(folder / host)) for host in COPIES}
        images = {host: make_image(host) for host in COPIES}
        for host, repositories in COPIES.items():
            for repository in repositories:
                registries[host].push(repository, "main", images[host])
        backends = {host: forward(server.authority) for host, server in registries.items()}
        names = stack.enter_context(public_names(folder / "names", backends))
        yield World(folder, names, images, registries)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    need("docker-registry")
    with public_registries(tmp_path) as world:
        yield world


def only(repository: str, *manifests: str) -> Callable[[set[str]], bool]:
    """Say that paths are manifests and blobs of a repository, with these names of manifests among them."""

    def holds(paths: set[str]) -> bool:
        assert {f"/v2/{repository}/manifests/{name}" for name in manifests} <= paths
        return all(path.startswith((f"/v2/{repository}/manifests/", f"/v2/{repository}/blobs/")) for path in paths)

    return holds


def inspect(world: World, folder: Path, reference: str, *, fails: bool = False) -> str:
    """Give the digest that skopeo sees under a reference."""
    arguments = ("inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{reference}")
    return world.with_drop_ins(folder, need("skopeo"), *arguments, fails=fails)


def test_skopeo_asks_the_best_mirror_then_the_next_then_the_origin(world: World) -> None:
    """With the built-in catalogue: Coding; without that GHCR; without that Docker Hub, each by its own path."""
    folder = world.config("registries.conf")
    for host, repository in ((CODING, "gocrane/crane/craned"), (GHCR, "gocrane/crane/craned"), (HUB, "gocrane/craned")):
        assert inspect(world, folder, "docker.io/gocrane/craned:main") == world.digest(host)
        asked = world.asked()
        assert set(asked) == {host}
        assert only(repository, "main")(asked[host])
        world.names.change(host, None)


def test_skopeo_gets_the_name_of_a_mirror_from_a_better_one(world: World) -> None:
    """What names GHCR reaches Coding, also where the paths differ, and GHCR when Coding is down."""
    folder = world.config("registries.conf")
    reference = "ghcr.io/gocrane/crane-scheduler/crane-scheduler:main"
    assert inspect(world, folder, reference) == world.digest(CODING)
    assert set(world.asked()) == {CODING}
    world.names.change(CODING, None)
    assert inspect(world, folder, reference) == world.digest(GHCR)
    assert set(world.asked()) == {GHCR}


@pytest.mark.parametrize("name", ["gocrane/stress-ng", "library/nginx"])
def test_skopeo_asks_no_mirror_for_what_the_catalogue_does_not_have(world: World, name: str) -> None:
    """An image beside those of the catalogue comes from its origin, and no mirror hears of it."""
    folder = world.config("registries.conf")
    assert inspect(world, folder, f"docker.io/{name}:main") == world.digest(HUB)
    asked = world.asked()
    assert set(asked) == {HUB}
    assert only(name, "main")(asked[HUB])


def test_skopeo_asks_a_mirror_for_digests_only(world: World) -> None:
    """With --digest-only the origin says what a tag means, and a mirror is asked for what has a digest."""
    folder = world.config("registries.conf", "--digest-only")
    assert inspect(world, folder, "docker.io/gocrane/craned:main") == world.digest(HUB)
    assert set(world.asked()) == {HUB}
    digest = world.digest(CODING)
    assert inspect(world, folder, f"docker.io/gocrane/craned@{digest}") == digest
    asked = world.asked()
    assert set(asked) == {CODING}
    assert only("gocrane/crane/craned", digest)(asked[CODING])


def test_skopeo_asks_a_mirror_for_all_of_a_registry(world: World) -> None:
    """A prefix entry redirects everything below its origin, and --mirror chooses whereto for the rest."""
    folder = world.config("registries.conf", "-c", world.prefix_catalogue())
    assert inspect(world, folder, "docker.io/library/nginx:main") == world.digest(CORP)
    asked = world.asked()
    assert set(asked) == {CORP}
    assert only("library/nginx", "main")(asked[CORP])
    folder = world.config("registries.conf", "-m", "ghcr")
    assert inspect(world, folder, "docker.io/gocrane/craned:main") == world.digest(GHCR)
    assert set(world.asked()) == {GHCR}


def test_skopeo_asks_no_mirror_for_what_stays_under_a_prefix(world: World) -> None:
    """An entry of its own that has no mirror before its origin is excepted from the prefix that covers it."""
    path = world.folder / "own.yaml"
    path.write_text(PREFIX + "  craned: {origin: docker.io/gocrane/craned, mirrors: {late: q.example/craned}}\n")
    folder = world.config("registries.conf", "-c", str(path), "-m", "corp")
    for name, host in (("gocrane/craned", HUB), ("library/nginx", CORP)):
        assert inspect(world, folder, f"docker.io/{name}:main") == world.digest(host)
        assert set(world.asked()) == {host}


def test_podman_pulls_from_the_mirror_and_keeps_the_name(world: World, short: Path) -> None:
    """A pull by the origin's name brings Coding's image under that name; without mirrors it is the origin's."""
    folder = world.config("registries.conf")
    places = ("--root", "root", "--runroot", "runroot", "--tmpdir", "tmp")
    options = [word if word.startswith("--") else str(short / word) for word in places]
    podman = (need("podman"), *options, "--storage-driver", "vfs")
    reference = "docker.io/gocrane/craned:main"

    def pulled() -> str:
        world.with_drop_ins(folder, *podman, "pull", "--quiet", reference)
        listed = world.run(*podman, "images", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}")
        world.run(*podman, "rmi", "--force", reference)
        name, digest = listed.split()
        assert name == reference
        return digest

    need("crun")
    assert pulled() == world.digest(CODING)
    asked = world.asked()
    assert set(asked) == {CODING}
    assert only("gocrane/crane/craned", "main")(asked[CODING])
    assert any("/blobs/sha256:" in path for path in asked[CODING])
    world.names.change(CODING, None)
    world.names.change(GHCR, None)
    assert pulled() == world.digest(HUB)
    asked = world.asked()
    assert set(asked) == {HUB}
    assert only("gocrane/craned", "main")(asked[HUB])


@contextmanager
def daemon(world: World, ready: Callable[[], bool], *command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon that finds the public names, from when it is ready until the block ends."""
    log = world.folder / "daemon.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            world.names.command(*command),
            env={**os.environ, **world.names.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        limit = time.monotonic() + 30
        while not ready():
            if process.poll() is not None or time.monotonic() > limit:
                absent(f"{Path(command[0]).name} does not start here: {log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.05)
        yield process
    finally:
        end(process)


@contextmanager
def containerd(world: World) -> Iterator[Callable[..., str]]:
    """Run containerd, and give what runs `ctr` with it."""
    home = world.folder / "containerd"
    home.mkdir()
    socket = home / "c.sock"
    (home / "config.toml").write_text(
        f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{home}/t.sock"\n',
        encoding="ascii",
    )
    ctr = need("ctr")

    def call(*arguments: str | Path, fails: bool = False) -> str:
        return world.run(ctr, "--address", socket, *arguments, fails=fails)

    def ready() -> bool:
        command = [ctr, "--address", str(socket), "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    with daemon(world, ready, need("containerd"), "--config", home / "config.toml"):
        yield call


def test_ctr_pulls_from_the_mirror_of_a_mirror(world: World) -> None:
    """ghcr.io's images with the same path on Coding come from there, the others and all without Coding from GHCR."""
    folder = world.config("containerd", "--partial")
    craned, scheduler = "gocrane/crane/craned", "gocrane/crane-scheduler/crane-scheduler"
    with containerd(world) as ctr:

        def pulled(reference: str, options: tuple[str, ...] = ()) -> str:
            ctr("images", "pull", "--hosts-dir", folder, "--snapshotter", "native", *options, reference)
            (line,) = (line for line in ctr("images", "ls").splitlines() if line.startswith(reference))
            ctr("images", "rm", reference)
            return line.split()[2]

        assert pulled(f"ghcr.io/{craned}:main") == world.digest(CODING)
        asked = world.asked()
        assert set(asked) == {CODING}
        assert only(craned, "main")(asked[CODING])
        # Coding has no such path, so containerd goes on to the registry that was named, for each blob anew.
        assert pulled(f"ghcr.io/{scheduler}:main") == world.digest(GHCR)
        asked = world.asked()
        assert set(asked) == {CODING, GHCR}
        assert only(scheduler, "main")(asked[CODING])
        assert asked[CODING] == asked[GHCR]
        assert pulled("docker.io/gocrane/craned:main") == world.digest(HUB)
        assert set(world.asked()) == {HUB}
        world.names.change(CODING, None)
        assert pulled(f"ghcr.io/{craned}:main") == world.digest(GHCR)
        assert set(world.asked()) == {GHCR}


def test_ctr_does_not_ask_a_mirror_what_a_tag_means(world: World) -> None:
    """With --digest-only the registry resolves the tag, and the mirror is asked for contents by digest alone."""
    folder = world.config("containerd", "--partial", "--digest-only")
    reference = "ghcr.io/gocrane/crane/craned:main"
    with containerd(world) as ctr:
        ctr("images", "pull", "--hosts-dir", folder, "--snapshotter", "native", reference)
        assert world.digest(GHCR) in ctr("images", "ls")
    asked = world.asked()
    assert f"/v2/gocrane/crane/craned/manifests/{world.digest(GHCR)}" in asked[CODING]
    assert not any(path.endswith("/main") for path in asked[CODING])
    assert "/v2/gocrane/crane/craned/manifests/main" in asked[GHCR]


def test_ctr_still_reaches_a_registry_on_loopback_without_tls(world: World) -> None:
    """Where the mirror has nothing, containerd asks such a registry as it did before there was a file."""
    local = world.registries[GHCR].authority
    catalogue = world.folder / "local.yaml"
    catalogue.write_text(
        "version: 1\nbuiltin: false\nregions: {cn: [corp]}\n"
        f"images: {{x: {{origin: '{local}/gocrane/crane/craned', mirrors: {{corp: '{CORP}/gocrane/crane/craned'}}}}}}",
        encoding="ascii",
    )
    folder = world.config("containerd", "-c", str(catalogue))
    with containerd(world) as ctr:
        reference = f"{local}/gocrane/crane/craned:main"
        ctr("images", "pull", "--hosts-dir", folder, "--snapshotter", "native", reference)
        assert world.digest(GHCR) in ctr("images", "ls")
    assert set(world.asked()) == {CORP}


def test_ctr_puts_a_path_before_the_images(world: World) -> None:
    """A mirror of a whole registry may lie below a path of its host."""
    world.registries[CORP].push("proxy/hub/library/nginx", "main", world.images[CORP])
    catalogue = world.folder / "below.yaml"
    catalogue.write_text(PREFIX.replace("m.example/*", "m.example/proxy/hub/*"), encoding="ascii")
    folder = world.config("containerd", "-c", str(catalogue))
    with containerd(world) as ctr:
        reference = "docker.io/library/nginx:main"
        ctr("images", "pull", "--hosts-dir", folder, "--snapshotter", "native", reference)
        assert world.digest(CORP) in ctr("images", "ls")
    asked = world.asked()
    assert set(asked) == {CORP}
    assert only("proxy/hub/library/nginx", "main")(asked[CORP])


def test_dockerd_starts_with_the_file_and_uses_the_mirror(world: World, short: Path) -> None:
    """A prefix entry for Docker Hub makes a daemon.json that dockerd takes; pulls ask that mirror, then the Hub."""
    file = world.config("docker", "-c", world.prefix_catalogue()) / "daemon.json"
    docker = (need("docker"), "--host", f"unix://{short}/d.sock")
    places = ("--data-root", short / "data", "--exec-root", short / "exec", "--pidfile", short / "pid")
    options = ("--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs")
    # This kernel's cgroup v1 may lack a controller that dockerd asks for.
    cgroup = 'umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$0" "$@"'
    command = (need("dockerd"), "--config-file", file, *places, *options, "--host", f"unix://{short}/d.sock")

    def ready() -> bool:
        return subprocess.run([*docker, "version"], capture_output=True, check=False).returncode == 0

    with daemon(world, ready, "sh", "-c", cgroup, *command):
        mirrors = json.loads(world.run(*docker, "info", "--format", "{{json .RegistryConfig.Mirrors}}"))
        assert mirrors == [f"https://{CORP}/"]
        for host in (CORP, HUB):
            world.run(*docker, "pull", "--quiet", "library/nginx:main")
            assert world.digest(host) in world.run(*docker, "images", "--digests", "--format", "{{.Digest}}")
            asked = world.asked()
            assert set(asked) == {host}
            assert only("library/nginx", "main")(asked[host])
            world.run(*docker, "rmi", "library/nginx:main")
            world.names.change(CORP, None)


def test_asked_names_every_request(world: World) -> None:
    """The proof above would see a request to any of the hosts."""
    inspect(world, world.config("registries.conf"), "docker.io/gocrane/craned:main")
    assert Asked(CODING, "GET", "/v2/") in world.names.asked
