"""Where the time goes: a profile of cProfile, summed up by the layers of the stack."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import PurePath

__all__ = ["profile_layers"]

LAYERS = (
    ("system call, VFS", ("pyhost/fs/", "pyhost/kernel/syscall", "pyhost/security/")),
    ("socket", ("pyhost/net/socket", "pyhost/net/core/sock", "pyhost/net/core/stream",
                "pyhost/net/ipv4/af_inet")),
    ("copy from user", ("pyhost/mm/iov_iter", "pyhost/mm/mmap")),
    ("TCP: sendmsg", ("pyhost/net/ipv4/tcp_sendmsg", "pyhost/net/ipv4/tcp.py",
                      "pyhost/net/ipv4/tcp_mem")),
    ("TCP: ACKs and recovery", (
        "pyhost/net/ipv4/tcp_ack", "pyhost/net/ipv4/tcp_input", "pyhost/net/ipv4/tcp_ipv4",
        "pyhost/net/ipv4/tcp_rtt", "pyhost/net/ipv4/tcp_rate", "pyhost/net/ipv4/tcp_rack",
        "pyhost/net/ipv4/tcp_c", "pyhost/net/ipv4/tcp_recovery", "pyhost/net/ipv4/tcp_data",
        "pyhost/net/ipv4/tcp_sack", "pyhost/net/ipv4/inet_hashtables",
    )),
    ("TCP: output", ("pyhost/net/ipv4/tcp",)),
    ("IP out", ("pyhost/net/ipv4/ip_out", "pyhost/net/ipv4/route", "pyhost/net/core/dst")),
    ("IP in", ("pyhost/net/ipv4/ip_in",)),
    ("netfilter", ("pyhost/net/netfilter/",)),
    ("neighbour", ("pyhost/net/core/neigh", "pyhost/net/ipv4/arp", "pyhost/net/eth")),
    ("qdisc", ("pyhost/net/sched/",)),
    ("segmentation", ("pyhost/net/core/gso",)),
    ("device", ("pyhost/net/core/dev", "pyhost/net/core/netdevice", "pyhost/net/core/napi",
                "pyhost/net/core/dynamic_queue")),
    ("sk_buff, memory", ("pyhost/net/core/skb", "pyhost/net/core/checksum", "pyhost/mm/")),
    ("the sink", ("tests/bench/",)),
    ("clock, tasks, interrupts", ("pyhost/kernel/",)),
)  # fmt: skip
"""A layer and the beginnings of its files' names; the first that fits counts."""

PYTHON = "Python (built-in functions)"


def profile_layers(run: Callable[[], object]) -> list[tuple[str, float, int]]:
    """Layers with their share of the time (0 to 1) and their function calls, the greatest first.

    Time within a built-in function counts for itself, since a profile does not tell callers apart.
    """
    profile = cProfile.Profile()
    profile.runcall(run)
    seconds: dict[str, float] = {}
    calls: dict[str, int] = {}
    for (path, _, _), (_, count, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        layer = _layer(path)
        seconds[layer] = seconds.get(layer, 0.0) + own
        calls[layer] = calls.get(layer, 0) + count
    total = sum(seconds.values())
    shares = [(layer, own / total, calls[layer]) for layer, own in seconds.items()]
    return sorted(shares, key=lambda row: -row[1])


def _layer(path: str) -> str:
    name = PurePath(path).as_posix()
    for layer, beginnings in LAYERS:
        if any(f"/{beginning}" in name for beginning in beginnings):
            return layer
    return PYTHON
