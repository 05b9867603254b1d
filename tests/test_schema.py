"""The published JSON Schema: valid itself, and of one mind with the loader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import CLI, PROJECT
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from crane_mirrors.catalogue import BUILTIN, parse
from crane_mirrors.catalogue.layer import read_layer
from crane_mirrors.catalogue.problems import Problems
from crane_mirrors.catalogue.schema import schema
from crane_mirrors.errors import InvalidCatalogue

BUILTIN_YAML = (PROJECT / "data" / "mirrors.yaml").read_bytes()
VALIDATOR = Draft202012Validator(schema())


class Editor(yaml.SafeLoader):
    """YAML as editors read it: 1.2 with its core schema (YAML 1.2.2, section 10.3.2), where ``no`` is a string."""

    yaml_implicit_resolvers = {}  # noqa: RUF012


for tag, pattern, first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", "null|Null|NULL|~|", ["~", "n", "N", ""]),
):
    Editor.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))


def editor_accepts(text: str) -> bool:
    """Say whether an editor that knows the schema has nothing to mark."""
    value = json.loads(json.dumps(yaml.load(text, Loader=Editor)))  # noqa: S506
    return VALIDATOR.is_valid(value)


def loader_accepts(text: str) -> bool:
    """Say whether the file can be laid over the built-in catalogue."""
    try:
        parse([(BUILTIN, BUILTIN_YAML), ("m.yaml", text.encode())])
    except InvalidCatalogue:
        return False
    return True


def v1(text: str) -> str:
    return f"version: 1\n{text}\n"


def image(text: str) -> str:
    """Give a catalogue with one new image, whose other keys are the text."""
    return v1(f"images: {{i: {{origin: docker.io/acme/i, {text}}}}}")


def git(text: str) -> str:
    return v1(f"git: {{g: {{origin: https://forge.example/g, {text}}}}}")


def origin(kind: str, text: str) -> str:
    return v1(f"{kind}: {{x: {{origin: {text}}}}}")


GOOD = {
    "the version alone": "version: 1",
    "the version in quotes": 'version: "1"',
    "the built-in entries left out": v1("builtin: false"),
    "the built-in entries left out, in quotes": v1("builtin: 'false'"),
    "the built-in entries kept": v1("builtin: true"),
    "sections without a value": v1("regions:\nimages:\nhelm: ~\ngit: null\nraw:"),
    "an empty section": v1("images: {}"),
    "a region": v1("regions: {cn: [gitee, coding]}"),
    "a new region": v1("regions: {office: []}"),
    "a region that looks like a number": v1("regions: {1: [origin]}"),
    "an entry taken away": v1("images: {craned: }"),
    "an entry in YAML 1.1's words": origin("images", "no"),
    "a mirror taken away": v1("images: {craned: {mirrors: {ghcr: }}}"),
    "a mirror added": v1("images: {craned: {mirrors: {office: registry.example:5000/craned}}}"),
    "mirrors without a value": image("mirrors: "),
    "an entry that says nothing": v1("images: {craned: {}}"),
    "all keys of an image": image("aliases: [j], default_tag: x, platforms: [linux/arm64/v8], mirrors: {}"),
    "all keys of a Git repository": git("aliases: [h], synced: 6h, mirrors: {m: http://m.example/g}"),
    "a tag that looks like a number": image("default_tag: 1.10"),
    "a tag that looks like an integer": image("default_tag: 007"),
    "a tag that looks like a power": image("default_tag: 1e3"),
    "a tag that looks like a truth value": image("default_tag: true"),
    "a tag in quotes that looks like nothing": image("default_tag: 'null'"),
    "an alias that looks like a number": image("aliases: [1.10, 386]"),
    "an image whose name is a number": origin("images", "123"),
    "a name that looks like a number": v1("images: {1.10: {origin: docker.io/acme/i}}"),
    "no aliases": image("aliases: []"),
    "a short reference": origin("images", "nginx"),
    "a reference to a port": origin("images", "localhost:5000/x"),
    "a reference to IPv6": origin("images", "'[::1]:5000/x'"),
    "a reference in upper case where it may be": origin("images", "GHCR.io/acme/x"),
    "a registry without a dot": origin("images", "MYHOST/acme/x"),
    "a prefix of images": origin("images", "docker.io/*"),
    "a prefix of images on a port": origin("images", "registry.example:5000/team/*"),
    "a whole registry on a port": origin("images", "registry.example:5000/*"),
    "a prefix of Git repositories": origin("git", "https://forge.example/*"),
    "a prefix of raw files": origin("raw", "https://raw.example/*"),
    "a proxy of raw files": v1("raw: {x: {origin: https://r.example/*, mirrors: {p: https://p.example/https://r/*}}}"),
    "a URL in upper case where it may be": origin("git", "HTTPS://Forge.Example/g"),
    "a URL with a port, an escape and a query": origin("git", "'http://forge.example:8080/a%20b/?c=%zz'"),
    "a URL without a path": origin("helm", "https://charts.example"),
    "a URL that is not ASCII": origin("git", "https://\u4f8b.example/\u4f8b"),
    "a place with all its keys": origin("git", "{url: https://f.example/g, page: https://f.example, host_kind: gitee}"),
    "a page with a fragment": origin("git", "{url: https://f.example/g, page: 'https://f.example/#a*'}"),
    "a host of no kind": origin("git", "{url: https://github.com/a/b, host_kind: generic}"),
}

BAD = {
    "no version": "images: {}",
    "another version": "version: 2",
    "a version that is true": "version: true",
    "a version that is nothing": "version:",
    "a list": "[version]",
    "a string": "version",
    "an unknown key": v1("image: {}"),
    "builtin that is a word": v1("builtin: maybe"),
    "builtin that is a number": v1("builtin: 0"),
    "builtin that is YAML 1.1's no": v1("builtin: no"),
    "builtin that is nothing": v1("builtin:"),
    "a section that is a list": v1("images: []"),
    "a section that is a string": v1("images: craned"),
    "a region that is a string": v1("regions: {cn: coding}"),
    "a region that is nothing": v1("regions: {cn: }"),
    "a region with a bad name": v1("regions: {CN: [coding]}"),
    "a region with a bad word": v1("regions: {cn: [Coding]}"),
    "a region with a word twice": v1("regions: {cn: [coding, gitee, coding]}"),
    "a region with nothing in it": v1("regions: {cn: [~]}"),
    "a region with a mapping in it": v1("regions: {cn: [{a: b}]}"),
    "a name with a slash": v1("images: {a/b: {origin: docker.io/acme/i}}"),
    "a name that is too long": v1(f"images: {{{'a' * 129}: {{origin: docker.io/acme/i}}}}"),
    "an entry that is a string": v1("images: {i: docker.io/acme/i}"),
    "an entry that is a list": v1("images: {i: [docker.io/acme/i]}"),
    "an unknown key of an entry": image("mirror: {}"),
    "a key of another kind": image("synced: 6h"),
    "a key of images": git("default_tag: x"),
    "an alias of raw files": v1("raw: {x: {origin: https://raw.example/*, aliases: [y]}}"),
    "aliases that are a string": image("aliases: j"),
    "aliases that are nothing": image("aliases: "),
    "an alias twice": image("aliases: [j, j]"),
    "a bad alias": image("aliases: ['j k']"),
    "a bad tag": image("default_tag: a/b"),
    "a negative tag": image("default_tag: -1"),
    "a tag that is nothing": image("default_tag: "),
    "a tag that is a list": image("default_tag: [x]"),
    "a tag that is too long": image(f"default_tag: {'a' * 129}"),
    "a platform without a machine": image("platforms: [linux]"),
    "a platform that is a number": image("platforms: [386]"),
    "an interval without a unit": git("synced: 6"),
    "an interval of nothing": git("synced: 0h"),
    "an interval in weeks": git("synced: 1w"),
    "an origin that is nothing": origin("images", ""),
    "an origin that is a list": origin("images", "[docker.io/acme/i]"),
    "an origin without an address": origin("git", "{page: https://f.example}"),
    "an origin with an unknown key": origin("git", "{url: https://f.example, name: x}"),
    "an image with a URL": origin("images", "{url: docker.io/acme/i}"),
    "an image with a scheme": origin("images", "https://docker.io/acme/i"),
    "an image with a tag": origin("images", "docker.io/acme/i:main"),
    "an image in upper case": origin("images", "docker.io/Acme/i"),
    "an image with a star": origin("images", "docker.io/*/i"),
    "a bare star": origin("images", "'*'"),
    "a mirror that is called origin": image("mirrors: {origin: ghcr.io/acme/i}"),
    "a mirror that is called generic": image("mirrors: {generic: }"),
    "a mirror with a bad name": image("mirrors: {A_B: ghcr.io/acme/i}"),
    "mirrors in a list": image("mirrors: [ghcr.io/acme/i]"),
    "a Git repository that is a number": origin("git", "123"),
    "a Git repository without a scheme": origin("git", "github.com/acme/g"),
    "a Git repository over ssh": origin("git", "ssh://git@github.com/acme/g"),
    "a Git repository in Git's own form": origin("git", "git@github.com:acme/g"),
    "a URL with a space": origin("git", "'https://forge.example/a b'"),
    "a URL with a password": origin("git", "https://user:secret@forge.example/g"),
    "a URL with a fragment": origin("git", "'https://forge.example/g#a'"),
    "a URL with a broken escape": origin("git", "https://forge.example/%zz"),
    "a URL with a star": origin("git", "https://forge.example/*/g"),
    "a URL without a host": origin("git", "https:///g"),
    "one raw file": origin("raw", "https://raw.example/a"),
    "a page that is nothing": origin("git", "{url: https://f.example, page: }"),
    "a page that is no URL": origin("git", "{url: https://f.example, page: f.example}"),
    "an unknown host kind": origin("git", "{url: https://f.example, host_kind: gitlub}"),
    "a host kind that is nothing": origin("git", "{url: https://f.example, host_kind: }"),
}

#: What a schema cannot say, and why.
UNSAID = {
    "what an editor's parser has lost: a version's spelling": "version: 1.0",
    "what an editor's parser has lost: a truth value's spelling": v1("builtin: True"),
    "what an editor's parser has lost: the first of two keys": v1("images: {}\nimages: {}"),
    "what an editor's parser has lost: an anchor": v1("helm: &a {}\ngit: *a"),
    "what an editor's parser has lost: a tag of YAML": v1("builtin: !!bool true"),
    "what an editor's parser has lost: the sign of zero": image("default_tag: -0"),
    "equality of names and aliases: an alias that is another's name": image("aliases: [craned]"),
    "equality of names and aliases: an alias that is its own name": image("aliases: [i]"),
    "equality across entries: an alias used twice": v1(
        "images: {i: {origin: docker.io/a/i, aliases: [k]}, j: {origin: docker.io/a/j, aliases: [k]}}"
    ),
    "equality across entries: the same place twice": v1(
        "images: {i: {origin: docker.io/acme/i}, j: {origin: docker.io/acme/i}}"
    ),
    "equality after normalisation: the same place in two spellings": image("mirrors: {m: index.docker.io/acme/i}"),
    "equality after normalisation: the same platform in two spellings": image(
        "platforms: [linux/arm64, linux/aarch64]"
    ),
    "the layers below: an origin that is missing for a new entry": v1("images: {i: {default_tag: x}}"),
    "the layers below: a word that is no mirror's name": v1("regions: {cn: [nowhere]}"),
    "the names of hosts: a mirror that is called like the origin's host": image("mirrors: {dockerhub: ghcr.io/acme/i}"),
    "one place against another: a prefix beside a single thing": image("mirrors: {m: ghcr.io/*}"),
    "arithmetic: a port beyond 65535": origin("git", "https://forge.example:99999/g"),
    "arithmetic: the bytes of an escape": origin("git", "https://forge.example/%ff"),
    "arithmetic: the length of one part": origin("images", f"ghcr.io/{'a' * 256}"),
    "the rules of names: a host that cannot be": origin("git", "https://forge..example/g"),
    "the rules of names: an address that cannot be": origin("images", "'[::1::2]/g'"),
    "the rules of names: a part of a path that clients take away": origin("git", "https://forge.example/a/../g"),
}


def test_the_schema_is_one() -> None:
    """Draft 2020-12's own schema accepts it, and it says which draft and what it is itself."""
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert re.fullmatch(r"urn:[a-z0-9-]+:[a-z0-9:]+", schema()["$id"])


def test_the_command_prints_the_schema(cli: CLI) -> None:
    """`catalogue schema` prints it as JSON, and nothing else."""
    ran = cli("catalogue", "schema")
    assert (ran.code, json.loads(ran.out), ran.err) == (0, schema(), "")


def test_the_builtin_catalogue_is_valid() -> None:
    """The model for everybody's own keeps to the schema."""
    assert not list(VALIDATOR.iter_errors(yaml.load(BUILTIN_YAML, Loader=Editor)))  # noqa: S506


@pytest.mark.parametrize("number", range(len(schema()["examples"])))
def test_examples_load(number: int) -> None:
    """What the schema shows as examples is valid, and can be laid over the built-in catalogue."""
    text = json.dumps(schema()["examples"][number])
    assert editor_accepts(text)
    assert loader_accepts(text)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in GOOD.items()])
def test_good_files(text: str) -> None:
    """The loader takes them, and an editor marks nothing in them."""
    assert (loader_accepts(text), editor_accepts(text)) == (True, True)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in BAD.items()])
def test_bad_files(text: str) -> None:
    """The loader refuses them, and so does an editor."""
    assert (loader_accepts(text), editor_accepts(text)) == (False, False)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in UNSAID.items()])
def test_what_only_the_loader_knows(text: str) -> None:
    """The loader refuses them for a reason that a schema has no words for."""
    assert (loader_accepts(text), editor_accepts(text)) == (False, True)


def test_every_object_says_which_keys_there_are() -> None:
    """No mapping takes a key that the loader would refuse, and each key of a fixed set is described."""

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                assert node["additionalProperties"] is False
                assert all("description" in value for value in node["properties"].values())
            for key, value in node.items():
                if key not in ("examples", "enum"):
                    visit(value)

    visit(schema())


#: A layer in which every key stands, for each kind; what it says is good.
FULL: dict[str, Any] = {
    "version": 1,
    "builtin": True,
    "regions": {"cn": ["coding"]},
    "images": {
        "a": {
            "aliases": ["b"],
            "origin": {"reference": "docker.io/a/a", "page": "https://a.example", "host_kind": "dockerhub"},
            "default_tag": "x",
            "platforms": ["linux/amd64"],
            "mirrors": {"m": "m.example/a"},
        }
    },
    **{
        kind: {
            "a": {
                "aliases": ["b"],
                "origin": {"url": f"https://{kind}.example/a", "page": "https://a.example", "host_kind": "github"},
                "synced": "6h",
                "mirrors": {"m": f"https://m.example/{kind}/a"},
            }
        }
        for kind in ("helm", "git")
    },
    "raw": {"a": {"origin": {"url": "https://raw.example/*"}, "mirrors": {"m": "https://m.example/raw/*"}}},
}


def paths(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in node.items() if isinstance(node, dict) else ():
        yield (*path, key)
        yield from paths(value, (*path, key))


NAMES = ["a", "B", "1.10", "no", "a_b", "a-b", "-a", "a b", "", "generic", "origin", "x" * 65, "x" * 129, "reference"]
REFERENCES = ["nginx", "d.io/acme/x", "GHCR.io/a/b", "a/*", "r.example:5000/*", "a:b", "A", "*", "/x", "x/", "a//b"]
URLS = ["https://a.example", "http://a.example:80/b", "https://a.example/*", "https://a.example/%zz", "a.example/b"]
OTHERS = [None, True, False, 0, 1, 386, -5, "6h", "0h", "linux/amd64", "linux", "coding", "gitee", "true", "1", "null"]

scalars = st.sampled_from([*NAMES, *REFERENCES, *URLS, *OTHERS])
anything = (
    scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.sampled_from([*NAMES, "url"]), scalars, max_size=2)
)


def test_the_full_file_is_good() -> None:
    """Before anything is changed in it, both take it."""
    assert editor_accepts(json.dumps(FULL))
    assert loader_accepts(json.dumps(FULL))


@given(st.sampled_from(list(paths(FULL))), st.none() | st.sampled_from(NAMES), anything)
def test_schema_and_loader_agree_on_anything(path: tuple[str, ...], name: str | None, value: Any) -> None:
    """A good file in which anything stands in the place of one value, or under another key, is the same to both."""
    document = json.loads(json.dumps(FULL))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1] if name is None else name] = value
    problems = Problems()
    read_layer("m.yaml", json.dumps(document).encode(), problems)
    faults = [error.message for error in VALIDATOR.iter_errors(document)]
    assert bool(problems.lines) == bool(faults), (problems.lines, faults)
