"""Send a file over TCP without reading it: the kernel moves its pages to the socket.

    04_sendfile.py FILE [HOST] [PORT]

The other side is 01_receive_file.py.
"""

import os
import socket
import sys
import time


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


def main():
    path = sys.argv[1]
    host = sys.argv[2] if len(sys.argv) > 2 else "10.0.0.2"
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 5001

    sent = 0
    with connect(host, port) as sock, open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while sent < size:
            sent += os.sendfile(sock.fileno(), file.fileno(), sent, size - sent)
    print(f"sent     {sent} bytes of {size} with sendfile")


if __name__ == "__main__":
    main()
