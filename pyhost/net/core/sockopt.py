"""Options of every socket. Linux: net/core/sock.c sk_setsockopt, sk_getsockopt.

Two tables, one for each direction, lead from SO_* to a small function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC, NSEC_PER_USEC
from pyhost.net.core.sock import (
    MAX_SCHEDULE_TIMEOUT,
    SK_PACING_NEEDED,
    SK_PACING_NONE,
    SK_PACING_UNLIMITED,
    TCP_LISTEN,
    Sock,
)
from pyhost.net.core.sockopt_buffers import BUFFER_GETTERS, BUFFER_SETTERS, sk_get_meminfo
from pyhost.net.core.sockopt_ident import IDENTITY_GETTERS
from pyhost.net.core.timestamping import sock_enable_timestamps, sock_set_timestamping
from pyhost.uapi.errno import EDOM, EINVAL, ENODEV, ENOENT, ENOPROTOOPT, EOPNOTSUPP
from pyhost.uapi.socket import (
    AF_INET,
    INT,
    IPPROTO_TCP,
    LINGER,
    SO_ACCEPTCONN,
    SO_BINDTODEVICE,
    SO_BINDTOIFINDEX,
    SO_BROADCAST,
    SO_BUSY_POLL,
    SO_BUSY_POLL_BUDGET,
    SO_DEBUG,
    SO_DETACH_FILTER,
    SO_DOMAIN,
    SO_DONTROUTE,
    SO_ERROR,
    SO_INCOMING_NAPI_ID,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_MARK,
    SO_MAX_PACING_RATE,
    SO_MEMINFO,
    SO_NO_CHECK,
    SO_OOBINLINE,
    SO_PREFER_BUSY_POLL,
    SO_PRIORITY,
    SO_PROTOCOL,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_RCVTIMEO_NEW,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SO_SELECT_ERR_QUEUE,
    SO_SNDLOWAT,
    SO_SNDTIMEO,
    SO_SNDTIMEO_NEW,
    SO_TIMESTAMP,
    SO_TIMESTAMP_NEW,
    SO_TIMESTAMPING,
    SO_TIMESTAMPING_NEW,
    SO_TIMESTAMPNS,
    SO_TIMESTAMPNS_NEW,
    SO_TXREHASH,
    SO_TYPE,
    SO_ZEROCOPY,
    SOCK_DGRAM,
    SOCK_STREAM,
)
from pyhost.uapi.stat import TIMESPEC

if TYPE_CHECKING:
    from pyhost.net.socket import Socket

__all__ = ["sock_getsockopt", "sock_setsockopt"]

INT_MAX = 0x7FFFFFFF
UINT_MAX = 0xFFFFFFFF
USHRT_MAX = 0xFFFF
IFNAMSIZ = 16
USEC_PER_SEC = 1_000_000

U32 = Struct("<I")
U64 = Struct("<Q")

TIMEVAL = TIMESPEC
"""struct timeval has the layout of struct timespec, with microseconds."""


# -- setsockopt -------------------------------------------------------------------------------


def sock_setsockopt(sk: Sock, optname: int, value: bytes) -> int:
    """setsockopt(SOL_SOCKET): 0 or a negative errno; ENOPROTOOPT for an unknown option.

    Linux: sk_setsockopt.

    EINVAL: a value shorter than the option's type.
    """
    if optname == SO_BINDTODEVICE:
        return _set_bindtodevice(sk, value)
    if len(value) < INT.size:
        return -EINVAL
    number: int = INT.unpack_from(value)[0]
    sk.lock_sock()
    try:
        attribute = FLAG_OPTIONS.get(optname)
        if attribute is not None:
            setattr(sk, attribute, bool(number))
            return 0
        setter = NUMBER_SETTERS.get(optname)
        if setter is not None:
            return setter(sk, number)
        struct_setter = STRUCT_SETTERS.get(optname)
        return -ENOPROTOOPT if struct_setter is None else struct_setter(sk, value)
    finally:
        sk.release_sock()


FLAG_OPTIONS = {
    SO_REUSEADDR: "sk_reuse",
    SO_REUSEPORT: "sk_reuseport",
    SO_BROADCAST: "sk_broadcast",
    SO_NO_CHECK: "sk_no_check_tx",
    SO_DEBUG: "sk_debug",
    SO_DONTROUTE: "sk_localroute",
    SO_SELECT_ERR_QUEUE: "sk_select_err_queue",
    SO_PREFER_BUSY_POLL: "sk_prefer_busy_poll",
}
"""Without effect are SO_DEBUG, SO_DONTROUTE (all routes are explicit) and the two of busy polling
(a NIC here is never asked before it interrupts).
"""


def _set_priority(sk: Sock, value: int) -> int:
    sk.sk_priority = value
    return 0


def _set_keepalive(sk: Sock, value: int) -> int:
    if sk.sk_prot.keepalive is not None:
        sk.sk_prot.keepalive(sk, bool(value))
    sk.sk_keepopen = bool(value)
    return 0


def _set_mark(sk: Sock, value: int) -> int:
    mark = value & 0xFFFFFFFF
    if sk.sk_mark != mark:
        sk.sk_mark = mark
        sk.sk_dst_cache = None
    return 0


def _set_rcvlowat(sk: Sock, value: int) -> int:
    value = INT_MAX if value < 0 else value
    sock = sk.sk_socket
    if sock is not None and sock.ops.set_rcvlowat is not None:
        return sock.ops.set_rcvlowat(sk, value)
    sk.sk_rcvlowat = value or 1
    return 0


def _set_zerocopy(sk: Sock, value: int) -> int:
    is_tcp = sk.sk_type == SOCK_STREAM and sk.sk_protocol == IPPROTO_TCP
    if sk.sk_family != AF_INET or not (is_tcp or sk.sk_type == SOCK_DGRAM):
        return -EOPNOTSUPP
    if not 0 <= value <= 1:
        return -EINVAL
    sk.sk_zerocopy = bool(value)
    return 0


def _set_timestamp(kind: int, new: bool, sk: Sock, value: int) -> int:
    """SO_TIMESTAMP, SO_TIMESTAMPNS: which control message a receive brings. Linux:
    __sock_set_timestamps.
    """
    sk.sk_timestamp = kind if value else 0
    if value:
        sk.sk_tstamp_new = new
    sock_enable_timestamps(sk)
    return 0


def _get_timestamp(kind: int, new: bool, sk: Sock) -> int:
    return int(sk.sk_timestamp == kind and sk.sk_tstamp_new == new)


def _get_timestamping(new: bool, sk: Sock) -> int:
    return sk.sk_tsflags if sk.sk_tstamp_new == new else 0


def _set_busy_poll(sk: Sock, value: int) -> int:
    """µs."""
    if value < 0:
        return -EINVAL
    sk.sk_ll_usec = value
    return 0


def _set_busy_poll_budget(sk: Sock, value: int) -> int:
    if not 0 <= value <= USHRT_MAX:
        return -EINVAL
    sk.sk_busy_poll_budget = value
    return 0


def _set_bindtoifindex(sk: Sock, value: int) -> int:
    """A device's number, whether there is one or not. Linux: sock_bindtoindex_locked."""
    if value < 0:
        return -EINVAL
    sk.sk_bindtodevice = value
    sk.sk_dst_cache = None
    return 0


def _set_txrehash(sk: Sock, value: int) -> int:
    """Whether a timeout may choose another path; here there is one."""
    if not -1 <= value <= 1:
        return -EINVAL
    sk.sk_txrehash = abs(value)
    return 0


def _detach_filter(_sk: Sock, _value: int) -> int:
    """No filter is ever there. Linux: sk_detach_filter."""
    return -ENOENT


def _set_oobinline(sk: Sock, value: int) -> int:
    sk.urginline = bool(value)
    return 0


def _set_readonly(_sk: Sock, _value: int) -> int:
    return -ENOPROTOOPT


NUMBER_SETTERS: dict[int, Callable[[Sock, int], int]] = {
    **BUFFER_SETTERS,
    SO_PRIORITY: _set_priority,
    SO_KEEPALIVE: _set_keepalive,
    SO_MARK: _set_mark,
    SO_RCVLOWAT: _set_rcvlowat,
    SO_ZEROCOPY: _set_zerocopy,
    SO_TIMESTAMP: partial(_set_timestamp, SO_TIMESTAMP, False),
    SO_TIMESTAMP_NEW: partial(_set_timestamp, SO_TIMESTAMP, True),
    SO_TIMESTAMPNS: partial(_set_timestamp, SO_TIMESTAMPNS, False),
    SO_TIMESTAMPNS_NEW: partial(_set_timestamp, SO_TIMESTAMPNS, True),
    SO_BUSY_POLL: _set_busy_poll,
    SO_BUSY_POLL_BUDGET: _set_busy_poll_budget,
    SO_BINDTOIFINDEX: _set_bindtoifindex,
    SO_TXREHASH: _set_txrehash,
    SO_DETACH_FILTER: _detach_filter,
    SO_OOBINLINE: _set_oobinline,
    SO_TYPE: _set_readonly,
    SO_PROTOCOL: _set_readonly,
    SO_DOMAIN: _set_readonly,
    SO_ERROR: _set_readonly,
    SO_SNDLOWAT: _set_readonly,
}


def _set_timestamping(optname: int, sk: Sock, value: bytes) -> int:
    """The flags; a struct so_timestamping also names a clock, which only BIND_PHC would use."""
    if len(value) not in (INT.size, 2 * INT.size):
        return -EINVAL
    return sock_set_timestamping(sk, optname, INT.unpack_from(value)[0] & 0xFFFFFFFF)


def _set_linger(sk: Sock, value: bytes) -> int:
    if len(value) < LINGER.size:
        return -EINVAL
    onoff, seconds = LINGER.unpack_from(value)
    if onoff:
        sk.sk_lingertime = (seconds & 0xFFFFFFFF) * NSEC_PER_SEC
    sk.sk_linger = bool(onoff)
    return 0


def _parse_timeout(value: bytes) -> tuple[int, int | None]:
    """(0 or a negative errno, ns or None for ever) of a struct timeval. Linux: sock_set_timeout."""
    if len(value) < TIMEVAL.size:
        return -EINVAL, None
    seconds, microseconds = TIMEVAL.unpack_from(value)
    if not 0 <= microseconds < USEC_PER_SEC:
        return -EDOM, None
    if seconds < 0:
        return 0, 0
    if not seconds and not microseconds:
        return 0, MAX_SCHEDULE_TIMEOUT
    return 0, seconds * NSEC_PER_SEC + microseconds * NSEC_PER_USEC


def _set_rcvtimeo(sk: Sock, value: bytes) -> int:
    err, timeout = _parse_timeout(value)
    if not err:
        sk.sk_rcvtimeo = timeout
    return err


def _set_sndtimeo(sk: Sock, value: bytes) -> int:
    err, timeout = _parse_timeout(value)
    if not err:
        sk.sk_sndtimeo = timeout
    return err


def _set_max_pacing_rate(sk: Sock, value: bytes) -> int:
    """Bytes a second, as int or as long; all ones: no limit. Where no qdisc paces, the protocol
    does it from now on. Linux: SO_MAX_PACING_RATE.
    """
    rate: int = U64.unpack_from(value)[0] if len(value) >= U64.size else U32.unpack_from(value)[0]
    if rate == UINT_MAX:
        rate = SK_PACING_UNLIMITED
    if rate != SK_PACING_UNLIMITED and sk.sk_pacing_status == SK_PACING_NONE:
        sk.sk_pacing_status = SK_PACING_NEEDED
    sk.sk_max_pacing_rate = rate
    sk.sk_pacing_rate = min(sk.sk_pacing_rate, rate)
    return 0


STRUCT_SETTERS: dict[int, Callable[[Sock, bytes], int]] = {
    SO_LINGER: _set_linger,
    SO_MAX_PACING_RATE: _set_max_pacing_rate,
    SO_TIMESTAMPING: partial(_set_timestamping, SO_TIMESTAMPING),
    SO_TIMESTAMPING_NEW: partial(_set_timestamping, SO_TIMESTAMPING_NEW),
    SO_RCVTIMEO: _set_rcvtimeo,
    SO_RCVTIMEO_NEW: _set_rcvtimeo,
    SO_SNDTIMEO: _set_sndtimeo,
    SO_SNDTIMEO_NEW: _set_sndtimeo,
}


def _set_bindtodevice(sk: Sock, value: bytes) -> int:
    """A device's name, or nothing to take it back. Linux: sock_setbindtodevice."""
    name = value[: IFNAMSIZ - 1].split(b"\0", 1)[0].decode(errors="replace")
    ifindex = 0
    if name:
        dev = sk.net.devices.get(name)
        if dev is None:
            return -ENODEV
        ifindex = dev.ifindex
    sk.sk_bindtodevice = ifindex
    sk.sk_dst_cache = None
    return 0


# -- getsockopt -------------------------------------------------------------------------------


def sock_getsockopt(sock: Socket, optname: int, maxlen: int) -> bytes | int:
    """getsockopt(SOL_SOCKET): the value, at most `maxlen` bytes, or a negative errno.

    Linux: sk_getsockopt.
    """
    sk: Sock = sock.sk
    attribute = FLAG_OPTIONS.get(optname)
    if attribute is not None:
        return INT.pack(bool(getattr(sk, attribute)))[:maxlen]
    getter = NUMBER_GETTERS.get(optname)
    if getter is not None:
        return INT.pack(getter(sk))[:maxlen]
    if optname == SO_LINGER:
        return LINGER.pack(sk.sk_linger, sk.sk_lingertime // NSEC_PER_SEC)[:maxlen]
    identity = IDENTITY_GETTERS.get(optname)
    if identity is not None:
        return identity(sock, maxlen)
    if optname in TIMEOUTS:
        timeout: int | None = getattr(sk, TIMEOUTS[optname])
        seconds, left = divmod(timeout or 0, NSEC_PER_SEC)
        return TIMEVAL.pack(seconds, left // NSEC_PER_USEC)[:maxlen]
    if optname == SO_BINDTODEVICE:
        return _get_bindtodevice(sk, maxlen)
    if optname == SO_MEMINFO:
        return sk_get_meminfo(sk)[:maxlen]
    if optname == SO_MAX_PACING_RATE:
        rate = sk.sk_max_pacing_rate
        return U64.pack(rate) if maxlen >= U64.size else U32.pack(min(rate, UINT_MAX))[:maxlen]
    return -ENOPROTOOPT


TIMEOUTS = {
    SO_RCVTIMEO: "sk_rcvtimeo",
    SO_RCVTIMEO_NEW: "sk_rcvtimeo",
    SO_SNDTIMEO: "sk_sndtimeo",
    SO_SNDTIMEO_NEW: "sk_sndtimeo",
}
"""The old and the new form differ on 32-bit machines alone."""


def _take_error(sk: Sock) -> int:
    """The pending error, else the soft one; either is forgotten."""
    err = -sk.sock_error()
    if not err:
        err, sk.sk_err_soft = sk.sk_err_soft, 0
    return err


NUMBER_GETTERS: dict[int, Callable[[Sock], int]] = {
    **BUFFER_GETTERS,
    SO_TYPE: lambda sk: sk.sk_type,
    SO_PROTOCOL: lambda sk: sk.sk_protocol,
    SO_DOMAIN: lambda sk: sk.sk_family,
    SO_ERROR: _take_error,
    SO_PRIORITY: lambda sk: sk.sk_priority,
    SO_MARK: lambda sk: sk.sk_mark & INT_MAX,
    SO_RCVLOWAT: lambda sk: sk.sk_rcvlowat,
    SO_SNDLOWAT: lambda _sk: 1,
    SO_ZEROCOPY: lambda sk: int(sk.sk_zerocopy),
    SO_TIMESTAMP: partial(_get_timestamp, SO_TIMESTAMP, False),
    SO_TIMESTAMP_NEW: partial(_get_timestamp, SO_TIMESTAMP, True),
    SO_TIMESTAMPNS: partial(_get_timestamp, SO_TIMESTAMPNS, False),
    SO_TIMESTAMPNS_NEW: partial(_get_timestamp, SO_TIMESTAMPNS, True),
    SO_TIMESTAMPING: partial(_get_timestamping, False),
    SO_TIMESTAMPING_NEW: partial(_get_timestamping, True),
    SO_ACCEPTCONN: lambda sk: int(sk.sk_state == TCP_LISTEN),
    SO_BUSY_POLL: lambda sk: sk.sk_ll_usec,
    SO_BUSY_POLL_BUDGET: lambda sk: sk.sk_busy_poll_budget,
    SO_BINDTOIFINDEX: lambda sk: sk.sk_bindtodevice,
    SO_TXREHASH: lambda sk: sk.sk_txrehash,
    SO_INCOMING_NAPI_ID: lambda _sk: 0,
    SO_KEEPALIVE: lambda sk: int(sk.sk_keepopen),
    SO_OOBINLINE: lambda sk: int(sk.urginline),
}


def _get_bindtodevice(sk: Sock, maxlen: int) -> bytes | int:
    if not sk.sk_bindtodevice:
        return b""
    if maxlen < IFNAMSIZ:
        return -EINVAL
    for dev in sk.net.devices.values():
        if dev.ifindex == sk.sk_bindtodevice:
            return dev.name.encode() + b"\0"
    return -ENODEV
