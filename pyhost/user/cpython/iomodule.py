"""`_io`: CPython's own, with an `open` that knows emulated descriptors. CPython: Modules/_io/."""

from __future__ import annotations

import _io
import os
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyhost.user.abi import FD_BASE
from pyhost.user.iovec import writable_view
from pyhost.user.libc import Libc

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["EmulatedFile", "make_module"]

_Opener = Callable[[Any, int], int]
_TextOptions = tuple[int, str | None, str | None, str | None]
"""buffering, encoding, errors, newline"""


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `_io`; its `open` is also `builtins.open`."""
    module = ModuleType("_io", _io.__doc__)
    module.__dict__.update({k: v for k, v in vars(_io).items() if not k.startswith("__")})
    files = interpreter.files
    opened = interpreter.open_files

    def open(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: _Opener | None = None,
    ) -> Any:
        stream = files.open(file, mode, (buffering, encoding, errors, newline), closefd, opener)
        opened.add(stream)
        return stream

    open.__module__ = _io.open.__module__
    open.__qualname__ = "open"
    open.__doc__ = _io.open.__doc__
    module.__dict__["open"] = open
    interpreter.builtins.open = open
    return module


class _EmulatedDescriptorError(Exception):
    """Carries an emulated descriptor from the program's opener out of the real `open`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd


class Files:
    """Opens files for one program."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self.raw_type = cache(self._make_raw_type)

    def _make_raw_type(self) -> type[EmulatedFile]:
        base = self._interpreter.import_module("io").RawIOBase
        names = {
            "__module__": "_io",
            "__qualname__": "FileIO",
            "libc": self._interpreter.libc,
            "posix": self._interpreter.modules["posix"],
        }
        return type("FileIO", (EmulatedFile, base), names)

    def open(
        self,
        file: Any,
        mode: str,
        text: _TextOptions,
        closefd: bool,
        opener: _Opener | None,
    ) -> Any:
        """What `open` does, once its arguments are sorted."""
        if isinstance(file, int):
            if file >= FD_BASE or self._interpreter.stdio.is_standard(file):
                return self._open_emulated(file, mode, text, closefd)
        elif opener is not None:
            try:
                return _io.open(file, mode, *text, closefd, _guard(opener))
            except _EmulatedDescriptorError as found:
                fd = found.fd
            return self._open_emulated(fd, mode, text, closefd)
        return _io.open(file, mode, *text, closefd, opener)

    def _open_emulated(self, fd: int, mode: str, text: _TextOptions, closefd: bool) -> Any:
        buffering, encoding, errors, newline = text
        binary = "b" in mode
        if binary and (encoding, errors, newline) != (None, None, None):
            raise ValueError("binary mode doesn't take an encoding, errors or newline argument")
        raw: Any = self.raw_type()(fd, mode, closefd, fd)
        if buffering == 0:
            if not binary:
                raise ValueError("can't have unbuffered text I/O")
            return raw
        line_buffering = buffering == 1 or (buffering < 0 and raw.isatty())
        size = buffering if buffering > 1 else _io.DEFAULT_BUFFER_SIZE
        stream: Any
        if raw.readable() and raw.writable():
            stream = _io.BufferedRandom(raw, size)
        else:
            stream = (_io.BufferedWriter if raw.writable() else _io.BufferedReader)(raw, size)
        if binary:
            return stream
        wrapper = _io.TextIOWrapper(stream, encoding, errors, newline, line_buffering)
        wrapper.mode = mode  # type: ignore[misc]
        return wrapper


def _guard(opener: _Opener) -> _Opener:
    def call(path: Any, flags: int) -> int:
        fd = opener(path, flags)
        if isinstance(fd, int) and fd >= FD_BASE:
            raise _EmulatedDescriptorError(fd)
        return fd

    return call


class EmulatedFile:
    """A FileIO over an emulated or a standard descriptor; the program's io.RawIOBase is mixed in.

    CPython: Modules/_io/fileio.c.
    """

    libc: Libc
    posix: Any
    closed: bool

    def __init__(self, fd: int, mode: str, closefd: bool, name: int | str) -> None:
        self.posix.fstat(fd)
        self._fd = fd
        self.name = name
        self.closefd = closefd
        self._reads = not {"r", "+"}.isdisjoint(mode)
        self._writes = not {"w", "a", "x", "+"}.isdisjoint(mode)
        self.mode = "rb+" if self._reads and self._writes else "rb" if self._reads else "wb"

    def _check(self, allowed: bool = True, what: str = "") -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not allowed:
            raise _io.UnsupportedOperation(f"File not open for {what}")

    def fileno(self) -> int:
        """The descriptor."""
        self._check()
        return self._fd

    def readable(self) -> bool:
        self._check()
        return self._reads

    def writable(self) -> bool:
        self._check()
        return self._writes

    def isatty(self) -> bool:
        self._check()
        return bool(self.posix.isatty(self._fd))

    def seekable(self) -> bool:
        self._check()
        try:
            self.posix.lseek(self._fd, 0, os.SEEK_CUR)
        except OSError:
            return False
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._check()
        return int(self.posix.lseek(self._fd, offset, whence))

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill `buffer`; the bytes read, 0 at the end, None where it would block."""
        self._check(self._reads, "reading")
        view = writable_view(buffer, "readinto() argument")
        try:
            data = self.posix.read(self._fd, view.nbytes)
        except BlockingIOError:
            return None
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> int | None:
        """Write what the kernel takes; None where it would block."""
        self._check(self._writes, "writing")
        if self.libc.process.exit_code is not None:
            # A buffer that is flushed only when the dead process's objects are freed.
            return memoryview(data).nbytes
        try:
            return int(self.posix.write(self._fd, data))
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Close the stream, and its descriptor when it owns it."""
        if self.closed:
            return
        super().close()  # type: ignore[misc]
        if not self.closefd:
            return
        if self.__dict__.get("_finalizing") and self._fd >= FD_BASE:
            self.libc.close_later(self._fd)
        else:
            self.posix.close(self._fd)

    def __repr__(self) -> str:
        if self.closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd={self.closefd}>"
