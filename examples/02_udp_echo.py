"""Send datagrams to an echo server and check what comes back, one at a time.

    02_udp_echo.py [HOST] [PORT]

Without `--peer-program` the peer of `pyhost run` echoes on port 7.
"""

import socket
import sys
import time

SIZES = (0, 1, 18, 512, 1472)


def echo(sock, address, payload):
    """Send one datagram and return the seconds until the same bytes are back."""
    start = time.monotonic()
    sock.sendto(payload, address)
    answer, sender = sock.recvfrom(65535)
    if answer != payload:
        sys.exit(f"sent {len(payload)} bytes, {sender} answered with {len(answer)} others")
    return time.monotonic() - start


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "10.0.0.2"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 7

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2.0)
        for size in SIZES:
            payload = bytes(i & 0xFF for i in range(size))
            seconds = echo(sock, (host, port), payload)
            print(f"{size:5} bytes back after {seconds * 1e6:.1f} us")


if __name__ == "__main__":
    main()
