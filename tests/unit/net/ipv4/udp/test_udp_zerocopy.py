"""MSG_ZEROCOPY and SO_TIMESTAMPING on UDP."""

from __future__ import annotations

from struct import unpack_from
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP

from pyhost.mm.iov_iter import ITER_SOURCE, IovIter
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG
from pyhost.net.core.sock import MsgHdr
from pyhost.net.core.sockopt import sock_setsockopt
from pyhost.net.core.timestamping import sock_set_timestamping
from pyhost.net.ipv4.udp.udp import udp_prot
from pyhost.uapi import net_tstamp as ts
from pyhost.uapi.errno import EAGAIN, EFAULT
from pyhost.uapi.socket import (
    CMSGHDR,
    INT,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_ZEROCOPY,
    SO_TIMESTAMP,
    SO_TIMESTAMPING,
    SO_TIMESTAMPNS,
    SOL_SOCKET,
    pack_sockaddr_in,
)
from tests.unit.net.ipv4.udp.udp_host import Udp
from tests.unit.net.support import B_ADDR, seconds, two_hosts

PORT = 9
GATHERS = NETIF_F_SG | NETIF_F_HW_CSUM


class Sender:
    """A socket on one machine that sends from user memory to the other's port 9."""

    def __init__(self, **options: Any) -> None:
        self.pair = two_hosts(**options)
        self.sender, self.receiver = Udp(self.pair.a.kernel), Udp(self.pair.b.kernel, PORT)
        self.sk = self.sender.sk
        self.sk.sk_zerocopy = True
        self.mem = self.sender.kernel.mem
        self.mm = MmStruct(self.mem)
        self.base = self.mm.mmap(1 << 16)
        self.data = bytes(i * 5 & 0xFF for i in range(1 << 16))
        self.mm.write(self.base, self.data)
        self.page = next(self.mm.runs(self.base, 1, 1))[0]

    def send(self, at: int, size: int, flags: int = MSG_ZEROCOPY, control: bytes = b"") -> int:
        it = IovIter.ubuf(ITER_SOURCE, self.mm, self.base + at, size)
        msg = MsgHdr(it, flags, pack_sockaddr_in(B_ADDR, PORT), control)
        result: list[int] = []
        self.pair.a.spawn(lambda: result.append(udp_prot.sendmsg(self.sk, msg, size)))
        self.pair.run(until=self.pair.clock.now + seconds(0.01))
        return result[0]

    def news(self) -> tuple[int, ...] | int:
        """(code, low id, high id) of the next notification."""
        got, _, msg = self.sender.recv_msg(64, MSG_ERRQUEUE)
        if got < 0:
            return got
        _, origin, _, code, _, low, high = unpack_from("=IBBBBII", msg.control, 16)
        assert origin == 5
        return code, low, high


def test_a_datagram_of_the_program_s_pages_is_not_copied() -> None:
    s = Sender(features=GATHERS)
    s.send(0, 10)
    before = s.mem.copy_from_user_bytes + s.mem.skb_copy_bytes
    assert s.send(100, 1400) == 1400
    assert s.mem.copy_from_user_bytes + s.mem.skb_copy_bytes == before
    assert bytes(s.pair.a.sent()[-1][UDP].payload) == s.data[100:1500]
    assert s.news() == (0, 0, 1)
    assert (s.page.refcount, s.sender.kernel.user.locked_vm, s.sk.sk_omem_alloc) == (1, 0, 0)
    assert s.sk.sk_wmem_alloc == 1


@pytest.mark.parametrize(("features", "size"), [(0, 1000), (GATHERS, 4000)])
def test_what_software_must_sum_is_copied_and_the_news_says_so(features: int, size: int) -> None:
    """A datagram of several fragments has one checksum, which no card computes."""
    s = Sender(features=features)
    assert s.send(0, size) == size
    assert s.receiver.recv(65536) == (s.data[:size], (s.pair.a.addr, s.sk.inet_sport))
    assert s.news() == (1, 0, 0)
    assert (s.page.refcount, s.sender.kernel.user.locked_vm) == (1, 0)


def test_a_datagram_of_several_calls_has_one_note() -> None:
    s = Sender(features=GATHERS)
    assert s.send(0, 100, MSG_ZEROCOPY | MSG_MORE) == 100
    assert s.send(100, 100) == 100
    assert s.receiver.recv(65536) == (s.data[:200], (s.pair.a.addr, s.sk.inet_sport))
    assert s.news() == (1, 0, 1)
    assert s.news() == -EAGAIN
    assert s.page.refcount == 1


def test_a_bad_pointer_takes_no_number() -> None:
    s = Sender(features=GATHERS)
    assert s.send(1 << 20, 100) == -EFAULT
    assert (s.sk.sk_zckey, s.news()) == (0, -EAGAIN)
    assert s.sender.kernel.user.locked_vm == 0


# -- timestamps ------------------------------------------------------------------------------------

SEND = ts.SOF_TIMESTAMPING_TX_SCHED | ts.SOF_TIMESTAMPING_TX_SOFTWARE
REPORT = ts.SOF_TIMESTAMPING_SOFTWARE | ts.SOF_TIMESTAMPING_OPT_ID


def stamps(s: Sender) -> list[tuple[int, int]]:
    """(kind, key) of all that wait."""
    out = []
    while True:
        got, _, msg = s.sender.recv_msg(64, MSG_ERRQUEUE)
        if got < 0:
            return out
        assert unpack_from("=QII", msg.control) == (64, SOL_SOCKET, SO_TIMESTAMPING)
        out.append(unpack_from("=II", msg.control, 64 + 16 + 8))


def test_datagrams_are_numbered_from_zero_and_only_the_first_fragment_is_stamped() -> None:
    s = Sender()
    assert sock_set_timestamping(s.sk, SO_TIMESTAMPING, SEND | REPORT) == 0
    s.send(0, 10, 0)
    s.send(0, 4000, 0)
    assert stamps(s) == [(1, 0), (0, 0), (1, 1), (0, 1)]


def test_a_control_message_asks_for_one_datagram_alone() -> None:
    s = Sender()
    assert sock_set_timestamping(s.sk, SO_TIMESTAMPING, REPORT) == 0
    wanted = INT.pack(ts.SOF_TIMESTAMPING_TX_SOFTWARE) + bytes(4)
    s.send(0, 10, 0, CMSGHDR.pack(16 + 4, SOL_SOCKET, SO_TIMESTAMPING) + wanted)
    s.send(0, 10, 0)
    assert stamps(s) == [(0, 0)]


@pytest.mark.parametrize(("option", "unit"), [(SO_TIMESTAMP, 1000), (SO_TIMESTAMPNS, 1)])
def test_a_receiver_may_ask_when_a_datagram_came(option: int, unit: int) -> None:
    s = Sender()
    s.pair.b.spawn(lambda: sock_setsockopt(s.receiver.sk, option, INT.pack(1)))
    s.pair.run(until=seconds(1))
    assert s.pair.b.net.softnet.netstamp_needed == 1
    s.send(0, 10, 0)
    _, _, msg = s.receiver.recv_msg(64, MSG_DONTWAIT)
    length, level, kind, sec, fraction = unpack_from("=QIIqq", msg.control)
    assert (length, level, kind) == (32, SOL_SOCKET, option)
    arrived = s.pair.a.nic.frames[-1][0] + 1000
    assert sec * 10**9 + fraction * unit == arrived // unit * unit
    assert s.pair.a.sent()[-1][IP].dst == "10.0.0.2"
