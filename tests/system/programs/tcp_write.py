"""Send each file over a TCP connection of its own, with os.write alone.

tcp_write.py FILE...
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


def send(data):
    """Write all of `data` on a new connection; returns its port."""
    with connect() as sock:
        left = memoryview(data)
        while True:
            left = left[os.write(sock.fileno(), left) :]
            if not left:
                return sock.getsockname()[1]


for path in sys.argv[1:]:
    with open(path, "rb") as file:
        content = file.read()
    print("sent", send(content), len(content))
send(b"end")
