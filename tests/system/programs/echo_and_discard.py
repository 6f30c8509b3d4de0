"""Talk to the peer's own servers: what goes to port 7 comes back, port 9 takes and says nothing."""

import socket

with socket.create_connection(("10.0.0.2", 7)) as stream:
    stream.sendall(b"tcp echo")
    print("echo", stream.recv(100).decode())
with socket.create_connection(("10.0.0.2", 9)) as stream:
    stream.sendall(b"tcp discard")
    stream.shutdown(socket.SHUT_WR)
    print("discard", stream.recv(100))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
    datagrams.sendto(b"udp discard", ("10.0.0.2", 9))
    datagrams.sendto(b"udp echo", ("10.0.0.2", 7))
    print("echo", datagrams.recv(100).decode())
