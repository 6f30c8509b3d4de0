"""Say which ports of a machine answer, as a packet filter lets them.

    08_ports.py [HOST] [PORT…]

With `pyhost run --setup examples/08_firewall.setup` port 25 is silent and port 22 refuses; port 7
is the echo server of the peer.
"""

import socket
import sys
import time


def attempt(host, port):
    """What an attempt to connect within two seconds ends with."""
    with socket.socket() as sock:
        sock.settimeout(2.0)
        try:
            sock.connect((host, port))
        except OSError as error:
            return type(error).__name__
    return "open"


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "10.0.0.2"
    ports = [int(word) for word in sys.argv[2:]] or [25, 22, 7]
    for port in ports:
        began = time.monotonic()
        result = attempt(host, port)
        print(f"port {port}: {result} after {time.monotonic() - began:.3f} s")


if __name__ == "__main__":
    main()
