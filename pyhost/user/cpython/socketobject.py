"""`_socket.socket`. CPython: Modules/socketmodule.c.

A socket with a timeout is non-blocking underneath, and waits with poll(2) before each call, as in
CPython.
"""

from __future__ import annotations

import _socket
import errno
import os
import select
from collections.abc import Callable, Iterable
from functools import partial
from operator import index
from typing import Any, ClassVar, TypeVar

from pyhost.user.abi import FD_BASE, MSGHDR, SOCKADDR_MAX, pack_cmsgs, unpack_cmsgs
from pyhost.user.cpython.selectmodule import poll_fds
from pyhost.user.cpython.sockaddr import SockaddrCodec
from pyhost.user.iovec import IovArea, byte_view, scatter, writable_view
from pyhost.user.libc import MAX_BLOCK, Libc, os_error

__all__ = ["Socket"]

_T = TypeVar("_T")
_NSEC_PER_SEC = 1_000_000_000
_NSEC_PER_MSEC = 1_000_000
_TIMEOUT_MAX = (1 << 63) - 1
_F_GETFL, _F_SETFL = 3, 4
_MSG_ZEROCOPY = 0x4000000
_OPTLEN_MAX = 1024
_SOMAXCONN_DEFAULT = 128


class Socket:
    """A socket by its descriptor. Each program has a subclass that knows its `libc`; `timeout` in
    ns, None for ever.
    """

    __slots__ = ("_family", "_fd", "_timeout", "_type", "proto")

    libc: ClassVar[Libc]
    codec: ClassVar[SockaddrCodec]
    default_timeout: ClassVar[int | None] = None

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        self._fd = -1
        self._timeout: int | None = None
        if fileno is None:
            family = _socket.AF_INET if family == -1 else family
            type = _socket.SOCK_STREAM if type == -1 else type
            proto = max(proto, 0)
            self._fd = self.libc.call("socket", family, type | _socket.SOCK_CLOEXEC, proto)
        else:
            family, type, proto = self._adopt(fileno, family, type, proto)
        self._family = int(family)
        self._type = int(type) & ~(_socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        self.proto = int(proto)
        if type & _socket.SOCK_NONBLOCK:
            self._timeout = 0
        elif self.default_timeout is not None:
            self._timeout = self.default_timeout
            self._set_nonblock(True)

    @property
    def family(self) -> int:
        """The address family; socket.py shows it as an enum over this."""
        return self._family

    @property
    def type(self) -> int:
        """SOCK_STREAM and the like, without flags; socket.py shows it as an enum over this."""
        return self._type

    def _adopt(self, fd: int, family: int, type: int, proto: int) -> tuple[int, int, int]:
        if not isinstance(fd, int):
            raise TypeError(f"'{fd.__class__.__name__}' object cannot be interpreted as an integer")
        if fd < 0:
            raise ValueError("negative file descriptor")
        if fd < FD_BASE:
            # Whatever is there on the real system, no socket of ours is.
            os.fstat(fd)
            raise os_error(errno.ENOTSOCK)
        name = self._get_name("getsockname", fd)
        if family == -1:
            family = int.from_bytes(name[:2], "little")
        if type == -1:
            type = self._get_int_option(fd, _socket.SOL_SOCKET, _socket.SO_TYPE)
        if proto == -1:
            proto = self._get_int_option(fd, _socket.SOL_SOCKET, _socket.SO_PROTOCOL)
        self._fd = fd
        return family, type, proto

    # -- life --------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self._fd

    def detach(self) -> int:
        """Give the descriptor away; the object is closed without closing it."""
        fd, self._fd = self._fd, -1
        return fd

    def close(self) -> None:
        """Close the descriptor. A connection that the peer has reset is closed all the same."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            result = self.libc.raw("close", fd)
            if result < 0 and result != -errno.ECONNRESET:
                raise os_error(-result)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.libc.close_later(self._fd)

    def __repr__(self) -> str:
        kind = f"family={self.family}, type={self.type}, proto={self.proto}"
        return f"<socket object, fd={self._fd}, {kind}>"

    # -- blocking and timeouts ---------------------------------------------------------------------

    @staticmethod
    def parse_timeout(value: Any) -> int | None:
        """Seconds as a program gives them → ns. CPython: socket_parse_timeout."""
        if value is None:
            return None
        if not isinstance(value, (int, float)):
            value = index(value)
        ns = -int(-value * _NSEC_PER_SEC // 1)
        if ns < 0:
            raise ValueError("Timeout value out of range")
        if ns > _TIMEOUT_MAX:
            raise OverflowError("timeout doesn't fit into C timeval")
        return ns

    def settimeout(self, value: float | None, /) -> None:
        """Seconds; None blocks for ever, 0 never."""
        self._timeout = self.parse_timeout(value)
        self._set_nonblock(self._timeout is not None)

    def gettimeout(self) -> float | None:
        """Seconds, None for ever."""
        return None if self._timeout is None else self._timeout / _NSEC_PER_SEC

    @property
    def timeout(self) -> float | None:
        """Seconds, None for ever."""
        return self.gettimeout()

    def setblocking(self, flag: bool, /) -> None:
        """Block for ever, or never."""
        self.settimeout(None if flag else 0)

    def getblocking(self) -> bool:
        """Whether calls may wait."""
        return self._timeout != 0

    def _set_nonblock(self, on: bool) -> None:
        flags = self.libc.call("fcntl", self._fd, _F_GETFL, 0)
        wanted = flags | os.O_NONBLOCK if on else flags & ~os.O_NONBLOCK
        if wanted != flags:
            self.libc.call("fcntl", self._fd, _F_SETFL, wanted)

    def _wait(self, events: int, deadline: int) -> None:
        """poll(2) until `deadline` (ns); TimeoutError after it."""
        left = deadline - self.libc.kernel.clock.now
        ms = -(-left // _NSEC_PER_MSEC)
        if left < 0 or not poll_fds(self.libc, [(self._fd, events)], ms):
            raise TimeoutError("timed out")

    def _retry(self, events: int, operation: Callable[[], _T], deadline: int | None = None) -> _T:
        """`operation()` as soon as the socket is ready for it. CPython: sock_call_ex."""
        if deadline is None:
            assert self._timeout is not None
            deadline = self.libc.kernel.clock.now + self._timeout
        while True:
            self._wait(events, deadline)
            try:
                return operation()
            except BlockingIOError:
                continue

    # -- addresses ---------------------------------------------------------------------------------

    def _get_name(self, call: str, fd: int) -> bytes:
        addr = self.libc.alloc(4 + SOCKADDR_MAX)
        try:
            self.libc.mm.write(addr, SOCKADDR_MAX.to_bytes(4, "little"))
            self.libc.call(call, fd, addr + 4, addr)
            return self._read_name(addr)
        finally:
            self.libc.free(addr, 4 + SOCKADDR_MAX)

    def _read_name(self, addr: int) -> bytes:
        """The address behind a socklen_t at `addr`."""
        length = int.from_bytes(self.libc.mm.read(addr, 4), "little")
        return self.libc.mm.read(addr + 4, min(length, SOCKADDR_MAX)) if length else b""

    def getsockname(self) -> Any:
        """The own address."""
        return self.codec.unpack(self._get_name("getsockname", self._fd))

    def getpeername(self) -> Any:
        """The address of the peer."""
        return self.codec.unpack(self._get_name("getpeername", self._fd))

    def _with_name(self, call: str, name: bytes) -> int:
        addr = self.libc.alloc(len(name))
        try:
            self.libc.mm.write(addr, name)
            return self.libc.raw(call, self._fd, addr, len(name))
        finally:
            self.libc.free(addr, len(name))

    def bind(self, address: Any, /) -> None:
        """Take an own address."""
        result = self._with_name("bind", self.codec.pack(self._family, address, "bind"))
        if result < 0:
            raise os_error(-result)

    def connect(self, address: Any, /) -> None:
        """Connect to a peer."""
        error = self._connect(self.codec.pack(self._family, address, "connect"))
        if error:
            raise os_error(error)

    def connect_ex(self, address: Any, /) -> int:
        """Connect to a peer; the errno instead of an exception."""
        try:
            return self._connect(self.codec.pack(self._family, address, "connect_ex"))
        except TimeoutError:
            return errno.EWOULDBLOCK

    def _connect(self, name: bytes) -> int:
        error = -self._with_name("connect", name)
        if error != errno.EINPROGRESS or not self._timeout:
            return error
        self._wait(select.POLLOUT, self.libc.kernel.clock.now + self._timeout)
        error = self._get_int_option(self._fd, _socket.SOL_SOCKET, _socket.SO_ERROR)
        return 0 if error == errno.EISCONN else error

    def listen(self, backlog: int = _SOMAXCONN_DEFAULT, /) -> None:
        """Accept connections."""
        self.libc.call("listen", self._fd, max(backlog, 0))

    def _accept(self) -> tuple[int, Any]:
        """(descriptor, address) of the next connection."""
        if self._timeout:
            return self._retry(select.POLLIN, self._accept_now)
        return self._accept_now()

    def _accept_now(self) -> tuple[int, Any]:
        addr = self.libc.alloc(4 + SOCKADDR_MAX)
        try:
            self.libc.mm.write(addr, SOCKADDR_MAX.to_bytes(4, "little"))
            fd = self.libc.call("accept4", self._fd, addr + 4, addr, _socket.SOCK_CLOEXEC)
            return fd, self.codec.unpack(self._read_name(addr))
        finally:
            self.libc.free(addr, 4 + SOCKADDR_MAX)

    def shutdown(self, how: int, /) -> None:
        """Close one direction or both."""
        self.libc.call("shutdown", self._fd, how)

    # -- options -----------------------------------------------------------------------------------

    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> Any:
        """An option as an int, or as at most `buflen` bytes."""
        if not buflen:
            return self._get_int_option(self._fd, level, option)
        if not 0 < buflen <= _OPTLEN_MAX:
            raise OSError("getsockopt buflen out of range")
        return self._get_option(self._fd, level, option, buflen)

    def _get_int_option(self, fd: int, level: int, option: int) -> int:
        return int.from_bytes(self._get_option(fd, level, option, 4), "little", signed=True)

    def _get_option(self, fd: int, level: int, option: int, length: int) -> bytes:
        addr = self.libc.alloc(4 + length)
        try:
            self.libc.mm.write(addr, length.to_bytes(4, "little"))
            self.libc.call("getsockopt", fd, level, option, addr + 4, addr)
            got = int.from_bytes(self.libc.mm.read(addr, 4), "little")
            return self.libc.mm.read(addr + 4, got) if got else b""
        finally:
            self.libc.free(addr, 4 + length)

    def setsockopt(self, level: int, option: int, value: Any, optlen: int | None = None, /) -> None:
        """Set an option from an int, from bytes, or (with `value` None) a null pointer of length
        `optlen`.
        """
        if value is None:
            if optlen is None:
                raise TypeError("setsockopt() requires 4 arguments when the third is None")
            self.libc.call("setsockopt", self._fd, level, option, 0, optlen)
            return
        if isinstance(value, int):
            if not -(1 << 31) <= value < 1 << 31:
                raise OverflowError("signed integer is out of range for C int")
            value = int(value).to_bytes(4, "little", signed=True)
        data = byte_view(value)
        addr = self.libc.alloc(data.nbytes)
        try:
            self.libc.mm.write(addr, data)
            self.libc.call("setsockopt", self._fd, level, option, addr, data.nbytes)
        finally:
            self.libc.free(addr, data.nbytes)

    # -- sending -----------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send what the kernel takes; the number of bytes."""
        view = byte_view(data)
        if self._timeout:
            return self._retry(select.POLLOUT, lambda: self._send_now(view, flags))
        return self._send_now(view, flags)

    def _send_now(self, view: memoryview, flags: int) -> int:
        return self._sendto_call(view, flags, 0, 0)

    def _sendto_call(self, view: memoryview, flags: int, name: int, namelen: int) -> int:
        if flags & _MSG_ZEROCOPY:
            return self._send_zerocopy(view, flags, name, namelen)
        return self.libc.write("sendto", self._fd, view, flags, name, namelen)

    def _send_zerocopy(self, view: memoryview, flags: int, name: int, namelen: int) -> int:
        """From a mapping of its own: the kernel refers to the pages after the call, so they are not
        used again.
        """
        size = min(view.nbytes, MAX_BLOCK)
        addr = self.libc.map(max(size, 1))
        try:
            self.libc.mm.write(addr, view[:size])
            return self.libc.call("sendto", self._fd, addr, size, flags, name, namelen)
        finally:
            self.libc.mm.munmap(addr, max(size, 1))

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send everything; the timeout is for the whole."""
        view = byte_view(data)
        deadline = self.libc.kernel.clock.now + self._timeout if self._timeout else None
        while True:
            if deadline is None:
                sent = self._send_now(view, flags)
            else:
                send_rest = partial(self._send_now, view, flags)
                sent = self._retry(select.POLLOUT, send_rest, deadline)
            if sent >= view.nbytes:
                return
            view = view[sent:]

    def sendto(self, data: Any, *args: Any) -> int:
        """sendto(data, [flags,] address)."""
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(args) + 1} given)")
        flags = args[0] if len(args) == 2 else 0
        view = byte_view(data)
        name = self.codec.pack(self._family, args[-1], "sendto")
        if self._timeout:
            return self._retry(select.POLLOUT, lambda: self._sendto_now(view, flags, name))
        return self._sendto_now(view, flags, name)

    def _sendto_now(self, view: memoryview, flags: int, name: bytes) -> int:
        addr = self.libc.alloc(len(name))
        try:
            self.libc.mm.write(addr, name)
            return self._sendto_call(view, flags, addr, len(name))
        finally:
            self.libc.free(addr, len(name))

    def sendmsg(
        self,
        buffers: Iterable[Any],
        ancdata: Iterable[Any] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """Gather `buffers`, with ancillary data (level, type, data) and an address."""
        views = [byte_view(buffer) for buffer in buffers]
        control = pack_cmsgs(ancdata)
        name = b"" if address is None else self.codec.pack(self._family, address, "sendmsg")
        if self._timeout:
            return self._retry(
                select.POLLOUT, lambda: self._sendmsg_now(views, control, flags, name)
            )
        return self._sendmsg_now(views, control, flags, name)

    def _sendmsg_now(self, views: list[memoryview], control: bytes, flags: int, name: bytes) -> int:
        libc = self.libc
        size = MSGHDR.size + SOCKADDR_MAX + len(control)
        header = libc.alloc(size)
        name_addr = header + MSGHDR.size
        control_addr = name_addr + SOCKADDR_MAX
        try:
            sizes = [view.nbytes for view in views]
            with IovArea(libc, sizes, lasting=bool(flags & _MSG_ZEROCOPY)) as area:
                area.gather(views)
                libc.mm.write(name_addr, name)
                libc.mm.write(control_addr, control)
                message = MSGHDR.pack(
                    *(name_addr if name else 0, len(name), area.addr, area.count),
                    *(control_addr if control else 0, len(control), 0),
                )
                libc.mm.write(header, message)
                return libc.call("sendmsg", self._fd, header, flags)
        finally:
            libc.free(header, size)

    # -- receiving ---------------------------------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """At most `bufsize` bytes; b"" at the end of the stream."""
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        if self._timeout:
            return self._retry(select.POLLIN, lambda: self._recv_now(bufsize, flags))
        return self._recv_now(bufsize, flags)

    def _recv_now(self, size: int, flags: int) -> bytes:
        return self.libc.read("recvfrom", self._fd, size, flags, 0, 0)

    def _recv_counted(self, size: int, flags: int) -> tuple[bytes, int]:
        return self.libc.read_counted("recvfrom", self._fd, size, flags, 0, 0)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into `buffer`; the number of bytes."""
        view = _receive_area(buffer, nbytes, "recv_into")
        if self._timeout:
            data, got = self._retry(select.POLLIN, lambda: self._recv_counted(view.nbytes, flags))
        else:
            data, got = self._recv_counted(view.nbytes, flags)
        view[: len(data)] = data
        return got

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """(data, address of the sender)."""
        if bufsize < 0:
            raise ValueError("negative buffersize in recvfrom")
        if self._timeout:
            return self._retry(select.POLLIN, lambda: self._recvfrom_now(bufsize, flags))
        return self._recvfrom_now(bufsize, flags)

    def _recvfrom_now(self, size: int, flags: int) -> tuple[bytes, Any]:
        addr = self.libc.alloc(4 + SOCKADDR_MAX)
        try:
            self.libc.mm.write(addr, SOCKADDR_MAX.to_bytes(4, "little"))
            data = self.libc.read("recvfrom", self._fd, size, flags, addr + 4, addr)
            return data, self.codec.unpack(self._read_name(addr))
        finally:
            self.libc.free(addr, 4 + SOCKADDR_MAX)

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """(number of bytes put into `buffer`, address of the sender)."""
        view = _receive_area(buffer, nbytes, "recvfrom_into")
        data, address = self.recvfrom(view.nbytes, flags)
        view[: len(data)] = data
        return len(data), address

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[Any, ...]:
        """(data, ancillary data, message flags, address)."""
        if bufsize < 0:
            raise ValueError("negative buffer size in recvmsg()")
        return self._recvmsg([bufsize], ancbufsize, flags)

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[Any, ...]:
        """(number of bytes, ancillary data, message flags, address)."""
        views = [writable_view(buffer, "recvmsg_into() argument") for buffer in buffers]
        data, *rest = self._recvmsg([view.nbytes for view in views], ancbufsize, flags)
        scatter(data, views)
        return (len(data), *rest)

    def _recvmsg(self, sizes: list[int], ancbufsize: int, flags: int) -> tuple[Any, ...]:
        if ancbufsize < 0:
            raise ValueError("invalid ancillary data buffer length")
        if self._timeout:
            return self._retry(select.POLLIN, lambda: self._recvmsg_now(sizes, ancbufsize, flags))
        return self._recvmsg_now(sizes, ancbufsize, flags)

    def _recvmsg_now(self, sizes: list[int], ancbufsize: int, flags: int) -> tuple[Any, ...]:
        libc = self.libc
        size = MSGHDR.size + SOCKADDR_MAX + ancbufsize
        header = libc.alloc(size)
        name_addr = header + MSGHDR.size
        control_addr = name_addr + SOCKADDR_MAX
        try:
            with IovArea(libc, sizes) as area:
                message = MSGHDR.pack(
                    *(name_addr, SOCKADDR_MAX, area.addr, area.count),
                    *(control_addr if ancbufsize else 0, ancbufsize, 0),
                )
                libc.mm.write(header, message)
                got = libc.call("recvmsg", self._fd, header, flags)
                data = libc.mm.read(area.data_addr, min(got, sum(sizes)))
            fields = MSGHDR.unpack(libc.mm.read(header, MSGHDR.size))
            name = libc.mm.read(name_addr, min(fields[1], SOCKADDR_MAX))
            control = libc.mm.read(control_addr, min(fields[5], ancbufsize))
            return data, list(unpack_cmsgs(control)), fields[6], self.codec.unpack(name)
        finally:
            libc.free(header, size)


def _receive_area(buffer: Any, nbytes: int, caller: str) -> memoryview:
    view = writable_view(buffer, f"{caller}() argument 1")
    if nbytes < 0:
        raise ValueError(f"negative buffersize in {caller}")
    if nbytes > view.nbytes:
        raise ValueError("buffer too small for requested bytes")
    return view[:nbytes] if nbytes else view
