"""Send memory over TCP without a copy, and learn from the error queue when it may be reused.

    05_zerocopy.py [HOST] [PORT]

Without `--peer-program` the peer of `pyhost run` discards what comes to port 9. Python's socket
module has no names for MSG_ZEROCOPY, so the numbers of linux/socket.h stand here.
"""

import select
import socket
import struct
import sys

SO_ZEROCOPY = 60
MSG_ZEROCOPY = 0x4000000
SO_EE_ORIGIN_ZEROCOPY = 5
SO_EE_CODE_ZEROCOPY_COPIED = 1
EXTENDED_ERROR = struct.Struct("=IBBBBII")  # errno, origin, type, code, pad, info, data

SIZE = 200_000


def finished_sends(sock):
    """Wait for a notification: the numbers of the first and last send that are done with their
    memory, and whether the kernel had to copy after all.
    """
    waiting = select.poll()
    waiting.register(sock, 0)
    if not waiting.poll(10_000):
        sys.exit("no notification for ten seconds")
    _, control, _, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    [(_, _, data)] = control
    _, origin, _, code, _, first, last = EXTENDED_ERROR.unpack(data[: EXTENDED_ERROR.size])
    if origin != SO_EE_ORIGIN_ZEROCOPY:
        sys.exit(f"an error of origin {origin} instead of a notification")
    return first, last, code == SO_EE_CODE_ZEROCOPY_COPIED


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "10.0.0.2"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 9

    payload = memoryview(bytes(i & 0xFF for i in range(SIZE)))
    with socket.create_connection((host, port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        sends = sent = 0
        while sent < SIZE:
            sent += sock.send(payload[sent:], MSG_ZEROCOPY)
            sends += 1
        done = 0
        while done < sends:
            first, last, copied = finished_sends(sock)
            print(f"sends {first} to {last} done, {'copied' if copied else 'not copied'}")
            done = last + 1
    print(f"{sent} bytes in {sends} sends, all memory is free again")


if __name__ == "__main__":
    main()
