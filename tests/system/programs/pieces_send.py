"""Send pieces that lie at odd addresses and across pages, each way on a connection of its own.

pieces_send.py FILE OFFSET:LENGTH...
"""

import os
import socket
import sys
import time


def connect():
    """A connection, as soon as the other side listens."""
    while True:
        sock = socket.socket()
        try:
            sock.connect(("10.0.0.2", 5001))
        except ConnectionRefusedError:
            sock.close()
            time.sleep(0.001)
        else:
            return sock


def send_with_sendfile(path, pieces):
    """One stream of pieces of a file, by sendfile alone."""
    with connect() as sock, open(path, "rb") as file:
        for offset, length in pieces:
            while length:
                sent = os.sendfile(sock.fileno(), file.fileno(), offset, length)
                offset += sent
                length -= sent
        return sock.getsockname()[1]


def send_with_writev(path, pieces):
    """The same stream gathered by writev from many small pieces, under TCP_CORK."""
    with open(path, "rb") as file:
        data = memoryview(file.read())
    with connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for offset, length in pieces:
            end = offset + length
            while offset < end:
                vector = []
                for size in range(1, 60, 2):
                    vector.append(data[offset : min(end, offset + size)])
                    offset = min(end, offset + size)
                assert os.writev(sock.fileno(), vector) == sum(map(len, vector))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        return sock.getsockname()[1]


wanted = [tuple(map(int, piece.split(":"))) for piece in sys.argv[2:]]
print("sendfile", send_with_sendfile(sys.argv[1], wanted))
print("writev", send_with_writev(sys.argv[1], wanted))
with connect() as last:
    last.sendall(b"end")
