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
    ("segmentation", ("pyhost/net/core/gso", "pyhost/net/core/skb_segment",
                      "pyhost/net/ipv4/tcp/tcp_offload", "pyhost/net/ipv4/ip/inet_offload")),
    ("TCP: sendmsg", ("pyhost/net/ipv4/tcp/user/", "pyhost/net/ipv4/tcp/tcp_mem")),
    ("TCP: ACKs and recovery", (
        "pyhost/net/ipv4/tcp/ack/", "pyhost/net/ipv4/tcp/recovery/", "pyhost/net/ipv4/tcp/input/",
        "pyhost/net/ipv4/tcp/congestion/", "pyhost/net/ipv4/tcp/tcp_ipv4",
        "pyhost/net/ipv4/tcp/handshake/inet_hashtables",
    )),
    ("TCP: output", ("pyhost/net/ipv4/tcp/",)),
    ("IP out", ("pyhost/net/ipv4/ip/ip_out", "pyhost/net/ipv4/fib/", "pyhost/net/core/dst")),
    ("IP in", ("pyhost/net/ipv4/ip/ip_in",)),
    ("netfilter", ("pyhost/net/netfilter/",)),
    ("neighbour", ("pyhost/net/core/neigh", "pyhost/net/ipv4/arp", "pyhost/net/eth")),
    ("qdisc", ("pyhost/net/sched/",)),
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
