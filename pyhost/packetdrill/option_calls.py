"""getsockopt and setsockopt of a script."""

from __future__ import annotations

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.invocation import Invocation
from pyhost.packetdrill.values import number, packed, single
from pyhost.uapi.socket import INT, LINGER

__all__ = ["call_getsockopt", "call_setsockopt"]


def call_setsockopt(call: Invocation) -> None:
    """setsockopt(fd, level, name, value, length); the value is [n], "text" or {onoff=, linger=}."""
    call.count(5)
    length = call.num(4)
    value = _bytes_of(call.arg(3))
    # The kernel may read as much as the script says, so there must be that much.
    address = call.mem.put(value.ljust(max(length, 0), b"\0"))
    call.enter("setsockopt", call.fd(0), call.num(1), call.num(2), address, length)
    call.check()


def call_getsockopt(call: Invocation) -> None:
    """getsockopt(fd, level, name, value, [length]): both are compared afterwards."""
    call.count(5)
    expected = call.arg(3)
    length = number(single(call.arg(4)))
    room, size = call.mem.room(length), call.mem.put(packed(INT, length))
    call.enter("getsockopt", call.fd(0), call.num(1), call.num(2), room, size)
    call.check()
    (actual_length,) = INT.unpack(call.mem.get(size, INT.size))
    if actual_length != length:
        raise ScriptFailure(f"Bad getsockopt optlen: expected: {length} actual: {actual_length}")
    value = call.mem.get(room, length)
    wanted = _bytes_of(expected)
    if isinstance(expected, ast.Items) and length != INT.size:
        raise ScriptFailure(f"Unsupported getsockopt optlen: {length}")
    if value != wanted:
        raise ScriptFailure(
            f"Bad getsockopt optval: expected: {_shown(expected, wanted)} "
            f"actual: {_shown(expected, value)}"
        )


def _bytes_of(expr: ast.Expr) -> bytes:
    if isinstance(expr, ast.Text):
        return _unescaped(expr.value)
    if isinstance(expr, ast.Struct):
        onoff, linger = expr.get("onoff"), expr.get("linger")
        if onoff is None or linger is None:
            raise ScriptFailure("unsupported option value: {onoff=…, linger=…} was expected")
        return packed(LINGER, number(onoff), number(linger))
    return (number(single(expr)) & 0xFFFFFFFF).to_bytes(INT.size, "little")


def _unescaped(text: str) -> bytes:
    r"""The bytes of a string with C escapes such as \x00."""
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def _shown(expr: ast.Expr, value: bytes) -> str:
    return repr(value) if isinstance(expr, ast.Text) else str(int.from_bytes(value, "little"))
