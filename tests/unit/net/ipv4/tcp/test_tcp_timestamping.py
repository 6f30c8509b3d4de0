"""SO_TIMESTAMPING on TCP: which times are reported, of which byte, and what may go wrong."""

from __future__ import annotations

from struct import unpack_from
from typing import Any, NamedTuple

import pytest
from scapy.layers.inet import TCP

from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO
from pyhost.net.core.sock import MsgHdr
from pyhost.net.core.timestamping import sock_set_timestamping
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.uapi import net_tstamp as ts
from pyhost.uapi.errno import EAGAIN, EINVAL, ENOMSG
from pyhost.uapi.errqueue import SCM_TSTAMP_ACK, SCM_TSTAMP_SCHED, SCM_TSTAMP_SND
from pyhost.uapi.socket import (
    CMSGHDR,
    INT,
    MSG_ERRQUEUE,
    MSG_TRUNC,
    SO_TIMESTAMPING,
    SO_TIMESTAMPING_NEW,
    SOL_SOCKET,
)
from pyhost.uapi.tcp import TCP_NODELAY
from tests.unit.net.ipv4.tcp.tcp_apps import close, new_socket, send, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import SYN_OPTIONS, Script

ALL = (
    ts.SOF_TIMESTAMPING_TX_SCHED
    | ts.SOF_TIMESTAMPING_TX_SOFTWARE
    | ts.SOF_TIMESTAMPING_TX_ACK
    | ts.SOF_TIMESTAMPING_SOFTWARE
    | ts.SOF_TIMESTAMPING_OPT_ID
)
MSEC = 1_000_000


class Stamp(NamedTuple):
    ns: int
    kind: int
    key: int
    flags: int


def stamp(sk: Any, room: int = 512, size: int = 0) -> Stamp | int:
    """One recvmsg(MSG_ERRQUEUE): two control messages, taken apart by hand."""
    memory = sk.net.kernel.mem
    addr = memory.kmalloc(2048)
    msg = MsgHdr(IovIter.kvec(ITER_DEST, memory, [(addr, size)]))
    msg.controllen = room
    got = tcp_prot.recvmsg(sk, msg, size, MSG_ERRQUEUE)
    memory.kfree(addr)
    if got < 0:
        return int(got)
    length, level, kind, seconds, ns = unpack_from("=QIIqq", msg.control)
    assert (length, level, kind) == (16 + 48, 1, 37)
    length, level, kind, errno, origin = unpack_from("=QIIIB", msg.control, 64)
    assert (length, level, kind, errno, origin) == (16 + 32, 0, 11, ENOMSG, 4)
    info, data = unpack_from("=II", msg.control, 64 + 16 + 8)
    return Stamp(seconds * 1000 * MSEC + ns, info, data, msg.flags)


def asking(flags: int = ALL, **options: Any) -> tuple[Script, Any]:
    t = Script(**options)
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_NODELAY, 1))
    assert sock_set_timestamping(sk, SO_TIMESTAMPING, flags) == 0
    return t, sk


def stamps(sk: Any) -> list[tuple[int, int]]:
    """(kind, key) of all that wait."""
    out = []
    while isinstance(one := stamp(sk), Stamp):
        out.append((one.kind, one.key))
    assert one == -EAGAIN
    return out


def test_a_write_is_stamped_at_the_queue_at_the_card_and_when_it_is_acknowledged() -> None:
    t, sk = asking()
    start = t.clock.now
    t.app(lambda: send(sk, bytes(1000)))
    t.run(9.95)
    t.send("A", ack=1001)
    truncated = MSG_ERRQUEUE | MSG_TRUNC
    assert stamp(sk) == Stamp(start, SCM_TSTAMP_SCHED, 999, truncated)
    assert stamp(sk) == Stamp(start, SCM_TSTAMP_SND, 999, truncated)
    assert stamp(sk) == Stamp(start + 10 * MSEC, SCM_TSTAMP_ACK, 999, truncated)
    assert stamp(sk) == -EAGAIN
    assert sk.sk_rmem_alloc == 0


def test_the_packet_comes_along_unless_only_the_time_is_wanted() -> None:
    t, sk = asking(ALL | ts.SOF_TIMESTAMPING_OPT_TSONLY)
    t.app(lambda: send(sk, bytes(100)))
    one = stamp(sk)
    assert isinstance(one, Stamp)
    assert one.flags == MSG_ERRQUEUE
    t.send("A", ack=101)
    assert [kind for kind, _ in stamps(sk)] == [SCM_TSTAMP_SND, SCM_TSTAMP_ACK]


def test_without_opt_id_there_is_no_key() -> None:
    t, sk = asking(ALL & ~ts.SOF_TIMESTAMPING_OPT_ID)
    t.app(lambda: send(sk, bytes(100)))
    assert stamps(sk) == [(SCM_TSTAMP_SCHED, 0), (SCM_TSTAMP_SND, 0)]


@pytest.mark.parametrize(("flag", "first"), [(0, 150), (ts.SOF_TIMESTAMPING_OPT_ID_TCP, 50)])
def test_the_count_begins_at_the_first_unacknowledged_byte_or_the_next_one(
    flag: int, first: int
) -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_NODELAY, 1))
    t.app(lambda: send(sk, bytes(100)))
    assert sock_set_timestamping(sk, SO_TIMESTAMPING, ALL | flag) == 0
    t.app(lambda: send(sk, bytes(51)))
    t.send("A", ack=152)
    assert {key for _, key in stamps(sk)} == {first}


def test_a_mark_names_the_last_byte_of_the_last_write_in_the_segment() -> None:
    t, sk = asking()
    t.app(lambda: set_option(sk, TCP_NODELAY, 0))
    t.app(lambda: send(sk, bytes(100)))
    t.app(lambda: send(sk, bytes(100)))
    t.app(lambda: send(sk, bytes(100)))
    t.send("A", ack=101)
    t.send("A", ack=301)
    kinds = stamps(sk)
    assert [key for kind, key in kinds if kind == SCM_TSTAMP_ACK] == [99, 299]
    assert [key for kind, key in kinds if kind == SCM_TSTAMP_SND] == [99, 299]


def test_a_mark_stays_with_its_byte_when_the_segment_is_cut() -> None:
    t, sk = asking()
    t.send("A", ack=1, window=1460)
    t.app(lambda: send(sk, bytes(2000)))
    assert SCM_TSTAMP_ACK not in [kind for kind, _ in stamps(sk)]
    t.send("A", ack=1461, window=1460)
    assert SCM_TSTAMP_ACK not in [kind for kind, _ in stamps(sk)]
    t.send("A", ack=2001)
    assert (SCM_TSTAMP_ACK, 1999) in stamps(sk)


@pytest.mark.parametrize("features", [0, NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO])
def test_of_a_super_segment_the_frame_with_the_byte_is_stamped_once(features: int) -> None:
    t, sk = asking(features=features)
    t.app(lambda: send(sk, bytes(14600)))
    assert stamps(sk) == [(SCM_TSTAMP_SCHED, 14599), (SCM_TSTAMP_SND, 14599)]
    t.send("A", ack=14601)
    assert stamps(sk) == [(SCM_TSTAMP_ACK, 14599)]


def retransmitted(flags: int) -> list[int]:
    """The kinds of all stamps of a segment that is sent twice, and then acknowledged."""
    t, sk = asking(flags)
    t.app(lambda: send(sk, bytes(100)))
    t.run(400)
    assert len(t.got) == 2
    t.send("A", ack=101)
    kinds = [kind for kind, key in stamps(sk) if key == 99]
    t.app(lambda: send(sk, bytes(10)))
    assert (SCM_TSTAMP_ACK, 99) not in stamps(sk)
    return kinds


def test_a_retransmission_is_stamped_again_and_the_acknowledgement_once() -> None:
    kinds = retransmitted(ALL | ts.SOF_TIMESTAMPING_OPT_TSONLY)
    assert kinds.count(SCM_TSTAMP_SND) == 2
    assert kinds.count(SCM_TSTAMP_ACK) == 1


def test_a_packet_that_waits_in_the_error_queue_keeps_its_retransmission_unstamped() -> None:
    """The segment is shared with the report, so a copy of it is sent, which carries no mark."""
    kinds = retransmitted(ALL)
    assert kinds == [SCM_TSTAMP_SCHED, SCM_TSTAMP_SND, SCM_TSTAMP_ACK]


def test_a_control_message_asks_for_one_write_alone() -> None:
    t, sk = asking(ts.SOF_TIMESTAMPING_SOFTWARE | ts.SOF_TIMESTAMPING_OPT_ID)
    kernel = t.host.kernel
    addr = kernel.mem.kmalloc(100)

    def write(wanted: int) -> int:
        it = IovIter.kvec(ITER_SOURCE, kernel.mem, [(addr, 100)])
        data = INT.pack(wanted)
        msg = MsgHdr(it)
        msg.control = CMSGHDR.pack(16 + 4, SOL_SOCKET, SO_TIMESTAMPING) + data + bytes(4)
        return int(tcp_prot.sendmsg(sk, msg, 100))

    assert t.app(lambda: write(ts.SOF_TIMESTAMPING_TX_SOFTWARE)) == 100
    t.app(lambda: send(sk, bytes(100)))
    assert stamps(sk) == [(SCM_TSTAMP_SND, 99)]
    assert t.app(lambda: write(ts.SOF_TIMESTAMPING_SOFTWARE)) == -EINVAL
    kernel.mem.kfree(addr)


def test_statistics_come_with_the_time_when_they_are_wanted() -> None:
    flags = ALL | ts.SOF_TIMESTAMPING_OPT_TSONLY | ts.SOF_TIMESTAMPING_OPT_STATS
    t = Script()
    sk = t.connect(SYN_OPTIONS)
    assert sock_set_timestamping(sk, SO_TIMESTAMPING, flags) == 0
    t.app(lambda: send(sk, bytes(1000)))
    t.run(9.95)
    t.send("A", ack=1001)
    memory = t.host.kernel.mem
    found: list[dict[int, int]] = []
    for _ in range(3):
        msg = MsgHdr(IovIter.kvec(ITER_DEST, memory, []))
        msg.controllen = 1024
        assert tcp_prot.recvmsg(sk, msg, 0, MSG_ERRQUEUE) == 0
        length, level, kind = unpack_from("=QII", msg.control, 64)
        assert (level, kind) == (SOL_SOCKET, 54)
        found.append(attributes(msg.control[64 + 16 : 64 + length]))
    queued, sent, acked = found
    assert (queued[13], acked[13]) == (1000, 0)
    assert acked[16] - sent[16] == 1
    assert acked[1] == pytest.approx(10_000, abs=100)
    assert acked[18] == 1000
    assert set(acked) == {*range(1, 26), 27}


def attributes(raw: bytes) -> dict[int, int]:
    """Netlink attributes: (length, type, value), padded to 4 bytes."""
    values: dict[int, int] = {}
    at = 0
    while at < len(raw):
        length, kind = unpack_from("=HH", raw, at)
        values[kind] = int.from_bytes(raw[at + 4 : at + length], "little")
        at += length + 3 & ~3
    return values


def test_a_full_receive_buffer_drops_the_stamp_and_counts_it() -> None:
    t, sk = asking()
    sk.sk_rcvbuf = 1000
    t.app(lambda: send(sk, bytes(1000)))
    assert stamps(sk) == []
    assert t.net.drops["SOCKET_RCVBUFF"] == 2


def test_a_socket_that_ends_gives_unread_stamps_back() -> None:
    t, sk = asking()
    alive = t.net.skbs.alive
    t.app(lambda: send(sk, bytes(1000)))
    t.send("A", ack=1001)
    t.app(lambda: close(sk))
    t.send("FA", seq=1, ack=1002)
    t.run(100_000)
    assert t.net.skbs.alive <= alive


@pytest.mark.parametrize(
    "flags",
    [
        1 << 18,
        ts.SOF_TIMESTAMPING_OPT_ID_TCP,
        ts.SOF_TIMESTAMPING_OPT_STATS,
        ts.SOF_TIMESTAMPING_OPT_STATS | ts.SOF_TIMESTAMPING_TX_ACK,
    ],
)
def test_flags_that_make_no_sense_give_einval(flags: int) -> None:
    t = Script()
    sk = t.connect()
    assert sock_set_timestamping(sk, SO_TIMESTAMPING, flags) == -EINVAL
    assert sk.sk_tsflags == 0


def test_bytes_can_only_be_counted_on_a_connection() -> None:
    t = Script()
    sk = new_socket(t.host)
    flags = ts.SOF_TIMESTAMPING_OPT_ID
    assert sock_set_timestamping(sk, SO_TIMESTAMPING_NEW, flags) == -EINVAL


def test_frames_are_the_same_whether_stamped_or_not() -> None:
    t, sk = asking()
    t.app(lambda: send(sk, b"payload"))
    assert bytes(t.expect("PA", seq=1)[TCP].payload) == b"payload"


def test_a_reader_is_told_when_the_last_segment_it_read_from_came() -> None:
    flags = ts.SOF_TIMESTAMPING_RX_SOFTWARE | ts.SOF_TIMESTAMPING_SOFTWARE
    t, sk = asking(flags)
    t.send("PA", seq=1, ack=1, load=b"early")
    t.run(5)
    came = t.clock.now
    t.send("PA", seq=6, ack=1, load=b"late")
    t.run(5)
    memory = t.host.kernel.mem
    addr = memory.kmalloc(64)

    def read() -> bytes:
        msg = MsgHdr(IovIter.kvec(ITER_DEST, memory, [(addr, 64)]))
        msg.controllen = 512
        assert tcp_prot.recvmsg(sk, msg, 64, 0) == 9
        return msg.control

    length, level, kind, seconds, ns = unpack_from("=QIIqq", t.app(read))
    assert (length, level, kind) == (16 + 48, SOL_SOCKET, SO_TIMESTAMPING)
    assert seconds * 1000 * MSEC + ns == came
    memory.kfree(addr)
