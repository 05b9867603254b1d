"""The fault table: everything that goes wrong on a network, each as a server that does just that.

    for fault in FAULTS:
        for kind in fault.kinds:                                   # "image", "helm", "git", "raw"
            with fault_server(fault, kind, tmp_path) as base:
                ran = run("probe", base.authority, environment=base.environment)
                assert fault.explains(ran.cause)

A fault that `needs_name` shows only behind a public host name, for it is harmless where the registry itself is on a
private address: names.py puts one there. A server here answers nobody for longer than 20 seconds.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from servers import answers
from servers.answers import HEADER_RED, KINDS, Answer, Exchange, body, header, packet, says
from servers.listener import Handle, Listener, listening, refused, reset, syn_hole
from servers.tls import Authority, Certificate, make_authority
from servers.web import Request, Response, login_page, read_request, web


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what a client's cause must match, as a regular expression; where it may be empty, all may be well."""

    name: str
    causes: str
    answer: Answer = field(default=answers.right, repr=False)
    kinds: tuple[str, ...] = KINDS
    needs_tls: bool = False
    needs_name: bool = False
    at_accept: Handle | None = field(default=None, repr=False)  # before TLS, in place of any answer
    certificate: Callable[..., Certificate] = field(default=Authority.good, repr=False)
    place: str = ""  # where it is not the server that is at fault
    in_body: bool = False  # a client that asked with HEAD, or read no further than the head, cannot know

    def explains(self, cause: str | None) -> bool:
        """Tell whether a client that names this cause (None: no failure) has understood what happened."""
        return re.fullmatch(self.causes, cause or "") is not None


@dataclass(slots=True)
class Base:
    """A running fault: where clients find it, the environment that they must have, and what they asked."""

    authority: str
    scheme: str = "http"
    environment: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    strangers: list[Request] = field(default_factory=list)  # what servers were asked that the fault pointed to

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}"


def _silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def _reset_in_tls(connection: socket.socket) -> None:
    connection.recv(100)
    reset(connection)


def _login(exchange: Exchange) -> None:
    exchange.send(login_page(exchange.request))


def _bearer(realm: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{realm}",service="registry"'}


_BOMB = (
    "apiVersion: v1\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    + "entries: {craned: *a11}\n"
)
_INDEX = b"apiVersion: v1\nentries: "
_NOT_HTTP = "not http|.*header.*|truncated|reset"
_CHALLENGE = "401.*|challenge: .*|login page|invalid address"
_NO_INDEX = ".*(yaml|not|index|deep|timeout).*"
_TOO_MUCH = ".*(large|long|many|limit|bytes|not|broken|encoding|timeout|digest).*"
_IMAGE, _HELM, _GIT = ("image",), ("helm",), ("git",)

FAULTS: tuple[Fault, ...] = (
    Fault("refused", "refused", place="refused"),
    Fault("syn-unanswered", r"timeout( \(connect\))?", place="full backlog"),
    Fault("dns", "dns: .*", place="no name"),
    Fault("reset-after-accept", "reset|tls: handshake failed", at_accept=reset),
    Fault("reset-in-tls", "reset|tls: handshake failed", needs_tls=True, at_accept=_reset_in_tls),
    Fault("reset-in-headers", "reset|truncated", answers.reset_in_headers),
    Fault("reset-in-body", "reset|truncated", answers.reset_in_body),
    Fault("silence", r"timeout( \(tls\))?", at_accept=_silent),
    Fault("byte-a-second", "timeout", answers.byte_a_second),
    Fault("truncated", "truncated|reset", answers.truncated),
    Fault("html", "login page", _login),
    Fault("no-content", "204.*|empty.*|no .*|not .*", says(204)),
    Fault("redirect-loop", "too many redirects", says(301, {"Location": "{url}{path}"})),
    Fault("redirect-to-http", "redirect to http", says(302, {"Location": "{plain}{path}"}), needs_tls=True),
    Fault("redirect-to-other-host", ".*", says(307, {"Location": "{other}{path}"})),
    Fault("redirect-to-file", "redirect to .*|invalid address", says(302, {"Location": "file:///etc/passwd"})),
    Fault("unauthorized", "401.*", says(401)),
    Fault("challenge-broken", _CHALLENGE, says(401, {"WWW-Authenticate": 'Bearer realm="https://a, service='})),
    Fault("challenge-no-realm", f"{_CHALLENGE}|dns: .*", says(401, _bearer("https://a, b,=/#@[")), _IMAGE),
    Fault("challenge-huge", f"{_CHALLENGE}|{_NOT_HTTP}", says(401, _bearer("https://" + "a" * 60_000))),
    Fault("challenge-private", _CHALLENGE, says(401, _bearer("https://169.254.169.254/t")), _IMAGE, True, True),
    Fault("challenge-http", _CHALLENGE, says(401, _bearer("{plain}/token")), _IMAGE, needs_tls=True),
    Fault("challenge-other-host", f"{_CHALLENGE}|token: .*", says(401, _bearer("{other}/token")), _IMAGE),
    Fault("403", "403.*", says(403)),
    Fault("404", "404.*", says(404)),
    Fault("429", "rate limited, retry in 30 s", says(429, {"Retry-After": "30"})),
    Fault("429-for-ever", "rate limited.*", says(429, {"Retry-After": "9" * 30})),
    Fault("500", "500.*", says(500)),
    Fault("503", "503.*", says(503)),
    Fault("gzip-bomb", _TOO_MUCH, answers.gzip_bomb, in_body=True),
    Fault("endless-body", _TOO_MUCH, answers.endless_body, in_body=True),
    Fault("huge-header", _NOT_HTTP, answers.huge_header),
    Fault("content-length-too-short", ".*", answers.short_length, ("image", "helm", "git"), in_body=True),
    Fault("content-length-invalid", "not http.*|truncated", header("Content-Length", "-1e9")),
    Fault("digest-wrong", ".*", header("Docker-Content-Digest", f"sha256:{'0' * 64}"), _IMAGE),
    Fault("digest-missing", "", answers.content(lambda response: response), _IMAGE),
    Fault("digest-malformed", ".*digest.*", header("Docker-Content-Digest", "sha256:zz"), _IMAGE),
    Fault("broken-json", ".*(json|not|digest).*", body(b'{"schemaVersion": 2, "manifests": ['), _IMAGE, in_body=True),
    Fault("deep-json", ".*(json|not|digest|deep).*", body(b"[" * 100_000), _IMAGE, in_body=True),
    Fault("broken-yaml", _NO_INDEX, body(_INDEX + b"{craned: [\x00\n\t- }"), _HELM, in_body=True),
    Fault("yaml-bomb", ".*", body(_BOMB.encode()), _HELM, in_body=True),
    Fault("deep-yaml", _NO_INDEX, body(_INDEX + b"[" * 100_000), _HELM, in_body=True),
    Fault("broken-pkt-line", "broken pkt-line|truncated|.*git.*", body(b"zzzz# service=\n0000"), _GIT, in_body=True),
    Fault("git-error", "the server says.*", body(packet(f"ERR {answers.RED}{answers.CLEAR}\n")), _GIT, in_body=True),
    Fault("control-characters", ".*", answers.control_characters),
    Fault("control-characters-in-redirect", ".*", says(301, {"Location": f"https://{HEADER_RED}/{HEADER_RED}"})),
    Fault("tls-expired", "tls: expired certificate", needs_tls=True, certificate=Authority.expired),
    Fault("tls-wrong-host", "tls: wrong host", needs_tls=True, certificate=lambda ca, *_: Authority.wrong_host(ca)),
    Fault("tls-untrusted", "tls: untrusted certificate", needs_tls=True, certificate=Authority.untrusted),
    Fault("proxy-refused", "proxy: .*|refused", needs_tls=True, place="proxy refused"),
    Fault("proxy-407", "proxy: 407.*", needs_tls=True, place="proxy 407"),
)


@contextmanager
def fault_server(
    fault: Fault,
    kind: str,
    folder: Path,
    *,
    name: str = "127.0.0.1",
    address: str = "127.0.0.1",
    port: int = 0,
    tls: bool = False,
    authority: Authority | None = None,
) -> Iterator[Base]:
    """Run a fault; over TLS if it needs that or the test wants it, under a host name and by an authority of its own."""
    with ExitStack() as stack:
        if fault.place in ("refused", "full backlog"):
            place = refused if fault.place == "refused" else syn_hole
            yield Base(f"{name}:{stack.enter_context(place(address, port))}", "https" if tls else "http")
            return
        environment: dict[str, str] = {}
        certificate = None
        if fault.needs_tls or tls:
            authority = authority or make_authority(folder / f"authority-{len(list(folder.glob('authority-*')))}")
            certificate = fault.certificate(authority, name, "localhost", *{"127.0.0.1"} - {name})
            environment["SSL_CERT_FILE"] = str(authority.file)
        scheme = "https" if certificate else "http"
        base = Base("", scheme, environment)
        other, plain = (stack.enter_context(_stranger(kind, base, each)) for each in (certificate, None))
        listener = stack.enter_context(_serving(fault, kind, base, (other, plain), address, port, certificate))
        base.authority = f"{name}:{listener.port}"
        if fault.place == "no name":
            base.authority = f"no-such-host.invalid:{listener.port}"
        elif fault.place:
            proxy = stack.enter_context(refused() if fault.place == "proxy refused" else _proxy_407())
            environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), f"http://127.0.0.1:{proxy}")
        yield base


@contextmanager
def _serving(
    fault: Fault,
    kind: str,
    base: Base,
    strangers: tuple[str, str],
    address: str,
    port: int,
    certificate: Certificate | None,
) -> Iterator[Listener]:
    def handle(connection: socket.socket) -> None:
        if fault.at_accept:
            return fault.at_accept(connection)
        with connection.makefile("rb") as stream:
            while request := read_request(connection, stream):
                base.requests.append(request)
                fault.answer(Exchange(connection, request, kind, base.url, *strangers, listener.stopped))
                if fault.answer in _LAST or (fault.answer in _LAST_BODY and request.method != "HEAD"):
                    return None
        return None

    context = certificate.server_context() if certificate and not fault.at_accept else None
    with listening(handle, address=address, port=port, context=context) as listener:
        yield listener


#: Answers after which the connection ends.
_LAST = (
    answers.reset_in_headers,
    answers.reset_in_body,
    answers.truncated,
    answers.byte_a_second,
    answers.huge_header,
)
_LAST_BODY = (answers.short_length, answers.endless_body)


@contextmanager
def _stranger(kind: str, base: Base, certificate: Certificate | None) -> Iterator[str]:
    """Run a good server to point to, on another host name, which also hands out a token."""

    def respond(request: Request) -> Response:
        base.strangers.append(request)
        if request.path.startswith("/token"):
            return Response(200, {"Content-Type": "application/json"}, b'{"token": "from-a-stranger"}')
        return answers.good(kind, request)

    with web(respond, certificate=certificate) as server:
        yield f"{server.scheme}://localhost:{server.listener.port}"


@contextmanager
def _proxy_407() -> Iterator[int]:
    refusal = Response(407, {"Proxy-Authenticate": 'Basic realm="proxy"', "Connection": "close"})
    with web(lambda _: refusal) as server:
        yield server.listener.port
