"""The program under attack: one catalogue entry whose mirrors are all the faults of a kind, and one that is well.

    with crowd("git", tmp_path) as servers:
        ran = servers.run("probe", "crowd")
        assert ran.rows["healthy"]["status"] == "alive" and ran.seconds < TIMEOUT + SLACK

All faults at once in one call: what one of them does to the others shows, and the whole table stays affordable.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from conftest import PROJECT
from servers.answers import good
from servers.faults import FAULTS, Base, Fault, fault_server
from servers.tls import Authority, Certificate, make_authority
from servers.web import Request, Response, web

TIMEOUT = 2.0
SLACK = 1.5
REF, PATH = "main", "values.yaml"
PASSWORD = "s3cr3t-correct-horse"
LOGIN = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
SECRETS = (PASSWORD, LOGIN)

#: Runs the program as it is installed, and tells on another file how long it asked servers, and how much memory it
#: took at most: what `getrusage` says of a child may be its parent's.
_RUNNER = """
import json, os, sys, time
import crane_mirrors.live.loop as loop
from crane_mirrors.cli import main
asked, run = [], loop.run
def timed(coroutine):
    start = time.monotonic()
    try:
        return run(coroutine)
    finally:
        asked.append(time.monotonic() - start)
loop.run = timed
sys.argv[0] = "crane-mirrors"
report = sys.argv.pop(1)
code = main()
try:
    sys.stdout.flush()
    status = open("/proc/self/status", encoding="ascii", errors="replace").read()
    peak = int(status.partition("VmHWM:")[2].split()[0])
except (OSError, IndexError, ValueError):
    peak = 0
with open(report, "w", encoding="ascii") as file:
    json.dump({"seconds": sum(asked), "kilobytes": peak}, file)
sys.exit(code)
"""


class Attacked(NamedTuple):
    """What one call of the program did: its output, how long it asked servers, and its memory at most (0: unknown)."""

    code: int
    out: str
    err: str
    seconds: float
    whole_seconds: float
    kilobytes: int

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows of JSON, by mirror; for entries with one mirror that is asked about, by name."""
        rows = json.loads(self.out)["rows"]
        mirrors = {row["mirror"] for row in rows}
        return {row["mirror" if len(mirrors) == len(rows) else "name"]: row for row in rows}


class _Issued(Authority):
    """An authority that issues the same certificate once only: each takes two runs of openssl."""

    __slots__ = ()

    def _issue(self, names: tuple[str, ...], start: str, stop: str) -> Certificate:
        key = (self.folder, names, start, stop)
        if key not in _CERTIFICATES:
            _CERTIFICATES[key] = Authority._issue(self, names, start, stop)
        return _CERTIFICATES[key]


_CERTIFICATES: dict[tuple[Path, tuple[str, ...], str, str], Certificate] = {}


@dataclass(slots=True)
class Crowd:
    """Running servers of one kind, the catalogue that names them, and a home without anybody's settings."""

    kind: str
    folder: Path
    authority: Authority
    bases: Mapping[str, Base]
    healthy: str
    origin: str
    asked: list[Request] = field(default_factory=list)  # what those two were
    environment: dict[str, str] = field(default_factory=dict)

    def location(self, authority: str) -> Any:
        """Write where a server has the thing, as a catalogue does."""
        match self.kind:
            case "image":
                return f"{authority}/gocrane/thing"
            case "helm":
                return f"https://{authority}/charts"
            case "git":
                return f"https://{authority}/gocrane/thing.git"
        return {"url": f"https://{authority}/gocrane/thing", "host_kind": "gitee"}

    def write(self) -> None:
        """Write the catalogue: `crowd` has all faults as mirrors, `faulty` nothing else, `from-FAULT` one as origin."""
        faults = {name: self.location(base.authority) for name, base in self.bases.items()}
        healthy, origin = self.location(self.healthy), self.location(self.origin)
        entries: dict[str, Any] = {"crowd": {"origin": origin, "mirrors": {**faults, "healthy": healthy}}}
        self._save("crowd.yaml", entries)
        self._save(
            "origins.yaml",
            {
                f"from-{name}": {"origin": place, "mirrors": {"healthy": _part(healthy, name)}}
                for name, place in faults.items()
            },
        )

    def _save(self, name: str, entries: Mapping[str, Any]) -> None:
        section = {"image": "images", "raw": "git"}.get(self.kind, self.kind)
        (self.folder / name).write_text(json.dumps({"version": 1, section: entries}), encoding="utf-8")

    def run(
        self,
        *arguments: str,
        catalogue: str = "crowd.yaml",
        timeout: float = TIMEOUT,
        wrap: Callable[..., list[str]] = lambda *command: list(command),
        more: Mapping[str, str] | None = None,
    ) -> Attacked:
        """Run one command, with logins in Docker's configuration, to its end.

        One that took too long may do so again, twice: a machine that is busy for a moment is nobody's fault.
        """
        for _ in range(3):
            ran = self._run(arguments, catalogue, timeout, wrap, more or {})
            if ran.seconds < timeout + SLACK:
                break
        return ran

    def _run(
        self,
        arguments: tuple[str, ...],
        catalogue: str,
        timeout: float,
        wrap: Callable[..., list[str]],
        more: Mapping[str, str],
    ) -> Attacked:
        command, *rest = arguments
        rest += ["--catalogue", str(self.folder / catalogue), "--timeout", str(timeout)]
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        start = time.monotonic()
        process = subprocess.run(
            wrap(sys.executable, "-P", "-c", _RUNNER, str(report), command, *rest),
            env={**self.environment, **more},
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        whole = time.monotonic() - start
        assert report.exists(), process.stderr.decode(errors="replace")
        told = json.loads(report.read_text(encoding="ascii"))
        out, err = process.stdout.decode(), process.stderr.decode()
        return Attacked(process.returncode, out, err, told["seconds"], whole, told["kilobytes"])

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the program as people do, and leave it running."""
        command = [sys.executable, "-P", "-m", "crane_mirrors", *arguments]
        return subprocess.Popen(
            [*command, "--catalogue", str(self.folder / "crowd.yaml")],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def check(self, ran: Attacked, timeout: float = TIMEOUT) -> None:
        """Hold what is true of every call, whatever it asked: it ends in time, is small, and says nothing harmful."""
        assert ran.seconds < timeout + SLACK, ran.seconds
        assert ran.whole_seconds < timeout + 10
        assert ran.kilobytes < 150_000
        assert "Traceback" not in ran.err
        for text in (ran.out, ran.err):
            assert all(char.isprintable() for line in text.split("\n") for char in line), repr(text)
            assert not any(secret in text for secret in SECRETS)
        for base in self.bases.values():
            for request in base.strangers:
                # A registry's token server may be another host, and it is who the login is for.
                told = f"{request.path} {request.headers} {request.body!r}"
                assert request.path.startswith("/token") or not any(secret in told for secret in SECRETS)


def faults_of(kind: str) -> list[Fault]:
    """Give the faults that one call can meet all at once: those of a proxy, or under a public name, it cannot."""
    return [fault for fault in FAULTS if kind in fault.kinds and not fault.needs_name and "proxy" not in fault.place]


def crowd_of(
    kind: str, folder: Path, authority: Authority, bases: Mapping[str, Base], healthy: str, origin: str
) -> Crowd:
    """Write the catalogue of servers that run already, given as `HOST:PORT`."""
    found = Crowd(kind, folder, authority, bases, healthy, origin)
    found.environment = _environment(found)
    found.write()
    return found


@contextmanager
def crowd(kind: str, folder: Path, authority: Authority, bases: Mapping[str, Base] | None = None) -> Iterator[Crowd]:
    """Run all faults of a kind, or take those that run, with a healthy mirror and a healthy origin."""
    asked: list[Request] = []

    def respond(request: Request) -> Response:
        asked.append(request)
        return good(kind, request)

    with ExitStack() as stack:
        certificate = authority.good("127.0.0.1", "localhost")
        healthy, origin = (stack.enter_context(web(respond, certificate=certificate)) for _ in range(2))
        if bases is None:
            bases = {
                fault.name: stack.enter_context(
                    fault_server(fault, kind, folder / fault.name, tls=True, authority=authority)
                )
                for fault in faults_of(kind)
            }
        found = crowd_of(kind, folder, authority, bases, healthy.listener.authority, origin.listener.authority)
        found.asked = asked
        yield found


def _part(location: Any, name: str) -> Any:
    """Give another path on the same server: no address may be that of two entries."""
    if isinstance(location, dict):
        return {**location, "url": _part(location["url"], name)}
    return f"{location.removesuffix('.git')}-{name}"


def _environment(servers: Crowd) -> dict[str, str]:
    home = servers.folder / "home"
    home.mkdir()
    hosts = [base.authority for base in servers.bases.values()]
    config = {"auths": {host: {"auth": LOGIN} for host in hosts}}
    (home / "config.json").write_text(json.dumps(config), encoding="utf-8")
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "STATE")}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), *filter(None, sys.path)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "DOCKER_CONFIG": str(home),
        "SSL_CERT_FILE": str(servers.authority.file),
        "NO_PROXY": "",
        **folders,
    }


def issuing(folder: Path) -> Authority:
    """Make an authority whose certificates are made once."""
    return _Issued(make_authority(folder).folder)
