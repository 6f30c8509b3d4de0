"""What can be set for a script: on the command line, and in the script's own first lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_address
from types import MappingProxyType

from pyhost.packetdrill.errors import ScriptSkip

__all__ = ["OPTION_HELP", "OptionError", "Settings", "with_options"]

OPTION_HELP: Mapping[str, tuple[str, str]] = MappingProxyType({
    "ip_version": ("VERSION", "ipv4; scripts for another one are skipped."),
    "local_ip": ("ADDR", "The stack's address.  [default: 192.168.0.1]"),
    "gateway_ip": ("ADDR", "Its gateway.  [default: 192.168.0.2]"),
    "netmask_ip": ("MASK", "Its netmask.  [default: 255.255.0.0]"),
    "remote_ip": ("ADDR", "The peer's address.  [default: 192.0.2.1]"),
    "bind_port": ("PORT", "Where bind(fd, ..., ...) binds.  [default: 8080]"),
    "connect_port": ("PORT", "Where connect(fd, ..., ...) connects to.  [default: 8080]"),
    "mss": ("BYTES", "Payload of the segments in a packet that is larger.  [default: not said]"),
    "mtu": ("BYTES", "Bytes of IP packet in a frame.  [default: 1500]"),
    "tolerance_usecs": ("N", "How far from its time an event may happen.  [default: 4000]"),
    "tolerance_percent": ("N", "The same, of the time since the event before.  [default: 12.5]"),
    "tcp_ts_tick_usecs": ("N", "Compare timestamps, each step this long.  [default: 0, do not]"),
    "tcp_ts_ecr_scaled": ("", "Take inbound timestamp echoes that were never sent."),
    "strict_segments": ("", "A packet of the script is one segment."),
    "send_omit_free": ("", "Leave connections without a RST at the end."),
})  # fmt: skip
"""What a script may set: (what its value is called, none for a switch; what it is for)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Named as packetdrill names them."""

    ip_version: str = "ipv4"
    local_ip: str = "192.168.0.1"
    gateway_ip: str = "192.168.0.2"
    netmask_ip: str = "255.255.0.0"
    remote_ip: str = "192.0.2.1"
    bind_port: int = 8080
    """Where bind(3, ..., ...) binds."""
    connect_port: int = 8080
    """Where connect(3, ..., ...) connects to."""
    mss: int = 0
    """The segments that an injected packet with more payload was made of by receive offload; 0: the
    stack is not told."""
    mtu: int = 1500
    tolerance_usecs: int = 4000
    """How far from its time an event may happen."""
    tolerance_percent: float = 12.5
    """The same in percent of the time since the event before; the larger one counts."""
    tcp_ts_tick_usecs: int = 0
    """What one step of an outbound timestamp is; 0: their values are not compared."""
    tcp_ts_ecr_scaled: bool = False
    """Whether an inbound echo may be one that was never sent: it is then reckoned."""
    strict_segments: bool = False
    """Whether an outbound packet of the script is one packet of the stack."""
    send_omit_free: bool = False
    """Whether the end leaves connections without a RST."""
    verbose: bool = False
    """Whether packets are printed as they go by."""
    defines: Mapping[str, str] = field(default_factory=dict)
    """Values for names in the script."""

    @property
    def tolerance_ns(self) -> int:
        """`tolerance_usecs` in nanoseconds."""
        return self.tolerance_usecs * 1000

    @property
    def local_addr(self) -> int:
        """`local_ip` in host order."""
        return int(IPv4Address(self.local_ip))

    @property
    def remote_addr(self) -> int:
        """`remote_ip` in host order, without its prefix length."""
        return int(IPv4Address(self.remote_ip.partition("/")[0]))

    @property
    def local_prefixlen(self) -> int:
        """The length of `netmask_ip`."""
        return int(IPv4Address(self.netmask_ip)).bit_count()

    @property
    def remote_prefixlen(self) -> int:
        """The prefix of the route to the peer: behind the address, the host alone without one."""
        return int(self.remote_ip.partition("/")[2] or 32)


_RANGES: Mapping[str, tuple[int, int]] = MappingProxyType({
    "bind_port": (1, 0xFFFF),
    "connect_port": (1, 0xFFFF),
    "mss": (1, 0xFFFF),
    "mtu": (68, 9000),
    "tolerance_usecs": (0, 10**9),
    "tolerance_percent": (0, 10**6),
    "tcp_ts_tick_usecs": (0, 10**6),
})  # fmt: skip
"""The least and the largest value of a number; the card's own limits for `mtu`."""

_IGNORED = frozenset({"speed", "init_scripts", "non_fatal", "code_sockopt", "code_format"})
"""They say how the original reaches the stack, or what it does after a failure."""


class OptionError(ValueError):
    """An option that is unknown or has a wrong value."""


def with_options(settings: Settings, options: tuple[tuple[str, str], ...]) -> Settings:
    """`settings` with these (name, value) in place of the given ones.

    Raises OptionError, and ScriptSkip for another IP version.
    """
    changes: dict[str, object] = {}
    for name, text in options:
        if name in _IGNORED:
            continue
        if name not in OPTION_HELP:
            raise OptionError(f"unknown option --{name}")
        try:
            changes[name] = _value(name, getattr(settings, name), text)
        except ValueError:
            raise OptionError(f"bad value for --{name}: {text!r}") from None
    changed = replace(settings, **changes)  # type: ignore[arg-type]
    if changed.ip_version != "ipv4":
        raise ScriptSkip(f"IP version {changed.ip_version}: there is only IPv4")
    for name in ("local_ip", "gateway_ip", "netmask_ip", "remote_ip"):
        _check_address(name, getattr(changed, name))
    return changed


def _value(name: str, old: object, text: str) -> object:
    """The text as a value of the same type as the one before; raises ValueError."""
    if isinstance(old, bool):
        return text not in ("0", "false")
    if isinstance(old, str):
        return text
    value = float(text) if isinstance(old, float) else int(text)
    least, most = _RANGES[name]
    if not least <= value <= most:
        raise ValueError(value)
    return value


def _check_address(name: str, text: str) -> None:
    """Raise OptionError for what is no address, ScriptSkip for one of IPv6."""
    address, _, prefix = text.partition("/") if name == "remote_ip" else (text, "", "")
    try:
        if ":" in address and ip_address(address).version == 6:
            raise ScriptSkip(f"--{name}={text}: there is only IPv4")
        IPv4Address(address)
        if prefix and not 0 <= int(prefix) <= 32:
            raise ValueError(prefix)
    except ValueError:
        raise OptionError(f"bad value for --{name}: {text!r}") from None
