"""A packet as a line of the kernel log, and the target LOG that writes it.

Linux: net/netfilter/nf_log_syslog.c, xt_LOG.c.

    IN= OUT=eth0 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=7 DF PROTO=TCP …
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, ClassVar

from pyhost.kernel.printk import KERN_WARNING
from pyhost.net.netfilter.x_tables import XT_CONTINUE, XtActionParam, XtTarget
from pyhost.uapi.ethernet import ETH_HLEN
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMP_FRAG_NEEDED,
    ICMP_HDR_LEN,
    ICMP_PARAMETERPROB,
    ICMP_REDIRECT,
    ICMP_SOURCE_QUENCH,
    ICMP_TIME_EXCEEDED,
    IcmpView,
)
from pyhost.uapi.ip import (
    IP_CE,
    IP_DF,
    IP_HDR_LEN,
    IP_MF,
    IP_OFFSET,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IpHeader,
)
from pyhost.uapi.tcp import TCP_HDR_LEN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "NF_LOG_IPOPT", "NF_LOG_TCPOPT", "NF_LOG_TCPSEQ", "NF_LOG_UID", "LogTarget", "dump_ipv4_packet",
]  # fmt: skip

NF_LOG_TCPSEQ = 0x01
NF_LOG_TCPOPT = 0x02
NF_LOG_IPOPT = 0x04
NF_LOG_UID = 0x08

IPTOS_TOS_MASK = 0x1E
IPTOS_PREC_MASK = 0xE0

TCP_FLAG_NAMES = ("CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN")
"""From the highest bit of the flags byte down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTarget(XtTarget):
    """`level` as in printk, `flags` NF_LOG_*."""

    name: ClassVar[str] = "LOG"

    level: int = KERN_WARNING
    prefix: str = ""
    flags: int = 0

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: log_tg, nf_log_ip_packet."""
        line = f"{self.prefix}IN={par.inname} OUT={par.outname} "
        if par.indev is not None:
            line += _mac_header(skb)
        line += dump_ipv4_packet(skb.copy_bits(0, min(skb.len, 256)), self.flags)
        if self.flags & NF_LOG_UID and skb.sk is not None and skb.sk.sk_socket is not None:
            line += "UID=0 GID=0 "
        if skb.mark:
            line += f"MARK=0x{skb.mark:x} "
        par.state.net.kernel.printk(line, self.level)
        return XT_CONTINUE


def _mac_header(skb: SkBuff) -> str:
    """The frame's header, if it came in one. Linux: dump_mac_header."""
    header = skb.buf[skb.mac_header : skb.mac_header + ETH_HLEN]
    if skb.network_header - skb.mac_header != ETH_HLEN:
        return "MAC= "
    return f"MAC={bytes(header).hex(':')} "


def dump_ipv4_packet(packet: bytes, flags: int, *, inner: bool = False) -> str:
    """The line's part from SRC= on; `packet` is its beginning. Linux: dump_ipv4_packet."""
    try:
        iph = IpHeader.parse(packet)
    except ValueError:
        return "TRUNCATED "
    header_len = IP_HDR_LEN + len(iph.options)
    line = (
        f"SRC={IPv4Address(iph.saddr)} DST={IPv4Address(iph.daddr)} LEN={iph.tot_len} "
        f"TOS=0x{iph.tos & IPTOS_TOS_MASK:02X} PREC=0x{iph.tos & IPTOS_PREC_MASK:02X} "
        f"TTL={iph.ttl} ID={iph.id} "
    )
    names = ((IP_CE, "CE "), (IP_DF, "DF "), (IP_MF, "MF "))
    line += "".join(name for bit, name in names if iph.frag_off & bit)
    fragment = iph.frag_off & IP_OFFSET
    if fragment:
        line += f"FRAG:{fragment} "
    if flags & NF_LOG_IPOPT and iph.options:
        line += f"OPT ({iph.options.hex().upper()}) "
    transport = packet[header_len:]
    if iph.protocol == IPPROTO_TCP:
        return line + "PROTO=TCP " + ("" if fragment else _dump_tcp(transport, flags))
    if iph.protocol == IPPROTO_UDP:
        return line + "PROTO=UDP " + ("" if fragment else _dump_udp(transport))
    if iph.protocol == IPPROTO_ICMP:
        return line + "PROTO=ICMP " + ("" if fragment else _dump_icmp(transport, flags, inner))
    return line + f"PROTO={iph.protocol} "


def _dump_tcp(header: bytes, flags: int) -> str:
    """Linux: nf_log_dump_tcp_header."""
    if len(header) < TCP_HDR_LEN:
        return f"INCOMPLETE [{len(header)} bytes] "
    number = [int.from_bytes(header[at : at + 2], "big") for at in range(0, TCP_HDR_LEN, 2)]
    line = f"SPT={number[0]} DPT={number[1]} "
    if flags & NF_LOG_TCPSEQ:
        line += f"SEQ={number[2] << 16 | number[3]} ACK={number[4] << 16 | number[5]} "
    line += f"WINDOW={number[7]} RES=0x{(header[12] & 0xF) << 2:02x} "
    line += "".join(
        f"{name} " for bit, name in enumerate(TCP_FLAG_NAMES) if header[13] & 0x80 >> bit
    )
    line += f"URGP={number[9]} "
    options = header[TCP_HDR_LEN : header[12] >> 4 << 2]
    if flags & NF_LOG_TCPOPT and options:
        line += f"OPT ({options.hex().upper()}) "
    return line


def _dump_udp(header: bytes) -> str:
    """Linux: nf_log_dump_udp_header."""
    if len(header) < 8:
        return f"INCOMPLETE [{len(header)} bytes] "
    source, dest, length = (int.from_bytes(header[at : at + 2], "big") for at in (0, 2, 4))
    return f"SPT={source} DPT={dest} LEN={length} "


def _dump_icmp(header: bytes, flags: int, inner: bool) -> str:
    if len(header) < ICMP_HDR_LEN:
        return f"INCOMPLETE [{len(header)} bytes] "
    icmp = IcmpView(header)
    line = f"TYPE={icmp.type} CODE={icmp.code} "
    if icmp.type in (ICMP_ECHO, ICMP_ECHOREPLY):
        return line + f"ID={icmp.rest >> 16} SEQ={icmp.rest & 0xFFFF} "
    if icmp.type == ICMP_PARAMETERPROB:
        line += f"PARAMETER={icmp.rest >> 24} "
    elif icmp.type == ICMP_REDIRECT:
        line += f"GATEWAY={IPv4Address(icmp.rest)} "
    elif icmp.type not in (ICMP_DEST_UNREACH, ICMP_SOURCE_QUENCH, ICMP_TIME_EXCEEDED):
        return line
    if not inner:
        line += f"[{dump_ipv4_packet(header[ICMP_HDR_LEN:], flags, inner=True)}] "
    if icmp.type == ICMP_DEST_UNREACH and icmp.code == ICMP_FRAG_NEEDED:
        line += f"MTU={icmp.mtu} "
    return line
