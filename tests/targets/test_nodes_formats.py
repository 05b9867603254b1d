"""The files for nodes, read back by parsers, and what their readers' rules make of every name; odd names included."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue import Catalogue, load, parse
from crane_mirrors.errors import NoRoute
from crane_mirrors.resolve.routes import Choice, rank
from crane_mirrors.targets import Configuration, Copies, Options, copies, target_named
from crane_mirrors.targets._rancher import pattern
from crane_mirrors.targets._toml import quoted

CODING, GHCR = "finops-docker.pkg.coding.net", "ghcr.io"
GOCRANE = ("crane-agent", "crane-scheduler", "crane-scheduler-controller", "craned", "dashboard", "fadvisor",
           "metric-adapter")  # fmt: skip

#: https://docs.k3s.io/installation/private-registry, and what it says of rke2.
REGISTRIES_YAML = {
    "type": "object",
    "additionalProperties": False,
    "required": ["mirrors"],
    "properties": {
        "mirrors": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["endpoint"],
                "properties": {
                    "endpoint": {
                        "type": "array",
                        "minItems": 1,
                        "uniqueItems": True,
                        "items": {"type": "string", "pattern": "^https://[^/]+$"},
                    },
                    "rewrite": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
                },
            },
        }
    },
}

#: docs/buildkitd.toml.md of BuildKit.
BUILDKITD_TOML = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "registry": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["mirrors"],
                "properties": {"mirrors": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
            },
        }
    },
}


def configured(target: str, rows: Iterable[Copies], **options: bool) -> tuple[dict[str, Any], Configuration]:
    """Give the files of a target as their readers' parsers see them, by path, and the configuration itself."""
    found = target_named(target).configure(list(rows), Options(**options))
    parsers: dict[str, Callable[[str], Any]] = {
        "conf": tomllib.loads,
        "toml": tomllib.loads,
        "yaml": yaml.safe_load,
        "json": json.loads,
    }
    return {file.path: parsers[file.path.rpartition(".")[2]](file.text) for file in found.files}, found


def builtin(*mirrors: str) -> list[Copies]:
    return list(copies(load(), ("image",), Choice(mirrors)))


def own(images: dict[str, Any], *mirrors: str) -> list[Copies]:
    """Give the images of a catalogue that has nothing else; mirrors are preferred by their names, a before b."""
    names = sorted({name for image in images.values() for name in image["mirrors"]})
    return list(copies(catalogue_of(images, names), ("image",), Choice(mirrors)))


def catalogue_of(images: dict[str, Any], order: Iterable[str]) -> Catalogue:
    text = json.dumps({"version": 1, "builtin": False, "regions": {"cn": list(order)}, "images": images})
    return parse([("built-in", b"version: 1\nregions: {}\n"), ("own", text.encode())])


def test_registries_conf_has_a_table_for_each_name() -> None:
    """Of the built-in catalogue: seven names on Docker Hub with two mirrors, seven on GHCR with one."""
    files, found = configured("registries.conf", builtin())
    tables = files["50-crane-mirrors.conf"]["registry"]
    assert {(table["prefix"], *(mirror["location"] for mirror in table["mirror"])) for table in tables} == {
        *((f"docker.io/gocrane/{name}", f"{CODING}/gocrane/crane/{name}", ghcr(name)) for name in GOCRANE),
        *((ghcr(name), f"{CODING}/gocrane/crane/{name}") for name in GOCRANE),
    }
    assert all(table["location"] == table["prefix"] for table in tables)
    assert {key for table in tables for key in table} == {"prefix", "location", "mirror"}
    assert found.left_out == ()


def ghcr(name: str) -> str:
    group = "crane-scheduler" if name.startswith("crane-scheduler") else "crane"
    return f"{GHCR}/gocrane/{group}/{name}"


def test_digest_only_is_said_of_every_mirror() -> None:
    """The safe setting stands with each mirror, and containerd's capability is `pull` alone."""
    files, _ = configured("registries.conf", builtin(), digest_only=True)
    mirrors = [mirror for table in files["50-crane-mirrors.conf"]["registry"] for mirror in table["mirror"]]
    assert {mirror["pull-from-mirror"] for mirror in mirrors} == {"digest-only"}
    files, _ = configured("containerd", builtin(), digest_only=True)
    assert files["ghcr.io/hosts.toml"]["host"] == {f"https://{CODING}": {"capabilities": ["pull"]}}


def test_chosen_mirror_is_better_than_all_others() -> None:
    """With --mirror ghcr what names Coding is redirected, too, and nothing to Coding."""
    files, _ = configured("registries.conf", builtin("ghcr"))
    tables = files["50-crane-mirrors.conf"]["registry"]
    assert {(table["prefix"], *(mirror["location"] for mirror in table["mirror"])) for table in tables} == {
        *((f"docker.io/gocrane/{name}", ghcr(name)) for name in GOCRANE),
        *((f"{CODING}/gocrane/crane/{name}", ghcr(name)) for name in GOCRANE),
    }


def test_containerd_redirects_ghcr_to_coding() -> None:
    """One file, the registry itself as its server; each origin on Docker Hub is left out with both mirrors."""
    files, found = configured("containerd", builtin())
    assert files == {
        "ghcr.io/hosts.toml": {
            "server": "https://ghcr.io",
            "host": {f"https://{CODING}": {"capabilities": ["pull", "resolve"]}},
        }
    }
    assert {(left.name, left.mirror) for left in found.left_out} == {
        (name, mirror) for name in GOCRANE for mirror in ("coding", "ghcr")
    }
    assert all({"registries.conf", "k3s"} <= set(left.instead) for left in found.left_out)
    assert "config_path" in found.notes[-1]


@pytest.mark.parametrize(
    ("images", "files", "left_out"),
    [
        (
            {"x": {"origin": "docker.io/*", "mirrors": {"a": "m.example/*", "b": "n.example/hub/*"}}},
            {
                "docker.io/hosts.toml": {
                    "server": "https://registry-1.docker.io",
                    "host": {
                        "https://m.example": {"capabilities": ["pull", "resolve"]},
                        "https://n.example/v2/hub": {"capabilities": ["pull", "resolve"], "override_path": True},
                    },
                },
                "n.example/hosts.toml": None,
            },
            set(),
        ),
        (
            {"x": {"origin": "ghcr.io/a/*", "mirrors": {"a": "docker.io/p/a/*", "b": "m.example/a/b/*"}}},
            {
                "ghcr.io/hosts.toml": {
                    "server": "https://ghcr.io",
                    "host": {
                        "https://registry-1.docker.io/v2/p": {
                            "capabilities": ["pull", "resolve"],
                            "override_path": True,
                        }
                    },
                },
            },
            {("x", "b")},
        ),
        (
            {"x": {"origin": "q.example:8443/a/b", "mirrors": {"a": "[::1]:5000/a/b"}}},
            {
                "q.example:8443/hosts.toml": {
                    "server": "https://q.example:8443",
                    "host": {"https://[::1]:5000": {"capabilities": ["pull", "resolve"]}},
                },
            },
            set(),
        ),
        (
            {"x": {"origin": "[::1]:5000/a/b", "mirrors": {"a": "m.example/a/b", "b": "localhost:5000/a/b"}}},
            {
                "[::1]:5000/hosts.toml": {
                    "host": {
                        "https://m.example": {"capabilities": ["pull", "resolve"]},
                        "https://localhost:5000": {"capabilities": ["pull", "resolve"]},
                    },
                },
                "localhost:5000/hosts.toml": {
                    "host": {"https://m.example": {"capabilities": ["pull", "resolve"]}},
                },
            },
            set(),
        ),
    ],
)
def test_containerd_files(images: dict[str, Any], files: dict[str, Any], left_out: set[tuple[str, str]]) -> None:
    """Mirrors below a path, of folders, on ports and on Docker Hub, whose server has another name."""
    found, configuration = configured("containerd", own(images))
    for path, content in files.items():
        if content is None:
            assert path not in found or "docker.io" not in str(found[path])
        else:
            assert found[path] == content
            assert list(found[path]["host"]) == list(content["host"])
    assert {(left.name, left.mirror) for left in configuration.left_out} == left_out


@pytest.mark.parametrize("target", ["k3s", "rke2"])
def test_rancher_files_are_those_of_the_documentation(target: str) -> None:
    """The built-in catalogue, with each image's rewriting, exact and anchored."""
    files, found = configured(target, builtin())
    document = files["registries.yaml"]
    jsonschema.validate(document, REGISTRIES_YAML)
    assert document["mirrors"]["docker.io"] == {
        "endpoint": [f"https://{CODING}", f"https://{GHCR}"],
        "rewrite": {f"^gocrane/{name}$": f"gocrane/crane/{name}" for name in GOCRANE},
    }
    assert document["mirrors"]["ghcr.io"] == {
        "endpoint": [f"https://{CODING}"],
        "rewrite": {
            f"^gocrane/crane-scheduler/{name}$": f"gocrane/crane/{name}"
            for name in GOCRANE
            if name.startswith("crane-scheduler")
        },
    }
    assert found.left_out == ()
    assert any("these are not used: ghcr.io/gocrane/crane-scheduler/crane-scheduler" in note for note in found.notes)


def test_rancher_leaves_out_what_a_wider_rewriting_catches() -> None:
    """Of two patterns that match, either may be taken: so the exact one is left out, not the one for all."""
    images = {
        "all": {"origin": "docker.io/*", "mirrors": {"a": "m.example/hub/*"}},
        "one": {"origin": "docker.io/o/one", "mirrors": {"a": "m.example/x/one"}},
        "other": {"origin": "q.example/o/one", "mirrors": {"a": "m.example/y/one"}},
    }
    files, found = configured("k3s", own(images))
    assert files["registries.yaml"]["mirrors"] == {
        "docker.io": {"endpoint": ["https://m.example"], "rewrite": {"^(.*)$": "hub/$1"}},
        "q.example": {"endpoint": ["https://m.example"], "rewrite": {"^o/one$": "y/one"}},
    }
    assert [(left.name, left.mirror, left.instead[0]) for left in found.left_out] == [("one", "a", "registries.conf")]
    assert found.left_out[0].reason.startswith("all of docker.io/* is rewritten")


def test_buildkit_mirrors_may_have_a_path() -> None:
    """HOST/PATH, in order; Docker Hub's server by its own name."""
    images = {
        "x": {"origin": "ghcr.io/*", "mirrors": {"a": "m.example/p/*", "b": "docker.io/*"}},
        "y": {"origin": "quay.io/a/b", "mirrors": {"a": "m.example/other/name"}},
    }
    files, found = configured("buildkit", own(images))
    jsonschema.validate(files["buildkitd.toml"], BUILDKITD_TOML)
    assert files["buildkitd.toml"]["registry"]["ghcr.io"] == {"mirrors": ["m.example/p", "registry-1.docker.io"]}
    assert [(left.name, left.mirror) for left in found.left_out] == [("y", "a")]


@pytest.mark.parametrize(
    ("origin", "mirror", "expressible"),
    [
        ("docker.io/*", "m.example/*", True),
        ("docker.io/*", "[::1]:5000/*", True),
        ("docker.io/*", "m.example/hub/*", False),
        ("docker.io/library/*", "m.example/library/*", False),
        ("ghcr.io/*", "m.example/*", False),
        ("docker.io/a/b", "m.example/a/b", False),
    ],
)
def test_docker_takes_mirrors_of_all_of_docker_hub_only(origin: str, mirror: str, expressible: bool) -> None:
    """At the top of a host, for all of Docker Hub; anything else is left out, and no file made."""
    files, found = configured("docker", own({"x": {"origin": origin, "mirrors": {"a": mirror}}}))
    host = mirror.removesuffix("/*")
    assert files == ({"daemon.json": {"registry-mirrors": [f"https://{host}"]}} if expressible else {})
    assert len(found.left_out) == (not expressible)


def test_a_repository_and_a_folder_of_one_name() -> None:
    """registries.conf has one table for both, so that the second with other mirrors is left out."""
    images = {
        "x": {"origin": "ghcr.io/a", "mirrors": {"a": "m.example/x"}},
        "y": {"origin": "ghcr.io/a/*", "mirrors": {"a": "m.example/y/*"}},
    }
    files, found = configured("registries.conf", own(images))
    assert len(files["50-crane-mirrors.conf"]["registry"]) == 1
    assert [left.name for left in found.left_out] == ["y"]
    files, found = configured("k3s", own(images))
    assert files["registries.yaml"]["mirrors"]["ghcr.io"]["rewrite"] == {"^a$": "x", "^a/(.*)$": "y/$1"}
    assert found.left_out == ()


def test_folder_whose_mirror_is_a_whole_host_has_a_note() -> None:
    """podman and skopeo fail on the repository that is called like the folder, so a person has to know."""
    images = {"x": {"origin": "q.example/a/*", "mirrors": {"a": "m.example/*"}}}
    _, found = configured("registries.conf", own(images))
    (note,) = found.notes
    assert note == "a repository called q.example/a, beside the folder, cannot be pulled by that name any more"
    _, found = configured("registries.conf", own({"x": {"origin": "q.example/*", "mirrors": {"a": "m.example/*"}}}))
    assert found.notes == ()


STAYING = {
    "all": {"origin": "docker.io/*", "mirrors": {"a": "m.example/*"}},
    "folder": {"origin": "docker.io/f/*", "mirrors": {"z": "q.example/f/*"}},
    "one": {"origin": "docker.io/o/one", "mirrors": {"z": "q.example/one"}},
}


def test_registries_conf_excepts_what_stays() -> None:
    """An entry of its own comes before any prefix, also one whose best place is the origin: a table without mirrors."""
    files, found = configured("registries.conf", own(STAYING, "a"))
    tables = {table["prefix"]: table for table in files["50-crane-mirrors.conf"]["registry"]}
    assert tables["docker.io"]["mirror"] == [{"location": "m.example"}]
    for name in ("docker.io/f", "docker.io/o/one"):
        assert tables[name] == {"prefix": name, "location": name}
    assert (found.left_out, found.notes, len(tables)) == ((), (), 3)


@pytest.mark.parametrize("target", ["buildkit", "containerd", "docker", "k3s", "rke2"])
def test_what_stays_is_named_where_the_format_cannot_except_it(target: str) -> None:
    """Clients that send all of a registry to the same servers send that there, too, and a person gets to know it."""
    _, found = configured(target, own(STAYING, "a"))
    (note,) = (note for note in found.notes if "exception" in note)
    assert "asks mirrors for docker.io/f/*, docker.io/o/one as well, which the catalogue leaves where it is" in note
    _, found = configured(target, own({"all": STAYING["all"]}, "a"))
    assert not any("exception" in note for note in found.notes)


@pytest.mark.parametrize("target", ["buildkit", "containerd", "k3s"])
def test_what_sees_more_than_it_has_is_named_beside_what_has_everything(target: str) -> None:
    """A mirror of one image is asked for all of the registry, too, where another one has all of that."""
    images = {
        "all": {"origin": "docker.io/*", "mirrors": {"a": "m.example/*"}},
        "one": {"origin": "docker.io/o/one", "mirrors": {"a": "q.example/o/one"}},
    }
    _, found = configured(target, own(images))
    (note,) = (note for note in found.notes if "every repository" in note)
    assert "asks q.example for every repository of docker.io, before" in note


class World(NamedTuple):
    """Entries with places that all differ, and what a person prefers: maybe the origin, or what some do not have."""

    catalogue: Catalogue
    choice: Choice
    rows: list[Copies]
    names: list[str]


COMPONENTS = st.sampled_from(["a", "b", "a-b", "a.b", "a__b", "a--b", "x", "axb", "0"])
REGISTRIES = st.sampled_from(["docker.io", "ghcr.io", "q.example:8443", "[::1]:5000", "localhost:5000", "m.example"])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Make catalogues of few names, so that many are neighbours, and lie below each other."""
    path = st.lists(COMPONENTS, min_size=2, max_size=4).map("/".join)
    place = st.builds("{}/{}".format, REGISTRIES, path)
    folder = st.builds("{}/{}".format, REGISTRIES, st.lists(COMPONENTS, max_size=2).map("/".join)).map(
        lambda text: text.rstrip("/")
    )
    exact = draw(st.lists(place, unique=True, max_size=9))
    wide = draw(st.lists(folder, unique=True, max_size=4))
    images: dict[str, Any] = {}
    for texts, tail in ((exact, ""), (wide, "/*")):
        while len(texts) > 1:
            count = min(len(texts), draw(st.integers(2, 4)))
            origin, *mirrors = (texts.pop() + tail for _ in range(count))
            images[f"i{len(images)}"] = {"origin": origin, "mirrors": dict(zip("abc", mirrors, strict=False))}
    names = draw(st.lists(place, max_size=5))
    words = sorted({name for image in images.values() for name in image["mirrors"]} | {"origin"})
    catalogue = catalogue_of(images, draw(st.permutations(words)))
    choice = Choice(tuple(draw(st.lists(st.sampled_from(words), unique=True, max_size=2))))
    rows = list(copies(catalogue, ("image",), choice))
    places = [place for entry in catalogue.entries() for place in entry.places]
    return World(catalogue, choice, rows, [*names, *(str(place.location) for place in places)])


def expected(world: World, name: str) -> list[str]:
    """Say where a name is to be got instead, best first and up to the origin, as the catalogue has it."""
    entry = world.catalogue.covering("image", name)
    if not entry:
        return []
    try:
        places, chosen = rank(world.catalogue, entry, world.choice)
    except NoRoute:
        return []
    here = next(place for place in entry.places if str(place.location) == name)
    before = places[: chosen or len(places)]
    return [str(place.location) for place in takewhile(lambda place: not place.is_origin and place != here, before)]


@given(worlds())
@examples(300)
def test_registries_conf_does_with_every_name_what_the_catalogue_says(world: World) -> None:
    """The longest prefix by whole components decides, as containers-registries.conf(5) has it."""
    if not world.rows:
        return
    files, found = configured("registries.conf", world.rows)
    tables = {table["prefix"]: table for table in files["50-crane-mirrors.conf"].get("registry", [])}
    if found.left_out:
        return
    for name in world.names:
        if name.endswith("/*"):
            continue
        heads = [head for head in tables if name == head or name.startswith(f"{head}/")]
        longest = max(heads, key=len, default="")
        got = (
            [mirror["location"] + name[len(longest) :] for mirror in tables[longest].get("mirror", [])] if heads else []
        )
        wanted = expected(world, name)
        # A table for a repository takes what lies below it, too, and one for a folder the repository of that name:
        # there the mirror has nothing, and the origin is next.
        places = [str(place.location) for entry in world.catalogue.entries() for place in entry.places]
        below = any(name.startswith(f"{place}/") or place == f"{name}/*" for place in places)
        assert got == wanted or below


@given(worlds())
@examples(300)
def test_rancher_rewrites_every_name_to_one_path(world: World) -> None:
    """No name has two patterns that match, and each that is not left out goes to its best mirror's path."""
    if not world.rows:
        return
    files, found = configured("k3s", world.rows)
    jsonschema.validate(files["registries.yaml"], REGISTRIES_YAML)
    out = {left.name for left in found.left_out}
    for name in world.names:
        registry, _, path = name.partition("/")
        mirror = files["registries.yaml"]["mirrors"].get(registry, {"endpoint": []})
        matches = {old: new for old, new in mirror.get("rewrite", {}).items() if re.search(old, path)}
        assert len(matches) <= 1
        for old, new in matches.items():
            path = re.sub(old, new.replace("$1", r"\1"), path)
        for entry, mirrors, _ in world.rows:
            if str(entry.origin.location) == name and not entry.is_prefix and entry.name not in out:
                best, _, wanted = str(mirrors[0].location).partition("/")
                assert path == wanted
                assert f"https://{best.replace('docker.io', 'registry-1.docker.io')}" in mirror["endpoint"]


@given(worlds())
@examples(300)
def test_prefixing_clients_reach_what_is_not_left_out(world: World) -> None:
    """For each mirror of an origin a base makes its name of the origin's, or it stands among what is left out."""
    files, found = configured("buildkit", world.rows)
    tables = files["buildkitd.toml"]["registry"] if files else {}
    if files:
        jsonschema.validate(files["buildkitd.toml"], BUILDKITD_TOML)
    out = {(left.name, left.mirror) for left in found.left_out}
    for entry, mirrors, _ in world.rows:
        registry, _, path = str(entry.origin.location).removesuffix("/*").partition("/")
        for mirror in mirrors:
            bases = [
                base.replace("registry-1.docker.io", "docker.io")
                for base in tables.get(registry, {"mirrors": []})["mirrors"]
            ]
            names = {f"{base}/{path}".rstrip("/") for base in bases}
            assert (str(mirror.location).removesuffix("/*") in names) == ((entry.name, mirror.name) not in out)


@given(st.text())
@examples(500)
def test_toml_strings_mean_what_they_were(text: str) -> None:
    """Whatever is quoted, as a value or as a key, is read back by the standard library's parser."""
    text = text.encode("utf-8", "replace").decode()
    assert tomllib.loads(f"{quoted(text)} = {quoted(text)}\n") == {text: text}


@given(st.text("ab.-_/$\\^*+?()[]{}|", min_size=1), st.text("ab.-_/$\\^*+?()[]{}|", min_size=1))
@examples(500)
def test_patterns_match_their_path_and_no_other(path: str, other: str) -> None:
    """An exact pattern is that path alone, a wide one what lies below it."""
    exact, _ = pattern(path, "new", wide=False)
    assert re.search(exact, path)
    assert bool(re.search(exact, other)) == (other == path)
    wide, _ = pattern(path, "new", wide=True)
    assert bool(re.search(wide, other)) == other.startswith(f"{path}/")
