"""`catalogue show` and `catalogue validate`: what they print, and that what is shown is the same catalogue again."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from conftest import CLI, PROJECT
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue import BUILTIN, Catalogue, parse
from crane_mirrors.catalogue.entry import Entry, Place
from crane_mirrors.catalogue.layer import NAME, WORD
from crane_mirrors.catalogue.write import to_yaml

BUILTIN_SOURCE = (BUILTIN, (PROJECT / "data" / "mirrors.yaml").read_bytes())


def save(file: str, text: str) -> str:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text, encoding="utf-8")
    return file


def contents(catalogue: Catalogue) -> tuple[dict[str, tuple[str, ...]], dict[str, list[Entry]]]:
    """Give all that a catalogue says, but for the names of the files that say so."""
    kinds: dict[str, list[Entry]] = {}
    for entry in catalogue.entries():
        bare = [dataclasses.replace(place, source="") for place in (entry.origin, *entry.mirrors)]
        kinds.setdefault(entry.kind, []).append(dataclasses.replace(entry, origin=bare[0], mirrors=tuple(bare[1:])))
    return {name: catalogue.order(name) for name in catalogue.regions()}, kinds


def in_any_order(catalogue: Catalogue) -> tuple[dict[str, tuple[str, ...]], dict[str, Entry]]:
    """Give the same without the order of entries, and of the mirrors that no region puts in order."""
    regions, kinds = contents(catalogue)
    entries = [entry for entries in kinds.values() for entry in entries]
    return regions, {
        f"{entry.kind} {entry.name}": dataclasses.replace(
            entry, mirrors=tuple(sorted(entry.mirrors, key=lambda place: place.name))
        )
        for entry in entries
    }


# catalogue show


def test_show_is_the_builtin_catalogue(cli: CLI) -> None:
    """Without layers it says what the built-in one says, in the order of its sections and entries."""
    ran = cli("catalogue", "show")
    shown, written = yaml.safe_load(ran.out), yaml.safe_load(BUILTIN_SOURCE[1])
    assert (ran.code, ran.err) == (0, "")
    assert shown.pop("builtin") is False
    assert shown == written
    assert [*shown["images"], *shown["git"]] == [*written["images"], *written["git"]]


def test_show_to_the_letter(cli: CLI) -> None:
    """An address stands alone where it says all; otherwise its page, and a host kind that the name does not tell."""
    layer = """\
version: 1
builtin: false
regions: {cn: [office], office: []}
images:
  '1.10': {origin: nginx, default_tag: 1.10, mirrors: {office: 'localhost:5000/nginx'}}
helm:
  no: {aliases: [yes, on], origin: https://charts.example/, synced: 24h}
git:
  crane:
    origin: {url: https://github.com/a/b, page: 'https://github.com/a/b/#readme', host_kind: github}
    mirrors:
      forge: {url: https://forge.example/a/b, host_kind: github}
      plain: {url: https://gitee.com/a/b, host_kind: generic}
raw:
  all: {origin: https://raw.example/*, mirrors: {office: https://p.example/https://raw.example/*}}
"""
    wanted = """\
version: 1
builtin: false

regions:
  cn: [office, coding, gitee, ghcr, dockerhub, github]
  global: [dockerhub, github, ghcr, gitee, coding]
  office: []

images:
  "1.10":
    origin: docker.io/library/nginx
    default_tag: "1.10"
    mirrors:
      office: localhost:5000/nginx

helm:
  "no":
    aliases: ["yes", "on"]
    origin: https://charts.example
    synced: 1d

git:
  crane:
    origin:
      url: https://github.com/a/b
      page: "https://github.com/a/b/#readme"
    mirrors:
      forge:
        url: https://forge.example/a/b
        host_kind: github
      plain:
        url: https://gitee.com/a/b
        host_kind: generic

raw:
  all:
    origin: https://raw.example/*
    mirrors:
      office: https://p.example/https://raw.example/*
"""
    ran = cli("catalogue", "show", "-c", save("m.yaml", layer))
    assert ran == (0, wanted, "")


def test_show_origins(cli: CLI) -> None:
    """Behind each address stands the file that it came from."""
    save("m.yaml", "version: 1\nimages: {craned: {mirrors: {office: registry.example/craned}}}\n")
    ran = cli("catalogue", "show", "--origins", "-c", "m.yaml")
    assert "        reference: ghcr.io/gocrane/crane/craned  # built-in\n" in ran.out
    assert "      office: registry.example/craned  # m.yaml\n" in ran.out
    plain = cli("catalogue", "show", "-c", "m.yaml").out
    assert re.sub("  # .*", "", ran.out) == plain
    addresses = sum(len(entry.places) for entry in parse([BUILTIN_SOURCE]).entries()) + 1
    assert ran.out.count("  # ") == addresses


def test_show_origins_says_which_project(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's file is named from where the person stands, and the note says that it counts."""
    save(".crane-mirrors.yaml", "version: 1\nimages: {craned: {mirrors: {office: registry.example/craned}}}\n")
    Path(".git").mkdir()
    Path("below").mkdir()
    monkeypatch.chdir("below")
    ran = cli("catalogue", "show", "--origins")
    assert "      office: registry.example/craned  # ../.crane-mirrors.yaml\n" in ran.out
    assert ran.err == "note: ../.crane-mirrors.yaml has a part in this catalogue (--no-project leaves it out)\n"
    ran = cli("catalogue", "show", "--origins", "--no-project")
    assert "office" not in ran.out + ran.err


def test_a_project_that_changes_nothing_is_not_mentioned(cli: CLI) -> None:
    """A project's file that says nothing has no part in the catalogue."""
    save(".crane-mirrors.yaml", "version: 1\n")
    assert cli("catalogue", "show").err == ""


@pytest.mark.parametrize(
    "name", ["a\nimages: {}", "a\r#", "a\x85b", "a\u2028b", "\x1b[2Jx", "\u4f8b", "b\udcff", "a # b"]
)
def test_comments_cannot_be_broken_out_of(cli: CLI, name: str) -> None:
    """Whatever a file is called, its name stays in the comment, and the whole stays ASCII."""
    file = Path(os.fsdecode(os.fsencode(name)))
    file.write_text("version: 1\nimages: {craned: {mirrors: {office: registry.example/craned}}}\n")
    ran = cli("catalogue", "show", "--origins", "-c", str(file))
    assert ran.code == 0
    assert ran.out.isascii()
    assert re.sub("  # [ -~]*", "", ran.out) == cli("catalogue", "show", "-c", str(file)).out


def test_what_is_shown_can_be_used(cli: CLI) -> None:
    """Saved to a file it is valid, and shows itself."""
    save("m.yaml", "version: 1\nimages: {craned: {mirrors: {coding: }}, dashboard: }\n")
    shown = cli("catalogue", "show", "-c", "m.yaml").out
    save("shown.yaml", shown)
    assert cli("catalogue", "validate", "shown.yaml") == (0, "shown.yaml: valid\n", "")
    assert cli("catalogue", "show", "-c", "shown.yaml").out == shown
    assert cli("image", "craned:main", "-c", "shown.yaml").out == "docker pull ghcr.io/gocrane/crane/craned:main\n"


def test_an_invalid_catalogue_cannot_be_shown(cli: CLI) -> None:
    """One line, exit code 5, and nothing on stdout that could be taken for a catalogue."""
    ran = cli("catalogue", "show", "-c", save("m.yaml", "version: 1\nimage: {}\nhelms: {}\n"))
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("crane-mirrors: m.yaml:2:1: image: unknown key")
    assert ran.err.count("\n") == 1


# what is shown is the same catalogue again: for all catalogues

#: Stands for the built-in catalogue, which is too long to be read thousands of times.
SMALL = (
    BUILTIN,
    b"""\
version: 1
regions: {cn: [ghcr, gitee, dockerhub], global: [origin]}
images: {a: {origin: docker.io/a/a, aliases: [second-name], mirrors: {ghcr: ghcr.io/a/a}}}
git: {z: {origin: https://github.com/a/a, synced: 1d, mirrors: {gitee: https://gitee.com/a/a}}}
""",
)

#: Strings that YAML 1.1 or 1.2 reads as something else, or that need quotes.
TRICKY = ["no", "on", "y", "null", "true", "1", "1.10", "1e3", "0x1f", "0o7", "1_000", "12:30:45", "2001-01-01", "007"]
names = st.sampled_from([name for name in TRICKY if re.fullmatch(NAME, name)]) | st.from_regex(NAME, fullmatch=True)
words = st.sampled_from(["m", "no", "1", "office", "coding"]) | st.from_regex(WORD, fullmatch=True)
tags = st.sampled_from([*(text for text in TRICKY if ":" not in text), "_1", "_"]) | st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True
)
hosts = st.sampled_from(["github.com", "e.coding.net", "gitee.com", "x.example:8080", "10.0.0.1", "[::1]:81", "1.2"])
tails = st.sampled_from(
    ["", "/", ":", "/a:", "/a'b", "/a,b", "/&a", "/\u4f8b", "/a%20b", "/a?b=[c]&d: ", "/-", "/!a@b"]
)
kinds = st.sampled_from([None, "generic", "github", "coding"])
intervals = st.from_regex("[1-9][0-9]{0,3}[smhd]", fullmatch=True)


class Draft(NamedTuple):
    """Layers in the making: entries must not disappear under a patch, and no two be at the same place."""

    layers: list[dict[str, Any]]
    there: set[tuple[str, str]]


@st.composite
def places(draw: st.DrawFn, section: str, name: str, unique: str) -> Any:
    """Give a place of its own, in one of its forms; whether it is a prefix is the name's matter."""
    end = "/*" if section == "raw" or name < "N" else ""
    if section == "images":
        address = draw(st.sampled_from(["docker.io", "ghcr.io", "r.example:5000", "10.0.0.1:81"])) + f"/x/{unique}{end}"
    else:
        tail = draw(tails).rstrip(" ").replace(": ", ":")
        address = f"https://{draw(hosts)}/{unique}" + (end or tail)
    if draw(st.booleans()):
        return address
    place = {"reference" if section == "images" else "url": address, "host_kind": draw(kinds)}
    if draw(st.booleans()):
        place["page"] = f"https://{draw(hosts)}/p{draw(tails).strip()}#{draw(st.sampled_from(['', 'a', '*b']))}"
    return {key: value for key, value in place.items() if value is not None}


@st.composite
def entry(draw: st.DrawFn, section: str, name: str, layer: int, *, new: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    unique = f"{section}/l{layer}/{name.lower().encode().hex()}"
    if new or draw(st.booleans()):
        found["origin"] = draw(places(section, name, unique))
    for number, word in enumerate(draw(st.lists(words, max_size=3, unique=True))):
        # A word that an origin could be called by is another test's matter.
        gone = draw(st.integers(0, 3)) == 0
        place = None if gone else draw(places(section, name, f"{unique}/m{number}"))
        found.setdefault("mirrors", {})[f"{word[:60]}-m"] = place
    if section == "images" and draw(st.booleans()):
        found["default_tag"] = draw(tags)
        found["platforms"] = draw(st.lists(st.sampled_from(["linux/amd64", "linux/arm/v7"]), unique=True))
    if section in ("helm", "git") and draw(st.booleans()):
        found["synced"] = draw(intervals)
    if section != "raw" and draw(st.booleans()):
        alias = draw(names)
        found["aliases"] = [f"{alias[:40]}.{layer}.{name}"[:128]] if alias[:1] != "." else []
    return found


@st.composite
def drafts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Give layers that are valid over the built-in catalogue, each of which may change what those below say."""
    draft = Draft([], set())
    pool = draw(st.lists(names, min_size=1, max_size=3, unique_by=lambda name: name.lower()[:60]))
    for number in range(draw(st.integers(1, 3))):
        layer: dict[str, Any] = {"version": 1}
        if draw(st.integers(0, 3)) == 0:
            layer["builtin"] = False
        if draw(st.booleans()):
            order = draw(st.lists(st.sampled_from(["origin", "ghcr", "gitee", "dockerhub"]), unique=True))
            layer["regions"] = {draw(words): order}
        for section in draw(st.sets(st.sampled_from(["images", "helm", "git", "raw"]))):
            for name in draw(st.lists(st.sampled_from(pool), unique=True)):
                key = (section, name)
                gone = key in draft.there and draw(st.integers(0, 4)) == 0
                value = None if gone else draw(entry(section, name, number, new=key not in draft.there))
                (draft.there.discard if gone else draft.there.add)(key)
                layer.setdefault(section, {})[name] = value
        draft.layers.append(layer)
    return draft.layers


def sources(layers: list[dict[str, Any]]) -> list[tuple[str, bytes]]:
    return [SMALL, *((f"{number}.yaml", json.dumps(layer).encode()) for number, layer in enumerate(layers))]


@given(drafts())
def test_what_is_shown_is_the_same_catalogue(layers: list[dict[str, Any]]) -> None:
    """Laid over the built-in catalogue it gives the same; over the very layers it was made of, in another order."""
    catalogue = parse(sources(layers))
    shown = ("shown.yaml", to_yaml(catalogue).encode("ascii"))
    again = parse([SMALL, shown])
    assert contents(again) == contents(catalogue)
    assert to_yaml(again) == to_yaml(catalogue)
    assert in_any_order(parse([*sources(layers), shown])) == in_any_order(catalogue)
    assert contents(parse([SMALL, ("o.yaml", to_yaml(catalogue, origins=True).encode())])) == contents(catalogue)


@given(drafts())
def test_everything_that_is_shown_is_a_string(layers: list[dict[str, Any]]) -> None:
    """A parser that knows nothing of catalogues reads strings too, but for `version` and `builtin`."""

    def strings(node: Any) -> bool:
        if isinstance(node, dict):
            return all(isinstance(key, str) and strings(value) for key, value in node.items())
        return all(map(strings, node)) if isinstance(node, list) else isinstance(node, str)

    shown = yaml.safe_load(to_yaml(parse(sources(layers))))
    assert (shown.pop("version"), shown.pop("builtin")) == (1, False)
    assert strings(shown)


def test_a_catalogue_without_entries_is_shown() -> None:
    """Without entries there still is a valid file, and it gives no entries."""
    assert to_yaml(Catalogue.compile({}, [])) == "version: 1\nbuiltin: false\n"
    shown = to_yaml(Catalogue.compile({"cn": ()}, []))
    assert shown == "version: 1\nbuiltin: false\n\nregions:\n  cn: []\n"
    assert contents(parse([SMALL, ("m.yaml", shown.encode())]))[1] == {}


def test_place_is_covered() -> None:
    """Whoever gives a place another field learns here that it must be shown too."""
    assert Place.__slots__ == ("name", "location", "host_kind", "page", "source", "is_origin")
    assert Entry.__slots__ == ("kind", "name", "origin", "mirrors", "aliases", "default_tag", "platforms", "synced")


# catalogue validate

BAD = """\
version: 1
images:
  craned: {mirrors: {ghcr: 'ghcr.io/UPPER'}}
  new: {default_tag: x}
  other: [1]
"""
BAD_LINES = ["bad.yaml:3:28: images.craned.mirrors.ghcr: ", "bad.yaml:5:10: images.other: "]


def test_validate_builtin(cli: CLI) -> None:
    """Without layers the built-in catalogue is checked."""
    assert cli("catalogue", "validate") == (0, "built-in: valid\n", "")


def test_validate_layers(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FILE the layers are checked together, the lowest first: the upper ones may need the lower ones."""
    save("base.yaml", "version: 1\nimages: {new: {origin: docker.io/acme/new}}\n")
    save("upper.yaml", "version: 1\nimages: {new: {default_tag: x}}\n")
    save(".crane-mirrors.yaml", "version: 1\n")
    monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", "base.yaml")
    ran = cli("catalogue", "validate", "-c", "upper.yaml")
    assert ran == (0, "built-in: valid\n.crane-mirrors.yaml: valid\nbase.yaml: valid\nupper.yaml: valid\n", "")
    ran = cli("catalogue", "validate", "-c", "upper.yaml", "--no-project")
    assert ran.out == "built-in: valid\nbase.yaml: valid\nupper.yaml: valid\n"


def test_validate_prints_all_problems(cli: CLI) -> None:
    """Each problem is a line of its own on stdout, as compilers write them; a summary goes to stderr."""
    ran = cli("catalogue", "validate", save("bad.yaml", BAD))
    assert ran.code == 5
    assert [line.startswith(start) for line, start in zip(ran.out.splitlines(), BAD_LINES, strict=True)] == [True] * 2
    assert ran.err == "crane-mirrors: 1 of 1 catalogues is invalid\n"


def test_validate_each_file_for_itself(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FILE is checked without the user's, the project's and the environment's files, and without the other FILEs."""
    save("one.yaml", "version: 1\nimages: {new: {origin: docker.io/acme/new}}\n")
    save("two.yaml", "version: 1\nimages: {new: {default_tag: x}}\n")
    save("three.yaml", "version: 1\nimages: {craned: {default_tag: x}}\n")
    monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", "one.yaml")
    save(".crane-mirrors.yaml", "nonsense")
    assert cli("catalogue", "validate", "one.yaml", "three.yaml") == (0, "one.yaml: valid\nthree.yaml: valid\n", "")
    ran = cli("catalogue", "validate", "one.yaml", "two.yaml", "three.yaml")
    assert ran.code == 5
    assert ran.out == "two.yaml:2:15: images.new: 'origin' is missing, and no catalogue below has this entry\n"
    assert ran.err == "crane-mirrors: 1 of 3 catalogues is invalid\n"


def test_validate_over_others(cli: CLI) -> None:
    """With --catalogue a FILE is checked over those; what is wrong with them is said once."""
    save("base.yaml", "version: 1\nimages: {new: {origin: docker.io/acme/new}}\n")
    save("upper.yaml", "version: 1\nimages: {new: {default_tag: x}}\n")
    assert cli("catalogue", "validate", "-c", "base.yaml", "upper.yaml").code == 0
    save("base.yaml", "version: 2\n")
    ran = cli("catalogue", "validate", "-c", "base.yaml", "upper.yaml", "upper.yaml")
    assert ran.code == 5
    assert ran.out == "base.yaml:1:10: version: version '2' is not known: this program reads 1\n"


@pytest.mark.parametrize(
    ("name", "why"), [("none.yaml", "no such file or directory"), (".", "is a directory"), ("", "no such file")]
)
def test_validate_unreadable_file(cli: CLI, name: str, why: str) -> None:
    """A file that cannot be read is a problem like all others, and does not hide those of other files."""
    ran = cli("catalogue", "validate", name, save("bad.yaml", BAD), save("good.yaml", "version: 1\n"))
    assert ran.code == 5
    assert ran.out.splitlines()[0].startswith(f"{name}: {why}")
    assert len(ran.out.splitlines()) == 3
    assert ran.err == "crane-mirrors: 2 of 3 catalogues are invalid\n"


def test_validate_layers_that_cannot_be_read(cli: CLI) -> None:
    """Of the catalogues in use, one that cannot be read does not hide what is wrong with the others."""
    ran = cli("catalogue", "validate", "-c", "none.yaml", "-c", save("bad.yaml", BAD))
    assert ran.code == 5
    assert [line.partition(":")[0] for line in ran.out.splitlines()] == ["none.yaml", "bad.yaml", "bad.yaml"]
    assert ran.err == "crane-mirrors: 2 of 3 catalogues are invalid\n"


def test_validate_json(cli: CLI) -> None:
    """For programs each problem is a row of the envelope; one that has no position has none."""
    ran = cli("catalogue", "validate", "-o", "json", save("bad.yaml", BAD), "none.yaml")
    found = json.loads(ran.out)
    assert ran.code == 5
    assert (found["schema"], found["command"], found["errors"]) == (1, "catalogue validate", [])
    assert [(row["file"], row["line"], row["column"]) for row in found["rows"]] == [
        ("bad.yaml", 3, 28),
        ("bad.yaml", 5, 10),
        ("none.yaml", None, None),
    ]
    assert [row["message"].partition(":")[0] for row in found["rows"]] == [
        "images.craned.mirrors.ghcr",
        "images.other",
        "no such file or directory",
    ]


def test_validate_json_without_problems(cli: CLI) -> None:
    """No problem, no row."""
    ran = cli("catalogue", "validate", "-o", "json")
    assert (ran.code, json.loads(ran.out)["rows"]) == (0, [])


@pytest.mark.parametrize(("text", "last"), [(BAD, "images.other: "), ("version: 1\n", "valid")])
def test_validate_table(cli: CLI, text: str, last: str) -> None:
    """A table has a column for the file and the position of a problem, and says when there is none."""
    ran = cli("catalogue", "validate", "-o", "table", save("bad.yaml", text))
    lines = ran.out.splitlines()
    assert lines[0].split()[:3] == ["FILE", "LINE", "COLUMN"]
    assert any(last in line for line in lines[1:])


@pytest.mark.parametrize("name", ["a:1:2: b.yaml", "1:2", "a b", "C:\\m.yaml", "\u4f8b.yaml"])
@pytest.mark.parametrize("text", [None, "version: 2\n"])
def test_validate_takes_any_name_apart(cli: CLI, name: str, text: str | None) -> None:
    """Colons in a file's name are not taken for a position."""
    if text:
        save(name, text)
    (row,) = json.loads(cli("catalogue", "validate", "-o", "json", name).out)["rows"]
    assert (row["file"], row["line"], row["column"]) == (name, *((1, 10) if text else (None, None)))


def test_validate_tells_names_apart_that_begin_alike(cli: CLI) -> None:
    """A problem belongs to the file with the longest name that fits."""
    names = [save("m", "version: 2\n"), save("m:1:2: x", "version: 2\n")]
    found = json.loads(cli("catalogue", "validate", "-o", "json", *names).out)["rows"]
    assert [(row["file"], row["line"]) for row in found] == [("m", 1), ("m:1:2: x", 1)]


@pytest.mark.parametrize("text", ["version: 1\n", "version: 2\n", None])
def test_validate_escapes_names(cli: CLI, text: str | None) -> None:
    """A terminal cannot be commanded by a file's name, and a name cannot add a line."""
    name = "a\x1b[2J\nb.yaml: valid"
    if text:
        save(name, text)
    ran = cli("catalogue", "validate", name)
    assert ran.out.startswith("a\\x1b[2J\\nb.yaml: valid:")
    assert ran.out.count("\n") == 1


def test_validate_many_problems(cli: CLI) -> None:
    """Beyond a thousand problems only their number is said, and no row claims a position for that."""
    entries = "".join(f"  n{number}: [x]\n" for number in range(1500))
    ran = cli("catalogue", "validate", "-o", "json", save("m.yaml", f"version: 1\nimages:\n{entries}"))
    rows = json.loads(ran.out)["rows"]
    assert len(rows) == 1001
    assert (rows[-1]["file"], rows[-1]["line"], rows[-1]["message"]) == ("m.yaml", None, "and 500 more problems")


# catalogue


def test_catalogue_alone_shows_its_help(cli: CLI) -> None:
    """Without a verb it is a usage error that shows the verbs."""
    ran = cli("catalogue")
    assert (ran.code, ran.out) == (2, "")
    assert all(re.search(rf"^  {verb} +\w", ran.err, re.MULTILINE) for verb in ("schema", "show", "validate"))


def test_an_unknown_verb_is_refused(cli: CLI) -> None:
    """An unknown verb is a usage error in one line."""
    ran = cli("catalogue", "check")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("crane-mirrors catalogue: no such command 'check'")
