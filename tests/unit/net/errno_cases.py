"""What goes wrong at the socket API, one small program a row: (what, statements, outcome).

The outcome is the errno's name, or the value of `out` where a call must succeed. The statements run
as an unmodified program, on a machine of ours and under the real Linux; see test_errno_table.py.
"""

from __future__ import annotations

__all__ = ["CASES", "PRELUDE"]

PRELUDE = """
import array, errno, fcntl, os, select, signal, socket, struct, threading, time
from socket import *

LO = "127.0.0.1"
NONE = b""
kept = []

def keep(sk):
    kept.append(sk)
    return sk

def tcp():
    return keep(socket(AF_INET, SOCK_STREAM))

def udp():
    return keep(socket(AF_INET, SOCK_DGRAM))

def unix(kind=SOCK_STREAM):
    return keep(socket(AF_UNIX, kind))

def listener(backlog=8):
    sk = tcp()
    sk.bind((LO, 0))
    sk.listen(backlog)
    return sk

def conn():
    server, client = listener(), tcp()
    client.connect(server.getsockname())
    return client, keep(server.accept()[0])

def upair():
    a, b = socketpair()
    return keep(a), keep(b)

def free_port():
    sk = socket(AF_INET, SOCK_STREAM)
    sk.bind((LO, 0))
    port = sk.getsockname()[1]
    sk.close()
    return port

def reset_by_peer():
    a, b = conn()
    b.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    b.close()
    time.sleep(0.05)
    return a

def refused():
    sk = udp()
    sk.connect((LO, free_port()))
    sk.send(b"x")
    time.sleep(0.05)
    return sk

def fill(sk):
    sk.setblocking(False)
    while True:
        try:
            sk.send(bytes(65536))
        except BlockingIOError:
            return sk

def polled(sk, events=0xFFFF):
    p = select.poll()
    p.register(sk, events)
    return sum(got for _, got in p.poll(0))

def edge(sk, events):
    ep = keep(select.epoll())
    ep.register(sk, events)
    return ep

def signals(action):
    # How often a SIGPIPE came while `action` ran, and the errno.
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
"""

IOCTL_INT = 'array.array("i", [0])'

CASES: list[tuple[str, str, object]] = [
    # -- socket, socketpair ------------------------------------------------------------------------
    ("socket of no family", "socket(0, 1)", "EAFNOSUPPORT"),
    ("socket of a family beyond all", "socket(1000, 1)", "EAFNOSUPPORT"),
    ("socket of type 0", "socket(2, 0)", "ESOCKTNOSUPPORT"),
    ("socket of type 15", "socket(2, 15)", "EINVAL"),
    ("socket of type 9", "socket(2, 9)", "ESOCKTNOSUPPORT"),
    ("socket with unknown flags", "socket(2, 1 | 0x100)", "EINVAL"),
    ("stream socket of UDP", "socket(2, 1, 17)", "EPROTONOSUPPORT"),
    ("datagram socket of TCP", "socket(2, 2, 6)", "EPROTONOSUPPORT"),
    ("socket of protocol 300", "socket(2, 1, 300)", "EINVAL"),
    ("unix socket of type 0", "socket(1, 0)", "ESOCKTNOSUPPORT"),
    ("unix socket of a protocol", "socket(1, 1, 6)", "EPROTONOSUPPORT"),
    ("socketpair of the Internet", "socketpair(AF_INET, SOCK_STREAM)", "EOPNOTSUPP"),
    # -- bind --------------------------------------------------------------------------------------
    ("bind to a foreign address", "tcp().bind(('203.0.113.9', 0))", "EADDRNOTAVAIL"),
    ("bind twice", "s = tcp(); s.bind((LO, 0)); s.bind((LO, 0))", "EINVAL"),
    ("bind of TCP to a port in use", "tcp().bind(listener().getsockname())", "EADDRINUSE"),
    ("bind of TCP to a port in use at any address",
     "tcp().bind(('', listener().getsockname()[1]))", "EADDRINUSE"),
    ("bind of UDP to a port in use",
     "s = udp(); s.bind((LO, 0)); udp().bind(s.getsockname())", "EADDRINUSE"),
    ("bind of a connected socket", "conn()[0].bind((LO, 0))", "EINVAL"),
    ("bind of TCP with SO_REUSEADDR to a port that listens",
     "s = tcp(); s.setsockopt(1, 2, 1); s.bind(listener().getsockname())", "EADDRINUSE"),
    ("bind of a closed descriptor", "socket(fileno=os.dup(0)).bind((LO, 0))", "ENOTSOCK"),
    # -- listen, accept ----------------------------------------------------------------------------
    ("listen on UDP", "udp().listen(1)", "EOPNOTSUPP"),
    ("listen while connected", "conn()[0].listen(1)", "EINVAL"),
    ("listen again", "s = listener(); s.listen(3); out = 'fine'", "fine"),
    ("listen without a port", "s = tcp(); s.listen(1); out = s.getsockname()[1] > 0", True),
    ("accept on a socket that does not listen", "tcp().accept()", "EINVAL"),
    ("accept on a connection", "conn()[0].accept()", "EINVAL"),
    ("accept on UDP", "udp().accept()", "EOPNOTSUPP"),
    ("accept when nobody has come", "s = listener(); s.setblocking(False); s.accept()", "EAGAIN"),
    ("accept with SO_RCVTIMEO",
     "s = listener(); s.setsockopt(1, 20, struct.pack('ll', 0, 20000)); s.accept()", "EAGAIN"),
    ("accept after shutdown", "s = listener(); s.shutdown(SHUT_RD); s.accept()", "EINVAL"),
    ("accept does not inherit O_NONBLOCK",
     "s = listener(); c = tcp(); c.connect(s.getsockname()); s.setblocking(False)\n"
     "fd, _ = s._accept(); out = fcntl.fcntl(fd, 3) & os.O_NONBLOCK; os.close(fd)", 0),
    # -- connect -----------------------------------------------------------------------------------
    ("connect to a closed port", "tcp().connect((LO, free_port()))", "ECONNREFUSED"),
    ("connect twice", "a, b = conn(); a.connect(b.getsockname())", "EISCONN"),
    ("connect of a listener", "s = listener(); s.connect((LO, 9))", "EISCONN"),
    ("connect to the broadcast address", "udp().connect(('255.255.255.255', 9))", "EACCES"),
    ("connect to a multicast group with TCP", "tcp().connect(('224.0.0.1', 9))", "ENETUNREACH"),
    ("connect without waiting",
     "s = tcp(); s.setblocking(False); s.connect(('127.0.0.1', listener().getsockname()[1]))",
     "EINPROGRESS"),
    ("connect again after a refusal",
     "s = tcp(); p = (LO, free_port()); s.connect_ex(p); s.connect(p)", "ECONNREFUSED"),
    ("connect without waiting, then SO_ERROR",
     "s = tcp(); s.setblocking(False); s.connect_ex((LO, free_port())); select.select([], [s], [])\n"
     "out = errno.errorcode[s.getsockopt(1, 4)], s.getsockopt(1, 4)", ("ECONNREFUSED", 0)),
    ("connect without waiting, then again",
     "s = tcp(); s.setblocking(False); a = listener().getsockname(); s.connect_ex(a)\n"
     "select.select([], [s], []); out = s.connect_ex(a), errno.errorcode[s.connect_ex(a)]",
     (0, "EISCONN")),
    ("connect of a unix socket to nowhere", "unix().connect('/no/such/socket')", "ENOENT"),
    # -- names -------------------------------------------------------------------------------------
    ("getpeername without a peer", "tcp().getpeername()", "ENOTCONN"),
    ("getpeername of a listener", "listener().getpeername()", "ENOTCONN"),
    ("getpeername of UDP without a peer", "udp().getpeername()", "ENOTCONN"),
    ("getpeername after a reset", "reset_by_peer().getpeername()", "ENOTCONN"),
    ("getpeername after the peer's FIN",
     "a, b = conn(); b.close(); time.sleep(0.05); out = a.getpeername()[0]", "127.0.0.1"),
    ("getsockname of a new socket", "out = tcp().getsockname()", ("0.0.0.0", 0)),
    # -- shutdown ----------------------------------------------------------------------------------
    ("shutdown without a connection", "tcp().shutdown(SHUT_WR)", "ENOTCONN"),
    ("shutdown of UDP without a peer", "udp().shutdown(SHUT_WR)", "ENOTCONN"),
    ("shutdown of an unknown kind", "conn()[0].shutdown(3)", "EINVAL"),
    ("shutdown of a negative kind", "conn()[0].shutdown(-1)", "EINVAL"),
    ("shutdown after a reset", "reset_by_peer().shutdown(SHUT_WR)", "ENOTCONN"),
    ("shutdown twice", "a, b = conn(); a.shutdown(1); a.shutdown(1); out = 'fine'", "fine"),
    ("shutdown of a unix pair of an unknown kind", "upair()[0].shutdown(7)", "EINVAL"),
    # -- sending -----------------------------------------------------------------------------------
    ("send without a connection", "tcp().send(b'x')", "EPIPE"),
    ("send on a listener", "listener().send(b'x')", "EPIPE"),
    ("write after shutdown", "a, b = conn(); a.shutdown(1); os.write(a.fileno(), b'x')", "EPIPE"),
    ("writev after shutdown",
     "a, b = conn(); a.shutdown(1); os.writev(a.fileno(), [b'x', b'y'])", "EPIPE"),
    ("send after shutdown", "a, b = conn(); a.shutdown(1); a.send(b'x')", "EPIPE"),
    ("send of nothing after shutdown", "a, b = conn(); a.shutdown(1); a.send(b'')", "EPIPE"),
    ("send with MSG_NOSIGNAL after shutdown",
     "a, b = conn(); a.shutdown(1); a.send(b'x', MSG_NOSIGNAL)", "EPIPE"),
    ("sendmsg after shutdown", "a, b = conn(); a.shutdown(1); a.sendmsg([b'x'])", "EPIPE"),
    ("send after a reset", "reset_by_peer().send(b'x')", "ECONNRESET"),
    ("send twice after a reset",
     "s = reset_by_peer(); out = [signals(lambda: s.send(b'x')) for _ in '123']",
     ["ECONNRESET", "EPIPE", "EPIPE"]),
    ("sendto with another address on a connection",
     "a, b = conn(); out = a.sendto(b'x', ('203.0.113.9', 1))", 1),
    ("send of UDP without a peer", "udp().send(b'x')", "EDESTADDRREQ"),
    ("sendmsg of UDP without a peer", "udp().sendmsg([b'x'])", "EDESTADDRREQ"),
    ("sendto port 0", "udp().sendto(b'x', (LO, 0))", "EINVAL"),
    ("sendto the broadcast address", "udp().sendto(b'x', ('255.255.255.255', 9))", "EACCES"),
    ("send of a datagram beyond 64 KiB", "udp().sendto(bytes(65508), (LO, 9))", "EMSGSIZE"),
    ("send of UDP out of band", "udp().sendto(b'x', MSG_OOB, (LO, 9))", "EOPNOTSUPP"),
    ("send of UDP after a refusal", "refused().send(b'x')", "ECONNREFUSED"),
    ("send of UDP after shutdown",
     "s = udp(); s.connect((LO, 9)); s.shutdown(SHUT_WR); s.send(b'x')", "EPIPE"),
    ("send into a full connection", "a, b = conn(); fill(a).send(b'x')", "EAGAIN"),
    ("send with MSG_DONTWAIT into a full connection",
     "a, b = conn(); fill(a); a.setblocking(True); a.send(b'x', MSG_DONTWAIT)", "EAGAIN"),
    ("send with SO_SNDTIMEO into a full connection",
     "a, b = conn(); fill(a); a.setblocking(True)\n"
     "a.setsockopt(1, 21, struct.pack('ll', 0, 20000)); a.send(b'x')", "EAGAIN"),
    ("send with SO_SNDTIMEO is short when time runs out",
     "a, b = conn(); a.setsockopt(1, 21, struct.pack('ll', 0, 50000))\n"
     "out = 0 < a.send(bytes(1 << 24)) < 1 << 24", True),
    ("send on a unix pair after the other end is gone",
     "a, b = upair(); b.close(); a.send(b'x')", "EPIPE"),
    ("send on a unix socket without a peer", "unix().send(b'x')", "ENOTCONN"),
    ("sendto an address on a unix pair", "a, b = upair(); a.sendto(b'x', 'name')", "EISCONN"),
    ("send into a full unix pair", "a, b = upair(); fill(a).send(b'x')", "EAGAIN"),
    ("sendmsg with a malformed control message",
     "udp().sendmsg([b'x'], [(0, 2, b'')], 0, (LO, 9))", "EINVAL"),
    ("sendmsg with an unknown IP control message",
     "udp().sendmsg([b'x'], [(0, 99, b'1234')], 0, (LO, 9))", "EINVAL"),
    ("sendmsg with IP_TTL 0 as control message",
     "udp().sendmsg([b'x'], [(0, 2, struct.pack('i', 0))], 0, (LO, 9))", "EINVAL"),
    ("sendmsg with IP_TOS as control message",
     "out = udp().sendmsg([b'x'], [(0, 1, b'\\x10')], 0, (LO, 9))", 1),
    ("sendmsg with UDP_SEGMENT of a wrong size",
     "udp().sendmsg([b'x'], [(17, 103, b'x')], 0, (LO, 9))", "EINVAL"),
    ("sendmsg with a socket control message that is none",
     "udp().sendmsg([b'x'], [(1, 99, b'1234')], 0, (LO, 9))", "EINVAL"),
    # -- receiving ---------------------------------------------------------------------------------
    ("recv without a connection", "tcp().recv(1)", "ENOTCONN"),
    ("recv on a listener", "listener().recv(1)", "ENOTCONN"),
    ("recv when there is nothing", "a, b = conn(); a.recv(1, MSG_DONTWAIT)", "EAGAIN"),
    ("recv with SO_RCVTIMEO",
     "a, b = conn(); a.setsockopt(1, 20, struct.pack('ll', 0, 20000)); a.recv(1)", "EAGAIN"),
    ("recv out of band when there is none", "a, b = conn(); a.recv(1, MSG_OOB)", "EINVAL"),
    ("recv after shutdown", "a, b = conn(); a.shutdown(SHUT_RD); out = a.recv(1)", b""),
    ("recv after the peer's FIN, and again",
     "a, b = conn(); b.close(); out = a.recv(1), a.recv(1)", (b"", b"")),
    ("recv after a reset", "reset_by_peer().recv(1)", "ECONNRESET"),
    ("recv twice after a reset",
     "s = reset_by_peer(); e = signals(lambda: s.recv(1)); out = e, s.recv(1)",
     ("ECONNRESET", b"")),
    ("recv of the error queue when it is empty", "tcp().recv(1, MSG_ERRQUEUE)", "EAGAIN"),
    ("recv of UDP's error queue when it is empty", "udp().recv(1, MSG_ERRQUEUE)", "EAGAIN"),
    ("recv of UDP when there is nothing", "udp().recv(1, MSG_DONTWAIT)", "EAGAIN"),
    ("recv of UDP out of band", "udp().recv(1, MSG_OOB | MSG_DONTWAIT)", "EAGAIN"),
    ("recv of UDP after a refusal", "refused().recv(1)", "ECONNREFUSED"),
    ("recv of UDP after a refusal that SO_ERROR took",
     "s = refused(); e = s.getsockopt(1, 4)\n"
     "out = errno.errorcode[e], signals(lambda: s.recv(1, MSG_DONTWAIT))",
     ("ECONNREFUSED", "EAGAIN")),
    ("recv of UDP after shutdown",
     "s = udp(); s.connect((LO, 9)); s.shutdown(SHUT_RD); out = s.recv(1)", b""),
    ("recv of a datagram that is cut", "s = udp(); s.bind((LO, 0)); s.connect(s.getsockname())\n"
     "s.send(b'12345'); out = s.recvmsg(2)[2] & MSG_TRUNC != 0", True),
    ("recv of a datagram's true length", "s = udp(); s.bind((LO, 0)); s.connect(s.getsockname())\n"
     "s.send(b'12345'); b = bytearray(2); out = s.recv_into(b, 2, MSG_TRUNC)", 5),
    ("recv on a unix socket without a peer", "unix().recv(1)", "EINVAL"),
    ("read of a socket at a position", "os.pread(conn()[0].fileno(), 1, 0)", "ESPIPE"),
    ("write of a socket at a position", "os.pwrite(conn()[0].fileno(), b'x', 0)", "ESPIPE"),
    ("lseek of a socket", "os.lseek(tcp().fileno(), 0, 0)", "ESPIPE"),
    ("read of nothing from a socket without a connection",
     "out = os.read(tcp().fileno(), 0)", b""),
    # -- options -----------------------------------------------------------------------------------
    ("set an unknown socket option", "tcp().setsockopt(1, 999, 1)", "ENOPROTOOPT"),
    ("get an unknown socket option", "tcp().getsockopt(1, 999)", "ENOPROTOOPT"),
    ("set an option of an unknown level", "tcp().setsockopt(99, 1, 1)", "ENOPROTOOPT"),
    ("get an option of an unknown level", "tcp().getsockopt(99, 1)", "EOPNOTSUPP"),
    ("get an option of an unknown level from UDP", "udp().getsockopt(99, 1)", "EOPNOTSUPP"),
    ("set an option of an unknown level of UDP", "udp().setsockopt(99, 1, 1)", "ENOPROTOOPT"),
    ("set a short socket option", "tcp().setsockopt(1, 2, b'x')", "EINVAL"),
    ("set an empty socket option", "tcp().setsockopt(1, 2, b'')", "EINVAL"),
    ("set an option at no address", "tcp().setsockopt(1, 2, None, 4)", "EFAULT"),
    ("set SO_TYPE", "tcp().setsockopt(1, 3, 1)", "ENOPROTOOPT"),
    ("set SO_ERROR", "tcp().setsockopt(1, 4, 1)", "ENOPROTOOPT"),
    ("set SO_PROTOCOL", "tcp().setsockopt(1, 38, 1)", "ENOPROTOOPT"),
    ("set SO_DOMAIN", "tcp().setsockopt(1, 39, 1)", "ENOPROTOOPT"),
    ("set SO_ACCEPTCONN", "tcp().setsockopt(1, 30, 1)", "ENOPROTOOPT"),
    ("set SO_SNDLOWAT", "tcp().setsockopt(1, 19, 1)", "ENOPROTOOPT"),
    ("set SO_PEERNAME", "tcp().setsockopt(1, 28, 1)", "ENOPROTOOPT"),
    ("set SO_COOKIE", "tcp().setsockopt(1, 57, 1)", "ENOPROTOOPT"),
    ("set a short SO_LINGER", "tcp().setsockopt(1, 13, 1)", "EINVAL"),
    ("set a short SO_RCVTIMEO", "tcp().setsockopt(1, 20, 1)", "EINVAL"),
    ("set SO_SNDTIMEO with too many microseconds",
     "tcp().setsockopt(1, 21, struct.pack('ll', 0, 1000000))", "EDOM"),
    ("set SO_RCVTIMEO below zero",
     "s = tcp(); s.setsockopt(1, 20, struct.pack('ll', -1, 0)); out = s.getsockopt(1, 20, 16)",
     bytes(16)),
    ("get SO_RCVTIMEO_NEW",
     "s = tcp(); s.setsockopt(1, 66, struct.pack('ll', 3, 4000)); out = s.getsockopt(1, 20, 16)",
     (3).to_bytes(8, "little") + (4000).to_bytes(8, "little")),
    ("set SO_BINDTODEVICE to no device", "tcp().setsockopt(1, 25, b'nodev\\0')", "ENODEV"),
    ("set SO_ZEROCOPY to 2", "tcp().setsockopt(1, 60, 2)", "EINVAL"),
    ("set SO_ZEROCOPY of a unix socket", "unix().setsockopt(1, 60, 1)", "EOPNOTSUPP"),
    ("set SO_BUSY_POLL below zero", "tcp().setsockopt(1, 46, -1)", "EINVAL"),
    ("set SO_PEEK_OFF of TCP", "s = tcp(); s.setsockopt(1, 42, 1); out = s.getsockopt(1, 42)", 1),
    ("set SO_MAX_PACING_RATE short", "tcp().setsockopt(1, 47, b'x')", "EINVAL"),
    ("set SO_TIMESTAMPING to unknown flags", "tcp().setsockopt(1, 37, 1 << 30)", "EINVAL"),
    ("set SO_TXREHASH to 2", "tcp().setsockopt(1, 74, 2)", "EINVAL"),
    ("set SO_RESERVE_MEM below zero", "tcp().setsockopt(1, 73, -1)", "EINVAL"),
    ("set SO_RCVLOWAT below zero",
     "s = tcp(); s.setsockopt(1, 18, -1); out = s.getsockopt(1, 18)", 0x7FFFFFFF),
    ("set SO_RCVLOWAT to 0", "s = tcp(); s.setsockopt(1, 18, 0); out = s.getsockopt(1, 18)", 1),
    ("set SO_PRIORITY to 6", "s = tcp(); s.setsockopt(1, 12, 6); out = s.getsockopt(1, 12)", 6),
    ("set SO_ATTACH_FILTER of nothing", "tcp().setsockopt(1, 26, bytes(16))", "EINVAL"),
    ("detach a filter that is not there", "tcp().setsockopt(1, 27, 0)", "ENOENT"),
    ("get SO_PEERNAME without a peer", "tcp().getsockopt(1, 28, 16)", "ENOTCONN"),
    ("get SO_PEERCRED of TCP", "out = tcp().getsockopt(1, 17, 12)",
     bytes(4) + b"\xff" * 8),
    ("get SO_TYPE, SO_PROTOCOL, SO_DOMAIN",
     "s = udp(); out = [s.getsockopt(1, n) for n in (3, 38, 39)]", [2, 17, 2]),
    ("get SO_ACCEPTCONN", "out = tcp().getsockopt(1, 30), listener().getsockopt(1, 30)", (0, 1)),
    ("get SO_COOKIE", "s = tcp(); c = s.getsockopt(1, 57, 8)\n"
     "out = c == s.getsockopt(1, 57, 8) != tcp().getsockopt(1, 57, 8)", True),
    ("get SO_COOKIE short", "tcp().getsockopt(1, 57, 4)", "EINVAL"),
    ("get SO_LINGER short", "s = tcp(); s.setsockopt(1, 13, struct.pack('ii', 1, 7))\n"
     "out = s.getsockopt(1, 13, 8), s.getsockopt(1, 13, 4)",
     (b"\1\0\0\0\7\0\0\0", b"\1\0\0\0")),
    ("get an option into one byte", "out = listener().getsockopt(1, 30, 1)", b"\1"),
    ("get SO_SNDBUF after SO_SNDBUF 0",
     "s = tcp(); s.setsockopt(1, 7, 0); out = s.getsockopt(1, 7)", 4608),
    ("get SO_RCVBUF after SO_RCVBUF 0",
     "s = tcp(); s.setsockopt(1, 8, 0); out = s.getsockopt(1, 8)", 2304),
    ("get SO_INCOMING_NAPI_ID", "out = tcp().getsockopt(1, 56)", 0),
    ("get SO_BUSY_POLL", "out = tcp().getsockopt(1, 46)", 0),
    ("set an unknown option of TCP", "tcp().setsockopt(6, 999, 1)", "ENOPROTOOPT"),
    ("get an unknown option of TCP", "tcp().getsockopt(6, 999)", "ENOPROTOOPT"),
    ("set a short option of TCP", "tcp().setsockopt(6, 1, b'x')", "EINVAL"),
    ("set TCP_MAXSEG to 1", "tcp().setsockopt(6, 2, 1)", "EINVAL"),
    ("set TCP_MAXSEG beyond 32 KiB", "tcp().setsockopt(6, 2, 32768)", "EINVAL"),
    ("set TCP_KEEPIDLE to 0", "tcp().setsockopt(6, 4, 0)", "EINVAL"),
    ("set TCP_KEEPINTVL to 32768", "tcp().setsockopt(6, 5, 32768)", "EINVAL"),
    ("set TCP_KEEPCNT to 128", "tcp().setsockopt(6, 6, 128)", "EINVAL"),
    ("set TCP_SYNCNT to 0", "tcp().setsockopt(6, 7, 0)", "EINVAL"),
    ("set TCP_USER_TIMEOUT below zero", "tcp().setsockopt(6, 18, -1)", "EINVAL"),
    ("set TCP_CONGESTION to an unknown name", "tcp().setsockopt(6, 13, b'nosuch')", "ENOENT"),
    ("set TCP_CONGESTION to nothing", "tcp().setsockopt(6, 13, b'')", "EINVAL"),
    ("set TCP_ULP to an unknown name", "tcp().setsockopt(6, 31, b'nosuch')", "ENOENT"),
    ("set TCP_WINDOW_CLAMP to 0 while connected", "conn()[0].setsockopt(6, 10, 0)", "EINVAL"),
    ("set TCP_FASTOPEN while connected", "conn()[0].setsockopt(6, 23, 1)", "EINVAL"),
    ("set TCP_INQ to 2", "tcp().setsockopt(6, 36, 2)", "EINVAL"),
    ("set TCP_INFO", "tcp().setsockopt(6, 11, 1)", "ENOPROTOOPT"),
    ("set an option of TCP on UDP", "udp().setsockopt(6, 1, 1)", "ENOPROTOOPT"),
    ("set an unknown option of UDP", "udp().setsockopt(17, 999, 1)", "ENOPROTOOPT"),
    ("set UDP_SEGMENT beyond 64 KiB", "udp().setsockopt(17, 103, 65536)", "EINVAL"),
    ("get an unknown option of UDP", "udp().getsockopt(17, 999)", "ENOPROTOOPT"),
    ("set an unknown option of IP", "udp().setsockopt(0, 999, 1)", "ENOPROTOOPT"),
    ("get an unknown option of IP", "udp().getsockopt(0, 999)", "ENOPROTOOPT"),
    ("set IP_TTL to 0", "udp().setsockopt(0, 2, 0)", "EINVAL"),
    ("set IP_TTL to 256", "udp().setsockopt(0, 2, 256)", "EINVAL"),
    ("set IP_TTL as one byte", "s = udp(); s.setsockopt(0, 2, b'\\7'); out = s.getsockopt(0, 2)", 7),
    ("set an empty IP_TTL", "udp().setsockopt(0, 2, b'')", "EINVAL"),
    ("set IP_MTU_DISCOVER to 9", "udp().setsockopt(0, 10, 9)", "EINVAL"),
    ("get IP_MTU without a peer", "udp().getsockopt(0, 14)", "ENOTCONN"),
    ("set IP_HDRINCL of UDP", "udp().setsockopt(0, 3, 1)", "ENOPROTOOPT"),
    ("set IP_MULTICAST_TTL of TCP", "tcp().setsockopt(0, 33, 1)", "EINVAL"),
    ("set IP_MULTICAST_TTL to 256", "udp().setsockopt(0, 33, 256)", "EINVAL"),
    ("leave a group that was not joined",
     "udp().setsockopt(0, 36, inet_aton('224.1.2.3') + inet_aton('127.0.0.1'))", "EADDRNOTAVAIL"),
    ("join something that is no group",
     "udp().setsockopt(0, 35, inet_aton('10.1.2.3') + inet_aton('127.0.0.1'))", "EINVAL"),
    ("join with a short argument", "udp().setsockopt(0, 35, b'1234')", "EINVAL"),
    ("set an option of a unix socket's own level", "unix().setsockopt(0, 1, 1)", "EOPNOTSUPP"),
    # -- ioctl, fcntl ------------------------------------------------------------------------------
    ("ioctl that nobody knows", "fcntl.ioctl(tcp(), 0x1234)", "ENOTTY"),
    ("ioctl for the terminal's size", "os.get_terminal_size(tcp().fileno())", "ENOTTY"),
    ("SIOCINQ of a listener", "fcntl.ioctl(listener(), 0x541B, b'1234')", "EINVAL"),
    ("SIOCINQ",
     "a, b = conn(); b.send(b'12345'); time.sleep(0.05)\n"
     "out = struct.unpack('i', fcntl.ioctl(a, 0x541B, b'1234'))[0]", 5),
    ("SIOCINQ of UDP",
     "s = udp(); s.bind((LO, 0)); s.connect(s.getsockname()); s.send(b'123'); s.send(b'1')\n"
     "out = struct.unpack('i', fcntl.ioctl(s, 0x541B, b'1234'))[0]", 3),
    ("SIOCINQ of a unix pair",
     "a, b = upair(); a.send(b'123'); a.send(b'1')\n"
     "out = struct.unpack('i', fcntl.ioctl(b, 0x541B, b'1234'))[0]", 4),
    ("SIOCOUTQ of an idle connection",
     "out = struct.unpack('i', fcntl.ioctl(conn()[0], 0x5411, b'1234'))[0]", 0),
    ("SIOCATMARK", "out = struct.unpack('i', fcntl.ioctl(conn()[0], 0x8905, b'1234'))[0]", 0),
    ("FIONBIO", "a, b = conn(); fcntl.ioctl(a, 0x5421, struct.pack('i', 1)); a.recv(1)", "EAGAIN"),
    ("FIOCLEX", "s = tcp(); fcntl.fcntl(s, 2, 0); fcntl.ioctl(s, 0x5451)\n"
     "out = fcntl.fcntl(s, 1)", 1),
    ("SIOCGPGRP", "out = struct.unpack('i', fcntl.ioctl(tcp(), 0x8904, b'1234'))[0]", 0),
    ("SIOCGIFADDR of lo",
     "out = fcntl.ioctl(udp(), 0x8915, struct.pack('16s24x', b'lo'))[20:24]", b"\x7f\0\0\1"),
    ("SIOCGIFNETMASK of lo",
     "out = fcntl.ioctl(udp(), 0x891B, struct.pack('16s24x', b'lo'))[20:24]", b"\xff\0\0\0"),
    ("SIOCGIFADDR of no device",
     "fcntl.ioctl(udp(), 0x8915, struct.pack('16s24x', b'nodev'))", "ENODEV"),
    ("SIOCGIFINDEX of lo",
     "out = struct.unpack('16si20x', fcntl.ioctl(udp(), 0x8933, struct.pack('16s24x', b'lo')))[1]",
     1),
    ("SIOCGIFINDEX of no device",
     "fcntl.ioctl(udp(), 0x8933, struct.pack('16s24x', b'nodev'))", "ENODEV"),
    ("SIOCGIFMTU of lo",
     "out = struct.unpack('16si20x', fcntl.ioctl(udp(), 0x8921, struct.pack('16s24x', b'lo')))[1]",
     65536),
    ("SIOCGIFFLAGS of lo",
     "out = struct.unpack('16sh22x', fcntl.ioctl(udp(), 0x8913, struct.pack('16s24x', b'lo')))[1]",
     0x49),
    ("SIOCGIFHWADDR of lo",
     "out = fcntl.ioctl(udp(), 0x8927, struct.pack('16s24x', b'lo'))[16:24]",
     b"\x04\x03" + bytes(6)),
    ("SIOCGIFNAME of 1",
     "out = fcntl.ioctl(udp(), 0x8910, struct.pack('16si20x', b'', 1))[:3]", b"lo\0"),
    ("SIOCGIFADDR of a unix socket",
     "out = fcntl.ioctl(unix(), 0x8933, struct.pack('16s24x', b'lo'))[16:20]", b"\1\0\0\0"),
    ("fcntl that nobody knows", "fcntl.fcntl(tcp(), 9999)", "EINVAL"),
    ("F_DUPFD below zero", "fcntl.fcntl(tcp(), 0, -1)", "EINVAL"),
    # -- poll, select, epoll -----------------------------------------------------------------------
    ("poll of a new TCP socket", "out = polled(tcp()) & ~0x300", 0x14),
    ("poll of a new UDP socket", "out = polled(udp()) & 0x203F", 0x4),
    ("poll of a listener", "out = polled(listener())", 0),
    ("poll of a connection", "out = polled(conn()[0]) & 0x203F", 0x4),
    ("poll of a full connection", "a, b = conn(); out = polled(fill(a))", 0),
    ("poll after the peer's FIN",
     "a, b = conn(); b.close(); time.sleep(0.05); out = polled(a) & 0x203F", 0x2005),
    ("poll after shutdown for reading",
     "a, b = conn(); a.shutdown(SHUT_RD); out = polled(a) & 0x203F", 0x2005),
    ("poll after shutdown for writing",
     "a, b = conn(); a.shutdown(SHUT_WR); out = polled(a) & 0x203F", 0x4),
    ("poll after shutdown on both sides",
     "a, b = conn(); a.shutdown(SHUT_WR); b.shutdown(SHUT_WR); time.sleep(0.05)\n"
     "out = polled(a) & 0x203F", 0x2015),
    ("poll after a reset", "out = polled(reset_by_peer()) & 0x203F", 0x201D),
    ("poll of UDP after a refusal", "out = polled(refused()) & 0x203F", 0xC),
    ("poll of a refused connection",
     "s = tcp(); s.setblocking(False); s.connect_ex((LO, free_port())); time.sleep(0.05)\n"
     "out = polled(s) & 0x203F", 0x201D),
    ("poll of urgent data",
     "a, b = conn(); b.send(b'x', MSG_OOB); time.sleep(0.05); out = polled(a) & 0x203F", 0x6),
    ("poll of a pipe's end whose other is closed",
     "r, w = os.pipe(); os.close(w); out = polled(r); os.close(r)", 0x10),
    ("poll of a pipe's end that nobody reads",
     "r, w = os.pipe(); os.close(r); out = polled(w) & 0x3F; os.close(w)", 0xC),
    ("poll of a closed unix pair", "a, b = upair(); b.close(); out = polled(a) & 0x203F", 0x2015),
    ("poll of a unix socket without a peer", "out = polled(unix()) & 0x203F", 0x14),
    ("poll of a closed descriptor",
     "s = tcp(); fd = s.fileno(); s.close(); out = polled(fd)", 0x20),
    ("select of a closed descriptor",
     "s = tcp(); fd = s.fileno(); s.close(); select.select([fd], [], [], 0)", "EBADF"),
    ("select of an urgent byte",
     "a, b = conn(); b.send(b'x', MSG_OOB); time.sleep(0.05)\n"
     "out = [len(ready) for ready in select.select([a], [a], [a], 0)]", [0, 1, 1]),
    ("epoll_ctl adds twice", "s = tcp(); e = edge(s, 1); e.register(s, 1)", "EEXIST"),
    ("epoll_ctl changes what is not there", "edge(tcp(), 1).modify(tcp(), 1)", "ENOENT"),
    ("epoll_ctl takes away what is not there", "edge(tcp(), 1).unregister(tcp())", "ENOENT"),
    ("epoll_ctl with itself", "e = edge(tcp(), 1); e.register(e, 1)", "EINVAL"),
    ("epoll_ctl in a circle", "a = edge(tcp(), 1); b = edge(a, 1); a.register(b, 1)", "ELOOP"),
    ("epoll_ctl in a chain of six",
     "e = edge(tcp(), 1)\nfor _ in range(5): e = edge(e, 1)", "ELOOP"),
    ("epoll_ctl of a regular file",
     "f = keep(open(__file__)); edge(f, 1)", "EPERM"),
    ("epoll_ctl of a closed descriptor",
     "s = tcp(); fd = s.fileno(); s.close(); edge(fd, 1)", "EBADF"),
    ("epoll_ctl on a socket", "select.epoll.fromfd(os.dup(tcp().fileno())).register(tcp())",
     "EINVAL"),
    ("epoll_ctl changes an exclusive one",
     "s = tcp(); e = edge(s, 1 | 1 << 28); e.modify(s, 1)", "EINVAL"),
    ("epoll_ctl makes one exclusive later",
     "s = tcp(); e = edge(s, 1); e.modify(s, 1 | 1 << 28)", "EINVAL"),
    ("epoll_ctl exclusive with EPOLLONESHOT", "edge(tcp(), 1 | 1 << 28 | 1 << 30)", "EINVAL"),
    ("epoll_ctl exclusive with EPOLLRDHUP", "edge(tcp(), 1 | 1 << 28 | 0x2000)", "EINVAL"),
    ("epoll_ctl exclusive of an epoll", "edge(edge(tcp(), 1), 1 | 1 << 28)", "EINVAL"),
    ("epoll_wait on a level", "a, b = conn(); e = edge(a, 4)\n"
     "out = [[v for _, v in e.poll(0)] for _ in '12']", [[4], [4]]),
    ("epoll_wait on an edge", "a, b = conn(); e = edge(a, 4 | 1 << 31)\n"
     "out = [[v for _, v in e.poll(0)] for _ in '12']", [[4], []]),
    ("epoll_wait on an edge for data that comes in two pieces",
     "a, b = conn(); e = edge(a, 1 | 1 << 31); out = []\n"
     "for _ in '12':\n"
     "    b.send(b'x'); time.sleep(0.05); out.append(len(e.poll(0))); out.append(len(e.poll(0)))",
     [1, 0, 1, 0]),
    ("epoll_wait on an edge for room", "a, b = conn(); e = edge(fill(a), 4 | 1 << 31)\n"
     "first = len(e.poll(0)); b.setblocking(True); total = 0\n"
     "while not e.poll(0) and total < 1 << 23: total += len(b.recv(1 << 20)); time.sleep(0.01)\n"
     "out = first, total > 0, len(e.poll(0))", (0, True, 0)),
    ("epoll_wait on an edge after a change",
     "a, b = conn(); e = edge(a, 4 | 1 << 31); n = len(e.poll(0)); e.modify(a, 4 | 1 << 31)\n"
     "out = n, len(e.poll(0))", (1, 1)),
    ("epoll_wait once", "a, b = conn(); e = edge(a, 4 | 1 << 30)\n"
     "out = [len(e.poll(0)), len(e.poll(0))]; e.modify(a, 4 | 1 << 30); out.append(len(e.poll(0)))",
     [1, 0, 1]),
    ("epoll_wait once says nothing of a hang-up later",
     "a, b = conn(); e = edge(a, 4 | 1 << 30); e.poll(0); b.close(); a.shutdown(1)\n"
     "time.sleep(0.05); out = e.poll(0)", []),
    ("epoll_wait of a hang-up that nobody asked for",
     "e = edge(tcp(), 0); out = [v for _, v in e.poll(0)]", [0x10]),
    ("epoll_wait of a closed descriptor",
     "s = tcp(); e = edge(s, 4); n = len(e.poll(0)); s.close(); out = n, len(e.poll(0))", (1, 0)),
    ("epoll_wait of a duplicate of a closed descriptor",
     "s = tcp(); d = os.dup(s.fileno()); e = edge(s, 4); s.close(); out = len(e.poll(0))\n"
     "os.close(d)", 1),
    ("epoll_wait of an epoll in an epoll",
     "a, b = conn(); e = edge(edge(a, 4), 1); out = [v for _, v in e.poll(0)]", [1]),
    ("epoll_wait takes turns",
     "s = [conn()[0] for _ in '123']; e = edge(s[0], 4); e.register(s[1], 4); e.register(s[2], 4)\n"
     "got = [e.poll(0, 1)[0][0] for _ in range(6)]; out = len(set(got)), got[:3] == got[3:]",
     (3, True)),
    ("epoll_wait that times out",
     "t = time.monotonic(); n = edge(listener(), 1).poll(0.05)\n"
     "out = n, time.monotonic() - t >= 0.05", ([], True)),
    # -- pipes and files towards sockets -----------------------------------------------------------
    ("sendfile after shutdown",
     "a, b = conn(); a.shutdown(1); f = keep(open(__file__, 'rb'))\n"
     "os.sendfile(a.fileno(), f.fileno(), 0, 10)", "EPIPE"),
    ("sendfile from a socket", "a, b = conn(); os.sendfile(a.fileno(), b.fileno(), 0, 10)", "ESPIPE"),
    ("splice after shutdown",
     "a, b = conn(); a.shutdown(1); r, w = os.pipe(); os.write(w, b'x')\n"
     "os.splice(r, a.fileno(), 1)", "EPIPE"),
    ("splice between sockets",
     "a, b = conn(); os.splice(a.fileno(), b.fileno(), 1)", "EINVAL"),
    ("splice with an offset of a socket",
     "a, b = conn(); r, w = os.pipe(); os.write(w, b'x')\n"
     "os.splice(r, a.fileno(), 1, None, 3)", "ESPIPE"),
    ("write to a pipe that nobody reads",
     "r, w = os.pipe(); os.close(r); os.write(w, b'x')", "EPIPE"),
    ("dup2 to a descriptor beyond all", "os.dup2(tcp().fileno(), 1 << 30)", "EBADF"),
    ("fsync of a socket", "os.fsync(tcp().fileno())", "EINVAL"),
]  # fmt: skip
