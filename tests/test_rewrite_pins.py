"""`rewrite --pin`: images by digest, each looked up once, and nothing written when one cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import CLI, examples
from hypothesis import given
from hypothesis import strategies as st
from servers.images import make_image
from servers.process import free_port
from servers.registry import Registry, registry

from crane_mirrors.catalogue import load
from crane_mirrors.resolve.routes import Choice
from crane_mirrors.rewrite.engine import rewrite_stream
from crane_mirrors.rewrite.pins import Pins
from crane_mirrors.rewrite.rules import Rules

OLD, NEW = make_image("old"), make_image("new")
DIGEST = "sha256:" + "0" * 64


class Place(NamedTuple):
    """An origin, a mirror that has the new image, one that has the old one, and their catalogue."""

    origin: Registry
    new: Registry
    old: Registry
    dead: str
    catalogue: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("registries")
    with registry(folder / "o") as origin, registry(folder / "n") as new, registry(folder / "m") as old:
        for tag, image in (("main", OLD), ("v1.0.0", OLD), ("main", NEW)):
            origin.push("g/app", tag, image)
        new.push("g/app", "main", NEW)
        old.push("x/app", "main", OLD)
        dead = f"127.0.0.1:{free_port()}"
        catalogue = folder / "mirrors.yaml"
        catalogue.write_text(
            f"""\
version: 1
images:
  app:
    origin: {origin.authority}/g/app
    mirrors: {{new: "{new.authority}/g/app", old: "{old.authority}/x/app"}}
  gone:
    origin: {dead}/g/gone
    mirrors: {{new: "{new.authority}/g/gone"}}
""",
            encoding="utf-8",
        )
        yield Place(origin, new, old, dead, str(catalogue))


def test_each_image_is_pinned_on_a_mirror_that_has_it(place: Place, cli: CLI, tmp_path: Path) -> None:
    """Tags of origin and mirrors become the digest at the origin, on the best mirror that has it."""
    text = f"""\
image: {place.origin.authority}/g/app:main
image: {place.new.authority}/g/app:v1.0.0
# {place.old.authority}/x/app:main. And docker://{place.origin.authority}/g/app:main
"""
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    ran = cli("rewrite", "-c", place.catalogue, "--pin", "a.yaml")
    new = f"{place.new.authority}/g/app@{NEW.digest}"
    assert (ran.code, ran.out) == (
        0,
        f"image: {new}\nimage: {place.old.authority}/x/app@{OLD.digest}\n# {new}. And docker://{new}\n",
    )
    assert f"{place.origin.authority}/g/app:v1.0.0: new does not have {OLD.digest}: missing, 404" in ran.err


def test_each_tag_is_looked_up_once(place: Place, cli: CLI, tmp_path: Path) -> None:
    """However often a tag stands in however many files, the origin is asked for it once."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(f"image: {place.origin.authority}/g/app:main\n" * 500, encoding="utf-8")
    before = len(place.origin.requests)
    assert cli("rewrite", "-c", place.catalogue, "--pin", "--in-place", "a.yaml", "b.yaml").code == 0
    asked = [asked.path for asked in place.origin.requests[before:]]
    # The other question is whether the origin knows what the stale mirror has.
    assert asked == ["/v2/g/app/manifests/main", f"/v2/g/app/manifests/{OLD.digest}"]
    assert (tmp_path / "b.yaml").read_text(encoding="utf-8").count(NEW.digest) == 500


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("image: {0}/g/app", "image: {1}/g/app"),
        ("image: {0}/g/app:$TAG", "image: {1}/g/app:$TAG"),
        ("image: {0}/g/app@" + DIGEST[:-1], "image: {1}/g/app@" + DIGEST[:-1]),
        ("image: {0}/g/app-more:main", "image: {0}/g/app-more:main"),
    ],
)
def test_what_has_no_tag_of_its_own_is_only_renamed(
    line: str, kept: str, place: Place, cli: CLI, tmp_path: Path
) -> None:
    """No tag, an expansion, or what is no digest: nothing is looked up."""
    hosts = (place.origin.authority, place.new.authority)
    (tmp_path / "a.yaml").write_text(line.format(*hosts) + "\n", encoding="utf-8")
    before = len(place.origin.requests)
    assert cli("rewrite", "-c", place.catalogue, "--pin", "a.yaml").out == kept.format(*hosts) + "\n"
    assert len(place.origin.requests) == before


@pytest.mark.parametrize("before", ["", ":v1.0.0"])
def test_a_digest_is_named_where_it_is(before: str, place: Place, cli: CLI, tmp_path: Path) -> None:
    """Not every mirror has it: so a text that was pinned once stays as it is, also when a mirror lost or got one."""
    own = "image: {}" + f"{before}@{OLD.digest}\n"
    for start in (f"{place.origin.authority}/g/app", f"{place.old.authority}/x/app"):
        (tmp_path / "a.yaml").write_text(own.format(start), encoding="utf-8")
        for _ in range(2):
            assert cli("rewrite", "-c", place.catalogue, "--pin", "-i", "a.yaml").code == 0
            text = (tmp_path / "a.yaml").read_text(encoding="utf-8")
            assert text == own.format(f"{place.old.authority}/x/app")


def test_a_digest_that_nobody_has(place: Place, cli: CLI, tmp_path: Path) -> None:
    """Nothing is written, for no name would be right; where nobody could be asked, that is a failure."""
    (tmp_path / "a.yaml").write_text(f"image: {place.origin.authority}/g/app@{DIGEST}\n", encoding="utf-8")
    call = ("rewrite", "-c", place.catalogue, "--pin", "a.yaml")
    ran = cli(*call)
    assert (ran.code, ran.out) == (1, "")
    assert f"no chosen mirror of image 'app' has {DIGEST}: new is missing; old is missing; " in ran.err
    (tmp_path / "a.yaml").write_text(f"image: {place.dead}/g/gone@{DIGEST}\n", encoding="utf-8")
    ran = cli(*call, "--mirror", "origin")
    assert (ran.code, ran.out) == (4, "")


def test_choice_and_trust(place: Place, cli: CLI, tmp_path: Path) -> None:
    """Only mirrors that were chosen are named; whom to trust is a person's decision."""
    (tmp_path / "a.yaml").write_text(f"image: {place.origin.authority}/g/app:main\n", encoding="utf-8")
    call = ("rewrite", "-c", place.catalogue, "--pin", "a.yaml")
    assert cli(*call, "--mirror", "origin").out == f"image: {place.origin.authority}/g/app@{NEW.digest}\n"
    assert cli(*call, "--trust", "old").out == f"image: {place.old.authority}/x/app@{OLD.digest}\n"
    ran = cli(*call, "--prefer", "image=old")
    assert (ran.code, ran.out) == (1, "")
    assert f"no chosen mirror of image 'app' has {NEW.digest}: old is overdue" in ran.err
    assert cli("rewrite", "--trust", "old", "a.yaml").code == 2


@pytest.mark.parametrize(("name", "code"), [("app:nothing", 1), ("gone:main", 4)])
def test_what_cannot_be_pinned_stops_everything(name: str, code: int, place: Place, cli: CLI, tmp_path: Path) -> None:
    """A tag that the origin does not have is a negative answer, an origin that is down a failure; no file changes."""
    host = place.dead if name.startswith("gone") else place.origin.authority
    text = f"image: {host}/g/{name}\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    ran = cli("rewrite", "-c", place.catalogue, "--pin", "--in-place", "a.yaml")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("\n") == 1
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == text


def test_standard_input(place: Place, cli: CLI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What cannot be read twice is kept meanwhile."""
    (tmp_path / "in").write_text(f"image: {place.origin.authority}/g/app:main\n", encoding="utf-8")
    with open(tmp_path / "in", encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert cli("rewrite", "-c", place.catalogue, "--pin").out.endswith(f"@{NEW.digest}\n")


CATALOGUE = load()
WORDS = st.sampled_from(
    [
        "gocrane/craned",
        "docker.io/gocrane/crane-agent",
        "ghcr.io/gocrane/crane/craned",
        ":main",
        ":v1.2",
        "@",
        DIGEST,
        ":",
        *(" ", "\n", ".", ",", "image: ", "FROM ", "${X}", "-", "/", "docker://", '"', "x", "nginx:1"),
    ]
)


@examples(400)
@given(st.lists(WORDS, max_size=12).map("".join))
def test_pinning_does_what_renaming_does_but_for_tags(text: str) -> None:
    """While nothing is known yet, a text with pins becomes what it becomes without; known ones lose their tags only."""
    rules = Rules(CATALOGUE, dict.fromkeys(("image", "helm", "git", "raw"), Choice(("ghcr",))))
    pins = Pins(rules.entry_of)
    plain, unknown, known = (bytearray() for _ in range(3))

    def rewritten(out: bytearray, pinning: Pins | None) -> None:
        data = [text.encode(), b""]
        rewrite_stream(lambda _: data.pop(0) if data else b"", out.extend, rules.index(pinning))

    rewritten(plain, None)
    rewritten(unknown, pins)
    assert plain == unknown
    for key in pins.wanted:
        pins.references[key] = f"mirror.example/{key.rpartition('/')[2].partition(':')[0]}@{DIGEST}"
    rewritten(known, pins)
    assert known.count(b"mirror.example/") >= len(pins.wanted)
    assert known.count(b"\n") == plain.count(b"\n")


@pytest.mark.parametrize(
    "text", ["https://a.example/gocrane/craned:main", "$HOME/gocrane/craned:main", "${gocrane/craned:main}"]
)
def test_what_is_no_image_is_not_looked_up(text: str) -> None:
    """What only looks like an image must not stop a run because nobody has it."""
    rules = Rules(CATALOGUE, dict.fromkeys(("image", "helm", "git", "raw"), Choice()))
    pins, data = Pins(rules.entry_of), [text.encode()]
    rewrite_stream(lambda _: data.pop() if data else b"", bytearray().extend, rules.index(pins))
    assert pins.unknown == []
