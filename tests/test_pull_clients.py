"""`pull` with real clients and real registries on loopback: what was asked, and what the client has afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import CLI, absent, need
from servers.images import make_image
from servers.process import end, free_port
from servers.registry import Registry, registry

IMAGES = {"app": make_image("v1"), "tool": make_image("v1 of the tool")}
IMAGE = IMAGES["app"]
NEWER = make_image("v2")


@dataclass(frozen=True)
class Place:
    """Two registries with the same image, a third that is down, and a catalogue of them."""

    near: Registry
    origin: Registry
    dead: str
    catalogue: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("registries")
    dead = f"127.0.0.1:{free_port()}"
    with registry(folder / "near") as near, registry(folder / "origin") as origin:
        for name in ("app", "tool"):
            near.push(f"gocrane/crane/{name}", "v1", IMAGES[name])
            origin.push(f"gocrane/{name}", "v1", IMAGES[name])
            origin.push(f"gocrane/{name}", "v2", NEWER)
            near.push(f"gocrane/crane/{name}", "main", IMAGE)
            origin.push(f"gocrane/{name}", "main", NEWER)
        lines = ["version: 1", "images:"]
        for name in ("app", "tool"):
            lines += [
                f"  {name}:",
                f"    origin: {origin.authority}/gocrane/{name}",
                "    mirrors:",
                f"      gone: {{reference: {dead}/gocrane/crane/{name}}}",
                f"      near: {{reference: {near.authority}/gocrane/crane/{name}}}",
            ]
        catalogue = folder / "mirrors.yaml"
        catalogue.write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield Place(near, origin, dead, catalogue)


@dataclass(frozen=True)
class Client:
    """A client with a store of its own, empty at first; commands that list its names, and show a name's digests."""

    name: str
    list_names: tuple[str, ...]
    show: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        return set(self._output(*self.list_names).split())

    def has(self, name: str, digest: str) -> bool:
        return digest in self._output(*self.show, f"name=={name}" if self.name == "ctr" else name)

    def _output(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture
def podman(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    need("podman")
    if os.geteuid() != 0:
        absent("podman needs root here, for others it takes what an administrator has set up")
    storage = f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    (tmp_path / "storage.conf").write_text(storage, encoding="utf-8")
    plain = [
        f'[[registry]]\nlocation = "{where}"\ninsecure = true\n'
        for where in (place.near.authority, place.origin.authority, place.dead)
    ]
    (tmp_path / "registries.conf").write_text("".join(plain), encoding="utf-8")
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    monkeypatch.setenv("HOME", str(tmp_path))
    form = "{{range .RepoDigests}}{{.}} {{end}}"
    return Client(
        "podman",
        ("podman", "images", "--format", "{{.Repository}}:{{.Tag}}"),
        ("podman", "image", "inspect", "--format", form),
    )


@pytest.fixture
def ctr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    need("ctr")
    if os.geteuid() != 0:
        absent("containerd needs root")
    config = {"root": "root", "state": "state", "grpc": "c.sock", "ttrpc": "t.sock"}
    where = {key: str(tmp_path / value) for key, value in config.items()}
    (tmp_path / "config.toml").write_text(
        f'version = 2\nroot = "{where["root"]}"\nstate = "{where["state"]}"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{where["grpc"]}"\n[ttrpc]\naddress = "{where["ttrpc"]}"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("CONTAINERD_ADDRESS", where["grpc"])
    monkeypatch.setenv("CONTAINERD_SNAPSHOTTER", "native")
    with daemon([need("containerd"), "--config", str(tmp_path / "config.toml")], ["ctr", "version"], tmp_path):
        yield Client("ctr", ("ctr", "images", "ls", "-q"), ("ctr", "images", "ls"))


@pytest.fixture
def docker(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    need("docker")
    if os.geteuid() != 0:
        absent("dockerd needs root")
    # Older dockerds want a cgroup hierarchy with all controllers; the mount is seen by nobody else.
    script = 'umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1; exec "$@"'
    unshare = [need("unshare"), "-m", "--propagation", "private", "sh", "-c", script, "sh"]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{short}/d.sock")
    monkeypatch.setenv("HOME", str(tmp_path))
    options = {"data-root": "data", "exec-root": "exec", "pidfile": "docker.pid"}
    command = [need("dockerd"), *(f"--{name}={short / value}" for name, value in options.items())]
    command += ["-H", f"unix://{short}/d.sock", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with daemon([*unshare, *command, "--storage-driver=vfs"], ["docker", "version"], tmp_path):
        yield Client(
            "docker",
            ("docker", "images", "--format", "{{.Repository}}:{{.Tag}}"),
            ("docker", "image", "inspect", "--format", "{{.RepoDigests}}"),
        )


@contextmanager
def daemon(command: list[str], ask: list[str], folder: Path) -> Iterator[None]:
    """Run a client's daemon, from when it answers to the end of the block."""
    log = folder / "daemon.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        limit = time.monotonic() + 20
        while subprocess.run(ask, capture_output=True, check=False, timeout=20).returncode:
            text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            if process.poll() is not None or time.monotonic() > limit:
                absent(f"{command[0]} does not run here: {text}")
            time.sleep(0.05)
        yield
    finally:
        end(process)


@pytest.mark.parametrize("name", ["podman", "ctr", "docker"])
def test_client_takes_the_first_mirror_that_answers(
    name: str, cli: CLI, place: Place, request: pytest.FixtureRequest
) -> None:
    """A mirror that is down is passed over; the image is there by the mirror's name and by the origin's."""
    client: Client = request.getfixturevalue(name)
    asked = len(place.near.requests), len(place.origin.requests)
    ran = cli("pull", "app:v1", "tool:v1", "--client", name, "--jobs", "2", "-c", str(place.catalogue), "-o", "json")
    assert ran.code == 0, ran.err
    for row in json.loads(ran.out)["rows"]:
        (gone, near) = row["attempts"]
        assert (gone["mirror"], gone["exit_code"] > 0, near["mirror"], near["exit_code"]) == ("gone", True, "near", 0)
        assert {row["reference"], row["tagged"]} <= client.names
        assert row["tagged"] == f"{place.origin.authority}/gocrane/{row['name']}:v1"
        assert client.has(row["tagged"], IMAGES[row["name"]].digest)
    assert "connection refused" in ran.err
    paths = {request.path for request in place.near.requests[asked[0] :]}
    assert {f"/v2/gocrane/crane/{image}/manifests/v1" for image in ("app", "tool")} <= paths
    assert len(place.origin.requests) == asked[1]


@pytest.mark.parametrize("name", ["podman", "ctr", "docker"])
def test_client_falls_back_to_the_origin(name: str, cli: CLI, place: Place, request: pytest.FixtureRequest) -> None:
    """A tag that only the origin has comes from there, and one that nobody has gives the client's exit code."""
    client: Client = request.getfixturevalue(name)
    shared = ("--client", name, "-c", str(place.catalogue))
    ran = cli("pull", "app:v2", *shared)
    assert (ran.code, ran.out) == (0, f"{place.origin.authority}/gocrane/app:v2\n")
    assert client.names == {ran.out.strip()}
    ran = cli("pull", "app:v3", *shared)
    assert (ran.code, ran.out) == ({"podman": 125, "ctr": 1, "docker": 1}[name], "")
    assert ran.err.splitlines()[-1].startswith("crane-mirrors: app:v3: failed: gone (exit code ")


@pytest.mark.parametrize("name", ["podman", "ctr", "docker"])
@pytest.mark.parametrize("tag", ["", ":v1"])
def test_client_pulls_a_digest(name: str, tag: str, cli: CLI, place: Place, request: pytest.FixtureRequest) -> None:
    """A digest comes from the mirror, beside a tag or alone; with a tag, or with ctr, it gets the origin's name."""
    client: Client = request.getfixturevalue(name)
    ran = cli("pull", f"app{tag}@{IMAGE.digest}", "--client", name, "-m", "near", "-c", str(place.catalogue))
    assert ran.code == 0, ran.err
    reference = ran.out.strip()
    assert client.has(reference, IMAGE.digest)
    origin = f"{place.origin.authority}/gocrane/app"
    if tag:
        assert reference == f"{origin}:v1"
    else:
        kept = origin if name == "ctr" else f"{place.near.authority}/gocrane/crane/app"
        assert reference == f"{kept}@{IMAGE.digest}"


def test_pin_takes_what_the_origin_has(cli: CLI, place: Place, podman: Client) -> None:
    """A mirror with an older build under the tag is left out; what comes has the origin's tag."""
    shared = ("--client", "podman", "-c", str(place.catalogue), "-o", "json")
    ran = cli("pull", "app:main", "--pin", *shared)
    assert ran.code == 0, ran.err
    (row,) = json.loads(ran.out)["rows"]
    origin = f"{place.origin.authority}/gocrane/app"
    assert (row["reference"], row["tagged"]) == (f"{origin}@{NEWER.digest}", f"{origin}:main")
    assert [attempt["exit_code"] for attempt in row["attempts"]] == [0]
    assert podman.has(f"{origin}:main", NEWER.digest)
    ran = cli("pull", "app:v1", "--pin", *shared)
    (row,) = json.loads(ran.out)["rows"]
    assert row["reference"] == f"{place.near.authority}/gocrane/crane/app@{IMAGE.digest}"
    (row,) = json.loads(cli("pull", "app:main", "--pin", "--trust", "near", *shared).out)["rows"]
    assert row["reference"] == f"{place.near.authority}/gocrane/crane/app@{IMAGE.digest}"
    ran = cli("pull", "app:main", "--pin", "-m", "near", *shared)
    assert (ran.code, "no chosen mirror of image 'app' has" in ran.err) == (1, True)


def test_podman_keeps_the_names_of_one_image(cli: CLI, place: Place, podman: Client) -> None:
    """Tags of one build, pulled at once, are one image for podman; it has all their names afterwards."""
    tags = ("main-1", "main-2", "main-3", "main-4")
    for tag in tags:
        place.near.push("gocrane/crane/app", tag, IMAGE)
    names = [f"app:{tag}" for tag in tags]
    ran = cli("pull", *names, "--client", "podman", "--jobs", "4", "-m", "near", "-c", str(place.catalogue))
    assert ran.code == 0, ran.err
    for place_of in (f"{place.near.authority}/gocrane/crane", f"{place.origin.authority}/gocrane"):
        assert {f"{place_of}/{name}" for name in names} <= podman.names


def test_fastest_asks_before_it_pulls(cli: CLI, place: Place, podman: Client) -> None:
    """With --fastest a mirror that does not answer is not the first that the client is sent to."""
    ran = cli("pull", "app:v1", "--fastest", "--client", "podman", "-c", str(place.catalogue), "-o", "json")
    assert ran.code == 0, ran.err
    (row,) = json.loads(ran.out)["rows"]
    (attempt,) = row["attempts"]
    assert attempt["mirror"] != "gone"
    assert row["tagged"] in podman.names or row["reference"] in podman.names
