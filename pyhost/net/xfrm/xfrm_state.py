"""Security associations: how packets to one destination are protected. Linux: net/xfrm/
xfrm_state.c, xfrm_replay.c, xfrm_algo.c, include/net/xfrm.h.

Differences: IPv4 and ESP only, keys by hand, no lifetimes, no extended sequence numbers. The cipher
is NULL (RFC 2410): packets are authenticated, not hidden.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pyhost.uapi.errno import EEXIST, EINVAL, ENOSYS, ESRCH

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net
    from pyhost.net.xfrm.xfrm_policy import XfrmPolicy

__all__ = [
    "AUTH_ALGS", "ENC_NULL", "IPPROTO_ESP", "XFRM_MODE_TRANSPORT", "XFRM_MODE_TUNNEL", "XfrmAuth",
    "XfrmNet", "XfrmReplay", "XfrmState", "xfrm_state_add", "xfrm_state_delete",
    "xfrm_state_find", "xfrm_state_lookup",
]  # fmt: skip

IPPROTO_ESP = 50

XFRM_MODE_TRANSPORT = 0
XFRM_MODE_TUNNEL = 1

ENC_NULL = "ecb(cipher_null)"

SEQ_MAX = 0xFFFFFFFF
REPLAY_WINDOW_MAX = 4096
SPI_MIN = 0x100
"""Smaller ones are reserved (RFC 4303 section 2.1)."""


class AuthAlg(NamedTuple):
    """A keyed hash: its name in `hashlib`, bytes of its result, bits that Linux sends of it."""

    digest: str
    size: int
    truncated_bits: int


AUTH_ALGS = MappingProxyType(
    {
        "hmac(md5)": AuthAlg("md5", 16, 96),
        "hmac(sha1)": AuthAlg("sha1", 20, 96),
        "hmac(sha256)": AuthAlg("sha256", 32, 96),
        "hmac(sha384)": AuthAlg("sha384", 48, 192),
        "hmac(sha512)": AuthAlg("sha512", 64, 256),
    }
)
"""RFC 2403, RFC 2404, RFC 4868. Linux keeps 96 bits of SHA-256 unless told the 128 of the RFC."""


class XfrmAuth(NamedTuple):
    """A keyed hash with its key; `bits` of the result go on the wire. Linux: xfrm_algo_auth."""

    name: str
    key: bytes
    bits: int

    @property
    def icv_len(self) -> int:
        """Bytes of the integrity check value."""
        return self.bits // 8

    def icv(self, data: bytes) -> bytes:
        """The integrity check value of `data` (RFC 4303 section 2.8, RFC 2104)."""
        return hmac.digest(self.key, data, AUTH_ALGS[self.name].digest)[: self.icv_len]


class XfrmReplay:
    """Which sequence numbers have come: the highest, and a bit for each of the `window` before it.

    Linux: net/xfrm/xfrm_replay.c (RFC 4303 section 3.4.3).
    """

    __slots__ = ("bitmap", "oseq", "seq", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.seq = self.oseq = self.bitmap = 0

    def next_output(self) -> int | None:
        """The number of the next packet to send; None when all have been used."""
        if self.window and self.oseq == SEQ_MAX:
            return None
        self.oseq = self.oseq + 1 & SEQ_MAX
        return self.oseq

    def check(self, seq: int) -> bool:
        """Whether a packet with this number is new and not too old. Linux: xfrm_replay_check."""
        if not self.window:
            return True
        if seq == 0:
            return False
        behind = self.seq - seq
        return behind < 0 or (behind < self.window and not self.bitmap >> behind & 1)

    def advance(self, seq: int) -> None:
        """A packet with this number was authentic. Linux: xfrm_replay_advance."""
        if not self.window:
            return
        ahead = seq - self.seq
        if ahead > 0:
            self.bitmap = (self.bitmap << ahead | 1) & (1 << self.window) - 1
            self.seq = seq
        else:
            self.bitmap |= 1 << -ahead


class XfrmState:
    """One security association, for one direction. Linux: struct xfrm_state."""

    __slots__ = ("auth", "bytes", "daddr", "mode", "packets", "replay", "reqid", "saddr", "spi")

    def __init__(
        self,
        saddr: int,
        daddr: int,
        spi: int,
        auth: XfrmAuth,
        *,
        mode: int = XFRM_MODE_TRANSPORT,
        reqid: int = 0,
        replay_window: int = 0,
    ) -> None:
        self.saddr = saddr
        self.daddr = daddr
        self.spi = spi
        self.auth = auth
        self.mode = mode
        self.reqid = reqid
        self.replay = XfrmReplay(replay_window)
        self.packets = self.bytes = 0


class XfrmNet:
    """What a machine knows of transformations. Linux: struct netns_xfrm.

    - `lookup(dst, saddr, daddr)` gives a route the transformations that its packets may need;
      `rcv(skb)` takes ESP packets once there is a state, `err(skb, info)` ICMP errors about them
    - `states` by (destination, SPI)
    - `policies` by direction ("in", "out", "fwd"), the most important first
    """

    __slots__ = ("err", "lookup", "policies", "rcv", "states")

    def __init__(
        self,
        lookup: Callable[[DstEntry, int, int], DstEntry],
        rcv: Callable[[SkBuff], int],
        err: Callable[[SkBuff, int], int],
    ) -> None:
        self.lookup = lookup
        self.rcv = rcv
        self.err = err
        self.states: dict[tuple[int, int], XfrmState] = {}
        self.policies: dict[str, list[XfrmPolicy]] = {"in": [], "out": [], "fwd": []}


def xfrm_state_add(net: Net, state: XfrmState) -> int:
    """0, -EEXIST, -EINVAL for an impossible SPI or window, or -ENOSYS for an unknown algorithm.

    Linux: xfrm_state_add, verify_newsa_info.
    """
    alg = AUTH_ALGS.get(state.auth.name)
    if alg is None:
        return -ENOSYS
    bits = state.auth.bits
    window = state.replay.window
    if bits % 8 or not 0 < bits <= alg.size * 8 or not 0 <= window <= REPLAY_WINDOW_MAX:
        return -EINVAL
    if not SPI_MIN <= state.spi <= SEQ_MAX:
        return -EINVAL
    key = (state.daddr, state.spi)
    if key in net.xfrm.states:
        return -EEXIST
    net.xfrm.states[key] = state
    net.inet_protos[IPPROTO_ESP] = net.xfrm.rcv
    net.icmp.err_handlers[IPPROTO_ESP] = net.xfrm.err
    net.fib.flush_cache()
    return 0


def xfrm_state_delete(net: Net, daddr: int, spi: int) -> int:
    """0 or -ESRCH. Linux: xfrm_state_delete."""
    if net.xfrm.states.pop((daddr, spi), None) is None:
        return -ESRCH
    net.fib.flush_cache()
    return 0


def xfrm_state_lookup(net: Net, daddr: int, spi: int) -> XfrmState | None:
    """The association of a received packet. Linux: xfrm_state_lookup."""
    return net.xfrm.states.get((daddr, spi))


def xfrm_state_find(
    net: Net, saddr: int, daddr: int, *, mode: int, reqid: int, spi: int
) -> XfrmState | None:
    """An association to send with, the newest first; 0 for any `reqid` and `spi`.

    Linux: xfrm_state_find.
    """
    for state in reversed(net.xfrm.states.values()):
        if (
            (state.daddr, state.mode) == (daddr, mode)
            and state.saddr in (0, saddr)
            and reqid in (0, state.reqid)
            and spi in (0, state.spi)
        ):
            return state
    return None
