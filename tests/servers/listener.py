"""A bare TCP or TLS server: one function, called in a thread for each connection.

    with listening(lambda connection: connection.sendall(b"hello")) as listener:
        socket.create_connection((listener.address, listener.port))

    with refused() as port, syn_hole() as other: ...       # nobody listens; nobody answers

All connections are closed when the block ends, and none lives longer than 20 seconds.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

Handle = Callable[[socket.socket], None]

LIFE_SECONDS = 20.0


@dataclass(slots=True)
class Listener:
    """A listening socket, the threads that serve its connections, and whether all of it is to end."""

    server: socket.socket
    handle: Handle
    context: ssl.SSLContext | None
    stopped: threading.Event = field(default_factory=threading.Event)
    accepted: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return str(self.server.getsockname()[0])

    @property
    def port(self) -> int:
        return int(self.server.getsockname()[1])

    @property
    def authority(self) -> str:
        """`ADDRESS:PORT`, as it stands in a URL."""
        return f"{self.address}:{self.port}"

    def accept(self) -> None:
        """Serve connections until the listening socket is shut."""
        while not self.stopped.is_set():
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(LIFE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or the second packet waits 40 ms
        current = connection
        # What goes wrong on a connection is the client's business: it is what the tests look at.
        with suppress(OSError, ValueError):
            try:
                if self.context:
                    current = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._open.add(current)
                if self.stopped.is_set():
                    return
                if isinstance(current, ssl.SSLSocket):
                    current.do_handshake()
                self.handle(current)
            finally:
                with self._lock:
                    self._open.discard(current)
                current.close()

    def stop(self) -> None:
        """Shut everything, and wait for the threads."""
        self.stopped.set()
        with suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # SSLSocket's would pull the rug from under
        for thread in self._threads:
            thread.join(2)
        self.server.close()


@contextmanager
def listening(
    handle: Handle, *, address: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
) -> Iterator[Listener]:
    """Serve connections, over TLS if a context is given, for as long as the block lasts."""
    with socket.create_server((address, port), backlog=256) as server:
        listener = Listener(server, handle, context)
        thread = threading.Thread(target=listener.accept, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            listener.stop()
            thread.join(2)


def reset(connection: socket.socket) -> None:
    """End a connection with RST in place of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def refused(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Hold a port that nobody listens on."""
    with socket.socket(_family(address)) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((address, port))
        yield int(holder.getsockname()[1])


@contextmanager
def syn_hole(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Hold a port whose queue is full, so that a SYN to it is never answered (Linux); IPv6 does as well."""
    with ExitStack() as stack:
        holder = stack.enter_context(socket.socket(_family(address)))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((address, port))
        holder.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket(_family(address)))
            filler.setblocking(False)
            filler.connect_ex(holder.getsockname())
        yield int(holder.getsockname()[1])


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
