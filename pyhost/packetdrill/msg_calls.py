"""sendmsg and recvmsg of a script, with their control messages."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.invocation import Invocation
from pyhost.packetdrill.values import number
from pyhost.uapi.socket import INT, MSGHDR, SOCKADDR_STORAGE_SIZE
from pyhost.user.abi import cmsg_space, pack_cmsgs, unpack_cmsgs

__all__ = ["call_recvmsg", "call_sendmsg"]

_SOCK_EXTENDED_ERR = Struct("<IBBBxII")
"""errno, origin, type, code, info, data."""
_EE_FIELDS = ("errno", "origin", "type", "code", "info", "data")
_OFFENDER_SIZE = 16
"""The sockaddr_in behind a sock_extended_err."""
_SCM_TIMESTAMPING = Struct("<6q")
"""Three timespecs: software, unused, hardware."""

Check = Callable[[bytes, int], None]
"""`check(data, index)` raises ScriptFailure for a control message that is not the expected one."""


# -- the two calls ---------------------------------------------------------------------------------


def call_sendmsg(call: Invocation) -> None:
    """sendmsg(fd, {msg_name(...)=..., msg_iov(n)=[{..., size}], msg_flags=0}, flags)."""
    call.count(3)
    fd, message = call.fd(0), _message(call)
    if number(message.get("msg_flags") or ast.Number(0)):
        raise ScriptFailure("sendmsg ignores msg_flags field in msghdr")
    name = call.sockets.connecting(fd) if message.get("msg_name") else b""
    control = pack_cmsgs(_cmsg_bytes(call, item) for item in _control(message))
    header = _put_header(call, message, name, control, len(name))
    call.enter("sendmsg", fd, header, call.num(2))
    call.check()


def call_recvmsg(call: Invocation) -> None:
    """recvmsg(fd, {...}, flags): msg_flags and msg_control are compared afterwards."""
    call.count(3)
    message = _message(call)
    expected_flags = number(message.get("msg_flags") or ast.Number(0))
    checks = [_cmsg_check(call, item) for item in _control(message)]
    room = bytes(sum(cmsg_space(length) for _, _, length, _ in checks))
    header = _put_header(call, message, bytes(SOCKADDR_STORAGE_SIZE), room, SOCKADDR_STORAGE_SIZE)
    call.enter("recvmsg", call.fd(0), header, call.num(2))
    call.check()
    _, _, _, _, control, size, flags = MSGHDR.unpack(call.mem.get(header, MSGHDR.size))
    if call.result >= 0 and flags != expected_flags:
        raise ScriptFailure(f"Expected msg_flags 0x{expected_flags:08X} but got 0x{flags:08X}")
    if call.result >= 0:
        _compare_control(checks, call.mem.get(control, size) if size else b"")


def _message(call: Invocation) -> ast.Struct:
    message = call.arg(1)
    if not isinstance(message, ast.Struct) or message.field("msg_iov") is None:
        raise ScriptFailure("bad type: {msg_name(...)=…, msg_iov(n)=…} was expected")
    return message


def _put_header(
    call: Invocation, message: ast.Struct, name: bytes, control: bytes, name_length: int
) -> int:
    """A struct msghdr in user memory with all that it points to."""
    iov = message.field("msg_iov")
    assert iov is not None
    entries = len(iov.value.items) if isinstance(iov.value, ast.Items) else 0
    count = entries if iov.size is None else number(iov.size)
    if count != entries:
        raise ScriptFailure(f"msg_iovlen {count} does not match {entries}-element iovec array")
    return call.mem.put(
        MSGHDR.pack(
            call.mem.put(name) if name else 0,
            name_length,
            call.iovec(iov.value),
            count,
            call.mem.put(control) if control else 0,
            len(control),
            0,
        )
    )


# -- control messages ------------------------------------------------------------------------------


def _control(message: ast.Struct) -> tuple[ast.Expr, ...]:
    control = message.get("msg_control")
    return control.items if isinstance(control, ast.Items) else ()


def _cmsg(item: ast.Expr) -> tuple[int, int, ast.Expr]:
    """(level, type, data) of `{cmsg_level=…, cmsg_type=…, cmsg_data=…}`."""
    if isinstance(item, ast.Struct):
        level, kind = item.get("cmsg_level"), item.get("cmsg_type")
        data = item.get("cmsg_data")
        if level is not None and kind is not None and data is not None:
            return number(level), number(kind), data
    raise ScriptFailure("bad type: {cmsg_level=…, cmsg_type=…, cmsg_data=…} was expected")


def _cmsg_bytes(call: Invocation, item: ast.Expr) -> tuple[int, int, bytes]:
    """A control message that is given to sendmsg: its data is a number."""
    level, kind, data = _cmsg(item)
    return level, kind, (number(data) & 0xFFFFFFFF).to_bytes(INT.size, "little")


def _cmsg_check(call: Invocation, item: ast.Expr) -> tuple[int, int, int, Check]:
    """(level, type, length of the data, how to compare it) of one that is expected."""
    level, kind, data = _cmsg(item)
    if isinstance(data, ast.Struct) and data.get("ee_errno") is not None:
        return level, kind, _SOCK_EXTENDED_ERR.size + _OFFENDER_SIZE, _ee_check(data)
    if isinstance(data, ast.Struct) and data.get("scm_sec") is not None:
        return level, kind, _SCM_TIMESTAMPING.size, _timestamp_check(call, data)
    expected = (number(data) & 0xFFFFFFFF).to_bytes(INT.size, "little")

    def check(actual: bytes, index: int) -> None:
        if actual != expected:
            raise ScriptFailure(
                f"Bad data in cmsg {index}: expected={expected.hex()} actual={actual.hex()}"
            )

    return level, kind, INT.size, check


def _ee_check(data: ast.Struct) -> Check:
    fields = [data.get(f"ee_{name}") for name in _EE_FIELDS]
    if None in fields:
        raise ScriptFailure("a sock_extended_err has ee_" + ", ee_".join(_EE_FIELDS))
    expected = [number(field) for field in fields if field is not None]

    def check(actual: bytes, index: int) -> None:
        values = _SOCK_EXTENDED_ERR.unpack_from(actual)
        for name, wanted, value in zip(_EE_FIELDS, expected, values, strict=True):
            if wanted != value:
                raise ScriptFailure(
                    f"Bad {name} in extended err {index}: expected={wanted} actual={value}"
                )

    return check


def _timestamp_check(call: Invocation, data: ast.Struct) -> Check:
    """The software time stamp, when the script gives one, is seconds since its start."""
    seconds, nanoseconds = data.get("scm_sec"), data.get("scm_nsec")
    if seconds is None or nanoseconds is None:
        raise ScriptFailure("a scm_timestamping has scm_sec and scm_nsec")
    expected = number(seconds) * 1_000_000_000 + number(nanoseconds)

    def check(actual: bytes, index: int) -> None:
        sec, nsec = _SCM_TIMESTAMPING.unpack(actual)[:2]
        seen = sec * 1_000_000_000 + nsec - call.sockets.start
        if expected and abs(seen - expected) > call.sockets.settings.tolerance_ns:
            raise ScriptFailure(
                f"Bad timestamp 0 in scm_timestamping {index}: "
                f"expected={expected / 1e9:.6f} actual={seen / 1e9:.6f}"
            )

    return check


def _compare_control(expected: list[tuple[int, int, int, Check]], control: bytes) -> None:
    received = list(unpack_cmsgs(control))
    for index, (wanted, found) in enumerate(zip(expected, received, strict=False)):
        level, kind, length, check = wanted
        for name, want, got in (
            ("level", level, found[0]),
            ("type", kind, found[1]),
            ("len", length, len(found[2])),
        ):
            if want != got:
                raise ScriptFailure(f"Bad {name} in cmsg {index}: expected={want} actual={got}")
        check(found[2], index)
    if len(received) > len(expected):
        raise ScriptFailure(f"received more than {len(expected)} cmsgs")
    if len(received) < len(expected):
        raise ScriptFailure(f"received only {len(received)} cmsgs")
