"""Targets: what they do to a packet, as scapy sees it on the wire or as the log tells it."""

from __future__ import annotations

import re

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from pyhost.kernel.printk import KERN_WARNING
from pyhost.uapi.errno import ECONNREFUSED, EPERM
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.netfilter.traffic import Traffic, checksums_are_good
from tests.unit.net.support import B_ADDR


def mss_of(frame: IP) -> object:
    return dict(option for option in frame[TCP].options if len(option) == 2)["MSS"]


@pytest.mark.claim("S35")
def test_log_writes_a_line_in_the_kernels_format() -> None:
    traffic = Traffic("iptables -A OUTPUT -p tcp --dport 22 --syn -j LOG --log-prefix 'ssh: '")
    traffic.tcp(port=22)
    (record,) = traffic.a.kernel.log.records
    (syn,) = (f for f in traffic.on_the_wire(TCP) if f[TCP].flags == "S")
    assert record.level == KERN_WARNING
    assert record.text == (
        f"ssh: IN= OUT=eth0 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 "
        f"ID={syn[IP].id} DF PROTO=TCP SPT={syn[TCP].sport} DPT=22 WINDOW={syn[TCP].window} "
        f"RES=0x00 SYN URGP=0 "
    )


def test_log_of_input_has_the_frames_header_and_more_when_asked() -> None:
    traffic = Traffic(
        "iptables -A INPUT -p tcp --tcp-flags SYN SYN -j LOG --log-level info "
        "--log-tcp-sequence --log-tcp-options"
    )
    traffic.tcp()
    (record,) = traffic.a.kernel.log.records
    (answer,) = (f for f in traffic.on_the_wire(TCP, traffic.b) if f[TCP].flags == "SA")
    options = bytes(answer[TCP])[20 : answer[TCP].dataofs * 4].hex().upper()
    assert record.level == 6
    assert record.text.startswith(
        "IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=10.0.0.2 "
    )
    assert f"SEQ={answer[TCP].seq} ACK={answer[TCP].ack} " in record.text
    assert record.text.endswith(f"ACK SYN URGP=0 OPT ({options}) ")


def test_log_of_udp_and_of_an_icmp_error_with_the_packet_in_it() -> None:
    traffic = Traffic("iptables -A OUTPUT -p udp -j LOG", "iptables -A INPUT -p icmp -j LOG")
    traffic.udp(port=9999)
    first, second = traffic.log()
    assert re.search(r"PROTO=UDP SPT=1234 DPT=9999 LEN=12 $", first)
    assert re.search(
        r"PROTO=ICMP TYPE=3 CODE=3 \[SRC=10.0.0.1 .* PROTO=UDP SPT=1234 DPT=9999 LEN=12 \] $",
        second,
    )


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("icmp-net-unreachable", 0),
        ("icmp-host-unreachable", 1),
        ("icmp-proto-unreachable", 2),
        ("icmp-port-unreachable", 3),
        ("icmp-net-prohibited", 9),
        ("icmp-host-prohibited", 10),
        ("icmp-admin-prohibited", 13),
    ],
)
def test_reject_answers_with_an_icmp_error(how: str, code: int) -> None:
    traffic = Traffic()
    traffic.admin(f"iptables -A INPUT -p udp -j REJECT --reject-with {how}", traffic.b)
    traffic.udp()
    (error,) = traffic.on_the_wire(ICMP, traffic.b)
    assert (error[ICMP].type, error[ICMP].code) == (3, code)
    assert error[ICMP].payload.dst == "10.0.0.2"
    assert checksums_are_good(error)


def test_reject_at_output_tells_the_socket_that_sent() -> None:
    traffic = Traffic("iptables -A OUTPUT -p udp --dport 53 -j REJECT")
    sender = Udp(traffic.a.kernel, 1111)
    in_task(traffic.a.kernel, lambda: sender.connect(B_ADDR, 53), traffic.soon)

    def send() -> int:
        return sender.send(b"question")

    assert in_task(traffic.a.kernel, send, traffic.soon) == [-EPERM]
    assert in_task(traffic.a.kernel, send, traffic.soon) == [-ECONNREFUSED]
    assert traffic.on_the_wire(UDP) == []


@pytest.mark.parametrize("where", ["INPUT at the server", "OUTPUT at the client"])
def test_reject_with_a_reset_refuses_a_connection(where: str) -> None:
    traffic = Traffic()
    if where.startswith("INPUT"):
        command = "iptables -A INPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset"
        traffic.admin(command, traffic.b)
    else:
        traffic.admin("iptables -A OUTPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset")
    result, _ = traffic.tcp(until=3)
    assert result == -ECONNREFUSED
    if where.startswith("INPUT"):
        (reset,) = traffic.on_the_wire(TCP, traffic.b)
        (syn,) = traffic.on_the_wire(TCP)
        assert reset[TCP].flags == "RA"
        assert reset[TCP].ack == syn[TCP].seq + 1
        assert checksums_are_good(reset)
    else:
        assert traffic.on_the_wire(TCP) == []


def test_mark_is_seen_by_the_tables_behind() -> None:
    traffic = Traffic(
        "iptables -t mangle -A OUTPUT -p udp --dport 5000 -j MARK --set-mark 7",
        "iptables -t mangle -A OUTPUT -m mark --mark 7 -j MARK --or-mark 0x10",
        "iptables -A OUTPUT -m mark --mark 0x17 -j DROP",
    )
    assert traffic.udp(port=5000) == -EPERM
    assert traffic.udp(port=5001) == 4


def test_connmark_keeps_a_mark_for_the_whole_connection() -> None:
    traffic = Traffic(
        "iptables -t mangle -A OUTPUT -p tcp --syn -j MARK --set-mark 5",
        "iptables -t mangle -A OUTPUT -p tcp --syn -j CONNMARK --save-mark",
        "iptables -t mangle -A OUTPUT -p tcp -j CONNMARK --restore-mark",
        "iptables -t mangle -A INPUT -p tcp -m connmark --mark 5",
        "iptables -A OUTPUT -p tcp -m mark ! --mark 5 -j DROP",
    )
    _, got = traffic.tcp()
    assert got == b"hello"
    ((packets, _),) = traffic.counters("mangle")["INPUT"]
    assert packets == len(traffic.on_the_wire(TCP, traffic.b))


@pytest.mark.claim("S36")
@pytest.mark.parametrize(
    ("target", "field", "value"),
    [
        ("TOS --set-tos Minimize-Delay", "tos", 0x10),
        ("TOS --or-tos 8", "tos", 0x08),
        ("DSCP --set-dscp-class EF", "tos", 0xB8),
        ("TTL --ttl-set 3", "ttl", 3),
        ("TTL --ttl-dec 4", "ttl", 60),
        ("TTL --ttl-inc 250", "ttl", 255),
    ],
)
def test_mangle_at_postrouting_rewrites_the_header_on_the_wire(
    target: str, field: str, value: int
) -> None:
    traffic = Traffic(f"iptables -t mangle -A POSTROUTING -j {target}")
    _, got = traffic.tcp(data=b"x" * 5000)
    assert got == b"x" * 5000
    frames = traffic.on_the_wire(TCP)
    assert {getattr(frame[IP], field) for frame in frames} == {value}
    assert all(checksums_are_good(frame) for frame in frames)


def test_tcpmss_lowers_the_mss_of_a_syn_and_never_raises_it() -> None:
    low = Traffic("iptables -t mangle -A OUTPUT -p tcp --syn -j TCPMSS --set-mss 900")
    _, got = low.tcp(data=b"y" * 4000)
    syn = low.on_the_wire(TCP)[0]
    assert got == b"y" * 4000
    assert mss_of(syn) == 900
    assert checksums_are_good(syn)
    high = Traffic("iptables -t mangle -A OUTPUT -p tcp --syn -j TCPMSS --set-mss 9000")
    high.tcp()
    assert mss_of(high.on_the_wire(TCP)[0]) == 1460


def test_tcpmss_clamps_to_the_devices_mtu() -> None:
    traffic = Traffic("iptables -t mangle -A OUTPUT -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu")
    traffic.tcp()
    assert mss_of(traffic.on_the_wire(TCP)[0]) == 1460


def test_a_target_that_ends_is_not_followed_by_others() -> None:
    traffic = Traffic(
        "iptables -A OUTPUT -p udp -j LOG", "iptables -A OUTPUT -p udp -j DROP",
        "iptables -A OUTPUT -p udp -j LOG --log-prefix never",
    )  # fmt: skip
    assert traffic.udp() == -EPERM
    assert [text.startswith("never") for text in traffic.log()] == [False]
