"""Send each file as one datagram, with os.write alone; wait for the answer before the next.

udp_write.py FILE...
"""

import os
import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(("10.0.0.2", 5002))
    sock.settimeout(1.0)
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            data = file.read()
        print("sent", os.write(sock.fileno(), data))
        sock.recv(16)
    os.write(sock.fileno(), b"end")
    sock.recv(16)
