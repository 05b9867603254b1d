"""One file over TLS, whatever is asked for, as fast as a blocking socket can: the client is to be what is measured.

python _file_server.py CERTIFICATE KEY FILE    on port 443 of every address; ends when the standard input does
"""

from __future__ import annotations

import mmap
import socket
import ssl
import sys
import threading

_PIECE = 2**20


def answer(connection: socket.socket, context: ssl.SSLContext, content: mmap.mmap) -> None:
    """Answer one connection's requests with the whole file."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    try:
        with context.wrap_socket(connection, server_side=True) as secure, memoryview(content) as view:
            received = b""
            while more := secure.recv(2**16):
                received += more
                if received.endswith(b"\r\n\r\n"):
                    received = b""
                    secure.sendall(head)
                    for start in range(0, len(view), _PIECE):
                        secure.sendall(view[start : start + _PIECE])
    except OSError:
        pass  # the client has gone


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    with open(sys.argv[3], "rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    listener = socket.create_server(("0.0.0.0", 443))

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection, context, content), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print("ready", flush=True)
    _ = sys.stdin.read()


if __name__ == "__main__":
    main()
