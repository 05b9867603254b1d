"""Keep what two network namespaces send to each other for a while: a link with a delay, for kernels without netem.

python _relay.py SECONDS CLIENT-NAMESPACE SERVER-NAMESPACE    each way; makes the devices `client` and `server`

Each end is a TUN device (Linux, Documentation/networking/tuntap.rst). Ends when the standard input does.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_DEAD = 128
"""From this third number of a destination on, nobody answers: packets to there are lost."""


def tun(name: str, namespace: str) -> int:
    """Make a TUN device in a network namespace and give its file."""
    with open(namespace) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    os.set_blocking(device, False)
    return device


def relay(client: int, server: int, delay: float) -> None:
    """Carry packets both ways, each after the delay."""
    other = {client: server, server: client}
    waiting: deque[tuple[float, int, bytes]] = deque()
    while True:
        # Not poll(), which waits for whole milliseconds.
        rest = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for file in select.select((0, client, server), (), (), rest)[0]:
            if file == 0:
                return
            now = time.monotonic()
            for packet in _packets(file):
                if not (packet[0] >> 4 == 4 and packet[18] >= _DEAD):
                    waiting.append((now + delay, other[file], packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, file, packet = waiting.popleft()
            try:
                os.write(file, packet)
            except OSError:
                continue  # lost, as on any link


def _packets(file: int) -> list[bytes]:
    found: list[bytes] = []
    try:
        while len(found) < 64:
            found.append(os.read(file, 65535))
    except OSError:
        pass
    return found


if __name__ == "__main__":
    try:
        ends = tun("client", sys.argv[2]), tun("server", sys.argv[3])
    except OSError as error:
        sys.exit(f"_relay.py: no TUN device: {error}")
    print("ready", flush=True)
    relay(*ends, float(sys.argv[1]))
