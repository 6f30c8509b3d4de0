"""Send many datagrams with one system call: the kernel cuts the buffer (UDP_SEGMENT).

    06_udp_segment.py [HOST] [PORT]

Without `--peer-program` the peer of `pyhost run` echoes on port 7.
"""

import socket
import sys

SOL_UDP = 17
UDP_SEGMENT = 103

SEGMENT = 1200
SIZE = 10_000


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "10.0.0.2"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 7

    payload = bytes((i * 7) & 0xFF for i in range(SIZE))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2.0)
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, SEGMENT)
        sock.connect((host, port))
        sock.send(payload)
        answers = []
        while sum(map(len, answers)) < SIZE:
            answers.append(sock.recv(65535))
    print("one send, datagrams of", *map(len, answers))
    if b"".join(answers) != payload:
        sys.exit("something else came back")


if __name__ == "__main__":
    main()
