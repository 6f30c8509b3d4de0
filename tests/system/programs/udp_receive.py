"""Receive datagrams and say what came, each answered with one byte; the datagram `end` is the last.

udp_receive.py
"""

import hashlib
import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("", 5002))
    data = b""
    while data != b"end":
        data, sender = sock.recvfrom(65536)
        sock.sendto(b"!", sender)
        print("received", len(data), hashlib.sha256(data).hexdigest())
