"""Signed segments: every segment of a connection has an MD5 digest with a shared key. RFC 2385.
Linux: net/ipv4/tcp_ipv4.c (tcp_md5_*, tcp_v4_md5_hash_*), net/ipv4/tcp.c (tcp_inbound_md5_hash).

Keys are kept on the socket by network and prefix length, the longest prefix wins. A child of a
listener takes over the key that fits its peer.
"""

from __future__ import annotations

from hashlib import md5
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock
from pyhost.uapi.errno import EINVAL, ENOENT
from pyhost.uapi.ip import IPPROTO_TCP
from pyhost.uapi.socket import AF_INET, unpack_sockaddr_in
from pyhost.uapi.tcp import (
    TCP_HDR_LEN,
    TCP_MD5SIG_EXT,
    TCP_MD5SIG_FLAG_PREFIX,
    TCP_MD5SIG_MAXKEYLEN,
    TcpOptions,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "TCPOLEN_MD5SIG_ALIGNED", "tcp_inbound_md5_hash", "tcp_md5_do_lookup", "tcp_md5_inherit",
    "tcp_md5_sign", "tcp_v4_parse_md5_keys",
]  # fmt: skip

TCPOLEN_MD5SIG_ALIGNED = 20
DIGEST_AT = 4
DIGEST_SIZE = 16

_PSEUDO_HEADER = Struct(">IIBBH").pack
_MD5SIG = Struct("=128sBBHi")
"""struct tcp_md5sig up to the key: sockaddr_storage, flags, prefix length, key length, ifindex."""


# -- keys ------------------------------------------------------------------------------------------


def tcp_md5_do_lookup(sk: TcpSock, addr: int) -> bytes | None:
    """The key for a peer. Linux: tcp_md5_do_lookup."""
    keys = sk.md5sig_info
    if not keys:
        return None
    fitting = [entry for entry in keys if not (addr ^ entry[0]) >> 32 - entry[1]]
    return keys[max(fitting, key=lambda entry: entry[1])] if fitting else None


def tcp_md5_inherit(parent: TcpSock, child: TcpSock) -> None:
    """The child of a listener has its own copy of the key. Linux: tcp_md5_key_copy."""
    key = tcp_md5_do_lookup(parent, child.inet_daddr)
    if key is not None:
        child.md5sig_info = {(child.inet_daddr, 32): key}


def tcp_v4_parse_md5_keys(sk: TcpSock, optname: int, value: bytes) -> int:
    """TCP_MD5SIG, TCP_MD5SIG_EXT: set a peer's key, or remove it with an empty one.

    -EINVAL, -ENOENT (no key to remove). Linux: tcp_v4_parse_md5_keys.
    """
    if len(value) < _MD5SIG.size + TCP_MD5SIG_MAXKEYLEN:
        return -EINVAL
    name, flags, prefix, keylen, _ = _MD5SIG.unpack_from(value)
    family, addr, _ = unpack_sockaddr_in(name)
    if family != AF_INET or keylen > TCP_MD5SIG_MAXKEYLEN:
        return -EINVAL
    if optname != TCP_MD5SIG_EXT or not flags & TCP_MD5SIG_FLAG_PREFIX:
        prefix = 32
    if prefix > 32:
        return -EINVAL
    entry = (addr >> 32 - prefix << 32 - prefix, prefix)
    if not keylen:
        return 0 if sk.md5sig_info.pop(entry, None) is not None else -ENOENT
    if not sk.md5sig_info and sk.sk_state not in (TCP_CLOSE, TCP_LISTEN):
        sk.tcp_header_len += TCPOLEN_MD5SIG_ALIGNED
    sk.sk_gso_max_segs = 1
    sk.md5sig_info[entry] = value[_MD5SIG.size : _MD5SIG.size + keylen]
    return 0


# -- digests ---------------------------------------------------------------------------------------


def _digest(skb: SkBuff, at: int, saddr: int, daddr: int, key: bytes) -> bytes:
    """Over pseudo-header, header without options and with checksum 0, data, and key. `skb.data` is
    at the TCP header. Linux: tcp_v4_md5_hash_skb.
    """
    header = bytearray(skb.buf[at : at + TCP_HDR_LEN])
    header[16:18] = b"\0\0"
    size = header[12] >> 4 << 2
    pseudo = _PSEUDO_HEADER(saddr, daddr, 0, IPPROTO_TCP, skb.len)
    payload = skb.copy_bits(size, skb.len - size)
    return md5(pseudo + header + payload + key, usedforsecurity=False).digest()


def tcp_md5_sign(skb: SkBuff, saddr: int, daddr: int, key: bytes) -> None:
    """Put the digest into a segment whose header is complete; the option is the first.

    Linux: the end of tcp_make_synack and __tcp_transmit_skb.
    """
    at = skb.transport_header
    where = at + TCP_HDR_LEN + DIGEST_AT
    skb.buf[where : where + DIGEST_SIZE] = _digest(skb, at, saddr, daddr, key)


def tcp_inbound_md5_hash(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, saddr: int, daddr: int) -> str:
    """Why a segment is refused for its signature, or "". Linux: tcp_inbound_md5_hash."""
    key = tcp_md5_do_lookup(sk, saddr)
    at = skb.transport_header
    options = bytes(skb.buf[at + TCP_HDR_LEN : at + (cb.off_flags >> 12 << 2)])
    digest = TcpOptions.parse(options).md5 if options else None
    if key is None and digest is None:
        return ""
    if digest is None:
        sk.net.count("TCPMD5NotFound")
        return drop_reason.TCP_MD5NOTFOUND
    if key is None:
        sk.net.count("TCPMD5Unexpected")
        return drop_reason.TCP_MD5UNEXPECTED
    if not compare_digest(_digest(skb, at, saddr, daddr, key), digest):
        sk.net.count("TCPMD5Failure")
        return drop_reason.TCP_MD5FAILURE
    return ""
