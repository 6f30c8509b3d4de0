"""What goes wrong at the socket API, one small program a row: (what, statements, outcome).

The outcome is the errno's name, or the value of `out` where a call must succeed. The statements run
as an unmodified program, on a machine of ours and under the real Linux; see test_errno_table.py.
Those about options and ioctls are in errno_option_cases.py.
"""

from __future__ import annotations

__all__ = ["CALL_CASES", "PRELUDE"]

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

def unix_listener(name, backlog=8):
    sk = unix()
    sk.bind(name)
    sk.listen(backlog)
    return sk

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

CALL_CASES: list[tuple[str, str, object]] = [
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
    ("connect to a broadcast address", "udp().connect(('127.255.255.255', 9))", "EACCES"),
    ("connect to a multicast group with TCP", "tcp().connect(('224.0.0.1', 9))", "ENETUNREACH"),
    ("connect without waiting",
     "s = tcp(); s.setblocking(False); s.connect(('127.0.0.1', listener().getsockname()[1]))",
     "EINPROGRESS"),
    ("connect again after a refusal",
     "s = tcp(); p = (LO, free_port()); s.connect_ex(p); s.connect(p)", "ECONNREFUSED"),
    ("connect without waiting, then SO_ERROR",
     "s = tcp(); s.setblocking(False); s.connect_ex((LO, free_port()))\n"
     "select.select([], [s], []); out = errno.errorcode[s.getsockopt(1, 4)], s.getsockopt(1, 4)",
     ("ECONNREFUSED", 0)),
    ("connect without waiting, then again",
     "s = tcp(); s.setblocking(False); a = listener().getsockname(); s.connect_ex(a)\n"
     "select.select([], [s], []); out = s.connect_ex(a), errno.errorcode[s.connect_ex(a)]",
     (0, "EISCONN")),
    ("connect with SO_SNDTIMEO to a backlog that is full",
     "s = listener(0); a = s.getsockname(); tcp().connect(a); c = tcp()\n"
     "c.setsockopt(1, 21, struct.pack('ll', 0, 50000)); c.connect(a)", "EINPROGRESS"),
    ("connect again while a connect is under way",
     "s = listener(0); a = s.getsockname(); tcp().connect(a); c = tcp(); c.setblocking(False)\n"
     "c.connect_ex(a); c.connect(a)", "EALREADY"),
    ("send while a connect is under way",
     "s = listener(0); a = s.getsockname(); tcp().connect(a); c = tcp(); c.setblocking(False)\n"
     "c.connect_ex(a); c.send(b'x')", "EAGAIN"),
    ("recv while a connect is under way",
     "s = listener(0); a = s.getsockname(); tcp().connect(a); c = tcp(); c.setblocking(False)\n"
     "c.connect_ex(a); c.recv(1)", "EAGAIN"),
    ("getpeername while a connect is under way",
     "s = listener(0); a = s.getsockname(); tcp().connect(a); c = tcp(); c.setblocking(False)\n"
     "c.connect_ex(a); c.getpeername()", "ENOTCONN"),
    ("poll while a connect is under way",
     "s = listener(0); a = s.getsockname(); tcp().connect(a); c = tcp(); c.setblocking(False)\n"
     "c.connect_ex(a); out = polled(c)", 0),
    ("connect of a unix socket to nowhere", "unix().connect('\\0no such name')", "ECONNREFUSED"),
    ("connect of a unix socket to one that does not listen",
     "s = unix(); s.bind('\\0one'); unix().connect('\\0one')", "ECONNREFUSED"),
    ("connect of a unix socket to a name that is gone",
     "s = unix_listener('\\0gone'); s.close(); unix().connect('\\0gone')", "ECONNREFUSED"),
    ("connect of a unix socket twice",
     "unix_listener('\\0two'); s = unix(); s.connect('\\0two'); s.connect('\\0two')", "EISCONN"),
    ("connect of a unix listener",
     "s = unix_listener('\\0self'); s.connect('\\0self')", "EINVAL"),
    ("connect of a unix socket to a full backlog",
     "unix_listener('\\0full', 0); unix().connect('\\0full'); s = unix(); s.setblocking(False)\n"
     "s.connect('\\0full')", "EAGAIN"),
    ("bind of a unix socket to a name in use",
     "unix_listener('\\0used'); unix().bind('\\0used')", "EADDRINUSE"),
    ("bind of a unix socket twice",
     "s = unix(); s.bind('\\0first'); s.bind('\\0second')", "EINVAL"),
    ("listen on a unix socket without a name", "unix().listen(1)", "EINVAL"),
    ("listen on a unix pair", "upair()[0].listen(1)", "EINVAL"),
    ("accept on a unix socket that does not listen", "unix().accept()", "EINVAL"),
    ("accept on a unix socket when nobody has come",
     "s = unix_listener('\\0idle'); s.setblocking(False); s.accept()", "EAGAIN"),
    ("accept on a unix socket after shutdown",
     "s = unix_listener('\\0shut'); s.shutdown(SHUT_RD); s.accept()", "EINVAL"),
    ("names of a unix connection",
     "s = unix_listener('\\0names'); c = unix(); c.connect('\\0names'); a = keep(s.accept()[0])\n"
     "out = c.getpeername(), c.getsockname(), a.getsockname(), a.getpeername()",
     (b"\0names", "", b"\0names", "")),
    ("name that a unix socket chooses itself",
     "s = unix(); s.bind(''); n = s.getsockname(); out = len(n), n[:1]", (6, b"\0")),
    ("data of a unix connection",
     "s = unix_listener('\\0data'); c = unix(); c.connect('\\0data'); c.send(b'before')\n"
     "a = keep(s.accept()[0]); a.send(b'answer'); out = a.recv(9), c.recv(9)",
     (b"before", b"answer")),
    ("poll of a unix listener",
     "s = unix_listener('\\0poll'); n = polled(s) & 0x203F; c = unix(); c.connect('\\0poll')\n"
     "out = n, polled(s) & 0x203F", (0, 1)),
    ("end of a unix socket that has not read all",
     "a, b = upair(); a.send(b'unread'); b.close(); n = polled(a) & 0x203F\n"
     "out = n, signals(lambda: a.recv(1)), a.recv(1)", (0x201D, "ECONNRESET", b"")),
    ("end of a unix listener sends away who waits",
     "s = unix_listener('\\0end'); c = unix(); c.connect('\\0end'); s.close()\n"
     "out = signals(lambda: c.recv(1)), polled(c) & 0x203F, c.recv(1)",
     ("ECONNRESET", 0x2015, b"")),
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
    ("sendto a broadcast address", "udp().sendto(b'x', ('127.255.255.255', 9))", "EACCES"),
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
    ("select of an urgent byte",
     "a, b = conn(); b.send(b'x', MSG_OOB); time.sleep(0.05)\n"
     "out = [len(ready) for ready in select.select([a], [a], [a], 0)]", [0, 1, 1]),
    ("recv of an urgent byte",
     "a, b = conn(); b.send(b'abc', MSG_OOB); time.sleep(0.05)\n"
     "out = a.recv(9), a.recv(1, MSG_OOB), signals(lambda: a.recv(1, MSG_OOB))",
     (b"ab", b"c", "EINVAL")),
    ("SIOCATMARK at an urgent byte",
     "a, b = conn(); b.send(b'x', MSG_OOB); time.sleep(0.05)\n"
     "out = struct.unpack('i', fcntl.ioctl(a, 0x8905, b'1234'))[0]", 1),
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
     "s = tcp(); fd = s.fileno(); e = edge(tcp(), 1); s.close(); e.register(fd, 1)", "EBADF"),
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
     "out = n, time.monotonic() - t > 0.049", ([], True)),
    # -- pipes and files towards sockets -----------------------------------------------------------
    ("sendfile after shutdown",
     "a, b = conn(); a.shutdown(1); f = keep(open(__file__, 'rb'))\n"
     "os.sendfile(a.fileno(), f.fileno(), 0, 10)", "EPIPE"),
    ("sendfile from a socket",
     "a, b = conn(); os.sendfile(a.fileno(), b.fileno(), 0, 10)", "ESPIPE"),
    ("splice after shutdown",
     "a, b = conn(); a.shutdown(1); r, w = os.pipe(); os.write(w, b'x')\n"
     "os.splice(r, a.fileno(), 1)", "EPIPE"),
    ("splice between sockets",
     "a, b = conn(); os.splice(a.fileno(), b.fileno(), 1)", "EINVAL"),
    ("splice with an offset of a socket",
     "a, b = conn(); r, w = os.pipe(); os.write(w, b'x')\n"
     "os.splice(r, a.fileno(), 1, None, 3)", "EINVAL"),
    ("write to a pipe that nobody reads",
     "r, w = os.pipe(); os.close(r); os.write(w, b'x')", "EPIPE"),
    ("dup2 to a descriptor beyond all", "os.dup2(tcp().fileno(), 1 << 30)", "EBADF"),
    ("fsync of a socket", "os.fsync(tcp().fileno())", "EINVAL"),
]  # fmt: skip
