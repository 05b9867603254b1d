"""Git repositories on real servers: what `probe`, `check` and `--fastest` say of their refs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from live.asking import TIMEOUT, Live, measured, rows_of
from servers.git import add_refs, git, git_server, make_repository
from servers.listener import refused
from servers.web import Web, login_page, web

NAME = "gocrane/crane.git"


@dataclass(frozen=True, slots=True)
class Forge:
    """A folder with one copy of the origin in each state, served as v2, as v0, and as files."""

    root: Path
    v2: Web
    v0: Web
    dumb: Web

    def url(self, state: str, server: str = "v2") -> str:
        web: Web = getattr(self, server)
        return f"{web.url}/{state}/{NAME}"

    def path(self, state: str) -> Path:
        return self.root / state / NAME

    def refs(self, state: str, server: str = "v2") -> dict[str, str]:
        """Give heads and tags as `git ls-remote` lists them."""
        lines = git("ls-remote", "--heads", "--tags", "--refs", self.url(state, server)).splitlines()
        return {ref: number for number, ref in (line.split("\t") for line in lines)}


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    root = tmp_path_factory.mktemp("forge")
    for state in ("origin", "fresh", "extra", "branchless", "tagless", "moved"):
        make_repository(root / state / NAME)
    make_repository(root / "behind" / NAME, commits=2)
    make_repository(root / "forked" / NAME, last="tampered")
    for state, commands in {
        "extra": [["update-ref", "refs/heads/extra", "refs/heads/dev"], ["update-ref", "refs/pull/1/head", "main"]],
        "branchless": [["update-ref", "-d", "refs/heads/dev"]],
        "tagless": [["update-ref", "-d", "refs/tags/v0.2.0"]],
        "moved": [["update-ref", "refs/tags/v0.2.0", "refs/heads/dev"]],
    }.items():
        for command in commands:
            git("-C", root / state / NAME, *command)
    with git_server(root) as v2, git_server(root, version2=False) as v0, git_server(root, smart=False) as dumb:
        yield Forge(root, v2, v0, dumb)


BOTH = pytest.mark.parametrize("server", ["v2", "v0"])


@BOTH
def test_each_state_has_its_verdict(live: Live, forge: Forge, server: str) -> None:
    """Behind, missing branches and tags are late; other commits and moved tags are of other descent."""
    states = ("fresh", "behind", "forked", "extra", "branchless", "tagless", "moved")
    live.add("git", "crane", origin=forge.url("origin", server), **{s: forge.url(s, server) for s in states})
    rows = {row["mirror"]: row for row in live.rows("check", "crane", *TIMEOUT, code=1)}
    there = forge.refs("origin", server)
    commits = {state: forge.refs(state, server)["refs/heads/main"] for state in states}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "fresh": "fresh",
        "behind": "overdue",
        # With version 0 only a fetch of everything would tell, so nothing bad is said of the branch, but its tag moved.
        "forked": "diverged",
        "extra": "overdue",
        "branchless": "overdue",
        "tagless": "overdue",
        "moved": "diverged",
    }
    main = there["refs/heads/main"]
    assert rows["behind"]["details"] == [
        "refs/tags/v0.3.0 is missing",
        f"refs/heads/main is at {commits['behind']}, at the origin {main}",
    ]
    assert any(f"refs/heads/main is at {commits['forked']}" in text for text in rows["forked"]["details"])
    assert rows["branchless"]["details"] == ["refs/heads/dev is missing"]
    assert rows["tagless"]["details"] == ["refs/tags/v0.2.0 is missing"]
    first = there["refs/heads/dev"]
    assert rows["extra"]["details"] == [f"refs/heads/extra is at {first}, and is not at the origin"]
    assert rows["moved"]["details"] == [f"refs/tags/v0.2.0 is at {first}, at the origin {there['refs/tags/v0.2.0']}"]


def test_a_commit_that_the_origin_lacks_has_diverged(live: Live, forge: Forge) -> None:
    """The origin itself is asked whether it has the commit, so that a fork is told from an old copy."""
    live.add("git", "crane", origin=forge.url("origin"), forked=forge.url("forked"), behind=forge.url("behind"))
    rows = {row["mirror"]: row for row in live.rows("check", "crane", "--ref", "main", code=1)}
    assert {name: row["verdict"] for name, row in rows.items()} == {"forked": "diverged", "behind": "overdue"}
    fork = forge.refs("forked")["refs/heads/main"]
    assert f"the origin has no {fork}" in rows["forked"]["details"][0]


@BOTH
@pytest.mark.parametrize(
    ("ref", "verdicts"),
    [
        ("main", {"behind": "overdue", "tagless": "fresh", "branchless": "fresh"}),
        ("dev", {"behind": "fresh", "tagless": "fresh", "branchless": "missing"}),
        ("v0.2.0", {"behind": "fresh", "tagless": "missing", "branchless": "fresh"}),
        ("refs/tags/v0.2.0", {"behind": "fresh", "tagless": "missing", "branchless": "fresh"}),
        ("v0.3.0", {"behind": "missing", "tagless": "fresh", "branchless": "fresh"}),
    ],
)
def test_one_ref_is_compared_alone(live: Live, forge: Forge, server: str, ref: str, verdicts: dict[str, str]) -> None:
    """--ref takes a branch, a tag or a whole ref, and all else may differ."""
    live.add("git", "crane", origin=forge.url("origin", server), **{s: forge.url(s, server) for s in verdicts})
    assert live.verdicts("crane", "--ref", ref, code=int(set(verdicts.values()) != {"fresh"})) == verdicts


def test_a_ref_that_nobody_has(live: Live, forge: Forge) -> None:
    """A ref is missing on the mirror whether or not the origin has it, and the cause names it."""
    live.add("git", "crane", origin=forge.url("origin"), fresh=forge.url("fresh"))
    row = live.row("check", "crane", "--ref", "no/such", code=1)
    assert (row["verdict"], row["cause"]) == ("missing", "no ref no/such, and the origin has none either")


def test_version_two_asks_for_what_it_needs(live: Live, forge: Forge) -> None:
    """Refs come by `ls-refs` with prefixes, so that a server need not list all its pull requests."""
    forge.v2.requests.clear()
    live.add("git", "crane", origin=forge.url("origin"), fresh=forge.url("fresh"))
    live.run("check", "crane", "--ref", "main")
    posts = [request for request in forge.v2.requests if request.method == "POST"]
    assert len(posts) == 2
    for request in posts:
        assert request.headers["git-protocol"] == "version=2"
        assert b"command=ls-refs" in request.body
        assert re.findall(rb"ref-prefix (\S+)", request.body) == [b"refs/heads/main", b"refs/tags/main"]


def test_the_two_versions_may_meet(live: Live, forge: Forge) -> None:
    """An origin that answers version 0 is compared with a mirror that answers version 2, and the other way round."""
    for origin, mirror in (("v0", "v2"), ("v2", "v0")):
        live.add("git", "crane", origin=forge.url("origin", origin), fresh=forge.url("fresh", mirror))
        assert live.verdicts("crane") == {"fresh": "fresh"}


def test_a_server_with_files_only_is_refused(live: Live, forge: Forge) -> None:
    """Dumb HTTP is no answer, and the cause says why; so are login pages and what is no repository."""
    with web(login_page) as portal, refused() as port:
        mirrors = {
            "dumb": forge.url("fresh", "dumb"),
            "portal": f"{portal.url}/{NAME}",
            "nothing": f"{forge.v2.url}/no/such.git",
            "dead": f"http://127.0.0.1:{port}/{NAME}",
        }
        live.add("git", "crane", origin=forge.url("origin"), **mirrors)
        causes = {
            "dumb": "no smart http: the server has only files",
            "portal": "login page",
            "nothing": "404",
            "dead": "refused",
        }
        rows = {row["mirror"]: row for row in live.rows("check", "crane", code=1)}
        assert {name: row["cause"] for name, row in rows.items()} == causes
        assert rows["nothing"]["verdict"] == "missing"
        rows = {row["mirror"]: row for row in live.rows("probe", "crane")}
        assert rows["origin"]["status"] == "alive"
        assert {name: row["cause"] for name, row in rows.items() if name != "origin"} == causes


@BOTH
def test_repositories_are_measured(live: Live, forge: Forge, server: str) -> None:
    """`probe` begins as `git fetch` does, and its warm requests are on the connection that the first one made."""
    live.add("git", "crane", origin=forge.url("origin", server), fresh=forge.url("fresh", server))
    for row in live.rows("probe", "crane", "--samples", "2", *TIMEOUT):
        assert (row["status"], row["http_status"], len(row["samples_ms"])) == ("alive", 200, 2)
        assert row["connect_ms"] > 0


def test_the_first_right_answer_wins(live: Live, forge: Forge) -> None:
    """`git NAME --fastest` prints the address of a repository that can be cloned."""
    with web(login_page) as portal:
        live.add(
            "git",
            "crane",
            origin=f"{portal.url}/{NAME}",
            dumb=forge.url("fresh", "dumb"),
            right=forge.url("fresh"),
        )
        ran = live.run("git", "crane", "--fastest", *TIMEOUT)
    assert ran.out.strip() == forge.url("fresh")
    git("clone", "-q", "--bare", ran.out.strip(), live.folder / "clone.git")


def test_a_promised_interval_makes_the_difference(live: Live, forge: Forge) -> None:
    """Behind is lagging as long as the interval since it was first seen, then overdue; other descent is never."""
    live.add("git", "crane", origin=forge.url("origin"), synced="1d", behind=forge.url("behind"))
    first = live.row("check", "crane")
    assert (first["verdict"], first["promised"]) == ("lagging", "1d")
    live.shift(86000)
    assert live.row("check", "crane")["verdict"] == "lagging"
    live.run("check", "crane", "--fail-on", "lagging", code=1)
    live.shift(500)
    last = live.row("check", "crane", code=1)
    assert last["verdict"] == "overdue"
    assert 86400 < last["lag_seconds"] < 86600
    live.add("git", "crane", origin=forge.url("origin"), synced="1d", moved=forge.url("moved"))
    assert live.verdicts("crane", code=1) == {"moved": "diverged"}


def test_a_part_says_nothing_about_the_rest(live: Live, forge: Forge) -> None:
    """A ref that is fresh does not make forget since when the repository is behind."""
    live.add("git", "crane", origin=forge.url("origin"), synced="1d", behind=forge.url("behind"))
    live.run("check", "crane")
    live.shift(90000)
    live.run("check", "crane", "--ref", "dev")
    assert live.verdicts("crane", "--ref", "main") == {"behind": "lagging"}
    assert live.verdicts("crane", code=1) == {"behind": "overdue"}


def test_an_empty_repository_has_nothing(live: Live, forge: Forge) -> None:
    """A copy without a commit lacks every ref; an empty origin makes everything else foreign."""
    path = forge.path("empty")
    if not path.exists():
        path.parent.mkdir(parents=True)
        git("init", "-q", "--bare", path)
    for server in ("v2", "v0"):
        live.add("git", "crane", origin=forge.url("origin", server), empty=forge.url("empty", server))
        row = live.row("check", "crane", code=1)
        assert (row["verdict"], len(row["details"])) == ("overdue", 5)
        live.add("git", "crane", origin=forge.url("empty", server), full=forge.url("fresh", server))
        assert live.verdicts("crane", code=1) == {"full": "diverged"}


@pytest.fixture(scope="module")
def large(forge: Forge) -> Forge:
    for state in ("many", "many-copy"):
        add_refs(make_repository(forge.path(state)), 100_000)
    git("-C", forge.path("many-copy"), "update-ref", "refs/heads/many/77777", "refs/heads/main")
    return forge


@BOTH
def test_a_hundred_thousand_refs(live: Live, large: Forge, server: str) -> None:
    """All are read and compared, with bounded memory, and the one that differs is found."""
    live.add("git", "crane", origin=large.url("many", server), copy=large.url("many-copy", server))
    arguments = ("check", "crane", "--timeout", "60", "--catalogue", str(live.catalogue), "--output", "json")
    ran, memory = measured(*arguments)
    (row,) = rows_of(ran.out, "check")
    assert (ran.code, row["verdict"]) == (1, "overdue")
    numbers = [git("-C", large.path(state), "rev-parse", "refs/heads/many/77777") for state in ("many-copy", "many")]
    assert row["details"] == [f"refs/heads/many/77777 is at {numbers[0]}, at the origin {numbers[1]}"]
    assert memory < 150
