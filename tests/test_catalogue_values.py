"""What a catalogue says: the built-in one's facts, strings that stay strings, layers, prefixes, and lookups."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from typing import NamedTuple

import pytest
from conftest import PROJECT, examples
from hypothesis import example, given
from hypothesis import strategies as st

from crane_mirrors.catalogue import Catalogue, load, parse
from crane_mirrors.catalogue.entry import Entry, Place, Prefix, key_of, location_of
from crane_mirrors.errors import InvalidCatalogue, UnknownName
from crane_mirrors.model import KINDS, Kind

BUILTIN = ("built-in", (PROJECT / "data" / "mirrors.yaml").read_bytes())


class Fact(NamedTuple):
    """One address, written out in full."""

    kind: Kind
    name: str
    mirror: str
    location: str
    page: str


HUB = "https://hub.docker.com/u/gocrane"
CODING = "https://finops.coding.net/public-artifacts/gocrane/crane/packages"
GHCR = "https://github.com/orgs/gocrane/packages?repo_name=crane"

FACTS = [
    Fact("image", "craned", "dockerhub", "docker.io/gocrane/craned", HUB),
    Fact("image", "craned", "coding", "finops-docker.pkg.coding.net/gocrane/crane/craned", CODING),
    Fact("image", "craned", "ghcr", "ghcr.io/gocrane/crane/craned", GHCR),
    Fact("image", "crane-agent", "dockerhub", "docker.io/gocrane/crane-agent", HUB),
    Fact("image", "crane-agent", "coding", "finops-docker.pkg.coding.net/gocrane/crane/crane-agent", CODING),
    Fact("image", "crane-agent", "ghcr", "ghcr.io/gocrane/crane/crane-agent", GHCR),
    Fact("image", "metric-adapter", "dockerhub", "docker.io/gocrane/metric-adapter", HUB),
    Fact("image", "metric-adapter", "coding", "finops-docker.pkg.coding.net/gocrane/crane/metric-adapter", CODING),
    Fact("image", "metric-adapter", "ghcr", "ghcr.io/gocrane/crane/metric-adapter", GHCR),
    Fact("image", "dashboard", "dockerhub", "docker.io/gocrane/dashboard", HUB),
    Fact("image", "dashboard", "coding", "finops-docker.pkg.coding.net/gocrane/crane/dashboard", CODING),
    Fact("image", "dashboard", "ghcr", "ghcr.io/gocrane/crane/dashboard", GHCR),
    Fact("image", "fadvisor", "dockerhub", "docker.io/gocrane/fadvisor", HUB),
    Fact("image", "fadvisor", "coding", "finops-docker.pkg.coding.net/gocrane/crane/fadvisor", CODING),
    Fact("image", "fadvisor", "ghcr", "ghcr.io/gocrane/crane/fadvisor", GHCR),
    Fact("image", "crane-scheduler", "dockerhub", "docker.io/gocrane/crane-scheduler", HUB),
    Fact("image", "crane-scheduler", "coding", "finops-docker.pkg.coding.net/gocrane/crane/crane-scheduler", CODING),
    Fact("image", "crane-scheduler", "ghcr", "ghcr.io/gocrane/crane-scheduler/crane-scheduler", GHCR),
    Fact("image", "crane-scheduler-controller", "dockerhub", "docker.io/gocrane/crane-scheduler-controller", HUB),
    Fact(
        "image",
        "crane-scheduler-controller",
        "coding",
        "finops-docker.pkg.coding.net/gocrane/crane/crane-scheduler-controller",
        CODING,
    ),
    Fact(
        "image",
        "crane-scheduler-controller",
        "ghcr",
        "ghcr.io/gocrane/crane-scheduler/crane-scheduler-controller",
        GHCR,
    ),
    Fact(
        "helm",
        "gocrane",
        "github",
        "https://gocrane.github.io/helm-charts",
        "https://github.com/gocrane/helm-charts",
    ),
    Fact(
        "helm",
        "gocrane",
        "coding",
        "https://finops-helm.pkg.coding.net/gocrane/gocrane",
        "https://finops.coding.net/public-artifacts/gocrane/gocrane/packages",
    ),
    Fact(
        "helm",
        "prometheus-community",
        "github",
        "https://prometheus-community.github.io/helm-charts",
        "https://github.com/prometheus-community/helm-charts",
    ),
    Fact(
        "helm",
        "prometheus-community",
        "coding",
        "https://finops-helm.pkg.coding.net/gocrane/prometheus-community",
        "https://finops.coding.net/public-artifacts/gocrane/prometheus-community/packages",
    ),
    Fact(
        "helm",
        "grafana",
        "github",
        "https://grafana.github.io/helm-charts",
        "https://github.com/grafana/helm-charts",
    ),
    Fact(
        "helm",
        "grafana",
        "coding",
        "https://finops-helm.pkg.coding.net/gocrane/grafana",
        "https://finops.coding.net/public-artifacts/gocrane/grafana/packages",
    ),
    Fact("git", "crane", "github", "https://github.com/gocrane/crane.git", "https://github.com/gocrane/crane"),
    Fact(
        "git",
        "crane",
        "coding",
        "https://e.coding.net/finops/gocrane/crane.git",
        "https://finops.coding.net/public/gocrane/crane/git/files",
    ),
    Fact("git", "crane", "gitee", "https://gitee.com/finops/crane", "https://gitee.com/finops/crane"),
    Fact(
        "git",
        "helm-charts",
        "github",
        "https://github.com/gocrane/helm-charts.git",
        "https://github.com/gocrane/helm-charts",
    ),
    Fact(
        "git",
        "helm-charts",
        "coding",
        "https://e.coding.net/finops/gocrane/helm-charts.git",
        "https://finops.coding.net/public/gocrane/helm-charts/git/files",
    ),
    Fact("git", "helm-charts", "gitee", "https://gitee.com/finops/helm-charts", "https://gitee.com/finops/helm-charts"),
    Fact("git", "api", "github", "https://github.com/gocrane/api.git", "https://github.com/gocrane/api"),
    Fact(
        "git",
        "api",
        "coding",
        "https://e.coding.net/finops/gocrane/api.git",
        "https://finops.coding.net/public/gocrane/api/git/files",
    ),
    Fact(
        "git",
        "crane-scheduler",
        "github",
        "https://github.com/gocrane/crane-scheduler.git",
        "https://github.com/gocrane/crane-scheduler",
    ),
    Fact(
        "git",
        "crane-scheduler",
        "coding",
        "https://e.coding.net/finops/gocrane/crane-scheduler.git",
        "https://finops.coding.net/public/gocrane/crane-scheduler/git/files",
    ),
    Fact(
        "git",
        "crane-scheduler",
        "gitee",
        "https://gitee.com/finops/crane-scheduler",
        "https://gitee.com/finops/crane-scheduler",
    ),
    Fact("git", "fadvisor", "github", "https://github.com/gocrane/fadvisor.git", "https://github.com/gocrane/fadvisor"),
    Fact(
        "git",
        "fadvisor",
        "coding",
        "https://e.coding.net/finops/gocrane/fadvisor.git",
        "https://finops.coding.net/public/gocrane/fadvisor/git/files",
    ),
]
ORIGINS = {"image": "dockerhub", "helm": "github", "git": "github"}


# The built-in catalogue


def test_the_builtin_catalogue_holds_these_addresses_and_no_others() -> None:
    """Every origin, mirror and page of design.md, section 1, under its name; and nothing more."""
    found = [
        Fact(entry.kind, entry.name, place.name, str(place.location), place.page or "")
        for entry in load().entries()
        for place in entry.places
    ]
    assert len(set(FACTS)) == 7 * 3 + 3 * 2 + 5 * 2 + 3
    assert sorted(found) == sorted(FACTS)


def test_the_builtin_catalogue_says_where_the_origin_is_and_what_is_promised() -> None:
    """Images come from Docker Hub, for two platforms, default tag main; Helm is synced in 6 h, Git once a day."""
    for entry in load().entries():
        assert entry.origin.name == ORIGINS[entry.kind]
        assert [place.is_origin for place in entry.places] == [False] * len(entry.mirrors) + [True]
        assert entry.aliases == (("crane",) if (entry.kind, entry.name) == ("helm", "gocrane") else ())
        assert entry.default_tag == ("main" if entry.kind == "image" else None)
        assert entry.platforms == (("linux/amd64", "linux/arm64") if entry.kind == "image" else ())
        assert entry.synced == {"image": None, "helm": "6h", "git": "1d"}[entry.kind]
        assert {place.source for place in entry.places} == {"built-in"}
        assert {place.host_kind for place in entry.places} == {place.name for place in entry.places}


def test_the_builtin_catalogue_orders_two_regions() -> None:
    """Inside China the copies there come first, elsewhere the origins."""
    catalogue = load()
    assert catalogue.regions() == ("cn", "global")
    assert catalogue.order("cn") == ("coding", "gitee", "ghcr", "dockerhub", "github")
    assert catalogue.order("global") == ("dockerhub", "github", "ghcr", "gitee", "coding")


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.kind} {fact.name} {fact.mirror}")
def test_every_address_stands_in_the_file_as_it_would_be_pasted(fact: Fact) -> None:
    """An address can be searched for in mirrors.yaml, as a word of its own."""
    words = BUILTIN[1].decode().replace("{", " ").replace("}", " ").replace(",", " ").split()
    assert fact.location in words
    assert fact.page in words


# Strings


def one(text: str, kind: Kind = "image", name: str = "a") -> Entry:
    return parse([("m.yaml", f"version: 1\n{text}".encode())]).entry(kind, name)


@pytest.mark.parametrize(
    "word",
    ["1.10", "1.0", "no", "on", "yes", "true", "0x1F", "0o17", "017", "1e3", "2024-01-01", "1_000", "null", "Null"],
)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_string_stays_what_was_typed(word: str, quote: str) -> None:
    """Names, tags and aliases that YAML takes for numbers, dates or booleans stay strings; a plain null is none."""
    if quote or "ull" not in word:
        entry = one(
            f"images:\n  {word}: {{origin: x/y, default_tag: {quote}{word}{quote}, aliases: [{quote}z{word}{quote}]}}",
            name=word,
        )
        assert (entry.name, entry.default_tag, entry.aliases) == (word, word, (f"z{word}",))
    else:
        with pytest.raises(InvalidCatalogue, match="default_tag: must be a string"):
            one(f"images: {{a: {{origin: x/y, default_tag: {word}}}}}")


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL"])
def test_a_plain_null_takes_away_and_a_quoted_one_does_not(null: str) -> None:
    """A mirror of nothing is taken away; in quotation marks it is an address, and a bad one."""
    base = ("base.yaml", b"version: 1\nimages: {a: {origin: x/y, mirrors: {m: q.io/x}}}")
    top = f"version: 1\nimages: {{a: {{mirrors: {{m: {null}}}}}}}"
    assert parse([base, ("m.yaml", top.encode())]).entry("image", "a").mirrors == ()
    with pytest.raises(InvalidCatalogue) if null not in ("null",) else nullcontext():
        quoted = parse([base, ("m.yaml", top.replace(f"m: {null}", f"m: '{null}'").encode())])
        assert str(quoted.entry("image", "a").mirrors[0].location) == "docker.io/library/null"


def test_values_take_one_spelling() -> None:
    """Locations, platforms and intervals are kept in their canonical form, pages as they were written."""
    entry = one(
        "images:\n  a:\n    origin: {reference: Index.docker.io:443/x/y, page: 'https://H/x/#frag'}\n"
        "    platforms: [linux/x86_64, linux/arm64/v8]\n    mirrors: {m: GHCR.io/x/y}\n"
    )
    assert [str(place.location) for place in entry.places] == ["ghcr.io/x/y", "docker.io/x/y"]
    assert (entry.platforms, entry.origin.page) == (("linux/amd64", "linux/arm64"), "https://H/x/#frag")
    entry = one("git: {a: {origin: 'HTTPS://H.example:443/x.git/', synced: 24h}}", "git")
    assert (str(entry.origin.location), entry.synced) == ("https://h.example/x.git", "1d")


@pytest.mark.parametrize(
    ("origin", "kind", "word", "host_kind"),
    [
        ("docker.io/x/y", "image", "dockerhub", "dockerhub"),
        ("ghcr.io/x/y", "image", "ghcr", "ghcr"),
        ("ghcr.io:5000/x/y", "image", "ghcr", "ghcr"),
        ("evilghcr.io/x/y", "image", "origin", "generic"),
        ("ghcr.io.evil.example/x/y", "image", "origin", "generic"),
        ("q.coding.net/x/y", "image", "coding", "coding"),
        ("coding.net.example/x/y", "image", "origin", "generic"),
        ("https://github.com/x/y", "git", "github", "github"),
        ("https://gitee.com/x/y", "git", "gitee", "gitee"),
        ("https://git.example/x/y", "git", "origin", "generic"),
        ("{url: https://git.example/x/y, host_kind: gitee}", "git", "gitee", "gitee"),
        ("{url: https://gitee.com/x/y, host_kind: generic}", "git", "origin", "generic"),
    ],
)
def test_a_host_kind_is_known_or_given(origin: str, kind: Kind, word: str, host_kind: str) -> None:
    """The origin's word is its host's kind, found by whole labels of the host's name, or 'origin'."""
    section = {"image": "images"}.get(kind, kind)
    place = one(f"{section}: {{a: {{origin: {origin}}}}}", kind).origin
    assert (place.name, place.host_kind) == (word, host_kind)


# Layers


def layered(*layers: str) -> Catalogue:
    return parse([BUILTIN, *((f"{number}.yaml", f"version: 1\n{text}".encode()) for number, text in enumerate(layers))])


def places(entry: Entry) -> dict[str, str]:
    return {place.name: str(place.location) for place in entry.places}


def test_an_empty_layer_changes_nothing() -> None:
    """A file with its version only is as if it were not there."""
    below, above = parse([BUILTIN]), layered("")
    assert above.compiled == below.compiled


def test_a_layer_adds_an_entry() -> None:
    """An entry of a layer stands beside those below, and knows its file."""
    catalogue = layered("git: {mine: {origin: https://git.example/x, aliases: [m]}}")
    assert catalogue.entry("git", "m").name == "mine"
    assert catalogue.entry("git", "mine").origin.source == "0.yaml"
    assert catalogue.names("git")[:-2] == parse([BUILTIN]).names("git")


def test_a_layer_adds_replaces_and_takes_away_mirrors() -> None:
    """Each mirror is changed by itself; what a layer does not name stays, and keeps its file."""
    catalogue = layered(
        "images: {craned: {mirrors: {corp: r.example/craned, ghcr: ghcr.io/other/craned, coding: null}}}",
        "images: {craned: {mirrors: {corp: r2.example/craned}}}",
    )
    entry = catalogue.entry("image", "craned")
    assert places(entry) == {
        "ghcr": "ghcr.io/other/craned",
        "corp": "r2.example/craned",
        "dockerhub": "docker.io/gocrane/craned",
    }
    assert {place.name: place.source for place in entry.places} == {
        "ghcr": "0.yaml",
        "corp": "1.yaml",
        "dockerhub": "built-in",
    }
    assert (entry.default_tag, entry.platforms) == ("main", ("linux/amd64", "linux/arm64"))
    assert catalogue.at("image", "ghcr.io/gocrane/crane/craned") is None
    assert catalogue.at("image", "r2.example/craned") == entry


def test_a_layer_replaces_the_fields_that_it_names() -> None:
    """Origin, tag, platforms, aliases and promise are replaced whole, each only where it is named."""
    catalogue = layered(
        "images: {craned: {default_tag: v1, platforms: [linux/arm64]}}\n"
        "helm: {gocrane: {aliases: [], synced: 12h, origin: https://charts.example/x}}"
    )
    image, helm = catalogue.entry("image", "craned"), catalogue.entry("helm", "gocrane")
    assert (image.default_tag, image.platforms, len(image.places)) == ("v1", ("linux/arm64",), 3)
    assert (helm.aliases, helm.synced, places(helm)["origin"]) == ((), "12h", "https://charts.example/x")
    assert catalogue.get("helm", "crane") is None


def test_a_layer_takes_an_entry_away_and_another_gives_it_back() -> None:
    """An entry of nothing is gone for the layers above too, which may begin it anew."""
    assert layered("images: {craned: null}").get("image", "craned") is None
    again = layered("images: {craned: }", "images: {craned: {origin: x.example/craned}}").entry("image", "craned")
    assert (places(again), again.default_tag) == ({"origin": "x.example/craned"}, None)
    assert layered("images: {craned: null, nobody: null}").get("git", "crane")


def test_a_layer_changes_the_order_of_a_region() -> None:
    """Its words come first; the rest keeps its place behind them."""
    catalogue = layered("regions: {cn: [github, coding], eu: [ghcr]}", "regions: {cn: [gitee]}")
    assert catalogue.order("cn") == ("gitee", "github", "coding", "ghcr", "dockerhub")
    assert catalogue.order("global") == ("dockerhub", "github", "ghcr", "gitee", "coding")
    assert catalogue.order("eu") == ("ghcr",)
    assert catalogue.regions() == ("cn", "global", "eu")


def test_a_layer_leaves_the_builtin_entries_out() -> None:
    """With builtin: false only its own entries are left, whichever layer says so; the regions stay."""
    for layers in (
        ("builtin: false\ngit: {mine: {origin: https://git.example/x}}",),
        ("git: {mine: {origin: https://git.example/x}}", "builtin: false"),
    ):
        catalogue = layered(*layers)
        assert [entry.name for entry in catalogue.entries()] == ["mine"]
        assert catalogue.order("cn") == ("coding", "gitee", "ghcr", "dockerhub", "github")
    assert layered("builtin: true").get("image", "craned")
    with pytest.raises(InvalidCatalogue, match=r"^0\.yaml:3:18: images\.craned: 'origin' is missing"):
        layered("builtin: false\nimages: {craned: {mirrors: {corp: r.example/x}}}")


def test_a_layer_may_take_the_place_of_what_it_took_away() -> None:
    """A name or a place is free again once its owner is gone."""
    catalogue = layered("images: {craned: null, own: {origin: docker.io/gocrane/craned, aliases: [craned]}}")
    assert catalogue.entry("image", "craned").name == "own"


# Prefix entries

PREFIXES = """
images:
  hub: {origin: docker.io/*, mirrors: {corp: docker.m.example/*}}
  gocrane: {origin: docker.io/gocrane/*, mirrors: {corp: crane.m.example/*}}
  deep: {origin: docker.io/gocrane/crane/*, mirrors: {corp: deep.m.example/*}}
  exact: {origin: docker.io/gocrane/exact, mirrors: {corp: exact.m.example/exact}}
  ghcr: {origin: ghcr.io/*, mirrors: {corp: m.example/ghcr/*}}
  port: {origin: GHCR.io:5000/*, mirrors: {corp: m.example/port/*}}
git:
  forge: {origin: https://GitHub.com:443/*, mirrors: {corp: https://git.m.example/github/*}}
  org: {origin: https://github.com/gocrane/*, mirrors: {corp: https://git.m.example/gocrane/*}}
raw:
  raw:
    origin: https://raw.githubusercontent.com/*
    mirrors: {proxy: https://proxy.example/https://raw.githubusercontent.com/*}
"""


@pytest.mark.parametrize(
    ("kind", "place", "name", "mirror"),
    [
        ("image", "docker.io/library/nginx", "hub", "docker.m.example/library/nginx"),
        ("image", "docker.io/gocrane/craned", "gocrane", "crane.m.example/craned"),
        ("image", "docker.io/gocrane/crane", "gocrane", "crane.m.example/crane"),
        ("image", "docker.io/gocrane/crane/x", "deep", "deep.m.example/x"),
        ("image", "docker.io/gocrane/crane-scheduler", "gocrane", "crane.m.example/crane-scheduler"),
        ("image", "docker.io/gocrane/crane-scheduler/x", "gocrane", "crane.m.example/crane-scheduler/x"),
        ("image", "docker.io/gocrane/exact", "exact", "exact.m.example/exact"),
        ("image", "docker.io/gocrane/exact/x", "gocrane", "crane.m.example/exact/x"),
        ("image", "docker.io/gocrane2/x", "hub", "docker.m.example/gocrane2/x"),
        ("image", "docker.io/gocrane", "hub", "docker.m.example/gocrane"),
        ("image", "ghcr.io/x/y", "ghcr", "m.example/ghcr/x/y"),
        ("image", "ghcr.io:5000/x", "port", "m.example/port/x"),
        ("image", "ghcr.io:5001/x", None, None),
        ("image", "ghcr.io.example/x", None, None),
        ("image", "xghcr.io/x", None, None),
        ("image", "docker.m.example/library/nginx", "hub", "docker.m.example/library/nginx"),
        ("git", "github.com/o/r", "forge", "https://git.m.example/github/o/r"),
        ("git", "github.com/gocrane/api", "org", "https://git.m.example/gocrane/api"),
        ("git", "github.com/gocrane-fork/api", "forge", "https://git.m.example/github/gocrane-fork/api"),
        ("git", "github.com.example/o/r", None, None),
        ("git", "github.com:8443/o/r", None, None),
        (
            "raw",
            "raw.githubusercontent.com/o/r/main/a",
            "raw",
            "https://proxy.example/https://raw.githubusercontent.com/o/r/main/a",
        ),
        (
            "raw",
            "proxy.example/https://raw.githubusercontent.com/o/r/main/a",
            "raw",
            "https://proxy.example/https://raw.githubusercontent.com/o/r/main/a",
        ),
        ("raw", "proxy.example/o/r/main/a", None, None),
    ],
)
def test_a_prefix_covers_whole_segments(kind: Kind, place: str, name: str | None, mirror: str | None) -> None:
    """An exact entry comes before any prefix, the longest prefix before others, and none ends inside of a segment."""
    catalogue = parse([("m.yaml", f"version: 1{PREFIXES}".encode())])
    entry = catalogue.covering(kind, place)
    assert (entry and entry.name) == name
    assert (entry and str(entry.mirrors[0].location)) == mirror
    if entry and not entry.is_prefix and entry.origin.location != entry.mirrors[0].location:
        assert catalogue.covering(kind, key_of(entry.mirrors[0].location)) == entry


@pytest.mark.parametrize(
    ("kind", "text", "canonical"),
    [
        ("image", "index.docker.io/*", "docker.io/*"),
        ("image", "registry-1.docker.io/x/*", "docker.io/x/*"),
        ("image", "gocrane/*", "docker.io/gocrane/*"),
        ("image", "GHCR.IO:443/*", "ghcr.io/*"),
        ("image", "docker.io/library/*", "docker.io/library/*"),
        ("git", "HTTPS://GitHub.com:443/*", "https://github.com/*"),
        ("git", "https://h.example//x//*", "https://h.example//x//*"),
        ("raw", "https://p.example/https://h.example/*", "https://p.example/https://h.example/*"),
        ("raw", "https://p.example/?u=https://h.example/*", "https://p.example?u=https://h.example/*"),
    ],
)
def test_a_prefix_takes_one_spelling(kind: Kind, text: str, canonical: str) -> None:
    """A registry's other names, default ports and upper case are gone, so that lookups find it."""
    assert location_of(kind, text) == Prefix(canonical)
    assert location_of(kind, canonical) == Prefix(canonical)


def test_a_prefix_may_be_a_query() -> None:
    """Proxies that take the address as a query can be a mirror."""
    text = "raw: {r: {origin: https://h.example/*, mirrors: {p: 'https://p.example/?u=https://h.example/*'}}}"
    entry = parse([("m.yaml", f"version: 1\n{text}".encode())]).under("raw", "h.example/a/b")
    assert entry is not None
    assert str(entry.mirrors[0].location) == "https://p.example?u=https://h.example/a/b"


# Rows and lookups

names = st.text("aB1._-", max_size=4).map("a{}".format) | st.sampled_from(["crane", "crane-agent", "1.10", "no"])
lower = st.text("ab1", min_size=1, max_size=3)
hosts = st.sampled_from(["docker.io", "ghcr.io", "ghcr.io:5000", "r.example", "[::1]:5000", "github.com", "gitee.com"])
sources = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["a\nb", "a\tb", "\x1e\x1f%1e", "%", "%25", "\udcff"]
)


@st.composite
def catalogue_entries(draw: st.DrawFn) -> Entry:
    """One entry as the loader makes them, of any kind."""
    kind = draw(st.sampled_from(KINDS))
    is_prefix = kind == "raw" or draw(st.booleans())

    def place(name: str, is_origin: bool = False) -> Place:
        parts = draw(st.lists(lower, min_size=2, max_size=3))
        text = "/".join([draw(hosts), *parts]) + ("/*" if is_prefix else "")
        location = location_of(kind, text if kind == "image" else f"https://{text}")
        page = draw(st.none() | st.just("https://h/p?q=ü#f"))
        return Place(
            name, location, draw(st.sampled_from(["generic", "gitee", "github"])), page, draw(sources), is_origin
        )

    mirrors = tuple(place(name) for name in draw(st.lists(lower, max_size=2, unique=True)))
    return Entry(
        kind,
        draw(names),
        place("origin", is_origin=True),
        mirrors,
        tuple(draw(st.lists(names, max_size=2, unique=True))),
        draw(st.none() | names),
        tuple(draw(st.lists(st.sampled_from(["linux/amd64", "linux/arm/v7"]), unique=True))),
        draw(st.none() | st.just("6h")),
    )


@given(catalogue_entries())
@examples(200)
def test_a_row_gives_its_entry_back(entry: Entry) -> None:
    """Whatever an entry holds, its row is one line, and the entry that is read from it is the same."""
    row = entry.to_row()
    assert not set(row) & {"\n", "\t"}
    assert Entry.from_row(row) == entry


@given(
    st.text(st.characters() | st.sampled_from("\x1e\x1f"), max_size=40) | catalogue_entries().map(Entry.to_row),
    st.data(),
)
@examples(200)
def test_a_damaged_row_is_the_projects_own_error(row: str, data: st.DataObject) -> None:
    """A row that nobody wrote is an entry all the same, or InvalidCatalogue."""
    cut = data.draw(st.integers(0, len(row)))
    text = row[:cut] + data.draw(st.text(max_size=3) | st.sampled_from(["\x1e", "\x1f"])) + row[cut + 1 :]
    try:
        entry = Entry.from_row(text)
    except InvalidCatalogue:
        return
    assert isinstance(entry, Entry)


NASTY = [
    *("", " ", "\n", "\t", "\0", "x\nname image y", "x\tz", "\nname image x", "x\n", "x\t", "a b", "image x", "x\x1ey"),
    *("\udcff", "\ud800", "ü", "*", "x/*", "docker.io", "docker.io/", "/x", "//", "x" * 10_000, "a/" * 200),
]


def unique(entries: list[Entry]) -> list[Entry]:
    """Leave out entries that have a name or a place in common, as the loader refuses them."""
    kept: list[Entry] = []
    taken: set[tuple[str, str]] = set()
    for entry in entries:
        keys = {(entry.kind, name) for name in (entry.name, *entry.aliases)}
        keys |= {(entry.kind, f"@{entry.is_prefix}{key_of(place.location)}") for place in entry.places}
        keys_count = 1 + len(entry.aliases) + len(entry.places)
        if not keys & taken and len(keys) == keys_count:
            kept.append(entry)
            taken |= keys
    return kept


@given(st.lists(catalogue_entries(), max_size=5).map(unique), st.sampled_from(NASTY) | st.text(max_size=12), st.data())
@examples(200)
@example([], "x\nname image y", None)
@example([], "\ud800", None)
def test_lookups_in_the_text_and_in_the_dictionary_are_equal(
    entries: list[Entry], nasty: str, data: st.DataObject | None
) -> None:
    """A catalogue that was asked little answers as one that was asked much, whatever is asked for."""
    regions = {"cn": ("coding",), "eu": ("gitee", "coding")}
    compiled = Catalogue.compile(regions, entries).compiled
    known = [name for entry in entries for name in (entry.name, *entry.aliases)]
    known += [key_of(place.location) for entry in entries for place in entry.places]
    known += [f"{place}/x/y" for place in known] + [place.host for entry in entries for place in entry.places]
    asked = [nasty, *known, *(f"{name}{nasty}" for name in known), *(f"{nasty}{name}" for name in known)]
    # A stretch of the compiled text from inside of one line into the next: it is there, but it is no key.
    lines = compiled.decode("utf-8", "surrogateescape").split("\n")
    pairs = itertools.pairwise(lines)
    asked += [f"{line.split(' ', 2)[-1]}\n{after.partition(chr(9))[0]}" for line, after in pairs if " " in line]
    if data and known:
        asked.append(data.draw(st.sampled_from(known))[:-1])
    whole = Catalogue(compiled)
    assert sorted(map(str, whole.entries())) == sorted(map(str, entries))
    by_name = {(entry.kind, name): entry for entry in entries for name in (entry.name, *entry.aliases)}
    for text in asked:
        for kind in KINDS:
            fresh = Catalogue(compiled)  # it has no dictionary yet
            assert fresh.get(kind, text) == whole.get(kind, text) == by_name.get((kind, text))
            assert Catalogue(compiled).at(kind, text) == whole.at(kind, text)
        assert Catalogue(compiled).host_kind(text) == whole.host_kind(text)
        for catalogue in (Catalogue(compiled), whole):
            if text in regions:
                assert catalogue.order(text) == regions[text]
            else:
                with pytest.raises(UnknownName):
                    catalogue.order(text)
