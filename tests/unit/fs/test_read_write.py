"""The calls that read and write, and the order of their errors."""

from __future__ import annotations

import struct

import pytest

from pyhost.fs.read_write import MAX_RW_COUNT
from pyhost.kernel.kernel import Kernel
from pyhost.mm.mmap import PROT_NONE, PROT_READ, TASK_SIZE_MAX
from pyhost.security.hooks import Rule
from pyhost.uapi.errno import (
    EACCES,
    EBADF,
    EEXIST,
    EFAULT,
    EINVAL,
    EISDIR,
    ENOENT,
    ENOTDIR,
    ENOTTY,
    EPIPE,
    ESPIPE,
)
from pyhost.uapi.fcntl import (
    FIONREAD,
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_PATH,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
)
from tests.unit.support import Program, make_kernel, run_in_process

UNMAPPED = 0x1000
KERNEL_SIDE = TASK_SIZE_MAX + 0x1000


@pytest.fixture
def kernel() -> Kernel:
    return make_kernel()


def iovec(*segments: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<QQ", *segment) for segment in segments)


@pytest.mark.claim("S01")
def test_write_is_dispatched_by_name_and_seen_by_the_tracer(kernel: Kernel) -> None:
    hits = []
    kernel.trace.register(hits.append)

    def program(p: Program) -> None:
        fd = p.open("a", O_CREAT | O_RDWR)
        hits.clear()
        assert p.write(fd, b"x") == 1

    run_in_process(kernel, program)
    assert [hit.name for hit in hits] == ["sys_enter", "vfs_write"]
    assert hits[0].fields["name"] == "write"


@pytest.mark.claim("S01")
def test_a_kernel_address_is_refused_before_the_file_is_asked(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        null = p.open("dev/null", O_RDWR)
        assert p("write", null, UNMAPPED, 5) == 5, "/dev/null does not look"
        assert p("write", null, KERNEL_SIDE, 5) == -EFAULT
        assert p("write", null, TASK_SIZE_MAX - 4, 5) == -EFAULT
        assert p("write", null, -1, 5) == -EFAULT
        assert p("write", null, 0x1000, -1) == -EFAULT, "size_t"
        assert p("read", null, KERNEL_SIDE, 5) == -EFAULT

    run_in_process(kernel, program)


@pytest.mark.claim("S02")
@pytest.mark.parametrize(
    "call",
    ["read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "dup", "fcntl"],
)
@pytest.mark.parametrize("fd", [-1, 7, 1 << 40])
def test_an_fd_that_is_not_open_gives_ebadf(kernel: Kernel, call: str, fd: int) -> None:
    more = {"pread64": 3, "pwrite64": 3, "close": 0, "dup": 0}.get(call, 2)
    result = run_in_process(kernel, lambda p: p(call, fd, *[0] * more))
    assert result == -EBADF


@pytest.mark.claim("S02")
def test_an_fd_that_is_only_a_path_gives_ebadf(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        p("close", p.open("a", O_CREAT | O_RDWR))
        fd = p.open("a", O_PATH)
        assert p.write(fd, b"x") == -EBADF
        assert p("read", fd, UNMAPPED, 1) == -EBADF
        assert p("close", fd) == 0

    run_in_process(kernel, program)


@pytest.mark.claim("S03")
def test_the_mode_is_looked_at_before_the_pointer(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        p("close", p.open("a", O_CREAT | O_RDWR))
        reader, writer = p.open("a", O_RDONLY), p.open("a", O_WRONLY)
        vector = p.store(iovec((KERNEL_SIDE, 1)))
        assert p("write", reader, KERNEL_SIDE, 1) == -EBADF
        assert p("writev", reader, vector, 1) == -EBADF
        assert p("pwrite64", reader, KERNEL_SIDE, 1, 0) == -EBADF
        assert p("read", writer, KERNEL_SIDE, 1) == -EBADF
        assert p("readv", writer, vector, 1) == -EBADF

    run_in_process(kernel, program)


@pytest.mark.claim("S05")
def test_one_write_call_takes_each_kind_of_files_own_way(kernel: Kernel) -> None:
    def program(p: Program) -> list[object]:
        regular = p.open("a", O_CREAT | O_RDWR)
        null = p.open("dev/null", O_WRONLY)
        _, pipe = p.pipe()
        for fd in (regular, null, pipe):
            assert p.write(fd, b"four") == 4
        fds = p.process.files.fds
        assert fds[regular].f_inode.i_size == 4
        assert fds[null].f_inode.i_size == 0
        assert fds[pipe].private_data.available == 4
        return [fds[fd].f_op.write_iter for fd in (regular, null, pipe)]

    ways = run_in_process(kernel, program)
    assert [way.__name__ for way in ways] == [  # type: ignore[attr-defined]
        "generic_file_write_iter",
        "write_iter_null",
        "pipe_write",
    ]


def test_a_file_that_cannot_be_written_gives_einval(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        epfd = p("epoll_create1", 0)
        assert p.write(epfd, b"x") == -EINVAL
        assert p("write", epfd, KERNEL_SIDE, 1) == -EINVAL

    run_in_process(kernel, program)


def test_the_security_hook_may_refuse_reads_and_writes(kernel: Kernel) -> None:
    kernel.net.security.add(Rule("file_permission", process="mallory"))

    def program(p: Program) -> int:
        return p.write(p.open("a", O_CREAT | O_RDWR), b"x")

    assert run_in_process(kernel, program, "alice") == 1
    assert run_in_process(kernel, program, "mallory") == -EACCES
    assert kernel.net.security.denials == {"file_permission": 1}


class TestVectors:
    def test_writev_gathers_and_readv_scatters(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            one, two = p.store(b"one"), p.store(b"twotwo")
            vector = p.store(iovec((one, 3), (0, 0), (two, 6)))
            assert p("writev", fd, vector, 3) == 9
            p("lseek", fd, 0, SEEK_SET)
            a, b = p.room(4), p.room(10)
            assert p("readv", fd, p.store(iovec((a, 4), (b, 10))), 2) == 9
            assert p.load(a, 4) + p.load(b, 5) == b"onetwotwo"

        run_in_process(kernel, program)

    def test_errors_in_linuxs_order(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            good = p.store(b"x")
            huge = (1 << 63) + 1
            assert p("writev", fd, UNMAPPED, 1025) == -EINVAL
            assert p("writev", fd, UNMAPPED, -1) == -EINVAL
            assert p("writev", fd, UNMAPPED, 1) == -EFAULT
            assert p("writev", fd, p.store(iovec((good, huge))), 1) == -EINVAL
            assert p("writev", fd, p.store(iovec((KERNEL_SIDE, 1))), 1) == -EFAULT
            assert p("writev", fd, p.store(iovec((good, 0))), 1) == 0
            assert p("writev", fd, 0, 0) == 0

        run_in_process(kernel, program)

    def test_what_exceeds_the_largest_count_is_cut_off(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            null = p.open("dev/null", O_RDWR)
            vector = p.store(iovec((UNMAPPED, 0x7FFFFFFF), (UNMAPPED, 5)))
            assert p("writev", null, vector, 2) == MAX_RW_COUNT
            assert p("write", null, UNMAPPED, 1 << 40) == MAX_RW_COUNT

        run_in_process(kernel, program)


class TestPosition:
    def test_pread_and_pwrite_leave_the_position_alone(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            p.write(fd, b"0123456789")
            assert p("pwrite64", fd, p.store(b"ab"), 2, 4) == 2
            addr = p.room(10)
            assert p("pread64", fd, addr, 4, 3) == 4
            assert p.load(addr, 4) == b"3ab6"
            assert p("lseek", fd, 0, SEEK_CUR) == 10
            assert p("pread64", fd, addr, 1, -1) == -EINVAL
            assert p("pwrite64", fd, addr, 1, (1 << 63) - 1) == -EINVAL

        run_in_process(kernel, program)

    def test_lseek_from_start_end_and_here(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            p.write(fd, bytes(100))
            assert p("lseek", fd, -10, SEEK_END) == 90
            assert p("lseek", fd, 5, SEEK_CUR) == 95
            assert p("lseek", fd, -96, SEEK_CUR) == -EINVAL
            assert p("lseek", fd, 7, 99) == -EINVAL
            assert p("lseek", fd, 0, SEEK_CUR) == 95, "a failure moves nothing"

        run_in_process(kernel, program)

    def test_a_pipe_has_no_position(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            r, w = p.pipe()
            assert p("lseek", r, 0, SEEK_SET) == -ESPIPE
            assert p("pread64", r, UNMAPPED, 1, 0) == -ESPIPE
            assert p("pwrite64", w, UNMAPPED, 1, 0) == -ESPIPE

        run_in_process(kernel, program)


class TestRamfs:
    def test_holes_read_as_zeros_and_the_end_is_the_end(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            p("lseek", fd, 10000, SEEK_SET)
            p.write(fd, b"end")
            p("lseek", fd, 9998, SEEK_SET)
            assert p.read(fd, 100) == b"\0\0end"
            assert p.read(fd, 100) == b""

        run_in_process(kernel, program)

    def test_append_always_writes_at_the_end(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd, other = p.open("a", O_CREAT | O_RDWR | O_APPEND), p.open("a", O_RDWR)
            p.write(other, b"12345")
            assert p.write(fd, b"678") == 3
            assert p("lseek", fd, 0, SEEK_CUR) == 8
            p("lseek", fd, 0, SEEK_SET)
            p.write(fd, b"9")
            assert p.read(other, 100) == b"6789"

        run_in_process(kernel, program)

    def test_a_fault_half_way_gives_the_bytes_before_it(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            addr = p.room(4096)
            assert p("write", fd, addr + 4000, 500) == 96
            assert p("write", fd, addr + 4096, 500) == -EFAULT
            assert p("lseek", fd, 0, SEEK_CUR) == 96
            p("lseek", fd, 0, SEEK_SET)
            assert p("read", fd, addr + 4050, 90) == 46
            assert p("read", fd, UNMAPPED, 10) == -EFAULT

        run_in_process(kernel, program)

    def test_memory_that_may_not_be_touched_is_a_fault(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            addr = p.room(4096)
            p.write(fd, b"data")
            p("lseek", fd, 0, SEEK_SET)
            p.process.mm.mprotect(addr, 4096, PROT_READ)
            assert p("read", fd, addr, 4) == -EFAULT
            p.process.mm.mprotect(addr, 4096, PROT_NONE)
            assert p("write", fd, addr, 4) == -EFAULT

        run_in_process(kernel, program)

    def test_open_says_why_not(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            assert p.open("nothing", O_RDONLY) == -ENOENT
            assert p.open("", O_RDONLY) == -ENOENT
            assert p.open("no/such", O_CREAT | O_RDWR) == -ENOENT
            assert p.open("/dev", O_RDWR) == -EISDIR
            assert p("close", p.open("/dev", O_RDONLY | O_DIRECTORY)) == 0
            p("close", p.open("/a", O_CREAT | O_RDWR))
            assert p.open("a/b", O_RDONLY) == -ENOTDIR
            assert p.open("a", O_CREAT | O_EXCL | O_RDWR) == -EEXIST
            assert p.open("a", O_RDONLY | O_DIRECTORY) == -ENOTDIR
            assert p("open", UNMAPPED, 0, 0) == -EFAULT

        run_in_process(kernel, program)

    def test_truncation_and_unlink_give_the_pages_back(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("a", O_CREAT | O_RDWR)
            p.write(fd, bytes(100_000))
            p("close", fd)
            fd = p.open("a", O_RDWR | O_TRUNC)
            assert p.read(fd, 10) == b""
            p.write(fd, b"again")
            assert kernel.rootfs.unlink("a") == 0
            assert kernel.rootfs.unlink("a") == -ENOENT
            p("lseek", fd, 0, SEEK_SET)
            assert p.read(fd, 10) == b"again", "an open file outlives its name"

        run_in_process(kernel, program)
        assert kernel.mem.pages_in_use == 0

    def test_zero_reads_zeros(self, kernel: Kernel) -> None:
        def program(p: Program) -> None:
            fd = p.open("/dev/zero", O_RDWR)
            addr = p.store(b"x" * 6000)
            assert p("read", fd, addr, 5000) == 5000
            assert p.load(addr, 5001) == bytes(5000) + b"x"
            assert p("read", fd, UNMAPPED, 10) == -EFAULT

        run_in_process(kernel, program)


def test_ioctl_fionread_counts_what_can_be_read(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        r, w = p.pipe()
        p.write(w, b"12345")
        addr = p.room(4)
        assert p("ioctl", r, FIONREAD, addr) == 0
        assert p.load_int(addr) == 5
        assert p("ioctl", r, FIONREAD, UNMAPPED) == -EFAULT
        assert p("ioctl", p.open("/dev/null", O_RDONLY), FIONREAD, addr) == -ENOTTY

    run_in_process(kernel, program)


def test_a_write_to_a_broken_pipe_is_epipe_even_with_a_bad_pointer(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        r, w = p.pipe()
        p("close", r)
        assert p("write", w, UNMAPPED, 1) == -EPIPE
        assert p("write", w, KERNEL_SIDE, 1) == -EFAULT

    run_in_process(kernel, program)
