"""A machine whose only program writes to a socket, as fast as the stack takes it."""

from __future__ import annotations

import time
from collections.abc import Callable

from pyhost.boot import boot
from pyhost.fs.file import FilesStruct
from pyhost.kernel.clock import NSEC_PER_SEC, VirtualClock
from pyhost.kernel.process import Process
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.dev import dev_open, netif_carrier_on, register_netdevice
from pyhost.net.ipv4.fib.route import inet_add_addr
from pyhost.uapi.socket import AF_INET, SOCK_STREAM, pack_sockaddr_in
from tests.bench.sink import SINK_ADDR, SINK_PORT, SinkNic

__all__ = ["Sender"]

SENDER_ADDR = 0x0A000001
SENDER_MAC = bytes.fromhex("020000000001")
RUN_LIMIT_NS = 1000 * NSEC_PER_SEC


class Sender:
    """A connected TCP socket on a machine with a `SinkNic`; `features` are those of the card.

    `write` returns the seconds of wall time from the first `write()` until the last byte comes to
    `ndo_start_xmit`.
    """

    def __init__(self, features: int, sysctls: dict[str, str] | None = None) -> None:
        self.clock = VirtualClock()
        self.kernel = boot(self.clock, sysctls=sysctls)
        self.nic = SinkNic(self.kernel, SENDER_MAC, features)
        dev = self.nic.dev
        assert register_netdevice(dev) == 0
        netif_carrier_on(dev)
        assert dev_open(dev) == 0
        inet_add_addr(dev, SENDER_ADDR, 24)
        self._process = Process(self.kernel, "sender", MmStruct(self.kernel.mem), FilesStruct())
        self._fd = -1
        self._run(self._connect)

    def write(self, total: int, chunk: int) -> float:
        """Write `total` bytes, `chunk` bytes a call."""
        self.nic.expect(total)
        start = time.perf_counter()
        self._run(lambda: self._write(total, chunk))
        return self.nic.finished - start

    def _run(self, program: Callable[[], None]) -> None:
        """Let `program` run as a task of the process until nothing moves any more."""
        self._process.spawn(program, "main")
        self.clock.run(until=self.clock.now + RUN_LIMIT_NS)

    def _connect(self) -> None:
        syscall = self.kernel.syscall
        address = pack_sockaddr_in(SINK_ADDR, SINK_PORT)
        where = self._process.mm.mmap(len(address))
        self._process.mm.write(where, address)
        self._fd = syscall("socket", AF_INET, SOCK_STREAM, 0)
        status = syscall("connect", self._fd, where, len(address))
        assert status == 0, f"connect: {status}"

    def _write(self, total: int, chunk: int) -> None:
        syscall, fd = self.kernel.syscall, self._fd
        data = self._process.mm.mmap(chunk)
        left = total
        while left:
            done = syscall("write", fd, data, min(chunk, left))
            assert done > 0, f"write: {done}"
            left -= done
        self._process.mm.munmap(data, chunk)
