"""Send a file over two TCP connections: with sendfile, and with MSG_ZEROCOPY.

tcp_zerocopy.py FILE
"""

import os
import select
import socket
import struct
import sys
import time

MSG_ZEROCOPY = 0x4000000
SO_ZEROCOPY = 60
SO_EE_ORIGIN_ZEROCOPY = 5


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


def send_file(path):
    """From the page cache; returns the port."""
    with connect() as sock, open(path, "rb") as file:
        at, size = 0, os.path.getsize(path)
        while at < size:
            at += os.sendfile(sock.fileno(), file.fileno(), at, size - at)
        return sock.getsockname()[1]


def notifications(sock, wanted):
    """Wait until `wanted` sends are done; whether any of them was copied."""
    poll = select.poll()
    poll.register(sock, 0)
    done = copied = 0
    while done < wanted:
        poll.poll()
        _, control, flags, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        assert flags & socket.MSG_ERRQUEUE
        [(level, kind, data)] = control
        errno, origin, _, code, _, low, high = struct.unpack("=IBBBBII", data[:16])
        assert (level, kind, errno, origin, low) == (0, 11, 0, SO_EE_ORIGIN_ZEROCOPY, done)
        done = high + 1
        copied |= code
    return copied


def send_memory(path):
    """From the program's own memory; returns the port and whether anything was copied."""
    with open(path, "rb") as file:
        left = memoryview(file.read())
    with connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        calls = 0
        while left:
            left = left[sock.send(left, MSG_ZEROCOPY) :]
            calls += 1
        return sock.getsockname()[1], notifications(sock, calls)


print("sendfile", send_file(sys.argv[1]))
print("zerocopy", *send_memory(sys.argv[1]))
with connect() as last:
    last.sendall(b"end")
