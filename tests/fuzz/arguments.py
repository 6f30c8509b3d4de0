"""Arguments for system calls: good ones, bad ones, and those in between, by seed."""

from __future__ import annotations

import random
from struct import Struct

from pyhost.mm.mmap import MmStruct
from pyhost.uapi.socket import pack_sockaddr_in
from tests.fuzz.kinds import Kinds

__all__ = ["SIGNATURES", "Arguments"]

SIGNATURES: dict[str, str] = {
    "accept4": "listener out outlen sockflags",
    "bind": "sock sockaddr addrlen",
    "clock_gettime": "small out",
    "close": "fd",
    "connect": "sock sockaddr addrlen",
    "dup": "fd",
    "dup3": "fd fd flags",
    "epoll_create1": "flags",
    "epoll_ctl": "epoll ctl fd event",
    "epoll_wait": "epoll out small timeout",
    "fcntl": "fd small any",
    "fstat": "fd out",
    "getpeername": "sock out outlen",
    "getpid": "",
    "getsockname": "sock out outlen",
    "getsockopt": "sock level option out outlen",
    "ioctl": "fd request out",
    "listen": "sock small",
    "lseek": "fd any small",
    "nanosleep": "timespec out",
    "open": "path flags any",
    "pipe2": "out flags",
    "poll": "pollfds small timeout",
    "pread64": "fd out len any",
    "pwrite64": "fd in len any",
    "read": "readable out len",
    "readv": "fd iovec small",
    "recvfrom": "readable out len flags out outlen",
    "recvmmsg": "readable mmsghdr small flags timespec",
    "recvmsg": "readable msghdr flags",
    "sendfile": "connected regular offset len",
    "sendmmsg": "connected mmsghdr small flags",
    "sendmsg": "sock msghdr flags",
    "sendto": "sock in len flags sockaddr addrlen",
    "setsockopt": "sock level option optval optlen",
    "shutdown": "sock small",
    "socket": "family type protocol",
    "socketpair": "family type protocol out",
    "splice": "full_pipe offset connected offset len spliceflags",
    "write": "fd in len",
    "writev": "fd iovec small",
}
"""What each system call takes; the words are methods of `Arguments`."""

KERNEL_ADDRESS = 0xFFFF_8880_0000_0000
U64 = (1 << 64) - 1
SIZES = (0, 1, 3, 4, 16, 100, 1448, 4096, 65536, 1 << 20, 1 << 31, U64, 1 << 63)
FLAGS = (0, 0, 0, 1, 2, 4, 0x10, 0x20, 0x40, 0x80, 0x100, 0x800, 0x2000, 0x4000, 0x8000, 0x40000,
         0x80000, 0x4000000, 0x20000000)  # fmt: skip
SCRATCH = 1 << 16

_IOVEC = Struct("<QQ")
_MSGHDR = Struct("<QI4xQQQQi4x")
_CMSGHDR = Struct("<QiiI")
_POLLFD = Struct("<ihh")
_TIMESPEC = Struct("<qq")


def _signed(value: int) -> int:
    """As a register holds it for a function that takes a signed number."""
    return value - (1 << 64) if value >> 63 else value


class Arguments:
    """Draws arguments for a process. `addresses` and `ports` are where its sockets may lead."""

    def __init__(self, rng: random.Random, mm: MmStruct, addresses: list[int], ports: list[int]):
        self.rng = rng
        self._mm = mm
        self._addresses = addresses
        self._ports = ports
        self._memory = mm.mmap(SCRATCH)
        self._read_only = mm.mmap(4096, 1)
        self.kinds = Kinds()
        self._careful = False

    def draw(self, name: str) -> list[int]:
        """Arguments for the system call `name`; half of the time all of them make sense."""
        self._careful = self.rng.random() < 0.5
        return [getattr(self, f"_{kind}")() for kind in SIGNATURES[name].split()]

    # -- numbers -----------------------------------------------------------------------------------

    def _fd(self) -> int:
        if self._careful or self.rng.random() < 0.95:
            return self.rng.choice(self.kinds["any"])
        return self.rng.choice((-1, 1 << 20, 1023, 1 << 31, self.rng.randrange(64)))

    def _sock(self) -> int:
        if self._careful or self.rng.random() < 0.9:
            return self.rng.choice(self.kinds["socket"])
        return self._fd()

    def _fitting(self, kind: str) -> int:
        """A descriptor of the kind that the call is for, if careful, else some."""
        return self.rng.choice(self.kinds[kind]) if self._careful else self._sock()

    def _listener(self) -> int:
        return self._fitting("listener")

    def _connected(self) -> int:
        return self._fitting("connected")

    def _readable(self) -> int:
        return self._fitting("readable")

    def _epoll(self) -> int:
        return self._fitting("epoll")

    def _full_pipe(self) -> int:
        return self._fitting("full_pipe")

    def _regular(self) -> int:
        return self._fitting("regular")

    def _small(self) -> int:
        return self.rng.choice((0, 1, 1, 2, 3, 4, 5, 8, 10, -1, 1024, 1025, 1 << 31))

    def _any(self) -> int:
        return self.rng.choice((0, 1, 2, 0x800, 4096, -1, _signed(1 << 63), self._out()))

    def _flags(self) -> int:
        value = 0
        for _ in range(self.rng.choice((0, 0, 0, 1) if self._careful else (0, 1, 2))):
            value |= self.rng.choice(FLAGS)
        return value if self._careful or self.rng.random() < 0.95 else self.rng.getrandbits(32)

    def _sockflags(self) -> int:
        return self.rng.choice((0, 0x800, 0x80000)) if self._careful else self._flags()

    def _spliceflags(self) -> int:
        return self.rng.choice((0, 1, 2, 4, 6)) if self._careful else self._flags()

    def _ctl(self) -> int:
        return self.rng.choice((1, 1, 1, 2, 3) if self._careful else (0, 1, 2, 3, 4, -1))

    def _offset(self) -> int:
        return 0 if self._careful else self._out()

    def _len(self) -> int:
        small = self._careful or self.rng.random() < 0.8
        return self.rng.randrange(20000) if small else _signed(self.rng.choice(SIZES))

    def _timeout(self) -> int:
        return self.rng.choice((0, 0, 1, 10, 1000, -1, -2))

    def _family(self) -> int:
        return self.rng.choice((2,) * 20 + (1, 1, 17, 17, 10, 0, -1, 1000))

    def _type(self) -> int:
        kind = self.rng.choice((1,) * 10 + (2,) * 6 + (3, 5, 0, 99))
        return kind | self.rng.choice((0, 0, 0, 0x800, 0x800, 0x80000, 0x100))

    def _protocol(self) -> int:
        return self.rng.choice((0,) * 12 + (6, 17, 1, 255, 0x0300, 0x0008, -1, 1000))

    def _level(self) -> int:
        return self.rng.choice((1, 1, 1, 6, 6, 6, 6, 0, 0, 17, 263, 41, -1))

    def _option(self) -> int:
        return self.rng.randrange(1, 50) if self.rng.random() < 0.95 else self._small()

    def _request(self) -> int:
        return self.rng.choice((0x541B, 0x5411, 0x894B, 0x5421, 0x8905, 0x8906, 0x8913, 0, -1))

    def _addrlen(self) -> int:
        if self._careful:
            return 16
        return self.rng.choice((16,) * 9 + (20, 28, 15, 2, 0, 128, 129, -1, 110))

    def _optlen(self) -> int:
        if self._careful:
            return 4
        return self.rng.choice((4,) * 9 + (8, 8, 16, 16, 1, 0, 3, 64, -1, 100_000))

    # -- memory ------------------------------------------------------------------------------------

    def _address(self, size: int) -> int:
        """A place for `size` bytes; if careless, one in twenty is not what it seems."""
        room = self._memory + self.rng.randrange(0, max(1, SCRATCH - size))
        bad = (0, 1, self._read_only, self._memory + SCRATCH - self.rng.randrange(1, 40),
               self._memory + SCRATCH + 100, KERNEL_ADDRESS, U64 - 3)  # fmt: skip
        return room if self._careful or self.rng.random() < 0.95 else self.rng.choice(bad)

    def _store(self, data: bytes) -> int:
        addr = self._memory + self.rng.randrange(0, SCRATCH - len(data))
        self._mm.write(addr, data)
        return addr if self._careful or self.rng.random() < 0.95 else self._address(len(data))

    def _out(self) -> int:
        return self._address(2048) if self._careful else self.rng.choice((0, self._address(2048)))

    def _in(self) -> int:
        return self._address(20000)

    def _outlen(self) -> int:
        size = 16 if self._careful else self.rng.choice((4, 16, 1, 0, 128, 0xFFFFFFFF))
        return self._store(size.to_bytes(4, "little"))

    def _sockaddr(self) -> int:
        draw = self.rng.random()
        if draw < (0.4 if self._careful else 0.1):
            return 0
        if draw < 0.9:
            addr, port = self.rng.choice(self._addresses), self.rng.choice(self._ports)
            return self._store(pack_sockaddr_in(addr, port) + bytes(112))
        family = self.rng.choice((0, 1, 2, 10, 17)).to_bytes(2, "little")
        return self._store(family + self.rng.randbytes(126))

    def _optval(self) -> int:
        value = self.rng.choice(
            (0, 1, 2, 3, 100, 1000, 65536, -1, 1 << 30, self.rng.getrandbits(31))
        )
        return self._store((value & U64).to_bytes(8, "little") + bytes(56))

    def _event(self) -> int:
        return self._store(self.rng.getrandbits(32).to_bytes(4, "little") + bytes(8))

    def _path(self) -> int:
        return self._store(
            self.rng.choice((b"/tmp/a", b"/b", b"", b"/no/where", b"x" * 5000)) + b"\0"
        )

    def _timespec(self) -> int:
        sec, nsec = self.rng.choice(((0, 1000), (0, 10**8), (-1, 0), (0, 10**9), (0, -1)))
        return self._store(_TIMESPEC.pack(sec, nsec))

    def _pollfds(self) -> int:
        fds = (_POLLFD.pack(_int(self._fd()), self.rng.getrandbits(15), 0) for _ in range(10))
        return self._store(b"".join(fds))

    def _iovec(self) -> int:
        parts = (_IOVEC.pack(self._in() & U64, self._len() & U64) for _ in range(10))
        whole = b"".join(parts)
        return (
            self._store(whole) if self._careful or self.rng.random() < 0.9 else self._address(160)
        )

    def _control(self) -> tuple[int, int]:
        """A control message and its length: time stamps, IP options, descriptors, or nonsense."""
        if self._careful or self.rng.random() < 0.4:
            return 0, 0
        size = self.rng.choice((20, 20, 16, 17, 28, 0, 4, 1 << 20, U64))
        data = _CMSGHDR.pack(size, self._level(), _int(self._option()), self.rng.getrandbits(32))
        return self._store(data + bytes(12)), self.rng.choice((20, 24, 16, 8, 32, U64))

    def _msghdr_bytes(self) -> bytes:
        control, length = self._control()
        name = self._sockaddr()
        return _MSGHDR.pack(
            name & U64, 16 if name else 0, self._iovec() & U64,
            self._count(), control & U64, length, 0,
        )  # fmt: skip

    def _count(self) -> int:
        return self.rng.choice((1, 2, 10) if self._careful else (0, 1, 2, 10, 1025, U64))

    def _msghdr(self) -> int:
        return self._store(self._msghdr_bytes())

    def _mmsghdr(self) -> int:
        return self._store(b"".join(self._msghdr_bytes() + bytes(8) for _ in range(4)))


def _int(value: int) -> int:
    """The low 32 bits as a signed number."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
