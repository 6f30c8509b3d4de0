"""Say which congestion control a connection has."""

import socket

with socket.create_connection(("10.0.0.2", 7)) as sock:
    name = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    print("congestion", name.rstrip(b"\0").decode())
