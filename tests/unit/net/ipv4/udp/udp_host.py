"""UDP sockets of a host without system calls: the protocol's own functions, with data in kernel
memory.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.kernel.kernel import Kernel
from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.net.core.sock import MsgHdr
from pyhost.net.ipv4.udp.udp import UdpSock, udp_prot
from pyhost.uapi.ip import IPPROTO_UDP
from pyhost.uapi.socket import (
    AF_INET,
    INT,
    MSG_DONTWAIT,
    SOCK_DGRAM,
    pack_sockaddr_in,
    unpack_sockaddr_in,
)


class Udp:
    """One socket. Every call that may sleep has to run in a task (`in_task`)."""

    def __init__(self, kernel: Kernel, port: int = 0, addr: int = 0) -> None:
        self.kernel = kernel
        self.sk = UdpSock(kernel.net, AF_INET, SOCK_DGRAM, IPPROTO_UDP, udp_prot)
        self.sk.inet_rcv_saddr = self.sk.inet_saddr = addr
        self.bound = udp_prot.get_port(self.sk, port)
        self.sk.inet_sport = self.sk.inet_num

    def send(
        self, data: bytes, to: tuple[int, int] | None = None, flags: int = 0, control: bytes = b""
    ) -> int:
        """sendto(); what udp_sendmsg returns."""
        memory = self.kernel.mem
        addr = memory.kmalloc(max(1, len(data)))
        memory.buf[addr : addr + len(data)] = data
        source = IovIter.kvec(ITER_SOURCE, memory, [(addr, len(data))])
        name = pack_sockaddr_in(*to) if to else None
        result = udp_prot.sendmsg(self.sk, MsgHdr(source, flags, name, control), len(data))
        memory.kfree(addr)
        return result

    def recv_msg(self, size: int = 65536, flags: int = MSG_DONTWAIT) -> tuple[int, bytes, MsgHdr]:
        """recvmsg(): result, data, message."""
        memory = self.kernel.mem
        addr = memory.kmalloc(size)
        msg = MsgHdr(IovIter.kvec(ITER_DEST, memory, [(addr, size)]), flags)
        msg.controllen = 512
        result = udp_prot.recvmsg(self.sk, msg, size, flags)
        data = bytes(memory.buf[addr : addr + size - msg.iter.count])
        memory.kfree(addr)
        return result, data, msg

    def recv(
        self, size: int = 65536, flags: int = MSG_DONTWAIT
    ) -> tuple[bytes, tuple[int, int]] | int:
        """recvfrom(): (data, (address, port)), or what udp_recvmsg returned when it failed."""
        result, data, msg = self.recv_msg(size, flags)
        if result < 0:
            return result
        assert msg.name is not None
        _, addr, port = unpack_sockaddr_in(msg.name)
        return data, (addr, port)

    def connect(self, addr: int, port: int) -> int:
        """connect()."""
        return udp_prot.connect(self.sk, pack_sockaddr_in(addr, port))

    def setsockopt(self, level: int, optname: int, value: int) -> int:
        """setsockopt() of an int."""
        return udp_prot.setsockopt(self.sk, level, optname, INT.pack(value))

    def getsockopt(self, level: int, optname: int) -> int:
        """getsockopt() of an int; the negative errno when it fails."""
        value = udp_prot.getsockopt(self.sk, level, optname, INT.size)
        return value if isinstance(value, int) else int(INT.unpack(value)[0])


def in_task(kernel: Kernel, fn: Callable[[], object], run: Callable[[], None]) -> list[object]:
    """Run `fn` in a task of `kernel`, then `run()`; a list that holds what it returned, once it
    has.
    """
    result: list[object] = []
    kernel.sched.spawn(lambda: result.append(fn()), "test")
    run()
    return result
