"""Why an exchange failed, in a word or two, out of whatever exception came up."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING

from crane_mirrors.errors import NetworkFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Failed", "NotAsked", "NotThere", "cause_of", "check_status", "status_cause"]

# OpenSSL's verification errors: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_VERIFY = {
    9: "tls: certificate not yet valid",
    10: "tls: expired certificate",
    18: "tls: untrusted certificate",
    19: "tls: untrusted certificate",
    20: "tls: untrusted certificate",
    21: "tls: untrusted certificate",
    62: "tls: wrong host",
    64: "tls: wrong host",
}

_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "no route",
    errno.ETIMEDOUT: "timeout",
}


class Failed(NetworkFailed):
    """One exchange with one server did not give a usable answer; ``cause`` says why in a few words."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class NotThere(Failed):
    """The server works, and does not have what was asked for."""


class NotAsked(Failed):
    """Nothing is wrong with the server, as far as is known: this is not a question that can be put to it."""


def check_status(status: int, headers: Mapping[str, str]) -> None:
    """Raise NotThere for 404 and 410, Failed for all that is not 200 or, where a part was asked for, 206."""
    if status in (404, 410):
        raise NotThere(str(status))
    if status not in (200, 206):
        raise Failed(status_cause(status, headers.get("retry-after")))


def status_cause(status: int, retry_after: str | None = None) -> str:
    """Say what an HTTP status means for whoever wanted the answer.

    >>> status_cause(404), status_cause(429, "30"), status_cause(503)
    ('404', 'rate limited, retry in 30 s', '503')
    """
    if status == 429:
        known = retry_after is not None and retry_after.isdecimal() and len(retry_after) < 7
        return f"rate limited, retry in {retry_after} s" if known else "rate limited"
    return str(status)


def cause_of(error: BaseException) -> str:
    """Translate an exception of httpx, and what lies beneath it."""
    import httpx

    chain = list(_chain(error))
    if isinstance(error, httpx.ProxyError):
        status = next((word for word in str(error).split() if word.isdigit()), "")
        return f"proxy: {status or 'failed'}"
    for beneath in chain:
        if isinstance(beneath, ssl.SSLCertVerificationError):
            return _VERIFY.get(beneath.verify_code, "tls: untrusted certificate")
        if isinstance(beneath, socket.gaierror):
            return "dns: no such host" if beneath.errno == socket.EAI_NONAME else "dns: failed"
    for beneath in chain:
        if isinstance(beneath, ssl.SSLError):
            return "tls: handshake failed"
        if isinstance(beneath, OSError) and beneath.errno in _ERRNO:
            return _ERRNO[beneath.errno]
    return _by_type(error)


def _by_type(error: BaseException) -> str:
    import httpx

    match error:
        case TimeoutError() | httpx.TimeoutException():
            return "timeout"
        case httpx.RemoteProtocolError():
            return "truncated" if "incomplete" in str(error) or "without sending" in str(error) else "not http"
        case httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return "reset"
        case httpx.ConnectError():
            return "no connection"
        case httpx.DecodingError():
            return "broken encoding"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return "invalid address"
    return "failed"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk causes, contexts and the members of groups: anyio collects one failed connection for each address."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        beneath = waiting.pop(0)
        if beneath is None or id(beneath) in seen:
            continue
        seen.add(id(beneath))
        yield beneath
        if isinstance(beneath, BaseExceptionGroup):
            waiting += beneath.exceptions
        waiting += [beneath.__cause__, beneath.__context__]
