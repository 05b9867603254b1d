"""The fault table: every fault of servers.faults, against every command that asks servers (see attack.py)."""

from __future__ import annotations

import gc
import gzip
import json
import re
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from threading import Event

import pytest
from attack import PASSWORD, PATH, REF, TIMEOUT, Crowd, crowd, crowd_of, faults_of, issuing
from servers.answers import KINDS, Exchange, good, packet
from servers.faults import FAULTS, Base, Fault, fault_server
from servers.listener import listening
from servers.names import Backend, Broken, public_names
from servers.tls import Authority
from servers.web import Request, Response, web

from crane_mirrors.catalogue import load
from crane_mirrors.live.pin import ToPin, pin_all
from crane_mirrors.live.questions import question_of
from crane_mirrors.live.runs import Comparison, compare_all
from crane_mirrors.live.verdicts import judge_compared
from crane_mirrors.resolve.image import resolve_image
from crane_mirrors.resolve.raw import resolve_raw
from crane_mirrors.resolve.routes import Choice

#: What is no fault to a client that understands it: the right answer comes in the end.
WELL = {"redirect-to-other-host", "digest-missing"}

#: Faults that are in a body, or in its length: nobody asks for a body to find out whether a file is there, and of an
#: image nobody does where its digest stands in the headers. Helm's whole index and Git's refs are for `check`, too.
UNSEEN = {
    "image": {"digest-wrong"},
    "helm": {"control-characters"},
    "git": {"control-characters"},
    "raw": {"gzip-bomb", "endless-body"},
}

#: A copy that can be read, and is not what the origin has.
OTHER_COPIES = {
    ("helm", "control-characters"): "diverged",
    ("git", "control-characters"): "overdue",
    ("image", "digest-wrong"): "diverged",
}

#: Seconds, where the servers are threads of the process that asks them.
PATIENCE = 4.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return issuing(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=KINDS)
def servers(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crowd]:
    with crowd(request.param, tmp_path_factory.mktemp(request.param), authority) as found:
        yield found


def what(servers: Crowd, name: str = "crowd") -> list[str]:
    """Name the thing to `probe` and `check`."""
    return ["--raw", name, REF, PATH] if servers.kind == "raw" else [name, "--kind", servers.kind]


def verdict(kind: str, fault: Fault) -> str:
    """Say what a mirror with this fault is worth."""
    if fault.name in WELL:
        return "fresh"
    return "missing" if fault.name == "404" else OTHER_COPIES.get((kind, fault.name), "unreachable")


def test_probe_sees_through_each_fault(servers: Crowd) -> None:
    """Every fault has its cause, in time, and the mirror and the origin that are well are alive beside all of them."""
    ran = servers.run("probe", *what(servers), "--output", "json")
    servers.check(ran)
    rows = ran.rows
    wrong = {}
    for fault in faults_of(servers.kind):
        row = rows.pop(fault.name)
        alive = fault.name in WELL | UNSEEN[servers.kind]
        understood = row["status"] == "alive" if alive else row["status"] == "failed" and fault.explains(row["cause"])
        if not understood or (row["cause"] is None) != alive:
            wrong[fault.name] = (row["status"], row["cause"])
    assert not wrong
    assert {row["status"] for row in rows.values()} == {"alive"}
    assert len(rows) == 2
    assert (ran.code, ran.err) == (0, "")


def test_check_sees_through_each_fault(servers: Crowd) -> None:
    """Every fault has its verdict and cause, logins go to nobody else, and the mirror that is well is fresh."""
    ran = servers.run("check", *what(servers), "--output", "json", "--auth")
    servers.check(ran)
    rows = ran.rows
    wrong = {}
    for fault in faults_of(servers.kind):
        row = rows.pop(fault.name)
        if row["verdict"] != verdict(servers.kind, fault) or not fault.explains(row["cause"]):
            wrong[fault.name] = (row["verdict"], row["cause"])
    assert not wrong
    assert [(row["mirror"], row["verdict"]) for row in rows.values()] == [("healthy", "fresh")]
    assert (ran.code, ran.err) == (1, "")


@pytest.mark.parametrize(
    ("command", "output"),
    [*product(["probe", "check"], ["plain", "table", "yaml"]), ("check", "prometheus")],
)
def test_no_format_lets_control_characters_through(servers: Crowd, command: str, output: str) -> None:
    """What servers say is harmless in every format."""
    mirrors = [word for name in ("control-characters", "control-characters-in-redirect") for word in ("-m", name)]
    mirrors += ["-m", "git-error"] if servers.kind == "git" else []
    ran = servers.run(command, *what(servers), "--output", output, *mirrors, "-m", "healthy")
    servers.check(ran)
    assert "healthy" in ran.out


def test_fastest_is_one_that_is_well(servers: Crowd) -> None:
    """One right answer ends the race, whatever the faulty ones do: nobody waits for those that never answer."""
    command = {"raw": ["raw", "crowd", REF, PATH]}.get(servers.kind, [servers.kind, "crowd"])
    ran = servers.run(*command, "--fastest", "--max-age", "0s", "--output", "json", timeout=20)
    servers.check(ran, timeout=5)
    rows = json.loads(ran.out)["rows"]
    assert rows[0]["recommended"]
    assert rows[0]["mirror"] not in set(servers.bases) - WELL - UNSEEN[servers.kind]
    assert ran.code == 0


@pytest.mark.parametrize("servers", ["image", "helm", "git"], indirect=True)
def test_fastest_of_a_string(servers: Crowd) -> None:
    """`resolve --fastest` finds one that is well, too."""
    place = servers.location(servers.origin) + (":main" if servers.kind == "image" else "")
    ran = servers.run("resolve", place, "--fastest", "--max-age", "0s", timeout=20)
    servers.check(ran, timeout=5)
    wells = [
        servers.origin,
        servers.healthy,
        *(servers.bases[name].authority for name in servers.bases if name in WELL | UNSEEN[servers.kind]),
    ]
    assert (ran.code, ran.err) == (0, "")
    assert any(authority in ran.out for authority in wells)


def test_fastest_of_faulty_ones(servers: Crowd) -> None:
    """When nobody is well, each cause is named and the exit code is 4; with --offline-ok the catalogue's order goes."""
    faults = [fault for fault in faults_of(servers.kind) if fault.name not in WELL | UNSEEN[servers.kind]]
    mirrors = [word for fault in faults for word in ("--mirror", fault.name)]
    command = {"raw": ["raw", "crowd", REF, PATH]}.get(servers.kind, [servers.kind, "crowd"])
    ran = servers.run(*command, *mirrors, "--fastest", "--max-age", "0s", "--output", "json")
    servers.check(ran)
    (error,) = json.loads(ran.out)["errors"]
    assert (ran.code, error["exit_code"]) == (4, 4)
    names = "|".join(re.escape(fault.name) for fault in faults)
    causes = dict(re.findall(rf"(?:answer|,)(?:: | )({names}): (.*?)(?=, (?:{names}): |$)", error["message"]))
    assert {fault.name: causes.get(fault.name) for fault in faults if not fault.explains(causes.get(fault.name))} == {}
    ran = servers.run(*command, *mirrors, "--fastest", "--max-age", "0s", "--offline-ok")
    servers.check(ran)
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    assert ran.err.startswith("note: no mirror of")


@pytest.mark.parametrize("servers", ["image", "helm", "git"], indirect=True)
def test_faulty_origin_leaves_it_unknown(servers: Crowd) -> None:
    """Nothing is said of a mirror whose origin does not answer rightly, but that, and why."""
    faults = faults_of(servers.kind)
    names = [f"from-{fault.name}" for fault in faults]
    ran = servers.run("check", *names, "--kind", servers.kind, "--output", "json", catalogue="origins.yaml")
    servers.check(ran)
    wrong = {}
    for fault in faults:
        row = ran.rows[f"from-{fault.name}"]
        if not origin_understood(servers.kind, fault, row["verdict"], row["cause"]):
            wrong[fault.name] = (row["verdict"], row["cause"])
    assert not wrong


def origin_understood(kind: str, fault: Fault, verdict: str, cause: str | None) -> bool:
    if fault.name in WELL:
        return verdict == "fresh"
    # An origin that has something else, or says that it has no such thing, is an answer.
    if fault.name == "404" or (kind, fault.name) in OTHER_COPIES:
        return verdict in ("diverged", "overdue")
    return verdict == "unknown" and fault.explains((cause or "").removeprefix("origin: "))


@contextmanager
def no_warnings_of_sockets() -> Iterator[None]:
    """Let go of sockets quietly: httpcore leaves one open when its handshake is cancelled, until it is collected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def test_faulty_origin_of_a_file(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for files, all at once, in this process."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    faults = faults_of("raw")
    asked = []
    with crowd("raw", tmp_path, authority):
        catalogue = load([str(tmp_path / "origins.yaml")])
        for fault in faults:
            answer = resolve_raw(catalogue, f"from-{fault.name}", REF, PATH, Choice(every=True))
            entry = catalogue.entry("git", f"from-{fault.name}")
            asked.append(Comparison(question_of(answer, ref=REF), entry.origin, entry.mirrors))
        with no_warnings_of_sockets():
            found = compare_all(asked, PATIENCE, lambda _: None)
    for fault, (compared,) in zip(faults, found, strict=True):
        judged = judge_compared(compared, None, 0, 0)
        assert origin_understood("raw", fault, judged.verdict, judged.cause), (fault.name, judged)


@pytest.fixture
def images(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with crowd("image", tmp_path, authority) as found:
        yield found


def test_pin_leaves_out_what_is_faulty(images: Crowd) -> None:
    """The digest is the origin's, those that have it are the routes, and each other mirror is named with its cause."""
    ran = images.run("image", "crowd", "--pin", "--auth", "--output", "json")
    images.check(ran)
    rows = json.loads(ran.out)["rows"]
    assert {row["mirror"] for row in rows} == {"healthy", "origin", *WELL}
    assert len({row["reference"].partition("@")[2] for row in rows}) == 1
    for fault in faults_of("image"):
        if fault.name not in WELL:
            (line,) = re.findall(rf"^note: {re.escape(fault.name)} does not have sha256:\S+: (.*)", ran.err, re.M)
            judged, _, cause = line.partition(", ")
            # Nobody asks how old it is, so other bytes are not always told from older ones.
            assert judged == verdict("image", fault) or (fault.name, judged) == ("digest-wrong", "overdue"), fault.name
            assert fault.explains(cause), fault.name
    assert ran.code == 0


def test_pin_trusts_no_faulty_origin(images: Crowd) -> None:
    """Whose answer is not right gives no digest: the cause comes in its place."""
    catalogue = load([str(images.folder / "origins.yaml")])
    faults = faults_of("image")
    asked = []
    for fault in faults:
        answer = resolve_image(catalogue, f"from-{fault.name}", Choice(every=True))
        entry = catalogue.entry("image", f"from-{fault.name}")
        asked.append(ToPin(question_of(answer), entry.origin, entry.places))  # type: ignore[arg-type]
    with no_warnings_of_sockets():
        found = pin_all(asked, PATIENCE)
    for fault, pinned in zip(faults, found, strict=True):
        if fault.name in WELL | {"digest-wrong"}:
            assert pinned.digest
        else:
            assert pinned.failed is not None, fault.name
            assert fault.explains(pinned.failed.cause), (fault.name, pinned.failed.cause)
            assert not pinned.having


def test_pin_that_cannot_be_had(images: Crowd) -> None:
    """With an origin that fails the exit code is 4, and 1 with one that has no such tag; nothing is printed."""
    for name, code in (("403", 4), ("silence", 4), ("404", 1)):
        ran = images.run("image", f"from-{name}", "--pin", "--auth", catalogue="origins.yaml")
        images.check(ran)
        assert (ran.code, ran.out) == (code, "")
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS if "proxy" in fault.place])
@pytest.mark.parametrize("kind", KINDS)
def test_proxies_that_refuse(kind: str, name: str, authority: Authority, tmp_path: Path) -> None:
    """What a proxy does is the proxy's fault and its password nobody's business; who is asked without one is well."""
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    with ExitStack() as stack:
        base = stack.enter_context(fault_server(fault, kind, tmp_path / "fault", authority=authority))
        servers = stack.enter_context(crowd(kind, tmp_path, authority, bases={name: base}))
        hosts = (servers.healthy, servers.origin)
        environment = {
            "HTTPS_PROXY": base.environment["HTTPS_PROXY"].replace("//", f"//alice:{PASSWORD}@"),
            "NO_PROXY": ",".join(f"https://{host}" for host in hosts),
        }
        for command in ("probe", "check"):
            ran = servers.run(command, *what(servers), "--output", "json", more=environment)
            servers.check(ran)
            rows = ran.rows
            assert fault.explains(rows[name]["cause"]), rows[name]
            assert (rows["healthy"].get("status") or rows["healthy"]["verdict"]) in ("alive", "fresh")


def test_challenge_that_leads_inside(tmp_path: Path) -> None:
    """A public registry cannot send anybody to a private address, with a login least of all."""
    faults = [fault for fault in FAULTS if fault.needs_name]
    backends: dict[str, Backend] = {f"{fault.name}.example": Broken(fault, "image") for fault in faults}
    backends |= dict.fromkeys(("healthy.example", "origin.example"), lambda request: good("image", request))
    with public_names(tmp_path / "names", backends) as names:
        bases = {fault.name: Base(f"{fault.name}.example") for fault in faults}
        servers = crowd_of("image", tmp_path, names.authority, bases, "healthy.example", "origin.example")
        ran = servers.run("check", "crowd", "--output", "json", "--auth", wrap=names.command)
        servers.check(ran)
        rows = ran.rows
        for fault in faults:
            assert rows[fault.name]["verdict"] == "unreachable"
            assert fault.explains(rows[fault.name]["cause"])
            assert rows[fault.name]["cause"].startswith("challenge: ")
        assert rows["healthy"]["verdict"] == "fresh"


def test_redirect_whose_body_never_comes(authority: Authority, tmp_path: Path) -> None:
    """Where a redirect leads is all that counts: nobody waits for its page."""

    def answer(exchange: Exchange) -> None:
        place = f"{exchange.other}{exchange.request.path}"
        head = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 60000\r\n\r\n"
        exchange.connection.sendall(head.encode())
        exchange.stopped.wait(20)

    fault = Fault("slow-page", "", answer)
    with (
        fault_server(fault, "git", tmp_path / "fault", tls=True, authority=authority) as base,
        crowd("git", tmp_path, authority, bases={fault.name: base}) as servers,
    ):
        ran = servers.run("check", *what(servers), "--output", "json")
    servers.check(ran)
    assert {row["verdict"] for row in ran.rows.values()} == {"fresh"}


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"

#: What comes once, and what then comes again and again.
FLOODS = {
    "100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "103": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 1000),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"z" * 60_000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
    "trailers": (_CHUNKED + b"0\r\n", b"X-A: b\r\n" * 1000),
    "chunk-extensions": (_CHUNKED, b"1;" + b"a" * 60_000 + b"\r\na\r\n"),
    "chunks-of-one-byte": (_CHUNKED, b"1\r\na\r\n" * 8000),
    "empty-gzip-members": (
        _OK + b"Content-Encoding: gzip\r\nContent-Length: 99999999999\r\n\r\n",
        gzip.compress(b"") * 3000,
    ),
}


def test_floods(authority: Authority, tmp_path: Path) -> None:
    """What HTTP allows without end, or nearly so, ends with the deadline, too, and fills no memory."""

    def flood(name: str) -> Fault:
        def answer(exchange: Exchange) -> None:
            exchange.connection.sendall(FLOODS[name][0])
            exchange.stream(FLOODS[name][1])

        return Fault(name, "timeout|not http", answer)

    with ExitStack() as stack:
        faults = {name: flood(name) for name in FLOODS}
        bases = {
            name: stack.enter_context(fault_server(fault, "git", tmp_path / name, tls=True, authority=authority))
            for name, fault in faults.items()
        }
        servers = stack.enter_context(crowd("git", tmp_path, authority, bases=bases))
        for command in ("probe", "check"):
            # Among so many that send as fast as they can, the one that is well needs a while to get a word in.
            ran = servers.run(command, *what(servers), "--output", "json", timeout=4 * TIMEOUT)
            servers.check(ran, 4 * TIMEOUT)
            rows = ran.rows
            for name, fault in faults.items():
                assert fault.explains(rows[name]["cause"]), rows[name]
            assert (rows["healthy"].get("status") or rows["healthy"]["verdict"]) in ("alive", "fresh")


def index_of(count: int) -> bytes:
    rows = b"".join(b"- {version: 1.0.%d, digest: %064d, urls: [a]}\n" % (number, number) for number in range(count))
    return b"entries:\n a:\n" + rows


WORST: dict[str, tuple[str, Callable[[], bytes]]] = {
    "many-versions": ("helm", lambda: index_of(149_000)),
    "too-many-versions": ("helm", lambda: index_of(200_000)),
    "many-lists": ("helm", lambda: b'{"entries":{"a":[' + b"[]," * 390_000 + b"[]]}}"),
    "many-objects": ("helm", lambda: b'{"entries":{"a":[' + b'{"a":1},' * 390_000 + b"{}]}}"),
    "many-strings": ("helm", lambda: b'{"entries":{"a":[' + b'"abcdefghijklmno",' * 990_000 + b"{}]}}"),
    "long-name": ("helm", lambda: b"entries:\n " + b"a" * 10**6 + b":\n" + b"  - version: 1\n" * 10**5),
    "nothing-but-spaces": ("helm", lambda: b" " * (24 * 2**20 - 1)),
    "many-refs": ("git", lambda: refs_of(200_000)),
    "too-many-refs": ("git", lambda: refs_of(400_000)),
    "many-capabilities": ("git", lambda: packet("version 2\n") + b"0005a" * 4_000_000),
    "nothing-but-flushes": ("git", lambda: b"0000" * 6_000_000),
    "a-large-file": ("raw", lambda: b"a" * (16 * 2**20)),
    "many-manifests": ("image", lambda: b'{"schemaVersion":2,"manifests":[' + b"[]," * 240_000 + b"{}]}"),
    "too-many-manifests": ("image", lambda: b'{"schemaVersion":2,"manifests":[' + b"[]," * 10**6 + b"{}]}"),
}


def refs_of(count: int) -> bytes:
    return b"".join(packet(f"{number:040x} refs/heads/{number}\n") for number in range(count)) + b"0000"


@pytest.mark.parametrize("name", WORST)
def test_the_worst_that_is_within_the_limits(name: str, authority: Authority, tmp_path: Path) -> None:
    """Answers that were made to take much memory, or much time, once they are understood: they take neither."""
    kind, body = WORST[name]
    packed = gzip.compress(body(), 1)
    asked: list[str] = []

    def respond(request: Request) -> Response:
        asked.append(request.path)
        headers = {**good(kind, request).headers, "Content-Encoding": "gzip"}
        headers.pop("Docker-Content-Digest", None)
        return Response(200, headers, packed)

    with web(respond, certificate=authority.good("127.0.0.1", "localhost")) as server:
        base = Base(server.listener.authority, "https")
        with crowd(kind, tmp_path, authority, bases={name: base}) as servers:
            ran = servers.run("check", *what(servers), "--output", "json")
    servers.check(ran)
    assert asked
    assert ran.rows[name]["verdict"] in ("unreachable", "diverged", "overdue")
    assert ran.rows["healthy"]["verdict"] == "fresh"
    assert len(ran.out) < 2_000_000


of_one_kind = pytest.mark.parametrize("servers", ["git"], indirect=True)

FUTURE = 4_000_000_000.0


@of_one_kind
def test_clock_that_was_put_back(servers: Crowd) -> None:
    """A result of the future is no result: the race is run again, and a mirror was first seen behind now, not later."""
    folder = servers.folder / "home" / "state" / "crane-mirrors"
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.json"
    state.unlink(missing_ok=True)
    arguments = ("-m", "control-characters", "-m", "healthy")
    servers.run("check", *what(servers), *arguments)
    servers.run("git", "crowd", "-m", "healthy", "--fastest", "--max-age", "1h")
    kept = json.loads(state.read_text(encoding="ascii"))
    assert len(kept["behind"]) == len(kept["fastest"]) == 1
    for row in (*kept["behind"].values(), *kept["fastest"].values()):
        row[1] = FUTURE
    state.write_text(json.dumps(kept), encoding="ascii")
    rows = servers.run("check", *what(servers), *arguments, "-o", "json").rows
    assert rows["control-characters"]["lag_seconds"] == 0
    asked = len(servers.asked)
    ran = servers.run("git", "crowd", "-m", "healthy", "--fastest", "--max-age", "1h")
    assert (ran.code, ran.err) == (0, "")
    assert len(servers.asked) > asked
    kept = json.loads(state.read_text(encoding="ascii"))
    assert all(row[1] < FUTURE for row in (*kept["behind"].values(), *kept["fastest"].values()))


@of_one_kind
@pytest.mark.parametrize("when", ["NaN", "1e999", "-1e999", "-1e300", "1e300", "[]", '"x"', "null", "true"])
def test_state_that_makes_no_sense(when: str, servers: Crowd) -> None:
    """A time that is none is forgotten."""
    arguments = ("-m", "control-characters", "-m", "healthy")
    state = servers.folder / "home" / "state" / "crane-mirrors" / "state.json"
    state.unlink(missing_ok=True)
    servers.run("check", *what(servers), *arguments)
    kept = json.loads(state.read_text(encoding="ascii"))
    ((key, row),) = kept["behind"].items()
    text = json.dumps({"version": 1, "behind": {key: [row[0], "WHEN"]}, "fastest": {"x": ["y", "WHEN", 1]}})
    state.write_text(text.replace('"WHEN"', when), encoding="ascii")
    ran = servers.run("check", *what(servers), *arguments, "-o", "json")
    servers.check(ran)
    assert ran.rows["control-characters"]["verdict"] == "overdue"
    assert 0 <= ran.rows["control-characters"]["lag_seconds"] < 2e9


@pytest.mark.parametrize("command", ["probe", "check", "fastest", "pin"])
def test_interrupt_ends_it_at_once(command: str, authority: Authority, tmp_path: Path) -> None:
    """Ctrl-C, while nobody answers: 130, at once, and nothing printed."""
    asked = Event()

    def silent(connection: socket.socket) -> None:
        asked.set()
        while connection.recv(65536):
            pass

    with listening(silent) as listener:
        bases = {"silence": Base(listener.authority)}
        with crowd("image", tmp_path, authority, bases=bases) as servers:
            arguments = {
                "probe": ["probe", "crowd"],
                "check": ["check", "crowd"],
                "fastest": ["image", "crowd", "--fastest", "--mirror", "silence"],
                "pin": ["image", "crowd", "--pin"],
            }[command]
            with servers.start(*arguments, "--timeout", "60") as process:
                assert asked.wait(20)
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
                start = time.monotonic()
                out, err = process.communicate(timeout=20)
                took = time.monotonic() - start
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert took < 3
