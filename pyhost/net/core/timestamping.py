"""Timestamps of packets: SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING.

Linux: net/core/skbuff.c __skb_tstamp_tx, net/core/sock.c sock_set_timestamping, net/socket.c
__sock_tx_timestamp, __sock_recv_timestamp; Documentation/networking/timestamping.rst.

A send that asks for timestamps marks its last packet (`shinfo.tx_flags`, `cb.txstamp_ack`). Where
the packet passes such a point, a copy of it with the time goes to the socket's error queue:

    tcp_sendmsg ─→ dev_queue_xmit ─→ ndo_start_xmit ─→ wire ─→ ACK
                   TX_SCHED          TX_SOFTWARE               TX_ACK

With OPT_ID each of them carries the number of the byte (TCP) or of the datagram that it is about.
Times are the machine's clock, ns; a card that timestamps (TX_HARDWARE, RX_HARDWARE) has a clock of
its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC, NSEC_PER_USEC
from pyhost.net.core import drop_reason
from pyhost.net.core.errqueue import SockExterr, sock_queue_err_skb
from pyhost.net.core.scm import put_cmsg
from pyhost.net.core.skb_shared_info import (
    SKBTX_ANY_TSTAMP,
    SKBTX_HW_TSTAMP,
    SKBTX_IN_PROGRESS,
    SKBTX_SCHED_TSTAMP,
    SKBTX_SW_TSTAMP,
)
from pyhost.net.core.skbuff import SkBuff, alloc_skb, kfree_skb_reason
from pyhost.net.core.ubuf import skb_orphan_frags_rx
from pyhost.uapi import net_tstamp as ts
from pyhost.uapi.errno import EINVAL, ENOMSG
from pyhost.uapi.errqueue import SCM_TSTAMP_SCHED, SCM_TSTAMP_SND, SO_EE_ORIGIN_TIMESTAMPING
from pyhost.uapi.socket import (
    SCM_TIMESTAMP,
    SCM_TIMESTAMPING,
    SCM_TIMESTAMPING_OPT_STATS,
    SCM_TIMESTAMPNS,
    SO_TIMESTAMP_NEW,
    SO_TIMESTAMPING_NEW,
    SO_TIMESTAMPNS_NEW,
    SOL_SOCKET,
)
from pyhost.uapi.stat import TIMESPEC

if TYPE_CHECKING:
    from pyhost.net.core.sock import MsgHdr, Sock

__all__ = [
    "put_recv_timestamp", "sched_tstamp", "skb_tstamp_tx", "skb_tx_timestamp",
    "sock_enable_timestamps", "sock_recv_timestamp", "sock_set_timestamping", "sock_tx_timestamp",
]  # fmt: skip

_OLD_KINDS = (SCM_TIMESTAMP, SCM_TIMESTAMPNS)
_SOFTWARE = ts.SOF_TIMESTAMPING_SOFTWARE, ts.SOF_TIMESTAMPING_RX_SOFTWARE
_HARDWARE = ts.SOF_TIMESTAMPING_RAW_HARDWARE, ts.SOF_TIMESTAMPING_RX_HARDWARE
_NEW_KINDS = (SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW)


# -- options ---------------------------------------------------------------------------------------


def sock_set_timestamping(sk: Sock, optname: int, value: int) -> int:
    """SO_TIMESTAMPING: 0 or -EINVAL. Linux: sock_set_timestamping.

    -EINVAL: unknown bits, OPT_ID_TCP without OPT_ID, OPT_STATS without OPT_TSONLY, OPT_ID on a TCP
    socket that has no connection to count the bytes of.
    """
    if value & ~ts.SOF_TIMESTAMPING_MASK or value & ts.SOF_TIMESTAMPING_BIND_PHC:
        return -EINVAL
    opt_id = value & ts.SOF_TIMESTAMPING_OPT_ID
    if value & ts.SOF_TIMESTAMPING_OPT_ID_TCP and not opt_id:
        return -EINVAL
    if opt_id and not sk.sk_tsflags & ts.SOF_TIMESTAMPING_OPT_ID:
        first = _first_key(sk, value)
        if first is None:
            return -EINVAL
        sk.sk_tskey = first
    if value & ts.SOF_TIMESTAMPING_OPT_STATS and not value & ts.SOF_TIMESTAMPING_OPT_TSONLY:
        return -EINVAL
    sk.sk_tsflags = value
    sk.sk_tstamp_new = optname == SO_TIMESTAMPING_NEW
    sock_enable_timestamps(sk)
    return 0


def _first_key(sk: Sock, value: int) -> int | None:
    """Where the numbering begins: for TCP at the first unacknowledged byte, or at the next one to
    be written; None when there is no connection.
    """
    first_seq = sk.sk_prot.tskey
    return 0 if first_seq is None else first_seq(sk, bool(value & ts.SOF_TIMESTAMPING_OPT_ID_TCP))


def sock_enable_timestamps(sk: Sock) -> None:
    """Have received packets timestamped while a socket wants it, and no longer. Linux:
    sock_enable_timestamp, net_enable_timestamp.
    """
    wants = bool(sk.sk_timestamp or sk.sk_tsflags & ts.SOF_TIMESTAMPING_RX_SOFTWARE)
    if wants != sk.sk_rx_tstamp:
        sk.sk_rx_tstamp = wants
        sk.net.softnet.netstamp_needed += 1 if wants else -1


# -- sending ---------------------------------------------------------------------------------------


def sock_tx_timestamp(tsflags: int) -> int:
    """SKBTX_* of a packet that is sent with these SOF_TIMESTAMPING_*.

    Linux: __sock_tx_timestamp.
    """
    flags = 0
    if tsflags & ts.SOF_TIMESTAMPING_TX_HARDWARE:
        flags |= SKBTX_HW_TSTAMP
    if tsflags & ts.SOF_TIMESTAMPING_TX_SOFTWARE:
        flags |= SKBTX_SW_TSTAMP
    if tsflags & ts.SOF_TIMESTAMPING_TX_SCHED:
        flags |= SKBTX_SCHED_TSTAMP
    return flags


def sched_tstamp(skb: SkBuff) -> None:
    """A packet that is to be timestamped reaches the queueing discipline. Linux:
    __dev_queue_xmit.
    """
    if skb.shinfo.tx_flags & SKBTX_SCHED_TSTAMP and skb.sk is not None:
        skb_tstamp_tx(skb, skb.sk, SCM_TSTAMP_SCHED)


def skb_tx_timestamp(skb: SkBuff) -> None:
    """For drivers: the packet's descriptors are written, the doorbell follows. Linux:
    skb_tx_timestamp.
    """
    flags = skb.shinfo.tx_flags
    sk = skb.sk
    if not flags & SKBTX_SW_TSTAMP or sk is None:
        return
    if flags & SKBTX_IN_PROGRESS and not sk.sk_tsflags & ts.SOF_TIMESTAMPING_OPT_TX_SWHW:
        return
    skb_tstamp_tx(skb, sk, SCM_TSTAMP_SND)


def skb_tstamp_tx(orig: SkBuff, sk: Sock, kind: int, hwtstamp: int = 0) -> None:
    """Put the time at which `orig` passed the point `kind` (SCM_TSTAMP_*) on the error queue, with
    the packet, or with statistics or nothing (OPT_TSONLY). `hwtstamp`: it is a card that says so,
    by its own clock. Linux: __skb_tstamp_tx, __skb_complete_tx_timestamp.
    """
    tsonly = sk.sk_tsflags & ts.SOF_TIMESTAMPING_OPT_TSONLY
    if not tsonly and not sk.net.softnet.sysctl_tstamp_allow_data:
        return
    note = SockExterr(ENOMSG, SO_EE_ORIGIN_TIMESTAMPING, info=kind)
    skb = _bare_report(sk, orig, note) if tsonly else orig.clone()
    if skb is None:
        return
    if not tsonly and skb_orphan_frags_rx(skb):
        kfree_skb_reason(skb, drop_reason.NOMEM)
        return
    if hwtstamp:
        skb.tstamp = 0
        skb.shinfo.hwtstamp = hwtstamp
    else:
        skb.tstamp = sk.net.kernel.clock.now
    skb.cb = note
    if sk.sk_tsflags & ts.SOF_TIMESTAMPING_OPT_ID:
        key = orig.shinfo.tskey
        note.data = key if sk.sk_prot.tskey is None else key - sk.sk_tskey & 0xFFFFFFFF
    if sock_queue_err_skb(sk, skb):
        kfree_skb_reason(skb, drop_reason.SOCKET_RCVBUFF)


def _bare_report(sk: Sock, orig: SkBuff, note: SockExterr) -> SkBuff | None:
    """OPT_TSONLY: an skb without the packet's bytes. Linux: tcp_get_timestamping_opt_stats."""
    stats = b""
    if sk.sk_tsflags & ts.SOF_TIMESTAMPING_OPT_STATS and sk.sk_prot.opt_stats is not None:
        stats = sk.sk_prot.opt_stats(sk, orig)
        note.opt_stats = True
    skb = alloc_skb(sk.net.skbs, len(stats), orig.key)
    if skb is not None:
        skb.put_data(stats)
        skb.shinfo.tx_flags |= orig.shinfo.tx_flags & SKBTX_ANY_TSTAMP
        skb.shinfo.tskey = orig.shinfo.tskey
    return skb


# -- receiving -------------------------------------------------------------------------------------


def sock_recv_timestamp(msg: MsgHdr, sk: Sock, skb: SkBuff) -> None:
    """The control messages with the time of a packet, or of an entry of the error queue, that is
    being read. Linux: sock_recv_timestamp, __sock_recv_timestamp.
    """
    note = skb.cb if isinstance(skb.cb, SockExterr) else None
    put_recv_timestamp(msg, sk, skb.tstamp, skb.shinfo.hwtstamp, note is not None)
    if note is not None and note.opt_stats and skb.len:
        put_cmsg(msg, SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS, skb.to_bytes())


def put_recv_timestamp(
    msg: MsgHdr, sk: Sock, tstamp: int, hwtstamp: int = 0, from_err_queue: bool = False
) -> None:
    """The control messages with the time `tstamp`, and `hwtstamp` of the card (ns, 0: it was not
    taken). Linux: __sock_recv_timestamp, tcp_recv_timestamp.
    """
    if sk.sk_timestamp:
        seconds, ns = divmod(tstamp or sk.net.kernel.clock.now, NSEC_PER_SEC)
        nanoseconds = sk.sk_timestamp == SCM_TIMESTAMPNS
        new = _NEW_KINDS if sk.sk_tstamp_new else _OLD_KINDS
        value = TIMESPEC.pack(seconds, ns if nanoseconds else ns // NSEC_PER_USEC)
        put_cmsg(msg, SOL_SOCKET, new[nanoseconds], value)
    tsflags = sk.sk_tsflags
    if from_err_queue and tstamp:
        hwtstamp = 0  # of an earlier report about the same packet
    soft = tstamp if _wanted(tsflags, _SOFTWARE, from_err_queue) else 0
    raw = hwtstamp if _wanted(tsflags, _HARDWARE, from_err_queue) else 0
    if soft or raw:
        kind = SO_TIMESTAMPING_NEW if sk.sk_tstamp_new else SCM_TIMESTAMPING
        stamps = (*divmod(soft, NSEC_PER_SEC), 0, 0, *divmod(raw, NSEC_PER_SEC))
        put_cmsg(msg, SOL_SOCKET, kind, ts.SCM_TIMESTAMPING.pack(*stamps))


def _wanted(tsflags: int, kind: tuple[int, int], from_err_queue: bool) -> bool:
    """Whether times of a kind (report it, take it on receipt) are told; with OPT_RX_FILTER a
    received packet's only if the socket asked to have them taken.
    """
    report, receive = kind
    if not tsflags & report:
        return False
    filtered = tsflags & ts.SOF_TIMESTAMPING_OPT_RX_FILTER
    return from_err_queue or not filtered or bool(tsflags & receive)
