"""httpx, and whom it trusts: loaded in one place, without what only its own command line needs."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    import ssl

__all__ = ["Trust", "certificates", "load_httpx"]

_COMMAND_LINE = "httpx._main"
"""What httpx imports if it can, and does without if not: its command line, and with that all of rich and pygments."""


def load_httpx() -> None:
    """Import httpx in half the time, and spare it searches; whoever needs it calls this first."""
    if "httpx" not in sys.modules:
        sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]
        try:
            import httpx  # noqa: F401
        finally:
            del sys.modules[_COMMAND_LINE]
    if "sniffio" not in sys.modules and importlib.util.find_spec("sniffio") is None:
        # Where it is missing, httpcore looks for it anew a dozen times in an exchange, on the disk.
        sys.modules["sniffio"] = None  # type: ignore[assignment]


def certificates() -> ssl.SSLContext:
    """Read the certificates that the environment, or else certifi, says are to be trusted. Raises Failed."""
    load_httpx()
    import ssl

    import httpx

    read: list[ssl.SSLContext] = []

    def reader() -> None:
        with suppress(OSError):
            read.append(httpx.create_ssl_context())

    # That is OpenSSL's work, 40 ms of it. A transport that trusts nobody lets Python import what all of them take.
    reading = Thread(target=reader)
    reading.start()
    httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)).close()
    reading.join()
    if not read:
        raise Failed("tls: the certificates of the environment cannot be read")
    return read[0]


class Trust:
    """Whom one run trusts: certificates that are read once, and not before a server shows its own."""

    __slots__ = ("_tls",)

    def __init__(self) -> None:
        """Read nothing yet."""
        self._tls: ssl.SSLContext | None = None

    @property
    def tls(self) -> ssl.SSLContext:
        """What connections over TLS need. Raises Failed."""
        if self._tls is None:
            self._tls = certificates()
        return self._tls
