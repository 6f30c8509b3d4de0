"""A machine and a process in it, for tests that make system calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pyhost.fs.file import FilesStruct
from pyhost.fs.ramfs import RamFs
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.process import Process
from pyhost.kernel.syscall_table import SYSCALLS
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.dev import net_dev_init
from pyhost.net.net_namespace import Net
from pyhost.security.hooks import security_init

T = TypeVar("T")


def make_kernel(name: str = "host", seed: int = 0) -> Kernel:
    """A machine with files and sockets, but no protocol and no device."""
    kernel = Kernel(VirtualClock(), name=name, seed=seed)
    kernel.syscalls = SYSCALLS
    kernel.rootfs = RamFs(kernel)
    kernel.net = Net(kernel)
    security_init(kernel.net)
    net_dev_init(kernel.net)
    return kernel


class Program:
    """A process as a test sees it: system calls, and loads and stores in its memory."""

    def __init__(self, kernel: Kernel, name: str = "program") -> None:
        self.kernel = kernel
        self.process = Process(kernel, name, MmStruct(kernel.mem), FilesStruct())

    def __call__(self, name: str, *args: int) -> int:
        """Make a system call: a result or a negative errno."""
        return self.kernel.syscall(name, *args)

    def store(self, data: bytes) -> int:
        """The address of a new mapping that begins with `data`."""
        addr = self.process.mm.mmap(max(1, len(data)))
        self.process.mm.write(addr, data)
        return addr

    def room(self, size: int) -> int:
        """The address of `size` zeroed bytes; an unmapped page follows."""
        return self.process.mm.mmap(size)

    def load(self, addr: int, size: int) -> bytes:
        """Bytes of the process's memory."""
        return self.process.mm.read(addr, size)

    def load_int(self, addr: int) -> int:
        """An int of the process's memory."""
        return int.from_bytes(self.load(addr, 4), "little", signed=True)

    def write(self, fd: int, data: bytes) -> int:
        """write(2) of bytes."""
        return self("write", fd, self.store(data), len(data))

    def read(self, fd: int, size: int) -> bytes:
        """read(2) that must succeed."""
        addr = self.room(max(1, size))
        got = self("read", fd, addr, size)
        assert got >= 0, f"read: errno {-got}"
        return self.load(addr, got)

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        """open(2)."""
        return self("open", self.store(path.encode() + b"\0"), flags, mode)

    def pipe(self, flags: int = 0) -> tuple[int, int]:
        """pipe2(2): reading and writing end."""
        addr = self.room(8)
        assert self("pipe2", addr, flags) == 0
        return self.load_int(addr), self.load_int(addr + 4)

    def spawn(self, fn: Callable[[], object], name: str = "thread") -> None:
        """A second thread; what it raises ends the run."""
        self.process.spawn(fn, name)


def run(kernel: Kernel, until: int | None = None) -> None:
    """Let the machine run until nothing happens any more, or until `until` ns."""
    assert isinstance(kernel.clock, VirtualClock)
    kernel.clock.run(until)


def run_in_process(kernel: Kernel, fn: Callable[[Program], T], name: str = "program") -> T:
    """Run `fn(program)` as a process until nothing happens any more; returns what `fn` returned.

    At the end the process exits. What it raises is raised here; an end that never comes fails.
    """
    program = Program(kernel, name)
    result: list[T] = []

    def main() -> None:
        result.append(fn(program))
        program.process.exit(0)

    program.spawn(main, name)
    run(kernel)
    assert result, "the program still sleeps"
    return result[0]
