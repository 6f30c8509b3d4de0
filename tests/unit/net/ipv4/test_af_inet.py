"""Internet sockets through system calls, over the loopback device."""

from __future__ import annotations

import struct

import pytest

from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.process import SIGPIPE
from pyhost.net.core.sock import InetSock, Proto
from pyhost.net.ipv4.af_inet import inet_dgram_ops, inet_stream_ops
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.net.ipv4.udp.udp import udp_prot
from pyhost.net.socket import SS_CONNECTED, SS_UNCONNECTED, ProtoOps
from pyhost.security.hooks import Rule
from pyhost.uapi.errno import (
    EACCES,
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EAGAIN,
    ECONNREFUSED,
    EDOM,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENODEV,
    ENOPROTOOPT,
    ENOTCONN,
    EOPNOTSUPP,
    EPIPE,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from pyhost.uapi.fcntl import O_CREAT, O_RDWR
from pyhost.uapi.poll import POLLIN, POLLOUT
from pyhost.uapi.socket import (
    AF_INET,
    AF_UNSPEC,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SHUT_RDWR,
    SHUT_WR,
    SO_BINDTODEVICE,
    SO_ERROR,
    SO_LINGER,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    pack_sockaddr_in,
    unpack_sockaddr_in,
)
from tests.unit.support import Program, run, run_in_process

LOOPBACK = 0x7F000001
MS = 1_000_000


@pytest.fixture
def kernel() -> Kernel:
    return boot(VirtualClock())


def sock(p: Program, sock_type: int = SOCK_STREAM) -> int:
    fd = p("socket", AF_INET, sock_type, 0)
    assert fd >= 0, f"errno {-fd}"
    return fd


def call(p: Program, name: str, fd: int, addr: int, port: int) -> int:
    """bind or connect with a sockaddr_in."""
    return p(name, fd, p.store(pack_sockaddr_in(addr, port)), 16)


def name_of(p: Program, fd: int, which: str = "getsockname") -> tuple[int, int]:
    """(address, port) of one end."""
    addr, length = p.room(16), p.store(struct.pack("<i", 16))
    assert p(which, fd, addr, length) == 0
    return unpack_sockaddr_in(p.load(addr, 16))[1:]


def listener(p: Program, port: int = 80, flags: int = 0) -> int:
    fd = sock(p, SOCK_STREAM | flags)
    assert call(p, "bind", fd, LOOPBACK, port) == 0
    assert p("listen", fd, 5) == 0
    return fd


def connected_pair(p: Program) -> tuple[int, int]:
    """A client and a server end of one TCP connection."""
    server = listener(p)
    client = sock(p)
    assert call(p, "connect", client, LOOPBACK, 80) == 0
    accepted = p("accept4", server, 0, 0, 0)
    assert accepted >= 0
    assert p("close", server) == 0
    return client, accepted


def revents(p: Program, fd: int) -> int:
    addr = p.store(struct.pack("<ihh", fd, POLLIN | POLLOUT, 0))
    p("poll", addr, 1, 0)
    return int(struct.unpack("<ihh", p.load(addr, 8))[2])


class TestTables:
    @pytest.mark.claim("S07")
    @pytest.mark.claim("S12")
    @pytest.mark.parametrize(
        ("sock_type", "ops", "prot"),
        [(SOCK_STREAM, inet_stream_ops, tcp_prot), (SOCK_DGRAM, inet_dgram_ops, udp_prot)],
    )
    def test_type_decides_ops_and_protocol(
        self, kernel: Kernel, sock_type: int, ops: ProtoOps, prot: Proto
    ) -> None:
        def program(p: Program) -> None:
            file = p.process.files.fds[sock(p, sock_type)]
            socket = file.private_data
            assert (socket.state, socket.type, socket.file) == (SS_UNCONNECTED, sock_type, file)
            assert socket.ops is ops
            assert socket.sk.sk_prot is prot
            assert socket.sk.sk_socket is socket
            assert isinstance(socket.sk, InetSock)

        run_in_process(kernel, program)

    @pytest.mark.claim("S12")
    def test_two_protocols_stand_behind_one_interface(self) -> None:
        assert (tcp_prot.name, udp_prot.name) == ("TCP", "UDP")
        for prot in (tcp_prot, udp_prot):
            for entry in ("init", "destroy", "sendmsg", "recvmsg", "get_port"):
                assert callable(getattr(prot, entry)), entry
            assert prot.obj_size > 0
        assert tcp_prot.sendmsg is not udp_prot.sendmsg
        assert tcp_prot.enter_memory_pressure is not None

    @pytest.mark.claim("S11")
    def test_a_sock_has_identity_lock_queues_and_accounts(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            sk = p.process.files.fds[sock(p)].private_data.sk
            assert (sk.sk_family, sk.sk_type, sk.sk_protocol) == (
                AF_INET,
                SOCK_STREAM,
                IPPROTO_TCP,
            )
            assert (sk.owner, sk.users) == (None, 1)
            assert (sk.sk_wmem_alloc, sk.sk_rmem_alloc, sk.sk_wmem_queued) == (1, 0, 0)
            assert (sk.sk_sndbuf, sk.sk_rcvbuf) == (16384, 131072)
            assert not sk.sk_receive_queue
            assert not sk.sk_error_queue
            assert not sk.sk_write_queue
            assert not sk.sk_wq.active

        run_in_process(kernel, program)

    def test_what_does_not_exist(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            assert p("socket", AF_INET, SOCK_STREAM, -1) == -EINVAL
            assert p("socket", AF_INET, SOCK_STREAM, 263) == -EINVAL
            assert p("socket", AF_INET, SOCK_STREAM, IPPROTO_UDP) == -EPROTONOSUPPORT
            assert p("socket", AF_INET, SOCK_DGRAM, IPPROTO_UDP) >= 0
            assert p("socket", AF_INET, SOCK_RAW, 0) == -EPROTONOSUPPORT
            assert p("socket", AF_INET, SOCK_SEQPACKET, 0) == -ESOCKTNOSUPPORT
            assert p("socketpair", AF_INET, SOCK_STREAM, 0, p.room(8)) == -EOPNOTSUPP

        run_in_process(kernel, program)


class TestBind:
    def test_errors_in_linuxs_order(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p)
            name = pack_sockaddr_in(LOOPBACK, 80)
            assert p("bind", fd, p.store(name), 15) == -EINVAL
            assert p("bind", fd, p.store(b"\7" + name[1:]), 16) == -EAFNOSUPPORT
            assert p("bind", fd, p.store(b"\0" + name[1:]), 16) == -EAFNOSUPPORT
            assert call(p, "bind", fd, 0x01020304, 80) == -EADDRNOTAVAIL
            assert call(p, "bind", fd, LOOPBACK, 80) == 0
            assert call(p, "bind", fd, LOOPBACK, 81) == -EINVAL, "bound already"
            other = sock(p)
            assert p("listen", fd, 1) == 0
            assert call(p, "bind", other, LOOPBACK, 80) == -EADDRINUSE
            assert name_of(p, other) == (0, 0)
            assert p("bind", other, p.store(pack_sockaddr_in(0, 0)[2:].rjust(16, b"\0")), 16) == 0
            assert name_of(p, other)[1] >= 32768

        run_in_process(kernel, program)


class TestUdp:
    @pytest.mark.claim("S47")
    def test_one_datagram_a_write_with_its_length_and_sender(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            a, b = sock(p, SOCK_DGRAM), sock(p, SOCK_DGRAM)
            assert call(p, "bind", b, LOOPBACK, 7000) == 0
            assert call(p, "connect", a, LOOPBACK, 7000) == 0
            for data in (b"one", b"", b"three" * 100):
                assert p.write(a, data) == len(data)
            buf, addr, length = p.room(1000), p.room(16), p.store(struct.pack("<i", 16))
            sizes = [p("recvfrom", b, buf, 1000, 0, addr, length) for _ in range(3)]
            assert sizes == [3, 0, 500]
            assert unpack_sockaddr_in(p.load(addr, 16))[1:] == name_of(p, a)
            assert name_of(p, a, "getpeername") == (LOOPBACK, 7000)

        run_in_process(kernel, program)

    def test_the_first_send_binds(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p, SOCK_DGRAM)
            assert name_of(p, fd) == (0, 0)
            target = p.store(pack_sockaddr_in(LOOPBACK, 7000))
            assert p("sendto", fd, target, 1, 0, target, 16) == 1
            assert name_of(p, fd)[1] >= 32768

        run_in_process(kernel, program)

    def test_connect_can_be_changed_and_taken_back(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p, SOCK_DGRAM)
            addr, length = p.room(16), p.store(struct.pack("<i", 16))
            assert p("getpeername", fd, addr, length) == -ENOTCONN
            assert call(p, "connect", fd, LOOPBACK, 1) == 0
            assert call(p, "connect", fd, LOOPBACK, 2) == 0
            assert name_of(p, fd, "getpeername") == (LOOPBACK, 2)
            assert p("connect", fd, p.store(struct.pack("<H14x", AF_UNSPEC)), 16) == 0
            assert p("getpeername", fd, addr, length) == -ENOTCONN
            assert p("connect", fd, addr, 1) == -EINVAL

        run_in_process(kernel, program)

    def test_what_only_streams_can_do(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p, SOCK_DGRAM)
            assert p("listen", fd, 1) == -EOPNOTSUPP
            assert p("accept4", fd, 0, 0, 0) == -EOPNOTSUPP
            assert p("shutdown", fd, SHUT_WR) == -ENOTCONN

        run_in_process(kernel, program)

    def test_a_timeout_ends_a_receive(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p, SOCK_DGRAM)
            timeval = p.store(struct.pack("<qq", 0, 30_000))
            assert p("setsockopt", fd, SOL_SOCKET, SO_RCVTIMEO, timeval, 16) == 0
            assert p("recvfrom", fd, p.room(10), 10, 0, 0, 0) == -EAGAIN
            assert kernel.clock.now == 30 * MS

        run_in_process(kernel, program)

    def test_poll_sees_room_and_data(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            a, b = sock(p, SOCK_DGRAM), sock(p, SOCK_DGRAM)
            call(p, "bind", b, LOOPBACK, 7000)
            call(p, "connect", a, LOOPBACK, 7000)
            assert (revents(p, a), revents(p, b)) == (POLLOUT, POLLOUT)
            p.write(a, b"x")
            kernel.sched.cond_resched()
            assert revents(p, b) == POLLIN | POLLOUT

        run_in_process(kernel, program)

    @pytest.mark.claim("S10")
    def test_a_rule_for_a_port_refuses_just_that_port(self, kernel: Kernel) -> None:
        kernel.net.security.add(Rule("socket_sendmsg", port=25))

        def program(p: Program) -> None:
            fd = sock(p, SOCK_DGRAM)
            data = p.store(b"x")
            smtp = p.store(pack_sockaddr_in(LOOPBACK, 25))
            assert p("sendto", fd, data, 1, 0, smtp, 16) == -EACCES
            call(p, "connect", fd, LOOPBACK, 25)
            assert p("write", fd, data, 1) == -EACCES
            call(p, "connect", fd, LOOPBACK, 26)
            assert p("write", fd, data, 1) == 1

        run_in_process(kernel, program)


class TestTcp:
    @pytest.mark.claim("S08")
    @pytest.mark.claim("S09")
    def test_connect_accept_write_read_close(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            client, server = connected_pair(p)
            assert p.process.files.fds[client].private_data.state == SS_CONNECTED
            assert p.process.files.fds[server].private_data.state == SS_CONNECTED
            assert name_of(p, client, "getpeername") == (LOOPBACK, 80)
            assert name_of(p, client) == name_of(p, server, "getpeername")
            assert p.write(client, b"request") == 7
            assert p.read(server, 100) == b"request"
            assert p.write(server, b"answer") == 6
            assert p.read(client, 100) == b"answer"
            assert p("shutdown", client, SHUT_WR) == 0
            assert p.read(server, 100) == b""

        run_in_process(kernel, program)

    def test_connect_says_what_the_state_allows(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            client, _ = connected_pair(p)
            assert call(p, "connect", client, LOOPBACK, 80) == -EISCONN
            fresh = sock(p)
            assert p("connect", fresh, p.room(4), 1) == -EINVAL
            assert call(p, "connect", fresh, LOOPBACK, 81) == -ECONNREFUSED
            listening = listener(p, 82)
            assert call(p, "connect", listening, LOOPBACK, 80) == -EISCONN

        run_in_process(kernel, program)

    def test_a_connect_that_does_not_wait(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            listener(p)
            fd = sock(p, SOCK_STREAM | SOCK_NONBLOCK)
            assert call(p, "connect", fd, LOOPBACK, 80) == -EINPROGRESS
            pollfd = p.store(struct.pack("<ihh", fd, POLLOUT, 0))
            assert p("poll", pollfd, 1, 1000) == 1
            assert call(p, "connect", fd, LOOPBACK, 80) == 0, "the second call learns of it"
            assert call(p, "connect", fd, LOOPBACK, 80) == -EISCONN

        run_in_process(kernel, program)

    def test_sending_on_what_was_never_connected(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p)
            assert p.write(fd, b"x") == -EPIPE
            assert p.process.signals == [SIGPIPE]
            assert p("read", fd, p.room(1), 1) == -ENOTCONN
            assert p("shutdown", fd, SHUT_RDWR) == -ENOTCONN
            assert p("shutdown", fd, 3) == -EINVAL
            assert p("shutdown", fd, -1) == -EINVAL
            assert p("accept4", fd, 0, 0, 0) == -EINVAL

        run_in_process(kernel, program)

    def test_accept_waits_or_says_eagain(self, kernel: Kernel) -> None:
        program = Program(kernel)
        got: list[int] = []

        def main() -> None:
            impatient = listener(program, 81, SOCK_NONBLOCK)
            got.append(program("accept4", impatient, 0, 0, 0))
            server = listener(program)
            program.spawn(client)
            got.append(program("accept4", server, 0, 0, 0))
            got.append(kernel.clock.now)
            program.process.exit(0)

        def client() -> None:
            kernel.sched.schedule_timeout(5 * MS)
            call(program, "connect", sock(program), LOOPBACK, 80)

        program.spawn(main)
        run(kernel)
        assert got[0] == -EAGAIN
        assert got[1] > 0
        assert got[2] >= 5 * MS

    @pytest.mark.claim("S10")
    def test_a_refused_send_leaves_the_connection_alone(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            client, server = connected_pair(p)
            rule = Rule("socket_sendmsg", process="program")
            kernel.net.security.add(rule)
            assert p.write(client, b"secret") == -EACCES
            kernel.net.security.remove(rule)
            assert p.write(client, b"public") == 6
            assert p.read(server, 100) == b"public"

        run_in_process(kernel, program)

    @pytest.mark.claim("S17")
    def test_sendfile_puts_page_references_into_frags(self, kernel: Kernel) -> None:
        size = 3 * 4096

        def program(p: Program) -> None:
            client, server = connected_pair(p)
            source = p.open("a", O_CREAT | O_RDWR)
            data = bytes(range(256)) * 48
            p.write(source, data)
            pages = set(p.process.files.fds[source].f_inode.i_private.pages.values())
            memory = kernel.mem
            before = memory.copy_from_user_bytes, memory.copy_nocache_bytes
            assert p("sendfile", client, source, p.store(bytes(8)), size) == size
            assert before == (memory.copy_from_user_bytes, memory.copy_nocache_bytes)
            assert any(page.refcount > 1 for page in pages)
            got = b""
            while len(got) < size:
                got += p.read(server, size)
            assert got == data

        run_in_process(kernel, program)


class TestOptions:
    def option(self, p: Program, fd: int, optname: int, size: int = 4) -> bytes | int:
        value, length = p.room(64), p.store(struct.pack("<i", size))
        err = p("getsockopt", fd, SOL_SOCKET, optname, value, length)
        return err or p.load(value, p.load_int(length))

    def set(self, p: Program, fd: int, optname: int, value: bytes) -> int:
        return p("setsockopt", fd, SOL_SOCKET, optname, p.store(value), len(value))

    @pytest.mark.parametrize(
        ("asked", "got"),
        [(0, 4608), (-1, 425984), (2304, 4608), (10_000, 20_000), (1 << 30, 425984)],
    )
    def test_the_send_buffer_is_doubled_and_bounded(
        self, kernel: Kernel, asked: int, got: int
    ) -> None:
        def program(p: Program) -> None:
            fd = sock(p, SOCK_DGRAM)
            assert self.set(p, fd, SO_SNDBUF, struct.pack("<i", asked)) == 0
            assert self.option(p, fd, SO_SNDBUF) == struct.pack("<i", got)

        run_in_process(kernel, program)

    def test_plain_options(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p)
            assert self.option(p, fd, SO_TYPE) == struct.pack("<i", SOCK_STREAM)
            assert self.option(p, fd, SO_REUSEADDR) == bytes(4)
            assert self.set(p, fd, SO_REUSEADDR, struct.pack("<i", 7)) == 0
            assert self.option(p, fd, SO_REUSEADDR) == b"\1\0\0\0"
            assert self.set(p, fd, SO_RCVBUF, struct.pack("<i", 1)) == 0
            assert self.option(p, fd, SO_RCVBUF) == struct.pack("<i", 2304)
            assert self.set(p, fd, SO_LINGER, struct.pack("<ii", 1, 9)) == 0
            assert self.option(p, fd, SO_LINGER, 8) == struct.pack("<ii", 1, 9)
            assert self.option(p, fd, SO_ERROR) == bytes(4)

        run_in_process(kernel, program)

    def test_errors(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = sock(p)
            assert self.set(p, fd, SO_SNDBUF, b"\1") == -EINVAL
            assert self.set(p, fd, SO_TYPE, bytes(4)) == -ENOPROTOOPT
            assert self.set(p, fd, 4711, bytes(4)) == -ENOPROTOOPT
            assert self.set(p, fd, SO_LINGER, bytes(4)) == -EINVAL
            assert self.set(p, fd, SO_RCVTIMEO, struct.pack("<qq", 0, 1_000_000)) == -EDOM
            assert self.set(p, fd, SO_BINDTODEVICE, b"eth7\0") == -ENODEV
            assert self.set(p, fd, SO_BINDTODEVICE, b"lo\0") == 0
            assert self.option(p, fd, SO_BINDTODEVICE, 16) == b"lo\0"
            assert self.option(p, fd, SO_BINDTODEVICE, 4) == -EINVAL
            assert self.set(p, fd, SO_BINDTODEVICE, b"") == 0
            assert self.option(p, fd, SO_BINDTODEVICE, 16) == b""

        run_in_process(kernel, program)


def test_nothing_is_left_when_the_program_ends(kernel: Kernel) -> None:
    pages = kernel.mem.pages_in_use

    def program(p: Program) -> None:
        client, server = connected_pair(p)
        p.write(client, b"never read")
        sock(p, SOCK_DGRAM)
        p("close", server)

    run_in_process(kernel, program)
    assert kernel.net.sockets_in_use == 0
    assert kernel.net.skbs.alive == 0
    assert kernel.mem.kmalloc_in_use == 0
    assert kernel.mem.pages_in_use - pages <= 8, "slabs keep their blocks"
