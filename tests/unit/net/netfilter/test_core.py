"""Hooks on the way of real datagrams between two machines."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import IP, UDP

from pyhost.kernel.bug import KernelBug
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.netfilter.core import (
    NF_ACCEPT,
    NF_DROP,
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    NF_IP_PRI_FILTER,
    NF_IP_PRI_MANGLE,
    NF_IP_PRI_NAT_SRC,
    NF_IP_PRI_RAW,
    NF_QUEUE,
    NF_REPEAT,
    NF_STOLEN,
    NF_VERDICT_FLAG_QUEUE_BYPASS,
    NfHookState,
    NfQueueEntry,
    nf_drop_err,
    nf_register_net_hook,
    nf_reinject,
    nf_unregister_net_hook,
)
from pyhost.uapi.errno import EHOSTUNREACH, EPERM
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.support import A_ADDR, B_ADDR, Pair, two_hosts

PORT = 5000


class Traffic:
    """A pair of machines with a UDP socket each, `a` sending to `b`."""

    def __init__(self) -> None:
        self.pair: Pair = two_hosts()
        self.net = self.pair.a.net
        self.sender, self.receiver = Udp(self.pair.a.kernel, 1234), Udp(self.pair.b.kernel, PORT)

    def send(self, data: bytes = b"data") -> Any:
        """What the send returned."""
        return in_task(
            self.pair.a.kernel, lambda: self.sender.send(data, (B_ADDR, PORT)), self.pair.run
        )[0]

    def arrived(self) -> list[bytes]:
        """What the other side can read."""
        got = []
        while not isinstance(one := self.receiver.recv(), int):
            got.append(one[0])
        return got


@pytest.mark.claim("S35")
@pytest.mark.parametrize(
    ("verdict", "error"), [(NF_DROP, -EPERM), (nf_drop_err(EHOSTUNREACH), -EHOSTUNREACH)]
)
def test_a_drop_at_local_out_reaches_the_sender_as_an_error(verdict: int, error: int) -> None:
    traffic = Traffic()
    nf_register_net_hook(
        traffic.net, NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER, lambda _skb, _state: verdict
    )
    assert traffic.send() == error
    assert traffic.arrived() == []
    assert traffic.net.drops == {"NETFILTER_DROP": 1}
    assert traffic.sender.sk.sk_wmem_alloc == 1


def test_a_drop_at_local_in_is_silent() -> None:
    traffic = Traffic()
    nf_register_net_hook(
        traffic.pair.b.net, NF_INET_LOCAL_IN, NF_IP_PRI_FILTER, lambda _skb, _state: NF_DROP
    )
    assert traffic.send() == 4
    assert traffic.arrived() == []
    assert traffic.pair.b.net.drops == {"NETFILTER_DROP": 1}


def test_hooks_run_in_order_of_priority_at_each_point_of_the_way() -> None:
    traffic = Traffic()
    seen: list[tuple[str, int, int]] = []

    def watch(name: str, net: Any, hook: int, priority: int) -> None:
        def fn(_skb: SkBuff, state: NfHookState) -> int:
            assert state.hook == hook
            seen.append((name, hook, priority))
            return NF_ACCEPT

        nf_register_net_hook(net, hook, priority, fn)

    for priority in (NF_IP_PRI_FILTER, NF_IP_PRI_RAW, NF_IP_PRI_MANGLE):
        watch("a", traffic.net, NF_INET_LOCAL_OUT, priority)
    watch("a", traffic.net, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC)
    watch("b", traffic.pair.b.net, NF_INET_LOCAL_IN, NF_IP_PRI_FILTER)
    watch("b", traffic.pair.b.net, NF_INET_PRE_ROUTING, NF_IP_PRI_RAW)
    traffic.send()
    assert seen == [
        ("a", NF_INET_LOCAL_OUT, NF_IP_PRI_RAW),
        ("a", NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE),
        ("a", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER),
        ("a", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC),
        ("b", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW),
        ("b", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER),
    ]
    assert traffic.arrived() == [b"data"]


@pytest.mark.claim("S36")
def test_post_routing_may_rewrite_what_goes_on_the_wire() -> None:
    traffic = Traffic()
    devices = []

    def snat(skb: SkBuff, state: NfHookState) -> int:
        devices.append(state.outdev)
        packet = IP(skb.to_bytes())
        packet.src = "10.0.0.77"
        del packet.chksum
        del packet[UDP].chksum
        skb.buf[skb.data : skb.data + skb.len] = bytes(packet)
        return NF_ACCEPT

    nf_register_net_hook(traffic.net, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, snat)
    assert traffic.send() == 4
    (frame,) = [frame for frame in traffic.pair.a.sent() if UDP in frame]
    assert frame[IP].src == "10.0.0.77"
    assert devices == [traffic.pair.a.dev]
    got = traffic.receiver.recv()
    assert got == (b"data", (0x0A00004D, 1234))
    assert A_ADDR != 0x0A00004D


def test_a_stolen_packet_is_no_error_and_no_longer_ours() -> None:
    traffic = Traffic()
    kept: list[SkBuff] = []

    def steal(skb: SkBuff, _state: NfHookState) -> int:
        kept.append(skb)
        return NF_STOLEN

    nf_register_net_hook(traffic.net, NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER, steal)
    assert traffic.send() == 4
    assert traffic.arrived() == []
    assert traffic.sender.sk.sk_wmem_alloc > 1
    kfree_skb_reason(kept[0], "NOT_SPECIFIED")
    assert traffic.sender.sk.sk_wmem_alloc == 1


def test_repeat_asks_the_same_hook_again() -> None:
    traffic = Traffic()
    verdicts = [NF_REPEAT, NF_REPEAT, NF_ACCEPT]
    nf_register_net_hook(traffic.net, NF_INET_LOCAL_OUT, 0, lambda _skb, _state: verdicts.pop(0))
    traffic.send()
    assert verdicts == []
    assert traffic.arrived() == [b"data"]


def test_a_queued_packet_goes_on_behind_its_hook_when_reinjected() -> None:
    traffic = Traffic()
    queued: list[tuple[NfQueueEntry, int]] = []
    after: list[int] = []

    def take(entry: NfQueueEntry, number: int) -> int:
        queued.append((entry, number))
        return 0

    def count(_skb: SkBuff, _state: NfHookState) -> int:
        after.append(1)
        return NF_ACCEPT

    traffic.net.nf.queue_handler = take
    nf_register_net_hook(traffic.net, NF_INET_LOCAL_OUT, 0, lambda _skb, _state: 5 << 16 | NF_QUEUE)
    nf_register_net_hook(traffic.net, NF_INET_LOCAL_OUT, 1, count)
    assert traffic.send() == 4
    assert (len(queued), queued[0][1], after) == (1, 5, [])
    traffic.pair.a.spawn(lambda: nf_reinject(queued[0][0], NF_ACCEPT))
    traffic.pair.run()
    assert after == [1]
    assert traffic.arrived() == [b"data"]
    traffic.send()
    nf_reinject(queued[1][0], NF_DROP)
    assert traffic.net.drops["NETFILTER_DROP"] == 1


def test_without_a_listener_a_queued_packet_is_dropped_unless_it_may_pass() -> None:
    traffic = Traffic()
    verdict = [NF_QUEUE]
    nf_register_net_hook(traffic.net, NF_INET_LOCAL_OUT, 0, lambda _skb, _state: verdict[0])
    assert traffic.send() == 4
    assert traffic.arrived() == []
    verdict[0] = NF_QUEUE | NF_VERDICT_FLAG_QUEUE_BYPASS
    traffic.send()
    assert traffic.arrived() == [b"data"]


def test_an_unregistered_hook_is_not_asked_and_cannot_be_taken_back_twice() -> None:
    traffic = Traffic()
    entry = nf_register_net_hook(traffic.net, NF_INET_LOCAL_OUT, 0, lambda _skb, _state: NF_DROP)
    nf_unregister_net_hook(traffic.net, entry)
    assert traffic.send() == 4
    with pytest.raises(KernelBug):
        nf_unregister_net_hook(traffic.net, entry)
