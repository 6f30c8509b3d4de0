"""Hostile frames: 50 000 of them, by seed, into a machine that is at work.

Two machines talk TCP, UDP and ICMP all the time. Whatever the second one sends comes to the first
one whole, and again with something wrong; noise comes too. The first one may lose connections by
that, but it must not stumble, forget anything, or drop a packet without a reason.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from pyhost.admin.shell import run_command
from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.core.drop_reason import NETFILTER_DROP, NOT_SPECIFIED
from pyhost.net.core.sockopt import sock_setsockopt
from pyhost.net.ipv4.udp.udp import udp_prot
from pyhost.uapi.socket import INT, SO_KEEPALIVE
from tests.fuzz.leaks import loose_pages
from tests.fuzz.mutate import Mutator
from tests.unit.net.ipv4.tcp.tcp_apps import accept, close, connect, listener, recv, send
from tests.unit.net.ipv4.tcp.test_tcp_transfer import assert_nothing_left
from tests.unit.net.ipv4.udp.udp_host import Udp
from tests.unit.net.support import A_ADDR, A_MAC, B_ADDR, B_MAC, Pair, two_hosts

FRAMES = 50_000
SEEDS = range(5)
ECHO_PORT = 7
UDP_PORT = 9
RULES = (
    "-t raw -A PREROUTING -p udp --sport 0 -j NOTRACK",
    "-t mangle -A PREROUTING -m length --length 1400:65535 -j MARK --set-mark 1",
    "-A INPUT -m conntrack --ctstate INVALID -m limit --limit 1/s -j LOG --log-tcp-options",
    "-A INPUT -m conntrack --ctstate INVALID -j DROP",
    "-A INPUT -p udp --dport 10 -j REJECT",
    "-t nat -A PREROUTING -p tcp --dport 8 -j REDIRECT --to-ports 7",
    "-t nat -A POSTROUTING -j MASQUERADE",
)
SETTLE_NS = 4 * 3600 * NSEC_PER_SEC
"""Beyond TIME_WAIT, retransmission and keepalive, so what is left then is left for ever."""


class Attack:
    """The cable towards machine a, with somebody on it. `left` frames are still to come."""

    def __init__(self, pair: Pair, seed: int, frames: int) -> None:
        self.left = frames
        self._target = pair.a.nic
        addrs = (A_ADDR.to_bytes(4, "big"), B_ADDR.to_bytes(4, "big"))
        self._mutator = Mutator(seed, (A_MAC, B_MAC), addrs)
        pair.b.nic.peer = self

    def inject(self, frame: bytes) -> None:
        """A frame of machine b: it comes through, and then its relatives."""
        self._target.inject(frame)
        rng = self._mutator.rng
        for _ in range(min(self.left, rng.randrange(6))):
            self.left -= 1
            noise = rng.random() < 0.1
            self._target.inject(self._mutator.noise() if noise else self._mutator.mutant(frame))


def keep_echoing(pair: Pair, attack: Attack) -> None:
    """Machine a serves on a TCP port until the attack is over."""
    server = listener(pair.a, ECHO_PORT)

    def serve(sk: Any) -> None:
        assert sock_setsockopt(sk, SO_KEEPALIVE, INT.pack(1)) == 0
        while (data := recv(sk, 4096)) and isinstance(data, bytes):
            if send(sk, data) < 0:
                break
        close(sk)

    def accept_all() -> None:
        while attack.left:
            sk = accept(server, nonblock=True)
            if isinstance(sk, int):
                pair.a.kernel.sched.schedule_timeout(NSEC_PER_MSEC)
            else:
                pair.a.spawn(lambda sk=sk: serve(sk))
        close(server)

    pair.a.spawn(accept_all)


def keep_calling(client: Any, addr: int, attack: Attack, rng: random.Random) -> None:
    """Connections one after the other, some long, some short, some aborted."""

    def call() -> None:
        while attack.left:
            sk = connect(client, addr, ECHO_PORT)
            if isinstance(sk, int):
                client.kernel.sched.schedule_timeout(NSEC_PER_MSEC)
                continue
            for _ in range(rng.randrange(8)):
                if send(sk, rng.randbytes(rng.choice((1, 100, 1448, 9000)))) < 0:
                    break
                client.kernel.sched.schedule_timeout(rng.randrange(10 * NSEC_PER_MSEC))
            close(sk)

    client.spawn(call)


def keep_sending_datagrams(pair: Pair, attack: Attack, rng: random.Random) -> None:
    """Datagrams of all sizes to an open and to a closed port, so fragments and ICMP errors too."""
    sink, source = Udp(pair.a.kernel, UDP_PORT), Udp(pair.b.kernel)

    def receive_all() -> None:
        while attack.left:
            while isinstance(sink.recv(), tuple):
                pass
            pair.a.kernel.sched.schedule_timeout(NSEC_PER_MSEC)
        udp_prot.close(sink.sk, 0)

    def send_all() -> None:
        while attack.left:
            port = rng.choice((UDP_PORT, UDP_PORT, UDP_PORT + 1))
            source.send(rng.randbytes(rng.choice((0, 1, 100, 1472, 1473, 5000))), (A_ADDR, port))
            pair.b.kernel.sched.schedule_timeout(rng.randrange(5 * NSEC_PER_MSEC))
        udp_prot.close(source.sk, 0)

    pair.a.spawn(receive_all)
    pair.b.spawn(send_all)


def under_attack(seed: int, frames: int, rules: Sequence[str] = ()) -> tuple[Pair, int]:
    """Let it all happen, with `rules` in the packet filter, and settle; also the loose pages that
    there were before.
    """
    pair = two_hosts(seed=seed)
    for rule in rules:
        run_command(pair.a.kernel, f"iptables {rule}")
    before = loose_pages(pair.a.kernel)
    attack = Attack(pair, seed, frames)
    rng = random.Random(seed)
    keep_echoing(pair, attack)
    keep_calling(pair.b, A_ADDR, attack, rng)
    keep_sending_datagrams(pair, attack, rng)
    pair.clock.run(stop=lambda: not attack.left)
    pair.clock.run(until=pair.clock.now + SETTLE_NS)
    return pair, before


@pytest.mark.parametrize("seed", SEEDS)
def test_hostile_frames_break_nothing_and_are_all_accounted_for(seed: int) -> None:
    """Every other time they have to pass a packet filter that follows connections."""
    rules = RULES if seed % 2 else ()
    pair, pages = under_attack(seed, FRAMES // len(SEEDS), rules)
    for host in (pair.a, pair.b):
        assert host.kernel.oops is None
        assert host.kernel.warnings == 0
    assert NOT_SPECIFIED not in pair.a.net.drops
    assert sum(pair.a.net.drops.values()) > FRAMES // len(SEEDS) // 4
    assert (NETFILTER_DROP in pair.a.net.drops) == bool(rules)
    assert_nothing_left(pair)
    assert loose_pages(pair.a.kernel) == pages
