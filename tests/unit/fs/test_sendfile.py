"""sendfile and splice between files and pipes: pages move, bytes do not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhost.fs.hostfs import hostfs_open
from pyhost.kernel.kernel import Kernel
from pyhost.uapi.errno import EAGAIN, EBADF, EFAULT, EINVAL, EPIPE, ESPIPE
from pyhost.uapi.fcntl import O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, SEEK_CUR, SEEK_SET
from tests.unit.support import Program, make_kernel, run_in_process

DATA = bytes(i * 7 % 251 for i in range(100_000))


@pytest.fixture
def kernel() -> Kernel:
    return make_kernel()


@pytest.fixture
def real_fd() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(DATA)
        fd = os.open(path, os.O_RDONLY)
        yield fd
        os.close(fd)


def filled(p: Program, data: bytes = DATA) -> int:
    fd = p.open("source", O_CREAT | O_RDWR)
    assert p.write(fd, data) == len(data)
    p("lseek", fd, 0, SEEK_SET)
    return fd


def test_sendfile_copies_a_file_and_moves_both_positions(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        source, out = filled(p), p.open("out", O_CREAT | O_RDWR)
        assert p("sendfile", out, source, 0, 70_000) == 70_000
        assert p("sendfile", out, source, 0, 70_000) == 30_000
        assert p("sendfile", out, source, 0, 70_000) == 0
        assert p("lseek", out, 0, SEEK_CUR) == 100_000
        p("lseek", out, 0, SEEK_SET)
        assert p.read(out, 200_000) == DATA

    run_in_process(kernel, program)


def test_an_offset_pointer_is_moved_instead_of_the_position(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        source, out = filled(p), p.open("out", O_CREAT | O_RDWR)
        offset = p.store((50_001).to_bytes(8, "little"))
        assert p("sendfile", out, source, offset, 100) == 100
        assert p.load(offset, 8) == (50_101).to_bytes(8, "little")
        assert p("lseek", source, 0, SEEK_CUR) == 0
        p("lseek", out, 0, SEEK_SET)
        assert p.read(out, 200) == DATA[50_001:50_101]

    run_in_process(kernel, program)


def test_sendfile_to_a_pipe_shares_the_pages(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        source = filled(p, DATA[:8192])
        r, w = p.pipe(O_NONBLOCK)
        copied = kernel.mem.copy_from_user_bytes
        assert p("sendfile", w, source, 0, 8192) == 8192
        assert kernel.mem.copy_from_user_bytes == copied
        pages = p.process.files.fds[source].f_inode.i_private.pages
        bufs = p.process.files.fds[r].private_data.bufs
        assert [buf.page for buf in bufs] == list(pages.values())
        assert all(page.refcount == 2 for page in pages.values())
        assert p.read(r, 10_000) == DATA[:8192]
        assert all(page.refcount == 1 for page in pages.values())

    run_in_process(kernel, program)


def test_a_page_of_a_file_is_not_written_to_through_the_pipe(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        source = filled(p, b"abc")
        r, w = p.pipe()
        p("sendfile", w, source, 0, 3)
        p.write(w, b"XYZ")
        assert p.read(r, 10) == b"abcXYZ"
        p("lseek", source, 0, SEEK_SET)
        assert p.read(source, 10) == b"abc"

    run_in_process(kernel, program)


def test_a_pipe_that_is_full_or_broken(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        source = filled(p)
        r, w = p.pipe(O_NONBLOCK)
        assert p("sendfile", w, source, 0, 100_000) == 65536
        assert p("sendfile", w, source, 0, 100_000) == -EAGAIN
        p("close", r)
        assert p("sendfile", w, source, 0, 100_000) == -EPIPE
        assert len(p.process.signals) == 1

    run_in_process(kernel, program)


def test_sendfile_errors(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        source, out = filled(p), p.open("out", O_CREAT | O_RDWR)
        r, w = p.pipe()
        offset = p.store(bytes(8))
        only_read = p.open("source", O_RDONLY)
        assert p("sendfile", out, source, 4096, 1) == -EFAULT
        assert p("sendfile", out, 99, 0, 1) == -EBADF
        assert p("sendfile", out, w, 0, 1) == -EBADF
        assert p("sendfile", 99, source, 0, 1) == -EBADF
        assert p("sendfile", only_read, source, 0, 1) == -EBADF
        assert p("sendfile", out, r, offset, 1) == -ESPIPE
        assert p("sendfile", out, r, 0, 1) == -EINVAL
        assert p("sendfile", out, source, 0, -1) == -EINVAL
        assert p("sendfile", p.open("out", O_RDWR | O_APPEND), source, 0, 1) == -EINVAL
        p.process.mm.write(offset, b"\xff" * 8)
        assert p("sendfile", out, source, offset, 1) == -EINVAL

    run_in_process(kernel, program)


def test_splice_moves_pages_from_pipe_to_pipe_and_to_a_file(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        r1, w1 = p.pipe()
        r2, w2 = p.pipe()
        out = p.open("out", O_CREAT | O_RDWR)
        p.write(w1, DATA[:5000])
        page = p.process.files.fds[r1].private_data.bufs[0].page
        assert p("splice", r1, 0, w2, 0, 4500, 0) == 4500
        assert p.process.files.fds[r2].private_data.bufs[0].page is page
        offset = p.store((10).to_bytes(8, "little"))
        assert p("splice", r2, 0, out, offset, 9999, 0) == 4500
        assert p.load(offset, 8) == (4510).to_bytes(8, "little")
        assert p.read(out, 9999) == bytes(10) + DATA[:4500]
        assert p.read(r1, 9999) == DATA[4500:5000]

    run_in_process(kernel, program)
    kernel.rootfs.unlink("out")
    assert kernel.mem.pages_in_use == 0


def test_splice_errors(kernel: Kernel) -> None:
    def program(p: Program) -> None:
        r, w = p.pipe()
        source = filled(p)
        offset = p.store(bytes(8))
        assert p("splice", r, 0, w, 0, 0, 99) == 0
        assert p("splice", r, 0, w, 0, 1, 99) == -EINVAL
        assert p("splice", r, 0, w, 0, 1, 0) == -EINVAL, "the same pipe"
        assert p("splice", r, offset, source, 0, 1, 0) == -ESPIPE
        assert p("splice", source, 0, source, 0, 1, 0) == -EINVAL
        assert p("splice", w, 0, source, 0, 1, 0) == -EBADF
        assert p("splice", 99, 0, source, 0, 1, 0) == -EBADF
        assert p("splice", r, 0, source, 0, 1, 2) == -EAGAIN

    run_in_process(kernel, program)


class TestHostfs:
    def test_a_real_file_comes_in_as_pages(self, kernel: Kernel, real_fd: int) -> None:
        def program(p: Program) -> None:
            fd = hostfs_open(p.process, real_fd)
            assert p.read(fd, 200_000) == DATA
            assert p.write(fd, b"x") == -EBADF
            assert p("lseek", fd, -5, 2) == len(DATA) - 5
            assert p.read(fd, 100) == DATA[-5:]

        run_in_process(kernel, program)
        assert kernel.mem.pages_in_use == 0

    def test_it_starts_at_the_real_position_and_sees_growth(
        self, kernel: Kernel, real_fd: int
    ) -> None:
        os.lseek(real_fd, 99_990, os.SEEK_SET)

        def program(p: Program) -> None:
            out = p.open("out", O_CREAT | O_RDWR)
            fd = hostfs_open(p.process, real_fd)
            assert p("sendfile", out, fd, 0, 1000) == 10
            with open(f"/proc/self/fd/{real_fd}", "ab") as real:
                real.write(b"grown" * 1000)
            assert p("sendfile", out, fd, 0, 10_000) == 5000

        run_in_process(kernel, program)

    def test_its_page_cache_is_bounded(self, kernel: Kernel, tmp_path: Path) -> None:
        path = tmp_path / "big"
        path.write_bytes(DATA * 20)

        def program(p: Program) -> None:
            with path.open("rb") as real:
                fd = hostfs_open(p.process, real.fileno())
                out = p.open("/dev/null", O_RDWR)
                before = kernel.mem.pages_in_use
                assert p("sendfile", out, fd, 0, 1 << 30) == 2_000_000
                assert kernel.mem.pages_in_use - before == 256

        run_in_process(kernel, program)
        assert kernel.mem.pages_in_use == 0

    def test_only_regular_files_will_do(self, kernel: Kernel) -> None:
        r, w = os.pipe()
        assert run_in_process(kernel, lambda p: hostfs_open(p.process, r)) == -EINVAL
        os.close(r)
        os.close(w)
