"""What a write becomes on the wire: segments, windows, Nagle and cork, PSH, the send buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP

from pyhost.kernel.sched import Scheduler
from pyhost.mm.iov_iter import ITER_SOURCE, IovIter
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.sock import MsgHdr
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.net.ipv4.tcp.user.tcp_sendmsg import tcp_sendmsg_locked
from pyhost.uapi.errno import EAGAIN, EFAULT, EPIPE
from pyhost.uapi.socket import MSG_DONTWAIT, MSG_MORE, MSG_SPLICE_PAGES
from pyhost.uapi.tcp import TCP_CORK, TCP_NODELAY
from tests.unit.net.ipv4.tcp.tcp_apps import close, connect, new_socket, send, set_option
from tests.unit.net.ipv4.tcp.tcp_peer import PORT, SYN_OPTIONS, Script
from tests.unit.net.support import B_ADDR


def wmem(sk: Any) -> int:
    return sum(skb.truesize for skb in (*sk.sk_write_queue, *sk.tcp_rtx_queue))


# -- segments --------------------------------------------------------------------------------------


@pytest.mark.claim("S23")
def test_full_segments_have_1460_bytes_and_1448_with_timestamps() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(3000)))
    t.expect_data(1, [1460, 1460, 80])

    t = Script()
    sk = t.connect(SYN_OPTIONS)
    t.app(lambda: send(sk, bytes(3000)))
    t.expect_data(1, [1448, 1448, 104])


@pytest.mark.claim("S23")
def test_the_peers_mss_bounds_ours() -> None:
    t = Script()
    sk = t.connect([("MSS", 1000)])
    t.app(lambda: send(sk, bytes(2500)))
    t.expect_data(1, [1000, 1000, 500])


@pytest.mark.claim("S33")
def test_header_and_checksum_of_a_data_segment() -> None:
    """Scapy computes every checksum again in `expect`; the first byte has number 1."""
    t = Script()
    sk = t.connect(SYN_OPTIONS)
    t.app(lambda: send(sk, b"hello"))
    packet = t.expect("PA", seq=1, ack=1, load=b"hello")
    assert (packet.ttl, packet.flags, packet[TCP].dport, packet[TCP].dataofs) == (64, "DF", PORT, 8)
    assert [kind for kind, _ in packet[TCP].options] == ["NOP", "NOP", "Timestamp"]


@pytest.mark.claim("S24")
def test_writes_fill_the_last_segment_before_a_new_one_is_begun() -> None:
    """Payload goes to page fragments; the linear part of a queued segment is empty."""
    t = Script()
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_CORK, 1))
    before = sk.write_seq
    for _ in range(3):
        t.app(lambda: send(sk, bytes(600)))
    (tail,) = sk.sk_write_queue
    assert (tail.len, tail.headlen, tail.headroom) == (340, 0, 320)
    assert (sk.write_seq - before) % 2**32 == 1800
    assert sk.sk_wmem_queued == wmem(sk)
    assert [len(skb.shinfo.frags) for skb in (*sk.tcp_rtx_queue, tail)] == [1, 1]
    t.expect_data(1, [1460])


@pytest.mark.claim("S25")
def test_payload_copies_bypass_the_cache_and_are_counted() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(5000)))
    memory = t.host.kernel.mem
    assert (memory.copy_nocache_bytes, memory.copy_from_user_bytes) == (5000, 0)


def user_send(t: Script, sk: Any, mm: MmStruct, uaddr: int, size: int) -> int:
    it = IovIter.ubuf(ITER_SOURCE, mm, uaddr, size)
    return int(t.app(lambda: tcp_prot.sendmsg(sk, MsgHdr(it), size)))


@pytest.mark.claim("S26")
def test_a_bad_pointer_gives_efault_or_the_bytes_before_it() -> None:
    """Whole pieces count: the piece (here a segment) in which the fault lies is lost."""
    t = Script()
    t.host.dev.gso_max_segs = 1
    sk = t.connect()
    mm = MmStruct(t.host.kernel.mem)
    uaddr = mm.mmap(4096)
    assert user_send(t, sk, mm, 0x1000, 10) == -EFAULT
    assert not sk.sk_write_queue
    assert sk.sk_wmem_queued == 0
    assert user_send(t, sk, mm, uaddr, 5000) == 2920
    t.expect_data(1, [1460, 1460])
    t.silence()


def test_spliced_pages_are_linked_and_not_copied() -> None:
    t = Script()
    sk = t.connect()
    page = t.host.kernel.mem.alloc_pages(1)
    t.host.kernel.mem.buf[page.addr : page.addr + 3000] = bytes(range(250)) * 12
    it = IovIter.bvec(ITER_SOURCE, t.host.kernel.mem, [(page, 0, 3000)])
    assert t.app(lambda: tcp_prot.sendmsg(sk, MsgHdr(it, MSG_SPLICE_PAGES), 3000)) == 3000
    assert t.host.kernel.mem.copy_nocache_bytes == 0
    assert all(skb.shinfo.frags[0].page is page for skb in sk.tcp_rtx_queue)
    assert b"".join(bytes(t.take()[TCP].payload) for _ in range(3)) == bytes(range(250)) * 12
    t.send("A", ack=3001)
    assert page.refcount == 1


# -- PSH -------------------------------------------------------------------------------------------


@pytest.mark.claim("S27")
def test_the_last_segment_of_a_write_has_psh() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(4000)))
    t.expect("A", size=1460)
    t.expect("A", size=1460)
    t.expect("PA", size=1080)


@pytest.mark.claim("S27")
def test_half_a_window_without_psh_forces_one() -> None:
    t = Script()
    sk = t.connect(window=8000)
    t.app(lambda: send(sk, bytes(8000)))
    flags = [str(t.take()[TCP].flags) for _ in range(5)]
    assert flags == ["A", "PA", "A", "PA", "A"]


@pytest.mark.claim("S27")
def test_half_a_window_of_one_mss_skbs_without_psh_forces_one() -> None:
    """A super-segment is pushed always, a lone segment only when it must be."""
    t = Script()
    t.host.dev.gso_max_segs = 1
    sk = t.connect(window=8000)
    t.app(lambda: send(sk, bytes(8000)))
    flags = [str(t.take()[TCP].flags) for _ in range(5)]
    assert flags == ["A", "A", "PA", "A", "A"]


@pytest.mark.claim("S27")
def test_msg_more_leaves_psh_away_until_half_a_window_was_written() -> None:
    t = Script()
    sk = t.connect(window=6000)
    t.app(lambda: send(sk, bytes(1460), MSG_MORE))
    t.expect("A", size=1460)
    t.app(lambda: send(sk, bytes(1460), MSG_MORE))
    t.app(lambda: send(sk, bytes(200), MSG_MORE))
    assert sk.sk_write_queue[-1].cb.flags & 0x08


# -- Nagle, cork -----------------------------------------------------------------------------------


@pytest.mark.claim("S29")
def test_nagle_holds_a_second_small_segment_until_the_first_is_acknowledged() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"one"))
    t.expect("PA", load=b"one")
    t.app(lambda: send(sk, b"two"))
    t.app(lambda: send(sk, b"three"))
    t.silence()
    t.send("A", ack=4)
    t.expect("PA", seq=4, load=b"twothree")


@pytest.mark.claim("S29")
def test_nodelay_turns_nagle_off_and_flushes() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"one"))
    t.app(lambda: send(sk, b"two"))
    t.expect("PA", load=b"one")
    t.app(lambda: set_option(sk, TCP_NODELAY, 1))
    t.expect("PA", load=b"two")
    t.app(lambda: send(sk, b"three"))
    t.expect("PA", load=b"three")


@pytest.mark.claim("S29")
def test_a_small_tail_may_follow_full_segments_that_are_not_acknowledged() -> None:
    """Minshall's rule, where RFC 896 would hold the tail."""
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(1460)))
    t.app(lambda: send(sk, b"tail"))
    t.expect_data(1, [1460, 4])


@pytest.mark.claim("S30")
@pytest.mark.parametrize("nodelay", [0, 1])
def test_a_cork_holds_partial_segments_even_with_nodelay(nodelay: int) -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_NODELAY, nodelay))
    t.app(lambda: set_option(sk, TCP_CORK, 1))
    t.app(lambda: send(sk, bytes(100)))
    t.app(lambda: send(sk, bytes(1400)))
    t.expect_data(1, [1460])
    t.silence()
    t.app(lambda: set_option(sk, TCP_CORK, 0))
    t.expect_data(1461, [40])


@pytest.mark.claim("S30")
def test_a_cork_lets_go_by_itself_after_the_probe_timer() -> None:
    """Linux has no cork timer: with nothing in flight the window probe timer sends what waits,
    after max(RTO, 200 ms).
    """
    t = Script()
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_CORK, 1))
    t.app(lambda: send(sk, b"held"))
    t.silence(199)
    t.run(20)
    t.expect("PA", load=b"held")


@pytest.mark.claim("S30")
def test_msg_more_is_a_cork_for_one_call() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"head", MSG_MORE))
    t.silence()
    t.app(lambda: send(sk, b"body"))
    t.expect("PA", load=b"headbody")


@pytest.mark.claim("S31")
def test_headers_and_body_under_a_cork_leave_in_full_segments() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_CORK, 1))
    t.app(lambda: send(sk, b"HTTP/1.1 200 OK\r\n\r\n"))
    t.app(lambda: send(sk, bytes(3000)))
    t.app(lambda: set_option(sk, TCP_CORK, 0))
    t.expect_data(1, [1460, 1460, 99])


def test_autocorking_joins_small_writes_while_the_nic_still_has_one() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_NODELAY, 1))
    t.host.nic.hold = True
    for text in (bytes(100), b"b", b"c"):
        t.app(lambda text=text: send(sk, text))
    t.expect("PA", load=bytes(100))
    t.silence()
    t.app(t.host.nic.complete)
    t.expect("PA", load=b"bc")


# -- windows ---------------------------------------------------------------------------------------


@pytest.mark.claim("S28")
@pytest.mark.claim("S32")
def test_a_full_receive_window_keeps_segments_queued_until_acks_come() -> None:
    t = Script()
    sk = t.connect(window=4000)
    t.app(lambda: send(sk, bytes(9000)))
    t.expect_data(1, [1460, 1460])
    t.silence()
    assert (sk.snd_nxt - sk.snd_una) % 2**32 == 2920
    assert len(sk.sk_write_queue) > 0
    t.send("A", ack=2921, window=4000)
    t.expect_data(2921, [1460, 1460, 1080])
    assert (sk.snd_nxt - sk.snd_una) % 2**32 == 4000


@pytest.mark.claim("S28")
@pytest.mark.claim("S48")
def test_slow_start_doubles_the_window_each_round_trip() -> None:
    t = Script()
    sk = t.connect()
    t.start(lambda: send(sk, bytes(60_000)))
    t.expect_data(1, [1460] * 10)
    t.silence()
    for count in range(1, 6):
        t.send("A", ack=1 + count * 2 * 1460)
    assert sk.snd_cwnd == 20
    t.expect_data(14601, [1460] * 20)
    t.silence()


def test_an_empty_probe_asks_a_closed_window_ever_more_rarely() -> None:
    t = Script()
    sk = t.connect(window=2920)
    t.app(lambda: send(sk, bytes(4000)))
    t.expect_data(1, [1460, 1460])
    t.send("A", ack=2921, window=0)
    start = t.clock.now
    t.run(4000)
    times = []
    while t.got:
        when, packet = t.got.popleft()
        assert (packet[TCP].seq - t.host_isn) % 2**32 == 2920
        assert len(packet[TCP].payload) == 0
        times.append(round((when - start) / 1e6, -1))
    assert times == [200, 600, 1400, 3000]
    t.send("A", ack=2921, window=65535)
    t.expect_data(2921, [1080])
    assert sk.icsk_probes_out == 0


# -- send buffer -----------------------------------------------------------------------------------


def small_buffer(t: Script) -> Any:
    """A send buffer of 8000 bytes, and one-MSS skbs: a buffer may be overrun by one skb."""
    t.host.dev.gso_max_segs = 1
    sk = new_socket(t.host)
    sk.sk_sndbuf, sk.sk_sndbuf_lock = 8000, True
    result = t.start(lambda: connect(t.host, B_ADDR, PORT, sk), 0.1)
    syn = t.take()[TCP]
    t.host_isn, t.host_port, t.port = syn.seq, syn.sport, PORT
    t.send("SA", seq=0, ack=1, options=[("MSS", 1460)])
    t.take()
    return result[0]


@pytest.mark.claim("S22")
def test_a_non_blocking_writer_gets_eagain_when_the_send_buffer_is_full() -> None:
    t = Script()
    sk = small_buffer(t)
    taken = t.app(lambda: send(sk, bytes(20_000), MSG_DONTWAIT))
    assert 0 < taken < 20_000
    assert sk.sk_wmem_queued >= 8000
    assert t.app(lambda: send(sk, b"x", MSG_DONTWAIT)) == -EAGAIN


@pytest.mark.claim("S22")
def test_a_blocking_writer_sleeps_until_a_third_of_the_buffer_is_free() -> None:
    t = Script()
    sk = small_buffer(t)
    done = t.start(lambda: send(sk, bytes(12_000)))
    assert not done
    t.expect_data(1, [1460] * 4)
    t.send("A", ack=1461)
    assert not t.got
    t.send("A", ack=2921)
    t.expect_data(5841, [1460])
    for ack in range(4381, 14_601, 1460):
        t.send("A", ack=min(ack, 12_001))
    assert done == [12_000]


@pytest.mark.claim("S22")
def test_the_send_buffer_grows_with_the_connection_unless_it_is_fixed() -> None:
    t = Script()
    assert new_socket(t.host).sk_sndbuf == 16384
    sk = t.connect()
    assert sk.sk_sndbuf == 87040


@pytest.mark.claim("S24")
def test_what_was_charged_for_a_write_is_given_back_with_its_ack() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(3000)))
    assert sk.sk_wmem_queued == wmem(sk) > 3000
    assert t.net.tcp.memory_allocated * 4096 == sk.sk_wmem_queued + sk.sk_forward_alloc
    t.send("A", ack=3001)
    assert (sk.sk_wmem_queued, sk.sk_forward_alloc, sk.sk_wmem_alloc) == (0, 0, 1)
    assert t.net.tcp.memory_allocated == 0


# -- state and errors ------------------------------------------------------------------------------


@pytest.mark.claim("S19")
def test_sending_before_the_handshake_blocks_or_gives_eagain() -> None:
    t = Script()
    sk = t.app(lambda: connect(t.host, B_ADDR, PORT, wait=False))
    t.run()
    assert t.app(lambda: send(sk, b"x", MSG_DONTWAIT)) == -EAGAIN
    done = t.start(lambda: send(sk, b"x"))
    assert not done
    syn = t.take()[TCP]
    t.host_isn, t.host_port, t.port = syn.seq, syn.sport, PORT
    t.send("SA", seq=0, ack=1, options=[("MSS", 1460)])
    assert done == [1]


@pytest.mark.claim("S19")
def test_sending_on_a_socket_that_was_never_connected_gives_epipe() -> None:
    t = Script()
    sk = new_socket(t.host)
    assert t.app(lambda: send(sk, b"x")) == -EPIPE


# -- locks -----------------------------------------------------------------------------------------


class YieldingIter(IovIter):
    """A source whose copy lets other tasks run, as a page fault would."""

    sched: Scheduler

    def copy_from_iter_full_nocache(self, dst: int, size: int) -> bool:
        self.sched.cond_resched()
        return super().copy_from_iter_full_nocache(dst, size)


def two_writers(sendmsg: Callable[[Any, MsgHdr, int], int]) -> list[tuple[int, bytes]]:
    """Two tasks write 4000 bytes each at the same time; what leaves: (seq, payload), seq from 0."""
    t = Script()
    sk = t.connect()
    t.app(lambda: set_option(sk, TCP_NODELAY, 1))
    memory = t.host.kernel.mem
    first = sk.write_seq

    def write(what: bytes) -> None:
        addr = memory.kmalloc(4000)
        memory.buf[addr : addr + 4000] = what * 4000
        it = YieldingIter.kvec(ITER_SOURCE, memory, [(addr, 4000)])
        it.sched = t.host.kernel.sched
        assert sendmsg(sk, MsgHdr(it), 4000) == 4000

    t.host.spawn(lambda: write(b"a"))
    t.host.spawn(lambda: write(b"b"))
    t.run(1)
    segments = [t.take()[TCP] for _ in range(len(t.got))]
    return [((tcp.seq - first) % 2**32, bytes(tcp.payload)) for tcp in segments]


def one_stream(segments: list[tuple[int, bytes]]) -> bytes | None:
    """The segments' bytes, None when a sequence number is missing or there twice."""
    stream = b""
    for seq, payload in segments:
        if seq != len(stream):
            return None
        stream += payload
    return stream


@pytest.mark.claim("S20")
def test_lock_sock_keeps_two_writers_apart() -> None:
    """Each write is one piece of the stream, though its copy lets the other task run."""
    assert one_stream(two_writers(tcp_prot.sendmsg)) == b"a" * 4000 + b"b" * 4000


@pytest.mark.claim("S20")
def test_without_the_lock_the_race_shows() -> None:
    """The same two writers, with lock_sock taken away: sequence numbers are wrong, or one writer's
    bytes lie where the other's should be.
    """
    stream = one_stream(two_writers(tcp_sendmsg_locked))
    assert stream not in (b"a" * 4000 + b"b" * 4000, b"b" * 4000 + b"a" * 4000)


@pytest.mark.claim("S21")
def test_an_ack_that_comes_while_a_task_owns_the_socket_waits_in_the_backlog() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, b"hello"))
    una = sk.snd_una

    def hold() -> tuple[int, int, int]:
        sk.lock_sock()
        t.host.kernel.sched.schedule_timeout(1_000_000)
        before = (sk.snd_una, sk.sk_backlog_len)
        sk.release_sock()
        return *before, sk.snd_una

    result = t.start(hold)
    t.send("A", ack=6)
    t.run(2)
    ((before, backlog, behind),) = result
    assert before == una
    assert backlog > 0
    assert (behind - una) % 2**32 == 5


def test_a_frame_of_the_machine_is_an_ip_packet_of_the_length_it_says() -> None:
    t = Script()
    sk = t.connect()
    t.app(lambda: send(sk, bytes(10)))
    assert t.take()[IP].len == 50
    t.app(lambda: close(sk))
