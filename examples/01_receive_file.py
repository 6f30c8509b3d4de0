"""Receive one file over TCP and say what came.

    01_receive_file.py [HOST] [PORT]

HOST is the address to listen on, all of them unless given.
"""

import hashlib
import socket
import sys


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else ""
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 5001

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
        connection, _ = listener.accept()

    digest = hashlib.sha256()
    received = 0
    with connection:
        while chunk := connection.recv(65536):
            digest.update(chunk)
            received += len(chunk)
    print(f"received {received} bytes  sha256 {digest.hexdigest()}")


if __name__ == "__main__":
    main()
