"""What runs on the peer when no program is given: echo on port 7, discard on port 9, TCP and UDP
(RFC 862, RFC 863).
"""

from __future__ import annotations

import socket
import threading

ECHO = 7
DISCARD = 9


def serve_stream(port: int) -> None:
    """Accept connections on `port`, each with a thread of its own."""
    with socket.create_server(("", port)) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=drain, args=(connection, port), daemon=True).start()


def drain(connection: socket.socket, port: int) -> None:
    """Read one connection to its end; an echo server sends all of it back."""
    with connection:
        try:
            while data := connection.recv(1 << 16):
                if port == ECHO:
                    connection.sendall(data)
        except ConnectionError:
            return


def serve_datagrams(port: int) -> None:
    """Receive datagrams on `port`; an echo server sends each one back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", port))
        while True:
            data, sender = server.recvfrom(1 << 16)
            if port == ECHO:
                server.sendto(data, sender)


for serve in (serve_stream, serve_datagrams):
    for number in (ECHO, DISCARD):
        threading.Thread(target=serve, args=(number,), daemon=True).start()
threading.Event().wait()
