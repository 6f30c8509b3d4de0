"""struct socket, its file and its system calls, over a family that writes down what reaches it."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest

from pyhost.kernel.kernel import Kernel
from pyhost.mm.iov_iter import ITER_BVEC
from pyhost.mm.memory import PAGE_SIZE, Page
from pyhost.mm.mmap import TASK_SIZE_MAX
from pyhost.net.core.sock import MsgHdr
from pyhost.net.net_namespace import Net
from pyhost.net.socket import (
    SS_UNCONNECTED,
    ProtoOps,
    Socket,
    sock_graft,
    sock_no_accept,
    sock_no_listen,
    sock_no_socketpair,
    sock_write_iter,
    socket_file_ops,
)
from pyhost.security.hooks import Rule
from pyhost.uapi.errno import (
    EACCES,
    EAFNOSUPPORT,
    EBADF,
    ECONNABORTED,
    EFAULT,
    EINVAL,
    EMFILE,
    EMSGSIZE,
    ENOBUFS,
    ENOPROTOOPT,
    ENOTCONN,
    ENOTSOCK,
    EOPNOTSUPP,
    EPERM,
    ESPIPE,
)
from pyhost.uapi.fcntl import O_CREAT, O_NONBLOCK, O_RDWR
from pyhost.uapi.socket import (
    MSG_CTRUNC,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_MORE,
    MSG_NOSIGNAL,
    MSG_SPLICE_PAGES,
    MSGHDR,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    SOL_TCP,
    pack_sockaddr_in,
)
from tests.unit.support import Program, make_kernel, run_in_process

AF_PROBE = 33
KERNEL_SIDE = TASK_SIZE_MAX + 4096
PEER = pack_sockaddr_in(0x0A000001, 4711)


class ProbeSock:
    """Keeps what reached the protocol."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.sent: list[bytes] = []
        self.pages: list[Page] = []
        self.answer = b""
        self.control = b""
        self.limit = 1 << 40
        self.sk_socket: Socket | None = None
        self.sock_dead = False


def note(name: str) -> Any:
    def call(sock: Socket, *args: Any) -> int:
        sock.sk.calls.append((name, *args))
        return 0

    return call


def probe_sendmsg(sock: Socket, msg: MsgHdr, size: int) -> int:
    sk: ProbeSock = sock.sk
    sk.calls.append(("sendmsg", msg.flags, msg.name, msg.control, size))
    taken = min(size, sk.limit)
    if msg.iter.kind == ITER_BVEC:
        for page, offset, length in msg.iter.extract_pages(taken, 16):
            sk.pages.append(page)
            sk.sent.append(bytes(sock.net.kernel.mem.buf[page.addr + offset :][:length]))
        return taken
    buf = sock.net.kernel.mem.kmalloc(max(1, taken))
    copied = msg.iter.copy_from_iter(buf, taken)
    sk.sent.append(bytes(sock.net.kernel.mem.buf[buf : buf + copied]))
    sock.net.kernel.mem.kfree(buf)
    return copied if copied == taken else -EFAULT


def probe_recvmsg(sock: Socket, msg: MsgHdr, size: int, flags: int) -> int:
    sk: ProbeSock = sock.sk
    sk.calls.append(("recvmsg", size, flags))
    memory = sock.net.kernel.mem
    data = sk.answer[:size]
    buf = memory.kmalloc(max(1, len(data)))
    memory.buf[buf : buf + len(data)] = data
    copied = msg.iter.copy_to_iter(buf, len(data))
    memory.kfree(buf)
    msg.name = PEER
    msg.control = sk.control
    return copied


def probe_accept(_sock: Socket, newsock: Socket, flags: int) -> int:
    sk = ProbeSock()
    sk.calls.append(("accepted", flags))
    sock_graft(sk, newsock)  # type: ignore[arg-type]
    return 0


probe_ops = ProtoOps(
    family=AF_PROBE,
    release=note("release"),
    bind=note("bind"),
    connect=note("connect"),
    socketpair=sock_no_socketpair,
    accept=probe_accept,
    getname=lambda _sock, _peer: PEER,
    poll=lambda _sock, _pt: 0,
    listen=note("listen"),
    shutdown=note("shutdown"),
    setsockopt=note("setsockopt"),
    getsockopt=lambda _sock, _level, _opt, _maxlen: b"option",
    sendmsg=probe_sendmsg,
    recvmsg=probe_recvmsg,
    splice_eof=lambda sock: sock.sk.calls.append(("splice_eof",)),
)


def probe_create(_net: Net, sock: Socket, protocol: int) -> int:
    if protocol == 99:
        return -EPERM
    sock.ops = probe_ops
    sock.sk = ProbeSock()
    return 0


@pytest.fixture
def kernel() -> Kernel:
    kernel = make_kernel()
    kernel.net.families[AF_PROBE] = probe_create
    return kernel


def sk_of(p: Program, fd: int) -> ProbeSock:
    sk: ProbeSock = p.process.files.fds[fd].private_data.sk
    return sk


def open_socket(p: Program, sock_type: int = SOCK_STREAM) -> int:
    fd = p("socket", AF_PROBE, sock_type, 0)
    assert fd >= 0
    return fd


def msghdr(
    p: Program, segments: list[tuple[int, int]], name: bytes = b"", control: bytes = b""
) -> int:
    """The address of a struct msghdr."""
    vector = b"".join(struct.pack("<QQ", *segment) for segment in segments)
    uname = p.store(name) if name else 0
    return p.store(
        MSGHDR.pack(
            uname, len(name), p.store(vector), len(segments), p.store(control), len(control), 0
        )
    )


class TestCreation:
    @pytest.mark.claim("S07")
    def test_a_socket_has_state_type_flags_file_sk_and_ops(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            file = p.process.files.fds[open_socket(p)]
            sock = file.private_data
            assert (sock.state, sock.type, sock.flags) == (SS_UNCONNECTED, SOCK_STREAM, 0)
            assert sock.file is file
            assert isinstance(sock.sk, ProbeSock)
            assert sock.ops is probe_ops

        run_in_process(kernel, program)

    def test_errors_in_linuxs_order(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            assert p("socket", 999, 999, 0) == -EINVAL, "unknown type flags come first"
            assert p("socket", -1, 15, 0) == -EAFNOSUPPORT
            assert p("socket", 46, 15, 0) == -EAFNOSUPPORT
            assert p("socket", AF_PROBE, 15, 0) == -EINVAL
            assert p("socket", 45, 1, 0) == -EAFNOSUPPORT
            assert p("socket", AF_PROBE, 1, 99) == -EPERM
            assert p.process.files.fds == {}

        run_in_process(kernel, program)

    def test_flags_of_socket_become_flags_of_file_and_descriptor(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
            assert p.process.files.fds[fd].f_flags == O_RDWR | O_NONBLOCK
            assert p.process.files.close_on_exec == {fd}

        run_in_process(kernel, program)

    def test_no_free_descriptor_releases_the_socket(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            open_socket(p)
            p.process.files.max_fds = 1
            assert p("socket", AF_PROBE, SOCK_STREAM, 0) == -EMFILE

        run_in_process(kernel, program)

    def test_socketpair_is_up_to_the_family(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            assert p("socketpair", AF_PROBE, SOCK_STREAM, 0, p.room(8)) == -EOPNOTSUPP
            assert p("socketpair", 1, SOCK_STREAM, 0, p.room(8)) in (0, -EAFNOSUPPORT)
            assert p("socketpair", AF_PROBE, 999, 0, p.room(8)) == -EINVAL

        run_in_process(kernel, program)

    def test_the_last_close_releases_the_protocol_once(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            sk = sk_of(p, fd)
            twin = p("dup", fd)
            p("close", fd)
            assert sk.calls == []
            p("close", twin)
            assert sk.calls == [("release",)]

        run_in_process(kernel, program)


class TestFileSide:
    @pytest.mark.claim("S06")
    def test_write_goes_through_socket_file_ops_to_the_socket(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            file = p.process.files.fds[fd]
            assert file.f_op is socket_file_ops
            assert file.f_op.write_iter is sock_write_iter
            assert file.private_data.file is file
            assert p.write(fd, b"payload") == 7
            assert sk_of(p, fd).sent == [b"payload"]
            assert sk_of(p, fd).calls == [("sendmsg", 0, None, b"", 7)]

        run_in_process(kernel, program)

    @pytest.mark.claim("S09")
    def test_every_way_to_send_leads_to_the_same_sendmsg(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            addr = p.store(b"abc")
            p("write", fd, addr, 3)
            p("writev", fd, p.store(struct.pack("<QQ", addr, 3)), 1)
            p("sendto", fd, addr, 3, 0, 0, 0)
            p("sendmsg", fd, msghdr(p, [(addr, 3)]), 0)
            source = p.open("a", O_CREAT | O_RDWR)
            p("pwrite64", source, addr, 3, 0)
            p("sendfile", fd, source, 0, 3)
            assert sk_of(p, fd).sent == [b"abc"] * 5
            assert [call[0] for call in sk_of(p, fd).calls] == ["sendmsg"] * 5
            for page in sk_of(p, fd).pages:
                page.put()

        run_in_process(kernel, program)

    def test_a_socket_has_no_position(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            addr = p.room(8)
            assert p("lseek", fd, 0, 0) == -ESPIPE
            assert p("pwrite64", fd, addr, 1, 0) == -ESPIPE
            assert p("pread64", fd, addr, 1, 0) == -ESPIPE
            assert p("sendfile", fd, fd, addr, 1) == -ESPIPE
            p.write(fd, b"x")
            assert p.process.files.fds[fd].f_pos == 0

        run_in_process(kernel, program)

    def test_nonblocking_and_seqpacket_show_in_the_flags(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p, SOCK_SEQPACKET | SOCK_NONBLOCK)
            p.write(fd, b"x")
            p("sendto", fd, p.store(b"x"), 1, MSG_NOSIGNAL, 0, 0)
            p.read(fd, 1)
            flags = [call[1] for call in sk_of(p, fd).calls[:2]]
            assert flags == [MSG_DONTWAIT | MSG_EOR, MSG_NOSIGNAL | MSG_DONTWAIT]
            assert sk_of(p, fd).calls[2] == ("recvmsg", 1, MSG_DONTWAIT)

        run_in_process(kernel, program)

    def test_an_empty_write_reaches_the_protocol_and_an_empty_read_does_not(
        self, kernel: Kernel
    ) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            assert p("write", fd, 4096, 0) == 0
            assert p("read", fd, 4096, 0) == 0
            assert [call[0] for call in sk_of(p, fd).calls] == ["sendmsg"]

        run_in_process(kernel, program)

    def test_bits_that_only_the_kernel_may_set_are_taken_away(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            addr = p.store(b"x")
            p("sendto", fd, addr, 1, MSG_SPLICE_PAGES | MSG_MORE, 0, 0)
            p("sendmsg", fd, msghdr(p, [(addr, 1)]), MSG_SPLICE_PAGES | MSG_MORE)
            assert [call[1] for call in sk_of(p, fd).calls] == [MSG_MORE, MSG_MORE]

        run_in_process(kernel, program)


class TestSendfile:
    @pytest.mark.claim("S17")
    def test_pages_travel_by_reference_and_no_byte_is_copied(self, kernel: Kernel) -> None:
        size = 20 * PAGE_SIZE + 100

        def program(p: Program) -> None:
            source = p.open("a", O_CREAT | O_RDWR)
            data = bytes(range(256)) * (size // 256 + 1)
            p.write(source, data[:size])
            fd = open_socket(p)
            sk = sk_of(p, fd)
            memory = kernel.mem
            copied = (
                memory.copy_from_user_bytes,
                memory.copy_nocache_bytes,
                memory.copy_to_user_bytes,
            )
            offset = p.store(bytes(8))
            assert p("sendfile", fd, source, offset, size) == size
            assert copied == (
                memory.copy_from_user_bytes,
                memory.copy_nocache_bytes,
                memory.copy_to_user_bytes,
            )
            assert b"".join(sk.sent) == data[:size]
            cache = p.process.files.fds[source].f_inode.i_private.pages
            assert sk.pages == [cache[i] for i in range(21)]
            assert {page.refcount for page in sk.pages} == {2}, "the cache and the packet"
            sizes = [call[4] for call in sk.calls]
            flags = [call[1] for call in sk.calls]
            assert sizes == [16 * PAGE_SIZE, size - 16 * PAGE_SIZE], "16 pages at a time"
            assert flags == [MSG_SPLICE_PAGES | MSG_MORE, MSG_SPLICE_PAGES]
            for page in sk.pages:
                page.put()

        run_in_process(kernel, program)

    def test_a_file_that_ends_early_is_pushed_out(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            source = p.open("a", O_CREAT | O_RDWR)
            p.write(source, b"short")
            fd = open_socket(p)
            assert p("sendfile", fd, source, p.store(bytes(8)), 1000) == 5
            assert [call[0] for call in sk_of(p, fd).calls] == ["sendmsg", "splice_eof"]
            assert sk_of(p, fd).calls[0][1] == MSG_SPLICE_PAGES | MSG_MORE
            for page in sk_of(p, fd).pages:
                page.put()

        run_in_process(kernel, program)

    def test_what_the_socket_did_not_take_is_not_skipped(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            source = p.open("a", O_CREAT | O_RDWR)
            p.write(source, bytes(3 * PAGE_SIZE))
            p("lseek", source, 0, 0)
            fd = open_socket(p)
            sk_of(p, fd).limit = 5000
            pages = p.process.files.fds[source].f_inode.i_private.pages
            assert p("sendfile", fd, source, 0, 3 * PAGE_SIZE) == 3 * PAGE_SIZE
            assert [len(data) for data in sk_of(p, fd).sent] == [4096, 904, 3192, 1808, 2288]
            for page in sk_of(p, fd).pages:
                page.put()
            assert {page.refcount for page in pages.values()} == {1}

        run_in_process(kernel, program)


class TestNames:
    @pytest.mark.claim("S08")
    def test_each_call_lands_on_its_entry_of_proto_ops(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            name = p.store(PEER)
            assert p("bind", fd, name, 16) == 0
            assert p("connect", fd, name, 16) == 0
            assert p("listen", fd, 5) == 0
            assert p("listen", fd, -1) == 0
            assert p("shutdown", fd, 2) == 0
            assert p("setsockopt", fd, SOL_TCP, 1, p.store(b"\1\0\0\0"), 4) == 0
            assert sk_of(p, fd).calls == [
                ("bind", PEER),
                ("connect", PEER, O_RDWR),
                ("listen", 5),
                ("listen", 4096),
                ("shutdown", 2),
                ("setsockopt", SOL_TCP, 1, b"\1\0\0\0"),
            ]

        run_in_process(kernel, program)

    @pytest.mark.parametrize("call", ["bind", "connect"])
    def test_the_address_is_checked(self, kernel: Kernel, call: str) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            regular = p.open("a", O_CREAT | O_RDWR)
            name = p.store(PEER)
            assert p(call, 99, name, -1) == -EBADF
            wrong = -EINVAL if call == "connect" else -ENOTSOCK
            assert p(call, regular, name, -1) == wrong
            assert p(call, regular, name, 16) == -ENOTSOCK
            assert p(call, fd, name, -1) == -EINVAL
            assert p(call, fd, name, 129) == -EINVAL
            assert p(call, fd, 4096, 16) == -EFAULT

        run_in_process(kernel, program)

    def test_accept_makes_a_socket_of_the_same_kind(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p, SOCK_STREAM | SOCK_NONBLOCK)
            addr, length = p.room(16), p.store(struct.pack("<i", 8))
            new = p("accept4", fd, addr, length, SOCK_CLOEXEC)
            sock = p.process.files.fds[new].private_data
            assert (sock.type, sock.ops) == (SOCK_STREAM, probe_ops)
            assert sock.sk.calls == [("accepted", O_RDWR | O_NONBLOCK)]
            assert p.process.files.fds[new].f_flags == O_RDWR, "O_NONBLOCK is not inherited"
            assert p.process.files.close_on_exec == {new}
            assert p.load(addr, 16) == PEER[:8] + bytes(8), "as much as there is room for"
            assert p.load_int(length) == 16, "the length that it would have"

        run_in_process(kernel, program)

    def test_accept_that_fails_gives_the_descriptor_back(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            sock = p.process.files.fds[fd].private_data
            assert p("accept4", fd, p.room(16), 4096, 0) == -EFAULT
            assert p("accept4", fd, 0, 0, 1) == -EINVAL
            assert p("accept4", 99, 0, 0, 0) == -EBADF
            sock.ops = replace(probe_ops, getname=lambda _sock, _peer: -ENOTCONN)
            assert p("accept4", fd, p.room(16), p.room(4), 0) == -ECONNABORTED
            sock.ops = replace(probe_ops, accept=sock_no_accept, listen=sock_no_listen)
            assert p("accept4", fd, 0, 0, 0) == -EOPNOTSUPP
            assert p("listen", fd, 1) == -EOPNOTSUPP
            assert p("dup", fd) == fd + 1

        run_in_process(kernel, program)

    def test_getsockname_checks_the_length(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            addr = p.room(16)
            assert p("getsockname", fd, addr, 4096) == -EFAULT
            assert p("getpeername", fd, addr, p.store(struct.pack("<i", -1))) == -EINVAL
            assert p("getpeername", fd, 4096, p.store(struct.pack("<i", 16))) == -EFAULT
            assert p("getpeername", fd, addr, p.store(struct.pack("<i", 16))) == 0
            assert p.load(addr, 16) == PEER

        run_in_process(kernel, program)


class TestSending:
    def test_sendto_looks_at_buffer_fd_socket_and_address_in_this_order(
        self, kernel: Kernel
    ) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            regular = p.open("a", O_CREAT | O_RDWR)
            addr = p.store(b"x")
            assert p("sendto", 99, KERNEL_SIDE, 1, 0, 4096, -1) == -EFAULT
            assert p("sendto", 99, addr, 1, 0, 4096, -1) == -EBADF
            assert p("sendto", regular, addr, 1, 0, 4096, -1) == -ENOTSOCK
            assert p("sendto", fd, addr, 1, 0, 4096, -1) == -EINVAL
            assert p("sendto", fd, addr, 1, 0, 4096, 16) == -EFAULT
            assert sk_of(p, fd).calls == []
            assert p("sendto", fd, addr, 1, 0, p.store(PEER), 16) == 1
            assert sk_of(p, fd).calls == [("sendmsg", 0, PEER, b"", 1)]

        run_in_process(kernel, program)

    def test_sendmsg_brings_name_control_and_buffers(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            one, two = p.store(b"one"), p.store(b"two")
            message = msghdr(p, [(one, 3), (two, 3)], PEER, b"control!")
            assert p("sendmsg", fd, message, MSG_NOSIGNAL) == 6
            assert sk_of(p, fd).calls == [("sendmsg", MSG_NOSIGNAL, PEER, b"control!", 6)]
            assert sk_of(p, fd).sent == [b"onetwo"]

        run_in_process(kernel, program)

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ((4096, 1 << 31, 0, 0, 0, 0, 0), EINVAL),
            ((4096, 16, 0, 0, 0, 0, 0), EFAULT),
            ((0, 0, 4096, 1, 0, 0, 0), EFAULT),
            ((0, 0, 4096, 1025, 0, 0, 0), EMSGSIZE),
            ((0, 0, 0, 0, 0, 1 << 31, 0), ENOBUFS),
            ((0, 0, 0, 0, 4096, 8, 0), EFAULT),
        ],
    )
    def test_a_bad_msghdr(self, kernel: Kernel, fields: tuple[int, ...], error: int) -> None:
        def program(p: Program) -> int:
            return p("sendmsg", open_socket(p), p.store(MSGHDR.pack(*fields)), 0)

        assert run_in_process(kernel, program) == -error

    @pytest.mark.claim("S10")
    @pytest.mark.parametrize("call", ["write", "sendto", "sendmsg", "sendfile"])
    def test_the_security_hook_refuses_every_way_to_send(self, kernel: Kernel, call: str) -> None:
        kernel.net.security.add(Rule("socket_sendmsg", process="mallory"))

        def program(p: Program) -> int:
            fd = open_socket(p)
            addr = p.store(b"x")
            source = p.open("a", O_CREAT | O_RDWR)
            p("pwrite64", source, addr, 1, 0)
            args: dict[str, tuple[int, ...]] = {
                "write": (fd, addr, 1),
                "sendto": (fd, addr, 1, 0, 0, 0),
                "sendmsg": (fd, msghdr(p, [(addr, 1)]), 0),
                "sendfile": (fd, source, 0, 1),
            }
            result = p(call, *args[call])
            for page in sk_of(p, fd).pages:
                page.put()
            assert bool(sk_of(p, fd).sent) == (result > 0)
            return result

        assert run_in_process(kernel, program, "mallory") == -EACCES
        assert run_in_process(kernel, program, "alice") == 1


class TestReceiving:
    def test_recvfrom_stores_data_and_sender(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            sk_of(p, fd).answer = b"hello world"
            buf, addr, length = p.room(16), p.room(16), p.store(struct.pack("<i", 16))
            assert p("recvfrom", fd, buf, 5, MSG_NOSIGNAL, addr, length) == 5
            assert p.load(buf, 16) == b"hello" + bytes(11)
            assert p.load(addr, 16) == PEER
            assert p("recvfrom", fd, buf, 5, 0, 0, 0) == 5
            assert p("recvfrom", 99, KERNEL_SIDE, 5, 0, 0, 0) == -EFAULT
            assert p("recvfrom", fd, buf, 5, 0, addr, 4096) == -EFAULT

        run_in_process(kernel, program)

    def test_recvmsg_stores_everything_and_cuts_what_does_not_fit(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            sk_of(p, fd).answer = b"hello world"
            sk_of(p, fd).control = bytes(range(24))
            a, b = p.room(4), p.room(100)
            message = msghdr(p, [(a, 4), (b, 100)], bytes(10), bytes(16))
            assert p("recvmsg", fd, message, 0) == 11
            assert p.load(a, 4) + p.load(b, 7) == b"hello world"
            fields = MSGHDR.unpack(p.load(message, MSGHDR.size))
            uname, namelen, _, _, ucontrol, controllen, flags = fields
            assert (namelen, controllen, flags) == (16, 16, MSG_CTRUNC)
            assert p.load(uname, 10) == PEER[:10]
            assert p.load(ucontrol, 16) == bytes(range(16))

        run_in_process(kernel, program)


class TestOptions:
    def test_values_are_copied_as_far_as_there_is_room(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = open_socket(p)
            value, length = p.room(8), p.store(struct.pack("<i", 4))
            assert p("getsockopt", fd, SOL_TCP, 1, value, length) == 0
            assert p.load(value, 8) == b"opti" + bytes(4)
            assert p.load_int(length) == 4
            assert p("getsockopt", fd, SOL_TCP, 1, value, 4096) == -EFAULT
            assert p("getsockopt", fd, SOL_TCP, 1, value, p.store(struct.pack("<i", -1))) == -EINVAL
            assert p("getsockopt", 99, SOL_TCP, 1, value, 4096) == -EBADF
            assert p("setsockopt", fd, SOL_TCP, 1, 4096, 4) == -EFAULT
            assert p("setsockopt", 99, SOL_TCP, 1, 4096, -1) == -EINVAL
            assert p("getsockopt", fd, SOL_SOCKET, 4711, value, length) == -ENOPROTOOPT

        run_in_process(kernel, program)
