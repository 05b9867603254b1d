"""Files of Git repositories: `check --raw`, `probe --raw` and `raw --fastest`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from live.asking import TIMEOUT, Live
from servers.git import RAW_PATH, git, make_repository, raw_text
from servers.listener import refused
from servers.web import Responder, Response, Web, file, login_page, redirect, status, web
from servers.world import raw_files

OWNER = "/finops/crane"
FILE = ("crane", "main", RAW_PATH)
PREFIX = f"{OWNER}/raw"


@dataclass(frozen=True, slots=True)
class Files:
    """Servers of one repository's files, new and old, and the commit that the branch stands at."""

    origin: Web
    fresh: Web
    stale: Web
    commit: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    root = tmp_path_factory.mktemp("files")
    new, old = make_repository(root / "new.git"), make_repository(root / "old.git", commits=2)
    fresh, stale = raw_files(new, PREFIX), raw_files(old, PREFIX)
    with web(fresh) as origin, web(fresh) as mirror, web(stale) as late:
        yield Files(origin, mirror, late, git("-C", new, "rev-parse", "main"))


def add(live: Live, origin: str, synced: str | None = None, **mirrors: str) -> None:
    """Add a repository whose files lie where Gitee would have them, on each of these servers."""

    def place(url: str) -> dict[str, Any]:
        return {"url": url + OWNER, "host_kind": "gitee"}

    entry: dict[str, Any] = {"origin": place(origin)} | ({"synced": synced} if synced else {})
    live.entries["git"] = {"crane": entry | {"mirrors": {name: place(url) for name, url in mirrors.items()}}}


def test_each_state_has_its_verdict(live: Live, served: Files) -> None:
    """The bytes are compared by their hash; a file that is not there is missing, and a login page is no file."""
    with web(status(404)) as gone, web(login_page) as portal, refused() as port, web(status(403)) as closed:
        mirrors = {"fresh": served.fresh.url, "stale": served.stale.url, "gone": gone.url, "portal": portal.url}
        add(live, served.origin.url, **mirrors, dead=f"http://127.0.0.1:{port}", closed=closed.url)
        rows = {row["mirror"]: row for row in live.rows("check", "--raw", *FILE, code=1)}
    assert {name: (row["verdict"], row["cause"]) for name, row in rows.items() if name != "stale"} == {
        "fresh": ("fresh", None),
        "gone": ("missing", "404"),
        "portal": ("unreachable", "login page"),
        "dead": ("unreachable", "refused"),
        "closed": ("unreachable", "403"),
    }
    stale = rows["stale"]
    hashes = [hashlib.sha256(raw_text(commits)).hexdigest() for commits in (2, 3)]
    assert stale["verdict"] == "overdue"
    assert all(f"sha256:{each}" in stale["details"][0] for each in hashes)


def test_plain_lines_have_every_mirror(live: Live, served: Files) -> None:
    """Off a terminal all mirrors are asked, too, not only the one that would be printed."""
    add(live, served.origin.url, fresh=served.fresh.url, stale=served.stale.url)
    lines = live.run("check", "--raw", *FILE, code=1).out.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["raw", "crane", "fresh", "fresh"],
        ["raw", "crane", "stale", "overdue"],
    ]
    assert len(live.run("probe", "--raw", *FILE, *TIMEOUT).out.splitlines()) == 3


def test_the_promise_of_the_repository_holds_for_its_files(live: Live, served: Files) -> None:
    """A branch's file may be old for as long as its repository may; a commit's never."""
    add(live, served.origin.url, synced="1d", stale=served.stale.url)
    assert live.verdicts("--raw", *FILE) == {"stale": "lagging"}
    live.shift(90000)
    assert live.verdicts("--raw", *FILE, code=1) == {"stale": "overdue"}
    with web(file(b"other bytes\n")) as forger:
        add(live, served.origin.url, synced="1d", forger=forger.url)
        commit = ("crane", served.commit, RAW_PATH)
        assert live.verdicts("--raw", *commit, code=1) == {"forger": "diverged"}
        assert live.verdicts("--raw", "crane", "v0.1.0", RAW_PATH, code=1) == {"forger": "diverged"}


def test_a_file_that_the_origin_does_not_have(live: Live, served: Files) -> None:
    """Where the origin has none, a mirror's is of other descent; where it does not answer, nothing is known."""
    with web(file(b"what is this?\n")) as odd, refused() as port:
        add(live, served.origin.url, odd=odd.url)
        assert live.verdicts("--raw", "crane", "main", "no/such", code=1) == {"odd": "diverged"}
        add(live, f"http://127.0.0.1:{port}", odd=odd.url)
        assert live.verdicts("--raw", *FILE, code=4) == {"odd": "unknown"}


def test_an_origin_without_addresses_of_files(live: Live, served: Files) -> None:
    """A host whose addresses of files nobody knows cannot be asked, which is no fault of a mirror."""
    add(live, served.origin.url, fresh=served.fresh.url)
    live.entries["git"]["crane"]["origin"] = f"{served.origin.url}/crane.git"
    row = live.row("check", "--raw", *FILE, code=4)
    assert (row["verdict"], "no address" in row["cause"]) == ("unknown", True)


def without_head(respond: Responder, code: int) -> Responder:
    return lambda request: Response(code) if request.method == "HEAD" else respond(request)


@pytest.mark.parametrize("code", [400, 403, 405, 501])
@pytest.mark.parametrize("ranges", [True, False])
def test_servers_without_head(live: Live, served: Files, code: int, ranges: bool) -> None:
    """One byte is asked for in place of the head, and a server that sends all is alive, too."""
    with web(without_head(file(raw_text(3), ranges=ranges), code)) as shy:
        add(live, served.origin.url, shy=shy.url)
        row = live.row("probe", "--raw", *FILE, "-m", "shy", *TIMEOUT)
        assert live.verdicts("--raw", *FILE) == {"shy": "fresh"}
    assert (row["status"], row["http_status"], len(row["samples_ms"])) == ("alive", 206 if ranges else 200, 3)
    probed = [request for request in shy.requests if "range" in request.headers]
    assert {request.headers["range"] for request in probed} == {"bytes=0-0"}


def test_files_are_measured_by_their_head(live: Live, served: Files) -> None:
    """HEAD where it is allowed, so that no file is transferred; every fault has its cause."""
    with web(login_page) as portal, web(status(404)) as gone, web(status(429, retry_after=30)) as busy:
        add(live, served.origin.url, portal=portal.url, gone=gone.url, busy=busy.url)
        served.origin.requests.clear()
        rows = {row["mirror"]: row for row in live.rows("probe", "--raw", *FILE, *TIMEOUT)}
    assert {request.method for request in served.origin.requests} == {"HEAD"}
    assert {name: row["cause"] for name, row in rows.items()} == {
        "gitee": None,  # the origin, by the kind of its host
        "portal": "login page",
        "gone": "404",
        "busy": "rate limited, retry in 30 s",
    }
    assert next(row["origin"] for row in live.rows("probe", "--raw", *FILE))


def test_a_page_is_a_file_where_a_page_was_asked_for(live: Live) -> None:
    """A file that is HTML by its name is not taken for a login page."""
    page = file(b"<!DOCTYPE html><title>Report</title>\n", "text/html")
    with web(page) as one, web(page) as other:
        add(live, one.url, other=other.url)
        assert live.verdicts("--raw", "crane", "main", "docs/report.html") == {"other": "fresh"}
        assert live.verdicts("--raw", "crane", "main", "docs/report.md", code=4) == {"other": "unreachable"}


def test_the_first_right_answer_wins(live: Live, served: Files) -> None:
    """`raw … --fastest` prints an address that has the file, and neither a login page nor a redirect to one."""
    with web(login_page) as portal, web(redirect(portal.url + "/login", 302)) as moved, web(status(404)) as gone:
        add(live, moved.url, portal=portal.url, gone=gone.url, fresh=served.fresh.url)
        ran = live.run("raw", *FILE, "--fastest", *TIMEOUT)
    assert ran.out == f"{served.fresh.url}{PREFIX}/main/{RAW_PATH}\n"


def test_a_file_behind_gzip_is_compared_unpacked(live: Live, served: Files) -> None:
    """How a server packs a file on its way says nothing about its bytes."""
    with web(file(raw_text(3), packed=True)) as packed:
        add(live, served.origin.url, packed=packed.url)
        assert live.verdicts("--raw", *FILE) == {"packed": "fresh"}
    assert any("gzip" in request.headers["accept-encoding"] for request in packed.requests)


def test_raw_stands_alone(live: Live, served: Files) -> None:
    """--raw names one file, so names and --tag beside it are a mistake; so is an unknown repository."""
    add(live, served.origin.url, fresh=served.fresh.url)
    assert "--raw" in live.run("check", "crane", "--raw", *FILE, code=2).err
    assert "--raw" in live.run("check", "--tag", "x", "--raw", *FILE, code=2).err
    assert "--ref" in live.run("check", "--ref", "dev", "--raw", *FILE, code=2).err
    assert "did you mean 'crane'" in live.run("check", "--raw", "crnae", "main", "x", code=3).err
    assert live.run("probe", "--raw", "crane", "main", "../x", code=2).err
