"""Write and read many connections at once with edge-triggered epoll, no thread, no blocking call.

    07_epoll_edge.py [HOST] [PORT]

Without `--peer-program` the peer of `pyhost run` echoes on port 7. An edge is told once, so each
event is followed until the call would block.
"""

import select
import socket
import sys

CONNECTIONS = 4
SIZE = 150_000
CHUNK = 16_384
EDGES = select.EPOLLET | select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP


class Echo:
    """One connection: what is still to be written, and what has come back."""

    def __init__(self, number, address):
        self.payload = bytes((number * 53 + i) & 0xFF for i in range(SIZE))
        self.left = memoryview(self.payload)
        self.received = bytearray()
        self.done = False
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(address)

    def write(self):
        """Write until everything is written or the send buffer is full."""
        while self.left:
            try:
                self.left = self.left[self.sock.send(self.left) :]
            except BlockingIOError:
                return
        if not self.done:
            self.sock.shutdown(socket.SHUT_WR)

    def read(self):
        """Read until nothing is there, or the other side has closed."""
        while not self.done:
            try:
                chunk = self.sock.recv(CHUNK)
            except BlockingIOError:
                return
            self.received += chunk
            self.done = not chunk


def serve(echoes):
    """Follow the edges until every connection is done; how many events there were."""
    by_fd = {echo.sock.fileno(): echo for echo in echoes}
    count = 0
    with select.epoll() as epoll:
        for fd in by_fd:
            epoll.register(fd, EDGES)
        while not all(echo.done for echo in echoes):
            events = epoll.poll(10.0)
            if not events:
                sys.exit("nothing happened for ten seconds")
            for fd, mask in events:
                count += 1
                if mask & select.EPOLLOUT and by_fd[fd].left:
                    by_fd[fd].write()
                if mask & (select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP):
                    by_fd[fd].read()
    return count


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "10.0.0.2"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 7

    echoes = [Echo(number, (host, port)) for number in range(CONNECTIONS)]
    events = serve(echoes)
    intact = sum(echo.received == echo.payload for echo in echoes)
    for echo in echoes:
        echo.sock.close()
    print(f"{intact} of {CONNECTIONS} connections came back intact after {events} events")
    sys.exit(0 if intact == CONNECTIONS else 1)


if __name__ == "__main__":
    main()
