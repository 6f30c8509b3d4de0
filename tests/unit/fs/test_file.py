"""Descriptors, open files and their end."""

from __future__ import annotations

import pytest

from pyhost.fs.file import FMODE_WRITE, FileOperations, FilesStruct, Inode, alloc_file, fput
from pyhost.kernel.bug import KernelBug
from pyhost.uapi.errno import EBADF, EINVAL, EMFILE
from pyhost.uapi.fcntl import (
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_SETFD,
    F_SETFL,
    FD_CLOEXEC,
    O_APPEND,
    O_CLOEXEC,
    O_CREAT,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
)
from pyhost.uapi.stat import S_IFREG, STAT
from tests.unit.support import Program, make_kernel, run, run_in_process


@pytest.mark.claim("S04")
def test_the_last_fput_releases_the_file_and_only_the_last() -> None:
    released = []
    f_op = FileOperations(name="probe", release=released.append)
    inode = Inode(1, S_IFREG)
    file = alloc_file(inode, f_op, O_WRONLY | O_NONBLOCK)
    file.private_data = "what the driver keeps"
    assert file.f_op is f_op
    assert file.f_inode is inode
    assert file.f_pos == 0
    assert file.f_flags == O_WRONLY | O_NONBLOCK
    assert file.f_mode & FMODE_WRITE
    assert file.f_count == 1
    file.f_count += 1
    fput(file)
    assert released == []
    fput(file)
    assert released == [file]
    with pytest.raises(KernelBug, match="released"):
        fput(file)


@pytest.mark.claim("S04")
def test_dup_shares_the_file_and_its_position() -> None:
    def program(p: Program) -> None:
        fd = p.open("a", O_CREAT | O_RDWR)
        twin = p("dup", fd)
        assert twin != fd
        p.write(fd, b"one")
        p.write(twin, b"two")
        assert p("lseek", fd, 0, 0) == 0
        assert p.read(twin, 10) == b"onetwo"
        assert p.process.files.fds[fd] is p.process.files.fds[twin]
        assert p("close", fd) == 0
        assert p.write(twin, b"!") == 1
        assert p.write(fd, b"!") == -EBADF

    run_in_process(make_kernel(), program)


def test_descriptors_are_the_lowest_free_ones_from_min_fd_on() -> None:
    files = FilesStruct(min_fd=1000, nofile=4)
    fds = [files.get_unused_fd_flags(0) for _ in range(5)]
    assert fds == [1000, 1001, 1002, 1003, -EMFILE]
    files.put_unused_fd(1001)
    assert files.get_unused_fd_flags(0) == 1001
    files.put_unused_fd(1001)
    assert files.get_unused_fd_flags(0, 1002) == -EMFILE


def test_running_out_of_descriptors_leaks_neither_file_nor_page() -> None:
    kernel = make_kernel()

    def program(p: Program) -> None:
        p.process.files.max_fds = 3
        r, w = p.pipe()
        addr = p.room(8)
        assert p("pipe2", addr, 0) == -EMFILE
        assert sorted(p.process.files.fds) == [r, w]
        assert p.open("a", O_CREAT | O_RDWR) == 2
        assert p("dup", 0) == -EMFILE
        assert p.process.files.fds[0].f_count == 1

    run_in_process(kernel, program)
    assert kernel.mem.pages_in_use == 0


def test_dup3_closes_what_the_target_was() -> None:
    def program(p: Program) -> None:
        r, w = p.pipe()
        fd = p.open("a", O_CREAT | O_RDWR)
        assert p("dup3", fd, w, O_CLOEXEC) == w
        assert p.read(r, 1) == b"", "the writing end is closed"
        assert p("fcntl", w, F_GETFD, 0) == FD_CLOEXEC
        assert p("dup3", fd, fd, 0) == -EINVAL
        assert p("dup3", 77, fd, 0) == -EBADF
        assert p("dup3", fd, 1 << 30, 0) == -EBADF

    run_in_process(make_kernel(), program)


def test_fcntl_reads_and_changes_the_flags_that_may_change() -> None:
    def program(p: Program) -> None:
        fd = p.open("a", O_CREAT | O_RDWR)
        assert p("fcntl", fd, F_GETFL, 0) & 3 == O_RDWR
        assert p("fcntl", fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0
        assert p("fcntl", fd, F_GETFL, 0) & ~O_CREAT == O_RDWR | O_APPEND | O_NONBLOCK
        assert p("fcntl", fd, F_SETFD, FD_CLOEXEC) == 0
        assert p("fcntl", fd, F_GETFD, 0) == FD_CLOEXEC
        assert p("fcntl", fd, F_SETFD, 0) == 0
        assert p("fcntl", fd, F_GETFD, 0) == 0
        assert p("fcntl", fd, F_DUPFD, 10) == 10
        assert p("fcntl", fd, F_DUPFD_CLOEXEC, 10) == 11
        assert p("fcntl", 11, F_GETFD, 0) == FD_CLOEXEC
        assert p("fcntl", fd, F_DUPFD, -1) == -EINVAL
        assert p("fcntl", fd, 4711, 0) == -EINVAL
        assert p("fcntl", 99, F_GETFL, 0) == -EBADF

    run_in_process(make_kernel(), program)


def test_a_write_that_sleeps_keeps_its_file_while_another_thread_closes_it() -> None:
    kernel = make_kernel()
    program = Program(kernel)
    got: list[int] = []

    def main() -> None:
        _, w = program.pipe()
        program.spawn(lambda: closer(w))
        got.append(program.write(w, bytes(70000)))
        program.process.exit(0)

    def closer(w: int) -> None:
        file = program.process.files.fds[w]
        assert file.f_count == 2
        assert program("close", w) == 0
        assert file.f_count == 1, "the write holds the last reference"
        assert program("close", 0) == 0

    program.spawn(main)
    run(kernel)
    assert got == [65536], "the bytes that went in count more than EPIPE"
    assert kernel.mem.pages_in_use == 0


def test_exit_closes_all_files_and_gives_the_memory_back() -> None:
    kernel = make_kernel()

    def program(p: Program) -> None:
        p.pipe()
        _, w = p.pipe()
        p.write(w, b"never read")
        assert kernel.mem.pages_in_use > 0

    run_in_process(kernel, program)
    assert kernel.mem.pages_in_use == 0


def test_fstat_tells_type_size_and_inode() -> None:
    def program(p: Program) -> None:
        fd = p.open("a", O_CREAT | O_RDWR, 0o640)
        p.write(fd, bytes(5000))
        addr = p.room(144)
        assert p("fstat", fd, addr) == 0
        _, ino, nlink, mode, _, _, _, size, blksize, blocks, *_ = STAT.unpack(p.load(addr, 144))
        assert (nlink, mode, size, blksize, blocks) == (1, S_IFREG | 0o640, 5000, 4096, 10)
        assert ino == p.process.files.fds[fd].f_inode.i_ino

    run_in_process(make_kernel(), program)


def test_a_file_opened_for_reading_stays_so() -> None:
    def program(p: Program) -> None:
        p("close", p.open("a", O_CREAT | O_RDWR))
        fd = p.open("a", O_RDONLY)
        assert p.write(fd, b"x") == -EBADF
        assert p.read(fd, 1) == b""

    run_in_process(make_kernel(), program)
