"""Receive streams over TCP, one connection after the other; the stream `end` is the last.

tcp_receive.py
"""

import hashlib
import socket

with socket.create_server(("", 5001)) as listener:
    while True:
        connection, sender = listener.accept()
        stream = bytearray()
        with connection:
            while chunk := connection.recv(65536):
                stream += chunk
        if stream == b"end":
            break
        print("received", sender[1], len(stream), hashlib.sha256(stream).hexdigest())
