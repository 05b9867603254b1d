"""A network for measurements: a client's side with host names of its own, a server's, and a link with a delay between.

Both sides are network namespaces, so that nothing leaves the machine. Whatever crosses the link, the handshakes of
TCP and TLS too, is kept for half the round trip by `_relay.py`. That takes Linux, root and /dev/net/tun; where they
are not to be had, `Absent` says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from _measure import Call

HERE = Path(__file__).parent
SERVED = "10.99.{}.{}"
"""Addresses of servers: the third number is 0 to 127 for those that answer, more for those that never do."""

_CLIENT, _SERVER = "10.98.0.2", "10.98.0.1"
_SEE_HOSTS = 'ip link set lo up && mount --bind "$0" /etc/hosts && echo ready && exec cat'


class Absent(Exception):
    """What the measurement needs is not here; the text says what."""


def need(program: str) -> str:
    """Give the path of a program. Raises Absent."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise Absent(f"there is no {program} here")
    return path


class Network:
    """The client's side of a network that stands."""

    def __init__(self, client: int, environment: Mapping[str, str]) -> None:
        self._enter = (need("nsenter"), f"--net=/proc/{client}/ns/net", f"--mount=/proc/{client}/ns/mnt", "--")
        self._environment = environment

    def call(self, *words: str, environment: Mapping[str, str] | None = None, stdin: str = os.devnull) -> Call:
        """Make the call of a command on the client's side."""
        return Call((*self._enter, *words), {**self._environment, **(environment or {})}, stdin)


@contextmanager
def network(
    hosts: Mapping[str, str], server: Sequence[str], environment: Mapping[str, str], folder: Path, delay: float | None
) -> Iterator[Network]:
    """Build a network where the names have these addresses; the server runs for as long as the block lasts.

    ``delay`` is the round trip in seconds; None puts the server on the client's own loopback. Raises Absent.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Absent("network namespaces take root on Linux")
    file = folder / "hosts"
    file.write_text("".join(f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **hosts}.items()))
    unshare = [need("unshare"), "--net"]
    with ExitStack() as stack:
        see = ["--mount", "--propagation", "private", need("sh"), "-c", _SEE_HOSTS, str(file)]
        client = stack.enter_context(_running("a namespace of the network and of mounts", *unshare, *see))
        enter = [need("nsenter"), f"--net=/proc/{client}/ns/net", "--"]
        if delay is None:
            _ = stack.enter_context(_running("a server", *enter, *server))
        else:
            other = stack.enter_context(_running("a server in a namespace of the network", *unshare, *server))
            relay = [*enter, sys.executable, str(HERE / "_relay.py"), str(delay / 2)]
            ends = (f"/proc/{client}/ns/net", f"/proc/{other}/ns/net")
            _ = stack.enter_context(_running("a link, with /dev/net/tun,", *relay, *ends))
            _connect(client, "client", _CLIENT, "10.99.0.0/16")
            _connect(other, "server", _SERVER, _CLIENT)
        yield Network(client, environment)


def _connect(side: int, device: str, address: str, there: str) -> None:
    ip = [need("nsenter"), f"--net=/proc/{side}/ns/net", "--", need("ip")]
    commands: list[tuple[str, ...]] = [
        ("address", "add", address, "dev", device),
        ("link", "set", device, "mtu", "1400", "up"),
        ("route", "add", there, "dev", device, "src", address),
    ]
    if device == "server":
        commands += [("link", "set", "lo", "up"), ("route", "add", "local", "10.99.0.0/17", "dev", "lo")]
    for words in commands:
        if subprocess.run([*ip, *words], check=False).returncode:
            raise Absent(f"a network could not be built: 'ip {' '.join(words)}' failed")


@contextmanager
def _running(what: str, *words: str) -> Iterator[int]:
    """Run a program that says when it is ready, and ends when its standard input does; give its process's id."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        if process.stdout.readline() != b"ready\n":
            raise Absent(f"{what} cannot be had here")
        yield process.pid
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
