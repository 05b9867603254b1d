"""tinyproxy, an HTTP proxy, which lets everybody through or only who has the password.

with proxy(tmp_path, password=True) as server:
    run(..., environment={"HTTPS_PROXY": server.url})       # the URL has user and password in it
    run(..., environment={"HTTPS_PROXY": server.bare_url})  # 407
    assert server.asked == ["CONNECT ghcr.io:443"]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import need

from servers.process import free_port, running
from servers.tokens import PASSWORD, USER


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy."""

    authority: str
    log: Path
    password: bool

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD}@{self.authority}" if self.password else self.bare_url

    @property
    def bare_url(self) -> str:
        return f"http://{self.authority}"

    @property
    def asked(self) -> list[str]:
        """All requests so far, refused ones included, as `METHOD TARGET`."""
        return re.findall(r"Request \(.*\): (\S+ \S+) HTTP/", self.log.read_text(encoding="utf-8", errors="replace"))


@contextmanager
def proxy(folder: Path, *, password: bool = False, wrap: Sequence[str] = ()) -> Iterator[Proxy]:
    """Run a proxy that connects to any port on loopback; wrapped by `Names.command()` it finds those names there."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server = Proxy(f"127.0.0.1:{port}", folder / "tinyproxy.log", password)
    lines = [f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "Timeout 20", "LogLevel Connect"]
    lines += [f'LogFile "{server.log}"', f'PidFile "{folder / "tinyproxy.pid"}"']
    lines += [f"BasicAuth {USER} {PASSWORD}"] if password else []
    config = folder / "tinyproxy.conf"
    config.write_text("\n".join([*lines, ""]), encoding="utf-8")
    server.log.touch()
    with running([*wrap, need("tinyproxy"), "-d", "-c", str(config)], folder=folder, port=port):
        yield server
