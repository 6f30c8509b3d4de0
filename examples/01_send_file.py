"""Send a file over TCP: connect, write, say what was sent.

    01_send_file.py FILE [HOST] [PORT]

Plain sockets and `os.write`, nothing else: any machine runs it, `pyhost run` runs it unchanged.
"""

import hashlib
import os
import socket
import sys
import time

CHUNK = 65536


def connect(host, port, tries=200):
    """Connect, waiting for the other side to listen."""
    for _ in range(tries):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.connect((host, port))
            return sock
        except ConnectionRefusedError:
            sock.close()
            time.sleep(0.05)
    sys.exit(f"nobody listens on {host}:{port}")


def write_all(fd, data):
    """Write every byte: `os.write` may take fewer than it is given."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def main():
    path = sys.argv[1]
    host = sys.argv[2] if len(sys.argv) > 2 else "10.0.0.2"
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 5001

    digest = hashlib.sha256()
    sent = 0
    with connect(host, port) as sock, open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            write_all(sock.fileno(), chunk)
            digest.update(chunk)
            sent += len(chunk)
    print(f"sent     {sent} bytes  sha256 {digest.hexdigest()}")


if __name__ == "__main__":
    main()
