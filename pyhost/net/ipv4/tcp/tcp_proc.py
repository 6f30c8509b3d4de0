"""/proc/net/tcp: one line for each socket. Linux: net/ipv4/tcp_ipv4.c tcp4_seq_show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import TCP_LISTEN
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["tcp4_seq_show"]

_HEADER = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode"
)
_WIDTH = 149


def tcp4_seq_show(net: Net) -> str:
    """The whole file: listeners, then whatever is connected or was. Addresses are printed as the
    machine stores them, so their bytes are in reverse.
    """
    rows = [_socket(sk) for port in sorted(net.tcp.lhash) for sk in net.tcp.lhash[port]]
    for key, entry in net.tcp.ehash.items():
        rows.append(_socket(entry) if isinstance(entry, TcpSock) else _mini(key, entry.sk_state))
    lines = [_HEADER, *(f"{number:4d}: {row}" for number, row in enumerate(rows))]
    return "".join(f"{line:<{_WIDTH}}\n" for line in lines)


def _socket(sk: TcpSock) -> str:
    """Linux: get_tcp4_sock."""
    if sk.sk_state == TCP_LISTEN:
        queued = len(sk.accept_queue)
    else:
        queued = max(sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF, 0)
    unsent = sk.write_seq - sk.snd_una & 0xFFFFFFFF
    return _row(
        (sk.inet_rcv_saddr or sk.inet_saddr, sk.inet_num),
        (sk.inet_daddr, sk.inet_dport),
        sk.sk_state,
        unsent,
        queued,
        sk.icsk_retransmits,
    )


def _mini(key: tuple[int, int, int], state: int) -> str:
    """A request or a TIME_WAIT socket. Linux: get_openreq4, get_timewait4_sock."""
    remote, local, ports = key
    return _row((local, ports & 0xFFFF), (remote, ports >> 16), state, 0, 0, 0)


def _row(
    local: tuple[int, int],
    remote: tuple[int, int],
    state: int,
    unsent: int,
    queued: int,
    again: int,
) -> str:
    return (
        f"{_end(*local)} {_end(*remote)} {state:02X} {unsent:08X}:{queued:08X} "
        f"00:00000000 {again:08X}     0        0 0 1"
    )


def _end(addr: int, port: int) -> str:
    return f"{int.from_bytes(addr.to_bytes(4, 'big'), 'little'):08X}:{port:04X}"
