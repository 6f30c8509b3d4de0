"""Talk to ports that a packet filter treats differently, and say what happens.

filtered.py PORT...
"""

import socket
import sys
import time


def attempt(port):
    """What an attempt to connect within five seconds ends with."""
    with socket.socket() as sock:
        sock.settimeout(5)
        try:
            sock.connect(("10.0.0.2", port))
            sock.sendall(b"hello")
            return f"answered-{sock.recv(5).decode()}"
        except OSError as error:
            return type(error).__name__


def datagram(port):
    """What a datagram ends with."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            return sock.sendto(b"datagram", ("10.0.0.2", port))
        except OSError as error:
            return type(error).__name__


for port in map(int, sys.argv[1:]):
    began = time.monotonic()
    print("tcp", port, attempt(port), round(time.monotonic() - began))
    print("udp", port, datagram(port))
