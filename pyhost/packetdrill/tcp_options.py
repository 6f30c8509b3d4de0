"""TCP options of a script: as bytes of the header, and back as text."""

from __future__ import annotations

from pyhost.packetdrill import ast
from pyhost.uapi.tcp import (
    TCPOPT_EOL,
    TCPOPT_MSS,
    TCPOPT_NOP,
    TCPOPT_SACK,
    TCPOPT_SACK_PERM,
    TCPOPT_TIMESTAMP,
    TCPOPT_WINDOW,
)

__all__ = [
    "options_bytes", "options_list", "options_text", "shift_sack", "timestamps", "with_timestamps",
]  # fmt: skip

_TCPOPT_MD5SIG = 19
_TCPOPT_FASTOPEN = 34
_TCPOPT_EXP = 254
_SINGLE = (TCPOPT_EOL, TCPOPT_NOP)
"""Options of one byte, without a length."""

_OPTION_KINDS = {
    "eol": TCPOPT_EOL,
    "nop": TCPOPT_NOP,
    "mss": TCPOPT_MSS,
    "wscale": TCPOPT_WINDOW,
    "sackOK": TCPOPT_SACK_PERM,
    "sack": TCPOPT_SACK,
    "TS": TCPOPT_TIMESTAMP,
    "md5": _TCPOPT_MD5SIG,
    "FO": _TCPOPT_FASTOPEN,
    "FOEXP": _TCPOPT_EXP,
}
_KIND_NAMES = {kind: name for name, kind in _OPTION_KINDS.items()}
_FOEXP_MAGIC = b"\xf9\x89"
"""The experiment number of fast open (RFC 7413 appendix A)."""


def options_bytes(options: tuple[ast.TcpOption, ...]) -> bytes:
    """The options as they stand in the header."""
    return b"".join(map(_option_bytes, options))


def _option_bytes(option: ast.TcpOption) -> bytes:
    kind = _OPTION_KINDS[option.name]
    if option.name in ("nop", "eol"):
        return bytes((kind,))
    if option.name == "wscale":
        body = bytes(value & 0xFF for value in option.values)
    elif option.name == "mss":
        body = option.values[0].to_bytes(2, "big")
    elif option.name == "FOEXP":
        body = _FOEXP_MAGIC + option.blob
    else:
        words = (value & 0xFFFFFFFF for value in option.values)
        body = b"".join(word.to_bytes(4, "big") for word in words) + option.blob
    return bytes((kind, 2 + len(body))) + body


def options_list(options: bytes) -> list[tuple[int, bytes]]:
    """(kind, value) of each option; what follows one that makes no sense is left away."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(options):
        kind = options[at]
        if kind in _SINGLE:
            found.append((kind, b""))
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2 or at + size > len(options):
            break
        found.append((kind, options[at + 2 : at + size]))
        at += size
    return found


def options_text(options: bytes) -> str:
    """The options in the script's own notation."""
    return ",".join(_option_text(kind, value) for kind, value in options_list(options))


def _option_text(kind: int, value: bytes) -> str:
    name = _KIND_NAMES.get(kind, f"kind {kind}")
    if not value:
        return name
    words = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]
    if name == "TS" and len(words) == 2:
        return f"TS val {words[0]} ecr {words[1]}"
    if name == "sack":
        pairs = zip(words[::2], words[1::2], strict=False)
        return "sack " + " ".join(f"{start}:{end}" for start, end in pairs)
    if name in ("mss", "wscale"):
        return f"{name} {int.from_bytes(value, 'big')}"
    return f"{name} {value.removeprefix(_FOEXP_MAGIC).hex()}"


def shift_sack(options: bytes, offset: int) -> bytes:
    """The options with `offset` added to every SACK edge."""
    out = bytearray()
    for kind, value in options_list(options):
        if kind in _SINGLE:
            out.append(kind)
            continue
        if kind == TCPOPT_SACK:
            value = b"".join(
                (int.from_bytes(value[at : at + 4], "big") + offset & 0xFFFFFFFF).to_bytes(4, "big")
                for at in range(0, len(value), 4)
            )
        out += bytes((kind, 2 + len(value))) + value
    return bytes(out)


def timestamps(options: bytes) -> tuple[int, int] | None:
    """(value, echo) of the timestamp option, None without one."""
    for kind, value in options_list(options):
        if kind == TCPOPT_TIMESTAMP and len(value) == 8:
            return int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big")
    return None


def with_timestamps(options: bytes, value: int, echo: int) -> bytes:
    """The options with other numbers in the timestamp option."""
    new = value.to_bytes(4, "big") + echo.to_bytes(4, "big")
    out = bytearray()
    for kind, body in options_list(options):
        if kind in _SINGLE:
            out.append(kind)
        else:
            body = new if kind == TCPOPT_TIMESTAMP else body
            out += bytes((kind, 2 + len(body))) + body
    return bytes(out)
