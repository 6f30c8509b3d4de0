"""Socket constants and structures on x86-64.

Linux: include/linux/socket.h, include/uapi/asm-generic/socket.h, include/uapi/linux/in.h,
include/uapi/linux/tcp.h.
"""

from __future__ import annotations

from struct import Struct

AF_UNSPEC = 0
AF_UNIX = 1
AF_INET = 2
AF_PACKET = 17
NPROTO = 46

SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
SOCK_SEQPACKET = 5
SOCK_MAX = 11
SOCK_TYPE_MASK = 0xF
SOCK_NONBLOCK = 0o4000
SOCK_CLOEXEC = 0o2000000

IPPROTO_IP = 0
IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_RAW = 255
IPPROTO_MAX = 263

SHUT_RD = 0
SHUT_WR = 1
SHUT_RDWR = 2
SOMAXCONN = 4096

MSG_OOB = 0x1
MSG_PEEK = 0x2
MSG_DONTROUTE = 0x4
MSG_CTRUNC = 0x8
MSG_PROBE = 0x10
MSG_TRUNC = 0x20
MSG_DONTWAIT = 0x40
MSG_EOR = 0x80
MSG_WAITALL = 0x100
MSG_CONFIRM = 0x800
MSG_ERRQUEUE = 0x2000
MSG_NOSIGNAL = 0x4000
MSG_MORE = 0x8000
MSG_WAITFORONE = 0x10000
MSG_BATCH = 0x40000
MSG_NO_SHARED_FRAGS = 0x80000
MSG_SENDPAGE_NOPOLICY = 0x10000
MSG_SENDPAGE_DECRYPTED = 0x100000
MSG_ZEROCOPY = 0x4000000
MSG_SPLICE_PAGES = 0x8000000
MSG_FASTOPEN = 0x20000000
MSG_CMSG_CLOEXEC = 0x40000000
MSG_INTERNAL_SENDMSG_FLAGS = MSG_SPLICE_PAGES | MSG_SENDPAGE_NOPOLICY | MSG_SENDPAGE_DECRYPTED

SOL_IP = 0
SOL_SOCKET = 1
SOL_TCP = 6
SOL_UDP = 17
SOL_RAW = 255
SOL_PACKET = 263

SO_DEBUG = 1
SO_REUSEADDR = 2
SO_TYPE = 3
SO_ERROR = 4
SO_DONTROUTE = 5
SO_BROADCAST = 6
SO_SNDBUF = 7
SO_RCVBUF = 8
SO_KEEPALIVE = 9
SO_OOBINLINE = 10
SO_NO_CHECK = 11
SO_PRIORITY = 12
SO_LINGER = 13
SO_REUSEPORT = 15
SO_PEERCRED = 17
SO_RCVLOWAT = 18
SO_SNDLOWAT = 19
SO_RCVTIMEO = 20
SO_SNDTIMEO = 21
SO_BINDTODEVICE = 25
SO_DETACH_FILTER = 27
SO_PEERNAME = 28
SO_TIMESTAMP = 29
SO_ACCEPTCONN = 30
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SO_MARK = 36
SO_TIMESTAMPING = 37
SO_PROTOCOL = 38
SO_DOMAIN = 39
SO_SELECT_ERR_QUEUE = 45
SO_BUSY_POLL = 46
SO_MAX_PACING_RATE = 47
SO_MEMINFO = 55
SO_INCOMING_NAPI_ID = 56
SO_COOKIE = 57
SCM_TIMESTAMPING_OPT_STATS = 54
SO_ZEROCOPY = 60
SO_BINDTOIFINDEX = 62
SO_TIMESTAMP_NEW = 63
SO_TIMESTAMPNS_NEW = 64
SO_TIMESTAMPING_NEW = 65
SO_RCVTIMEO_NEW = 66
SO_SNDTIMEO_NEW = 67
SO_PREFER_BUSY_POLL = 69
SO_BUSY_POLL_BUDGET = 70
SO_NETNS_COOKIE = 71
SO_BUF_LOCK = 72
SO_RESERVE_MEM = 73
SO_TXREHASH = 74
SCM_TIMESTAMP = SO_TIMESTAMP
SCM_TIMESTAMPNS = SO_TIMESTAMPNS
SCM_TIMESTAMPING = SO_TIMESTAMPING
SCM_RIGHTS = 1
SCM_CREDENTIALS = 2

SOCKADDR_STORAGE_SIZE = 128
UIO_MAXIOV = 1024
UIO_FASTIOV = 8

INADDR_ANY = 0

SOCKADDR_FAMILY = Struct("<H")
"""The first field of every sockaddr."""

SOCKADDR_IN = Struct("<H2s4s8x")
"""struct sockaddr_in:

Family (host order), port and address (network order); use `pack_sockaddr_in`.
"""

MSGHDR = Struct("<QI4xQQQQI4x")
"""struct user_msghdr: name, namelen, iov, iovlen, control, controllen, flags."""

MMSGHDR_LEN = MSGHDR.size
MMSGHDR_SIZE = MSGHDR.size + 8
"""struct mmsghdr: a user_msghdr, at MMSGHDR_LEN the length that was sent or received, padding."""

CMSGHDR = Struct("<Qii")
"""struct cmsghdr: length with this header, level, type; the data follows, padded to 8 bytes."""

LINGER = Struct("<ii")
"""struct linger: on or off, seconds."""

INT = Struct("<i")
"""An int, as most options have it."""


def pack_sockaddr_in(addr: int, port: int) -> bytes:
    """A struct sockaddr_in from an address and a port in host order."""
    return SOCKADDR_IN.pack(AF_INET, port.to_bytes(2, "big"), addr.to_bytes(4, "big"))


def unpack_sockaddr_in(sockaddr: bytes) -> tuple[int, int, int]:
    """(family, address, port) of a struct sockaddr_in, address and port in host order."""
    family, port, addr = SOCKADDR_IN.unpack_from(sockaddr)
    return family, int.from_bytes(addr, "big"), int.from_bytes(port, "big")
