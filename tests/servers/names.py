"""Public host names on loopback, so that a catalogue with real names can be tested as it is.

    with public_names(tmp_path, {
        "gocrane.github.io": files(folder),             # a responder of web.py, behind TLS
        "ghcr.io": forward(registry.authority),         # … which may be any other server
        "gitee.com": Broken(FAULTS[7], "git"),          # a fault, under this name
        "e.coding.net": None,                           # nobody listens
    }) as names:
        subprocess.run(names.command("git", "ls-remote", "https://ghcr.io/x"), env={**os.environ, **names.environment})
        assert names.asked == [Asked("ghcr.io", "GET", "/x/info/refs?service=git-upload-pack")]

Every name has an address of its own, 127.0.77.N, with port 443 there; a command that is wrapped by `names.command`
finds them in an /etc/hosts that only it sees. That takes Linux and root; without, the test is skipped. In the block
`names.change("ghcr.io", None)` puts something else behind a name, and with

    with syn_hole("::1", 443):
        names.extra_hosts.append("::1 ghcr.io")

a name has an IPv6 address, too, that never answers.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from conftest import absent

from servers.faults import Fault, fault_server
from servers.tls import Authority, make_authority
from servers.web import Request, Responder, Response, web

_MOUNT = 'mount --bind "$0" /etc/hosts && exec "$@"'


class Broken(NamedTuple):
    """A fault in place of a host, for clients that want this kind of thing."""

    fault: Fault
    kind: str


class Asked(NamedTuple):
    """One request that a host got."""

    host: str
    method: str
    path: str


Backend = Responder | Broken | None


@dataclass(slots=True)
class Names:
    """The names that are served, and how a command gets to see them."""

    folder: Path
    authority: Authority
    addresses: Mapping[str, str]
    requests: list[tuple[str, Request]] = field(default_factory=list)
    extra_hosts: list[str] = field(default_factory=list)
    backends: dict[str, Backend] = field(default_factory=dict)  # what stands behind each name now
    _hidden: set[str] = field(default_factory=set)
    _stacks: dict[str, ExitStack] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a wrapped command needs to trust the certificates; git and curl have variables of their own."""
        file = str(self.authority.file)
        return dict.fromkeys(("SSL_CERT_FILE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"), file)

    @property
    def asked(self) -> list[Asked]:
        """All requests to hosts that work, in the order in which they came."""
        return [Asked(name, request.method, request.path) for name, request in self.requests]

    def command(self, *command: str | Path) -> list[str]:
        """Wrap a command so that it, and nobody else, finds the names on loopback."""
        hosts = self.folder / "hosts"
        lines = [
            "127.0.0.1 localhost",
            *(f"{address} {name}" for name, address in self.addresses.items() if name not in self._hidden),
        ]
        hosts.write_text("\n".join([*lines, *self.extra_hosts, ""]), encoding="ascii")
        unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, str(hosts)]
        return [*unshare, *map(str, command)]

    def change(self, name: str, backend: Backend) -> None:
        """Put another server behind a name, or take it away."""
        self.backends[name] = backend
        self._stacks.pop(name, ExitStack()).close()
        self._hidden.discard(name)
        stack = ExitStack()
        address = self.addresses[name]
        if isinstance(backend, Broken):
            fault, kind = backend
            assert "proxy" not in fault.place, "a proxy is in the way of all names"
            if fault.place == "no name":
                self._hidden.add(name)
            stack.enter_context(
                fault_server(
                    fault,
                    kind,
                    self.folder / name,
                    name=name,
                    address=address,
                    port=443,
                    tls=True,
                    authority=self.authority,
                )
            )
        elif backend is not None:
            respond = partial(self._logged, name, backend)
            certificate = self.authority.good(name)
            stack.enter_context(web(respond, address=address, port=443, certificate=certificate))
        self._stacks[name] = stack

    def _logged(self, name: str, respond: Responder, request: Request) -> Response:
        self.requests.append((name, request))
        return respond(request)

    def close(self) -> None:
        """Take all servers away."""
        while self._stacks:
            self._stacks.popitem()[1].close()


@contextmanager
def public_names(folder: Path, backends: Mapping[str, Backend]) -> Iterator[Names]:
    """Serve names, with certificates by an authority in the folder, for as long as the block lasts."""
    need_names()
    folder.mkdir(parents=True, exist_ok=True)
    addresses = {name: f"127.0.77.{number}" for number, name in enumerate(backends, 1)}
    names = Names(folder, make_authority(folder / "authority"), addresses)
    try:
        for name, backend in backends.items():
            names.change(name, backend)
        yield names
    finally:
        names.close()


def need_names() -> None:
    """Skip the test where names cannot be served; with CI=true in the environment, fail it."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        absent("public names on loopback take root on Linux")
    if subprocess.run(["unshare", "--mount", "--propagation", "private", "true"], capture_output=True).returncode:
        absent("this process may not make a mount namespace")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.77.1", 443))
        except OSError as error:
            absent(f"port 443 cannot be used: {error}")
