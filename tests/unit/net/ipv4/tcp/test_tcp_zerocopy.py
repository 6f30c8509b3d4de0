"""MSG_ZEROCOPY on TCP: what is linked, who is told, and that everything is given back."""

from __future__ import annotations

from struct import unpack_from
from typing import Any, NamedTuple

import pytest
from scapy.layers.inet import TCP

from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG
from pyhost.net.core.sock import EPOLLERR, MsgHdr
from pyhost.net.ipv4.tcp.tcp import tcp_poll_mask, tcp_prot
from pyhost.net.packet.tap import PacketTap
from pyhost.uapi.errno import EAGAIN, EFAULT, ENOBUFS
from pyhost.uapi.socket import MSG_CTRUNC, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_MORE, MSG_ZEROCOPY
from pyhost.uapi.tcp import TCP_NODELAY
from tests.unit.net.ipv4.tcp.tcp_apps import close, send, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import Script

GATHERS = NETIF_F_SG | NETIF_F_HW_CSUM
COPIED = 1
ZEROCOPY = 5
SOL_IP, IP_RECVERR = 0, 11


class Program:
    """A connection, and user memory with a pattern in it."""

    def __init__(self, size: int = 1 << 16, features: int = GATHERS, **options: Any) -> None:
        self.t = Script(features=features, **options)
        self.kernel = self.t.host.kernel
        self.mem = self.kernel.mem
        self.sk = self.t.connect()
        self.sk.sk_zerocopy = True
        self.t.app(lambda: set_option(self.sk, TCP_NODELAY, 1))
        self.mm = MmStruct(self.mem)
        self.base = self.mm.mmap(size)
        self.data = bytes(i * 7 & 0xFF for i in range(size))
        self.mm.write(self.base, self.data)
        self.page = next(self.mm.runs(self.base, 1, 1))[0]

    def send(self, at: int, size: int, flags: int = MSG_ZEROCOPY) -> int:
        it = IovIter.ubuf(ITER_SOURCE, self.mm, self.base + at, size)
        return int(self.t.app(lambda: tcp_prot.sendmsg(self.sk, MsgHdr(it, flags), size)))

    def copies(self) -> tuple[int, int, int, int]:
        mem = self.mem
        return (
            mem.copy_from_user_bytes, mem.copy_nocache_bytes, mem.skb_copy_bytes,
            mem.zerocopy_bytes,
        )  # fmt: skip

    def pages_are_free(self) -> None:
        """No page pinned, no page counted."""
        assert self.page.refcount == 1
        assert self.kernel.user.locked_vm == 0

    def nothing_is_held(self) -> None:
        """No page either, and no byte of any account in use."""
        self.pages_are_free()
        assert self.sk.sk_omem_alloc == 0
        assert self.sk.sk_wmem_queued == 0


class News(NamedTuple):
    errno: int
    origin: int
    code: int
    low: int
    high: int
    flags: int


def errqueue(sk: Any, room: int = 512) -> News | int:
    """One recvmsg(MSG_ERRQUEUE), taken apart by hand."""
    msg = MsgHdr(IovIter.kvec(ITER_DEST, sk.net.kernel.mem, []))
    msg.controllen = room
    got = tcp_prot.recvmsg(sk, msg, 0, MSG_ERRQUEUE)
    if got < 0:
        return int(got)
    length, level, kind = unpack_from("=QII", msg.control)
    assert (length, level, kind) == (16 + 32, SOL_IP, IP_RECVERR)
    errno, origin, kind, code, pad, info, data = unpack_from("=IBBBBII", msg.control, 16)
    assert (kind, pad) == (0, 0)
    return News(errno, origin, code, info, data, msg.flags)


# -- no byte is copied -----------------------------------------------------------------------------


@pytest.mark.claim("S17")
def test_the_wire_has_the_program_s_bytes_and_the_cpu_copied_none() -> None:
    p = Program()
    before = p.copies()
    assert p.send(100, 4000) == 4000
    assert [after - b for after, b in zip(p.copies(), before, strict=True)] == [0, 0, 0, 4000]
    sent = b"".join(bytes(p.t.take()[TCP].payload) for _ in range(len(p.t.got)))
    assert sent == p.data[100:4100]
    queue = list(p.sk.tcp_rtx_queue)
    assert {frag.page for skb in queue for frag in skb.shinfo.frags} == {p.page}
    assert p.page.refcount == 1 + len(queue)
    p.t.send("A", ack=4001)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_without_so_zerocopy_the_flag_is_ignored() -> None:
    p = Program()
    p.sk.sk_zerocopy = False
    before = p.copies()
    assert p.send(0, 1000) == 1000
    assert [after - b for after, b in zip(p.copies(), before, strict=True)] == [0, 1000, 0, 0]
    p.t.send("A", ack=1001)
    assert errqueue(p.sk) == -EAGAIN


def test_nothing_is_sent_under_an_id_of_its_own() -> None:
    p = Program()
    assert p.send(0, 0) == 0
    assert p.sk.sk_zckey == 0


# -- when the program is told ----------------------------------------------------------------------


def test_the_news_waits_for_the_acknowledgement_and_for_the_card() -> None:
    p = Program()
    p.t.host.nic.hold = True
    p.send(0, 1000)
    assert errqueue(p.sk) == -EAGAIN
    p.t.send("A", ack=1001)
    assert (errqueue(p.sk), p.page.refcount) == (-EAGAIN, 2)
    assert p.kernel.user.locked_vm > 0
    p.t.host.nic.complete()
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_sends_are_numbered_and_news_of_neighbours_is_one() -> None:
    p = Program()
    for index in range(3):
        p.send(index * 1000, 1000)
    p.t.send("A", ack=1001)
    assert tcp_poll_mask(p.sk) & EPOLLERR
    p.t.send("A", ack=3001)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 2, MSG_ERRQUEUE)
    assert errqueue(p.sk) == -EAGAIN
    assert not tcp_poll_mask(p.sk) & EPOLLERR
    p.send(0, 10)
    p.t.send("A", ack=3011)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 3, 3, MSG_ERRQUEUE)


def test_sends_that_share_a_segment_share_their_news() -> None:
    p = Program()
    p.send(0, 300, MSG_ZEROCOPY | MSG_MORE)
    p.send(300, 300, MSG_ZEROCOPY | MSG_MORE)
    [skb] = p.sk.sk_write_queue
    assert (skb.shinfo.uarg.id, skb.shinfo.uarg.len, skb.shinfo.nr_frags) == (0, 2, 1)
    p.send(600, 300)
    assert p.t.expect("PA", seq=1, load=p.data[:900])
    p.t.send("A", ack=901)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 2, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_the_notification_needs_room_for_its_control_message() -> None:
    p = Program()
    p.send(0, 10)
    p.t.send("A", ack=11)
    msg = MsgHdr(IovIter.kvec(ITER_DEST, p.mem, []))
    msg.controllen = 20
    assert tcp_prot.recvmsg(p.sk, msg, 0, MSG_ERRQUEUE) == 0
    assert msg.flags == MSG_ERRQUEUE | MSG_CTRUNC
    assert len(msg.control) == 20


# -- who must copy says so -------------------------------------------------------------------------


def test_a_tap_gets_copies_and_the_news_says_so() -> None:
    p = Program()
    seen: list[bytes] = []
    PacketTap(p.t.net, lambda _ns, _type, frame, _key: seen.append(frame))
    before = p.mem.skb_copy_bytes
    p.send(0, 1000)
    assert p.mem.skb_copy_bytes - before == 1000
    assert p.t.expect("PA", load=p.data[:1000])
    assert seen[-1].endswith(p.data[:1000])
    p.t.send("A", ack=1001)
    assert errqueue(p.sk) == News(0, ZEROCOPY, COPIED, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_a_tap_that_only_reads_disturbs_nothing() -> None:
    p = Program()
    seen: list[bytes] = []
    PacketTap(p.t.net, lambda _ns, _type, frame, _key: seen.append(frame), keeps=False)
    p.send(0, 1000)
    assert seen[-1].endswith(p.data[:1000])
    p.t.send("A", ack=1001)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)


@pytest.mark.parametrize("features", [0, NETIF_F_SG])
def test_software_that_sums_or_gathers_copies_first(features: int) -> None:
    """The sum must be of the bytes that leave, and the program could still write to its own."""
    p = Program(features=features)
    p.send(0, 1000)
    assert p.t.expect("PA", load=p.data[:1000])
    p.t.send("A", ack=1001)
    assert errqueue(p.sk) == News(0, ZEROCOPY, COPIED, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_what_changes_before_a_retransmission_leaves_changed() -> None:
    """As Documentation/networking/msg_zerocopy.rst warns."""
    p = Program()
    p.send(0, 100)
    assert p.t.expect("PA", load=p.data[:100])
    p.mm.write(p.base, b"changed")
    p.t.run(400)
    assert p.t.expect("PA", seq=1, load=b"changed" + p.data[7:100])


# -- segments --------------------------------------------------------------------------------------


def test_a_segment_takes_17_pieces_of_memory() -> None:
    p = Program(size=1 << 17)
    areas = [(p.base + index * 4096, 1) for index in range(18)]
    it = IovIter.iovec(ITER_SOURCE, p.mm, areas)
    assert p.t.app(lambda: tcp_prot.sendmsg(p.sk, MsgHdr(it, MSG_ZEROCOPY), 18)) == 18
    p.t.expect("PA", seq=1, size=17)
    p.t.expect("PA", seq=18, load=p.data[17 * 4096 : 17 * 4096 + 1])
    p.t.send("A", ack=19)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_empty_pieces_of_the_message_are_skipped() -> None:
    p = Program()
    areas = [(p.base, 0), (p.base, 10), (p.base, 0), (p.base + 10, 50)]
    it = IovIter.iovec(ITER_SOURCE, p.mm, areas)
    assert p.t.app(lambda: tcp_prot.sendmsg(p.sk, MsgHdr(it, MSG_ZEROCOPY), 60)) == 60
    p.t.expect("PA", load=p.data[:60])


def test_pure_segments_are_charged_for_their_struct_alone() -> None:
    p = Program()
    p.send(0, 1000, MSG_ZEROCOPY | MSG_MORE)
    [skb] = p.sk.sk_write_queue
    free = p.sk.sk_forward_alloc
    assert skb.truesize == 960 + 4096
    assert p.sk.sk_wmem_queued == skb.truesize
    assert p.t.net.tcp.memory_allocated * 4096 == 960 + free
    p.t.app(lambda: set_option(p.sk, TCP_NODELAY, 1))
    p.t.send("A", ack=1001)
    p.pages_are_free()
    assert p.sk.sk_wmem_queued == 0
    assert p.t.net.tcp.memory_allocated * 4096 == p.sk.sk_forward_alloc


def test_both_halves_of_a_segment_that_is_cut_keep_the_pages() -> None:
    p = Program()
    p.t.send("A", ack=1, window=1460)
    assert p.send(0, 2000) == 2000
    p.t.send("A", ack=1461, window=1460)
    assert (errqueue(p.sk), p.page.refcount) == (-EAGAIN, 2)
    p.t.send("A", ack=2001)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_a_pure_segment_that_gets_copied_bytes_is_charged_for_all() -> None:
    p = Program()
    p.send(0, 1000, MSG_ZEROCOPY | MSG_MORE)
    p.t.app(lambda: send(p.sk, b"tail"))
    [skb] = p.sk.tcp_rtx_queue
    assert p.t.expect("PA", load=p.data[:1000] + b"tail")
    assert p.t.net.tcp.memory_allocated * 4096 == skb.truesize + p.sk.sk_forward_alloc
    p.t.send("A", ack=1005)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()
    assert p.t.net.tcp.memory_allocated * 4096 == p.sk.sk_forward_alloc


def test_copied_bytes_first_make_an_ordinary_segment() -> None:
    p = Program()
    p.t.app(lambda: send(p.sk, b"head", MSG_MORE))
    p.send(0, 1000)
    assert p.t.expect("PA", load=b"head" + p.data[:1000])
    p.t.send("A", ack=1005)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()
    assert p.t.net.tcp.memory_allocated * 4096 == p.sk.sk_forward_alloc


def test_one_note_stands_for_half_a_mebibyte_and_a_segment_for_one_note() -> None:
    p = Program(size=1 << 20)
    p.sk.sk_sndbuf = 1 << 22
    p.send(0, 10000)
    assert p.send(0, (1 << 19) - 100, MSG_ZEROCOPY | MSG_MORE | MSG_DONTWAIT) > 0
    tail = p.sk.sk_write_queue[-1]
    p.send(0, 200, MSG_ZEROCOPY | MSG_DONTWAIT)
    last = p.sk.sk_write_queue[-1]
    assert last is not tail
    assert (tail.shinfo.uarg.id, last.shinfo.uarg.id) == (1, 2)


# -- when it does not work -------------------------------------------------------------------------


def test_a_bad_pointer_gives_efault_and_its_number_back() -> None:
    p = Program(size=4096)
    assert p.send(1 << 30, 100) == -EFAULT
    assert errqueue(p.sk) == -EAGAIN
    p.nothing_is_held()
    p.send(0, 10)
    p.t.send("A", ack=11)
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)


def test_a_pointer_that_goes_bad_leaves_the_segment_as_it_was() -> None:
    p = Program(size=4096)
    assert p.send(4000, 200) == -EFAULT
    p.nothing_is_held()
    assert p.mem.zerocopy_bytes == 0


def test_more_pages_than_may_be_locked_give_enobufs() -> None:
    p = Program()
    p.kernel.user.rlimit_memlock = 3 * 4096
    assert p.send(0, 4095) == 4095
    assert p.send(0, 4095) == -ENOBUFS
    p.t.send("A", ack=4096)
    assert p.kernel.user.locked_vm == 0
    assert p.send(0, 4095) == 4095


def test_option_memory_bounds_the_notes() -> None:
    p = Program(sysctls={"net.core.optmem_max": "1000"})
    p.t.host.nic.hold = True
    assert p.send(0, 100) == 100
    assert p.send(100, 100) == -ENOBUFS
    p.t.send("A", ack=101)
    p.t.host.nic.complete()
    assert isinstance(errqueue(p.sk), News)
    p.nothing_is_held()


def test_a_send_that_finds_no_room_is_not_numbered() -> None:
    p = Program()
    p.sk.sk_sndbuf = 4608
    while (got := p.send(0, 4000, MSG_ZEROCOPY | MSG_DONTWAIT)) > 0:
        pass
    assert got == -EAGAIN
    p.t.run()
    acked = sum(len(packet[TCP].payload) for _, packet in p.t.got)
    numbered = p.sk.sk_zckey
    assert numbered == acked // 4000 + bool(acked % 4000)


# -- ends ------------------------------------------------------------------------------------------


def test_a_socket_that_is_closed_keeps_the_pages_until_they_are_acknowledged() -> None:
    p = Program()
    in_use = p.t.net.sockets_in_use
    p.t.host.nic.hold = True
    p.send(0, 1000)
    p.t.app(lambda: close(p.sk))
    assert p.page.refcount == 2
    p.t.send("A", ack=1001)
    assert p.page.refcount == 2
    p.t.host.nic.complete()
    p.pages_are_free()
    assert p.sk.sk_omem_alloc == 0
    p.t.send("FA", seq=1, ack=1002)
    p.t.run(100_000)
    p.t.host.nic.complete()
    assert p.t.net.sockets_in_use == in_use - 1


def test_a_reset_gives_the_pages_back_once_the_card_has_them_no_more() -> None:
    p = Program()
    p.t.host.nic.hold = True
    p.send(0, 3000)
    p.t.send("RA", ack=1)
    assert p.page.refcount > 1
    p.t.host.nic.complete()
    p.pages_are_free()
    assert errqueue(p.sk) == News(0, ZEROCOPY, 0, 0, 0, MSG_ERRQUEUE)
    p.nothing_is_held()


def test_memory_that_the_program_gives_up_stays_until_it_has_left() -> None:
    p = Program(size=4096)
    pages = p.mem.pages_in_use
    p.send(0, 1000)
    p.mm.munmap(p.base, 4096)
    assert p.mem.pages_in_use == pages
    assert p.t.expect("PA", load=p.data[:1000])
    p.t.send("A", ack=1001)
    assert p.mem.pages_in_use == pages - 1
