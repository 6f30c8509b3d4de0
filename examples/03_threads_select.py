"""Three threads send over TCP while the main thread waits with `select` for the echoes.

    03_threads_select.py [HOST] [PORT]

Without `--peer-program` the peer of `pyhost run` echoes on port 7.
"""

import hashlib
import select
import socket
import sys
import threading

STREAMS = 3
SIZE = 20000


def payload(number):
    """The bytes of one stream, different from every other's."""
    return bytes((number * 31 + i) & 0xFF for i in range(SIZE))


def send(sock, data):
    """Send all of it and close this direction."""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def collect(socks):
    """Read each socket to its end, whichever has something to read; socket → bytes."""
    received = dict.fromkeys(socks, b"")
    waiting = list(socks)
    while waiting:
        readable, _, _ = select.select(waiting, [], [], 10.0)
        if not readable:
            sys.exit("nothing came for ten seconds")
        for sock in readable:
            chunk = sock.recv(4096)
            received[sock] += chunk
            if not chunk:
                waiting.remove(sock)
    return received


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "10.0.0.2"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 7

    socks = [socket.create_connection((host, port)) for _ in range(STREAMS)]
    threads = [
        threading.Thread(target=send, args=(sock, payload(i))) for i, sock in enumerate(socks)
    ]
    for thread in threads:
        thread.start()
    received = collect(socks)
    for thread in threads:
        thread.join()

    intact = 0
    for i, sock in enumerate(socks):
        data = received[sock]
        intact += data == payload(i)
        print(f"stream {i}: {len(data)} bytes back, sha256 {hashlib.sha256(data).hexdigest()}")
        sock.close()
    print(f"{intact} of {STREAMS} streams came back intact")
    sys.exit(0 if intact == STREAMS else 1)


if __name__ == "__main__":
    main()
