"""Capture files with nanosecond time stamps, one packet one key.

Written here and not with python-pcapng, which only reads these files, in the tests: its packet
block costs 32 µs and this one 4, and it raises a DeprecationWarning over its own `if_tsresol`.

Format: draft-ietf-opsawg-pcapng, section 4.1 (section header), 4.2 (interface description) and
4.3 (enhanced packet block).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType

__all__ = ["INBOUND", "LINKTYPE_ETHERNET", "OUTBOUND", "PcapngWriter"]

LINKTYPE_ETHERNET = 1

INBOUND = 1
"""Direction bits of `epb_flags`: the interface received the frame."""
OUTBOUND = 2
"""Direction bits of `epb_flags`: the interface sent the frame."""

_BLOCK_SHB = 0x0A0D0D0A
_BLOCK_IDB = 1
_BLOCK_EPB = 6

_OPT_COMMENT = 1
_OPT_SHB_USERAPPL = 4
_OPT_IF_NAME = 2
_OPT_IF_TSRESOL = 9
_OPT_EPB_FLAGS = 2

_TSRESOL_NS = b"\x09"

_BLOCK = struct.Struct("<II")  # type, block length
_SECTION = struct.Struct("<IHHq")  # byte-order magic, version, section length
_INTERFACE = struct.Struct("<HHI")  # link type, reserved, longest frame kept
_PACKET = struct.Struct("<IIIIIII")  # type, block length, interface, time (2), captured, size
_OPTION = struct.Struct("<HH")  # code, length
_FLAGS_OPTION = struct.Struct("<HHI")
_TRAILER = struct.Struct("<I")  # block length again
_END_OF_OPTIONS = bytes(4)

_PAD = (b"", b"\0\0\0", b"\0\0", b"\0")
"""Filler by `length % 4`: every part of a block starts on a 4-byte border."""


class PcapngWriter:
    """Streams frames into a pcapng file that is whole after every single packet.

    A block goes out in one unbuffered write, so a run that is killed leaves all it captured and
    no half block behind it.
    """

    __slots__ = ("_file", "_interface_count")

    def __init__(self, path: str | Path, interfaces: Sequence[str], *, application: str) -> None:
        """Create `path` with one Ethernet interface for each name; OSError when it cannot be."""
        if not interfaces:
            raise ValueError("a capture needs an interface")
        self._file = FileIO(path, "w")
        self._interface_count = len(interfaces)
        self._file.write(_section_header(application) + b"".join(map(_interface, interfaces)))

    def write(
        self,
        interface_id: int,
        ns: int,
        frame: bytes | bytearray | memoryview,
        *,
        key: int | None = None,
        direction: int | None = None,
    ) -> None:
        """Append a frame (from destination address to the last byte before the FCS).

        `ns` is simulated time; `key` becomes the comment `skb#KEY`; `direction` is INBOUND or
        OUTBOUND as seen by the interface.
        """
        if not 0 <= interface_id < self._interface_count:
            raise ValueError(f"the capture has no interface {interface_id}")
        options = _packet_options(key, direction)
        size = len(frame)
        padding = _PAD[size & 3]
        block_size = 32 + size + len(padding) + len(options)
        header = _PACKET.pack(
            _BLOCK_EPB, block_size, interface_id, ns >> 32, ns & 0xFFFFFFFF, size, size
        )
        self._file.write(b"".join((header, frame, padding, options, _TRAILER.pack(block_size))))

    def close(self) -> None:
        """Close the file; harmless when it is closed already."""
        self._file.close()

    def __enter__(self) -> PcapngWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _section_header(application: str) -> bytes:
    options = _option(_OPT_SHB_USERAPPL, application.encode()) + _END_OF_OPTIONS
    unknown_length = -1
    return _block(_BLOCK_SHB, _SECTION.pack(0x1A2B3C4D, 1, 0, unknown_length) + options)


def _interface(name: str) -> bytes:
    options = _option(_OPT_IF_NAME, name.encode()) + _option(_OPT_IF_TSRESOL, _TSRESOL_NS)
    no_limit = 0
    return _block(
        _BLOCK_IDB, _INTERFACE.pack(LINKTYPE_ETHERNET, 0, no_limit) + options + _END_OF_OPTIONS
    )


def _packet_options(key: int | None, direction: int | None) -> bytes:
    """The option list of a packet block, empty when there is nothing to say."""
    options = b"" if key is None else _option(_OPT_COMMENT, b"skb#%d" % key)
    if direction is not None:
        options += _FLAGS_OPTION.pack(_OPT_EPB_FLAGS, 4, direction)
    return options + _END_OF_OPTIONS if options else options


def _option(code: int, value: bytes) -> bytes:
    size = len(value)
    return _OPTION.pack(code, size) + value + _PAD[size & 3]


def _block(kind: int, body: bytes) -> bytes:
    """A whole block around a body that ends on a 4-byte border."""
    size = _BLOCK.size + len(body) + _TRAILER.size
    return _BLOCK.pack(kind, size) + body + _TRAILER.pack(size)
