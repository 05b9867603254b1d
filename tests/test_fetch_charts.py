"""`fetch` of charts in registries: which blob is the archive, who may have it, and that it is what its digest says."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import CLI, need
from servers.images import Image, make_chart, make_image
from servers.process import free_port
from servers.registry import Registry, registry
from servers.tokens import BASIC, token_server
from servers.web import Request, Response, web

from crane_mirrors import resolve_string
from crane_mirrors.catalogue import parse
from crane_mirrors.cli._settings import Settings
from crane_mirrors.cli.fetch import _logins as chart_logins
from crane_mirrors.live.registry import chart_reference

ARCHIVE = random.Random(3).randbytes(50_000)
OTHER = random.Random(4).randbytes(50_000)
CHART = "charts/shop"


class Shop:
    """A chart in two registries, and the catalogue that says so."""

    def __init__(self, cli: CLI, folder: Path, origin: str, near: str) -> None:
        self.cli, self.catalogue = cli, folder / "mirrors.yaml"
        self.url = f"oci://{origin}/{CHART}:1.2.0"
        entry = f"origin: 'oci://{origin}/charts', mirrors: {{near: 'oci://{near}/charts', web: 'http://{near}/web'}}"
        self.catalogue.write_text(f"version: 1\nhelm:\n  charts: {{{entry}}}\n", encoding="utf-8")

    def fetch(self, *words: str, code: int = 0) -> str:
        """Fetch into `x`, and give what was said."""
        ran = self.cli("fetch", *words, "--output-file", "x", "-c", str(self.catalogue))
        assert (ran.code, ran.out) == (code, ""), ran
        return ran.err


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Registry]:
    with registry(tmp_path / "origin") as origin:
        origin.push(CHART, "1.2.0", make_chart(ARCHIVE))
        origin.push(CHART, "1.2.0_b5", make_chart(ARCHIVE[1:]))
        yield origin


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Registry]:
    with registry(tmp_path / "near") as near:
        near.push(CHART, "1.2.0", make_chart(ARCHIVE))
        yield near


@pytest.fixture
def shop(cli: CLI, tmp_path: Path, origin: Registry, near: Registry) -> Shop:
    return Shop(cli, tmp_path, origin.authority, near.authority)


def paths(server: Registry) -> list[str]:
    return [asked.path for asked in server.requests if asked.method == "GET"]


def test_the_archive_comes_from_the_mirror(shop: Shop, origin: Registry, near: Registry) -> None:
    """The manifest says which blob it is; nobody asks the origin."""
    said = shop.fetch(shop.url)
    assert said == f"x: 50000 bytes from near, oci://{near.authority}/{CHART}:1.2.0\n"
    assert Path("x").read_bytes() == ARCHIVE
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    assert paths(near) == [f"/v2/{CHART}/manifests/1.2.0", f"/v2/{CHART}/blobs/sha256:{digest}"]
    assert paths(origin) == []


def test_a_version_that_the_mirror_lacks(shop: Shop) -> None:
    """It comes from the origin, and a plus sign of a version is an underscore in its tag."""
    said = shop.fetch(shop.url + "+b5")
    assert "from origin" in said
    assert "after near: 404" in said
    assert Path("x").read_bytes() == ARCHIVE[1:]


def test_a_digest_is_a_version(shop: Shop, near: Registry) -> None:
    """A chart by the digest of its manifest, beside a tag or alone."""
    digest = make_chart(ARCHIVE).digest
    for url in (f"{shop.url}@{digest}", f"{shop.url.removesuffix(':1.2.0')}@{digest}"):
        assert "from near" in shop.fetch(url)
    assert paths(near)[0] == f"/v2/{CHART}/manifests/{digest}"


def test_verify_and_sha256(shop: Shop, near: Registry) -> None:
    """They hold for charts as for files."""
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    assert "from near" in shop.fetch(shop.url, "--verify", "--sha256", digest)
    near.push(CHART, "1.2.0", make_chart(OTHER))
    said = shop.fetch(shop.url, "--verify", code=1)
    assert digest in said
    assert hashlib.sha256(OTHER).hexdigest() in said
    assert "from origin" in shop.fetch(shop.url, "--sha256", digest)


def test_fastest(shop: Shop) -> None:
    """A registry that has the version's manifest may win."""
    assert "from origin" in shop.fetch(shop.url + "+b5", "--fastest")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "a registry has a chart by its version: write oci://"),
        ((":1.2.0", "-m", "web"), 3, "the chart of helm 'charts' is not on web in this form: it is on near, origin"),
        ((":-x",), 2, "invalid tag"),
        (("@sha256:abc",), 2, "invalid digest"),
    ],
)
def test_mistakes(words: tuple[str, ...], code: int, said: str, shop: Shop, origin: Registry, near: Registry) -> None:
    """What no registry can have is one line, and none is asked."""
    url = shop.url.removesuffix(":1.2.0")
    message = shop.fetch(url + (words[0] if words else ""), *words[1:], code=code)
    assert said in message
    assert message.count("\n") == 1
    assert paths(origin) == paths(near) == []


def test_auth_is_for_registries(shop: Shop, near: Registry) -> None:
    """Docker's logins are nothing that a web server is shown."""
    url = f"http://{near.authority}/web/shop-1.2.0.tgz"
    assert "--auth is for a chart in a registry" in shop.fetch(url, "--auth", code=2)


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        (make_image("v1"), "not a chart"),
        (make_image("v1", "oci manifest"), "not a chart"),
        (make_chart(ARCHIVE, layers=2), "not a chart"),
        (make_chart(ARCHIVE, layer_type="application/tar+gzip"), ""),
    ],
)
def test_what_is_a_chart(image: Image, cause: str, shop: Shop, near: Registry) -> None:
    """An image under the chart's name is none; what Helm pushed before its version 3.7 is one."""
    near.push(CHART, "1.2.0", image)
    said = shop.fetch(shop.url)
    assert (f"from origin, oci://{shop.url[6:]}, after near: {cause}" if cause else "from near") in said
    assert Path("x").read_bytes() == ARCHIVE


@pytest.mark.parametrize(("blob", "word"), [(OTHER, ":1.2.0"), (ARCHIVE, f"@{make_chart(ARCHIVE[1:]).digest}")])
def test_bytes_that_are_not_the_digests(blob: bytes, word: str, cli: CLI, origin: Registry, tmp_path: Path) -> None:
    """A registry that gives another blob, or another manifest, under a digest is passed over; nothing of it stays."""

    def hostile(request: Request) -> Response:
        if "/blobs/" in request.path:
            return Response(200, {"ETag": '"one"'}, blob)
        manifest = make_chart(ARCHIVE).top
        return Response(200, {"Content-Type": manifest.media_type}, manifest.content)

    with web(hostile) as server:
        shop = Shop(cli, tmp_path, origin.authority, server.authority)
        assert "after near: not what its digest says" in shop.fetch(shop.url.replace(":1.2.0", word))
        assert Path("x").read_bytes() == ARCHIVE[1:] if word[0] == "@" else ARCHIVE
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.parametrize("digest", ["sha512:" + 128 * "0", "sha256:../x", None, 7])
def test_digests_that_are_none(digest: object, cli: CLI, origin: Registry, tmp_path: Path) -> None:
    """A manifest cannot name a blob that has no hash to compare with, nor an address of its own."""
    manifest = json.loads(make_chart(ARCHIVE).top.content)
    manifest["layers"][0]["digest"] = digest
    answer = Response(200, {"Content-Type": manifest["mediaType"]}, json.dumps(manifest).encode())
    with web(lambda _: answer) as server:
        shop = Shop(cli, tmp_path, origin.authority, server.authority)
        assert "after near: malformed digest" in shop.fetch(shop.url)
        assert len(server.requests) == 1


def test_tokens_and_logins(cli: CLI, origin: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An anonymous token is fetched by itself; a login is used with --auth, and shown to its own registry alone."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with ExitStack() as stack:
        tokens = stack.enter_context(token_server(tmp_path / "tokens"))
        open_to_all = stack.enter_context(registry(tmp_path / "open", tokens=tokens))
        open_to_all.push(CHART, "1.2.0", make_chart(ARCHIVE))
        shop = Shop(cli, tmp_path, origin.authority, open_to_all.authority)
        assert "from near" in shop.fetch(shop.url)
        closed = stack.enter_context(registry(tmp_path / "closed", password=True))
        closed.push(CHART, "1.2.0", make_chart(ARCHIVE))
        shop = Shop(cli, tmp_path, origin.authority, closed.authority)
        assert "after near: 401, credentials needed" in shop.fetch(shop.url)
        config = {"auths": {closed.authority: {"auth": BASIC.removeprefix("Basic ")}}}
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        assert "from near" in shop.fetch(shop.url, "--auth")
        assert "from origin" in shop.fetch(shop.url, "--fastest", "--max-age", "0s")
        mine = ("--fastest", "--max-age", "0s", "--mirror", "near")
        assert "no mirror of chart 'charts' gives a right answer" in shop.fetch(shop.url, *mine, code=4)
        assert "from near" in shop.fetch(shop.url, *mine, "--auth")


def test_docker_hub_has_one_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker keeps it under a name of its own, by whichever of its names a chart calls the registry."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    config = {"auths": {"https://index.docker.io/v1/": {"auth": BASIC.removeprefix("Basic ")}}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    own = b"version: 1\nregions: {cn: []}\nhelm: {hub: {origin: 'oci://registry-1.docker.io/acme'}}\n"
    url = "oci://registry-1.docker.io/acme/shop:1.2.0"
    login = chart_logins(Settings(auth=True), resolve_string(parse([("own.yaml", own)]), url))
    found = login(chart_reference(url).repository.registry)
    assert found is not None
    assert found.basic == BASIC


def test_a_registry_that_is_down(cli: CLI, origin: Registry, tmp_path: Path) -> None:
    """The next one is asked."""
    shop = Shop(cli, tmp_path, origin.authority, f"127.0.0.1:{free_port()}")
    assert "after near: refused" in shop.fetch(shop.url)


def test_a_chart_that_helm_pushed(cli: CLI, origin: Registry, near: Registry, tmp_path: Path) -> None:
    """What Helm itself puts into a registry, provenance and all its annotations included, comes out as it was."""
    helm = need("helm4")
    environment = {**os.environ, "HOME": str(tmp_path)}

    def run(*words: str) -> None:
        subprocess.run([helm, *words], cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=60)

    run("create", "app")
    run("package", "app", "--version", "2.0.0+b1")
    run("push", "app-2.0.0+b1.tgz", f"oci://{near.authority}/charts", "--plain-http")
    shop = Shop(cli, tmp_path, origin.authority, near.authority)
    assert "from near" in shop.fetch(f"oci://{origin.authority}/charts/app:2.0.0+b1")
    assert Path("x").read_bytes() == (tmp_path / "app-2.0.0+b1.tgz").read_bytes()
