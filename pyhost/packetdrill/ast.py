"""What a script says, as plain records. All times are in nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "ABSOLUTE", "ABSOLUTE_RANGE", "ANY", "RELATIVE", "RELATIVE_RANGE", "Action", "Call",
    "Code", "Command", "Ellipsis", "Event", "Expr", "Field", "IcmpPacket", "IpInfo", "Items",
    "Number", "Or", "Packet", "Script", "SeqRange", "Struct", "Symbol", "Syscall", "TcpOption",
    "TcpPacket", "Text", "Time", "UdpPacket",
]  # fmt: skip

ABSOLUTE = "absolute"
RELATIVE = "relative"
ANY = "any"
ABSOLUTE_RANGE = "absolute range"
RELATIVE_RANGE = "relative range"


# -- expressions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ellipsis:
    """`...`: whatever fits there."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number, decimal or hexadecimal."""

    value: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string between quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name: EAGAIN, SO_SNDBUF, or one that `-D` defines."""

    name: str


@dataclass(frozen=True, slots=True)
class Or:
    """`A | B`."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """`htons(8080)`, `inet_addr("1.2.3.4")`."""

    name: str
    argument: Expr


@dataclass(frozen=True, slots=True)
class Items:
    """`[a, b]`: an array, or the value behind a pointer."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a structure: `value`, `name=value`, or `name(size)=value`."""

    name: str | None
    value: Expr
    size: Expr | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """`{...}`: a structure whose kind its fields tell."""

    fields: tuple[Field, ...]

    def get(self, name: str) -> Expr | None:
        """The value of the field `name`, None when it is not there."""
        field = self.field(name)
        return None if field is None else field.value

    def field(self, name: str) -> Field | None:
        """The field `name`, None when it is not there."""
        return next((field for field in self.fields if field.name == name), None)


Expr: TypeAlias = Ellipsis | Number | Text | Symbol | Or | Call | Items | Struct


# -- packets ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IpInfo:
    """What is said about the IP header: the ECN bits by name, the whole TOS byte, the TTL."""

    ecn: str | None = None
    tos: int | None = None
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class SeqRange:
    """`start:end(length)`."""

    start: int
    end: int
    length: int


@dataclass(frozen=True, slots=True)
class TcpOption:
    """One option: its name in the script and its numbers; `blob` is a cookie or digest."""

    name: str
    values: tuple[int, ...] = ()
    blob: bytes = b""


@dataclass(frozen=True, slots=True)
class TcpPacket:
    """A segment. `options` is None for `<...>`: any; `window` is None when it is not said."""

    inbound: bool
    ip: IpInfo
    ports: tuple[int, int] | None
    flags: str
    seq: SeqRange
    ack: int
    window: int | None
    urgent: int
    options: tuple[TcpOption, ...] | None


@dataclass(frozen=True, slots=True)
class UdpPacket:
    """A datagram of `length` zero bytes."""

    inbound: bool
    ip: IpInfo
    ports: tuple[int, int] | None
    length: int


@dataclass(frozen=True, slots=True)
class IcmpPacket:
    """An ICMP message; `echoed` is the range of the segment that it is about, an int stands for a
    datagram's length.
    """

    inbound: bool
    ip: IpInfo
    kind: str
    code: str | None
    mtu: int
    echo_id: int
    echoed: SeqRange | int | None


Packet: TypeAlias = TcpPacket | UdpPacket | IcmpPacket


# -- events ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Time:
    """When an event is due. `end` is the end of a range, `start` otherwise."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Syscall:
    """`name(arguments) = result ERRNO`; `returns_at` is given for a blocking call, from the same
    origin as the event's own time.
    """

    name: str
    arguments: tuple[Expr, ...]
    result: Expr
    errno: str | None
    returns_at: int | None


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command between back quotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Python between `%{` and `}%`."""

    text: str


Action: TypeAlias = Packet | Syscall | Command | Code


@dataclass(frozen=True, slots=True)
class Event:
    """One action at one time; `line` is where it begins in the script."""

    line: int
    time: Time
    action: Action


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script. `options` are its `--name=value` lines, an option without value has ""."""

    path: str
    options: tuple[tuple[str, str], ...]
    init: str | None
    events: tuple[Event, ...]
    cleanup: str | None
