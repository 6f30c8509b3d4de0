"""Tables, chains and rules: who decides on a packet, in which order, and what is counted."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP, UDP

from pyhost.admin.errors import CommandError
from pyhost.net.netfilter.core import NF_INET_LOCAL_OUT, NF_INET_PRE_ROUTING
from pyhost.uapi.errno import EPERM, ETIMEDOUT
from tests.unit.net.netfilter.traffic import Traffic


def test_without_a_table_there_is_no_hook() -> None:
    traffic = Traffic()
    assert traffic.udp() == 4
    assert not any(traffic.a.net.nf.hooks)
    assert traffic.a.net.xt.tables == {}


def test_a_table_brings_its_own_hooks_only() -> None:
    traffic = Traffic("iptables -L")
    hooks = traffic.a.net.nf.hooks
    assert len(hooks[NF_INET_LOCAL_OUT]) == 1
    assert hooks[NF_INET_PRE_ROUTING] == []


@pytest.mark.claim("S35")
def test_a_drop_gives_the_sender_of_a_datagram_eperm() -> None:
    traffic = Traffic("iptables -A OUTPUT -p udp --dport 53 -j DROP")
    assert traffic.udp(port=53) == -EPERM
    assert traffic.udp(port=54) == 4
    assert [frame[UDP].dport for frame in traffic.on_the_wire(UDP)] == [54]
    assert traffic.a.net.drops == {"NETFILTER_DROP": 1}


@pytest.mark.claim("S35")
def test_mail_is_discarded_and_connect_times_out() -> None:
    traffic = Traffic(
        "iptables -A OUTPUT -p tcp --dport 25 -j DROP",
        sysctls={"net.ipv4.tcp_syn_retries": "2", "net.ipv4.tcp_syn_linear_timeouts": "0"},
    )
    result, got = traffic.tcp(port=25, until=130)
    assert (result, got) == (-ETIMEDOUT, b"")
    assert traffic.on_the_wire(TCP) == []
    assert traffic.counters()["OUTPUT"] == [(3, 3 * 60)]
    assert traffic.a.net.drops["NETFILTER_DROP"] == 3


@pytest.mark.claim("S35")
def test_another_port_passes_the_same_rule() -> None:
    traffic = Traffic("iptables -A OUTPUT -p tcp --dport 25 -j DROP")
    _, got = traffic.tcp(port=80)
    assert got == b"hello"
    assert traffic.counters()["OUTPUT"] == [(0, 0)]


@pytest.mark.claim("S35")
def test_the_tables_are_asked_in_the_order_raw_mangle_nat_filter() -> None:
    traffic = Traffic(
        *(
            f"iptables -t {table} -A OUTPUT -p tcp --dport 80 --syn -j LOG --log-prefix {table}:"
            for table in ("filter", "nat", "mangle", "raw")
        )
    )
    traffic.tcp()
    order = [text.partition(":")[0] for text in traffic.log()]
    assert order == ["raw", "mangle", "nat", "filter"]


def test_rules_are_asked_one_after_the_other_until_one_decides() -> None:
    traffic = Traffic(
        "iptables -A OUTPUT -p udp",
        "iptables -A OUTPUT -p udp --dport 5000 -j ACCEPT",
        "iptables -A OUTPUT -p udp -j DROP",
    )
    assert traffic.udp(port=5000) == 4
    assert traffic.udp(port=5001) == -EPERM
    assert traffic.counters()["OUTPUT"] == [(2, 64), (1, 32), (1, 32)]


def test_a_policy_decides_what_no_rule_has_decided_and_is_counted() -> None:
    traffic = Traffic("iptables -P OUTPUT DROP", "iptables -A OUTPUT -d 10.0.0.3 -j ACCEPT")
    assert traffic.udp() == -EPERM
    chain = traffic.a.net.xt.tables["filter"].chains["OUTPUT"]
    assert (chain.packets, chain.bytes) == (1, 32)


def test_a_jump_comes_back_and_a_goto_does_not() -> None:
    traffic = Traffic(
        "iptables -N jumped",
        "iptables -N gone",
        "iptables -A jumped -p udp --dport 1 -j DROP",
        "iptables -A gone -p udp --dport 2 -j DROP",
        "iptables -A OUTPUT -p udp -j jumped",
        "iptables -A OUTPUT -p udp -g gone",
        "iptables -A OUTPUT -p udp -j DROP",
    )
    assert [traffic.udp(port=port) for port in (1, 2, 3)] == [-EPERM, -EPERM, 4]
    assert traffic.counters()["OUTPUT"] == [(3, 96), (2, 64), (0, 0)]


def test_return_leaves_the_chain_and_at_the_top_asks_the_policy() -> None:
    traffic = Traffic(
        "iptables -N inner",
        "iptables -A inner -p udp --dport 1 -j RETURN",
        "iptables -A inner -p udp -j DROP",
        "iptables -A OUTPUT -p udp -j inner",
        "iptables -A OUTPUT -p udp -j RETURN",
        "iptables -A OUTPUT -j DROP",
    )
    assert traffic.udp(port=1) == 4
    assert traffic.udp(port=2) == -EPERM


def test_a_goto_from_an_inner_chain_returns_to_that_chains_caller() -> None:
    traffic = Traffic(
        "iptables -N inner",
        "iptables -N deeper",
        "iptables -A inner -g deeper",
        "iptables -A inner -j DROP",
        "iptables -A OUTPUT -j inner",
        "iptables -A OUTPUT -p udp --dport 1 -j DROP",
    )
    assert [traffic.udp(port=1), traffic.udp(port=2)] == [-EPERM, 4]


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ("-s 10.0.0.1", False),
        ("-s 10.0.0.0/24 -d 10.0.0.2", False),
        ("-s 10.0.1.0/24", True),
        ("! -s 10.0.0.1", True),
        ("! -d 10.0.0.9", False),
        ("-o eth0", False),
        ("-o eth+", False),
        ("-o lo", True),
        ("! -o lo", False),
        ("-p udp", False),
        ("-p 17", False),
        ("! -p tcp", False),
        ("! -p udp", True),
        ("-f", True),
        ("! -f", False),
        ("-p udp --sport 1234", False),
        ("-p udp --sport 1000:1233", True),
        ("-p udp ! --sport 1000:1233", False),
        ("-p udp --dport :5000", False),
        ("-p udp -m multiport --dports 1,2,4000:6000", False),
        ("-p udp -m multiport ! --ports 1234", True),
        ("-m length --length 32", False),
        ("-m length --length 33:", True),
        ("-m length ! --length :31", False),
        ("-m ttl --ttl-eq 64", False),
        ("-m ttl --ttl-lt 64", True),
        ("-m ttl ! --ttl-eq 64", True),
        ("-m tos --tos 0", False),
        ("-m dscp --dscp 10", True),
        ("-m mark --mark 0", False),
        ("-m mark ! --mark 0/0xff", True),
        ("-m comment --comment 'never mind'", False),
        ("-m addrtype --src-type LOCAL", False),
        ("-m addrtype --dst-type LOCAL", True),
        ("-m addrtype ! --dst-type UNICAST", True),
        ("-m statistic --mode random --probability 1", False),
        ("-m statistic --mode random --probability 0", True),
        ("-m conntrack --ctstate NEW", False),
        ("-m conntrack --ctstate ESTABLISHED,RELATED", True),
        ("-m conntrack ! --ctstate NEW", True),
        ("-m state --state NEW", False),
        ("-m conntrack --ctorigdst 10.0.0.0/24 --ctproto udp", False),
        ("-m conntrack --ctstate SNAT,DNAT", True),
        ("-m owner ! --socket-exists", False),
    ],
)
def test_a_match_fits_or_does_not(rule: str, passes: bool) -> None:
    traffic = Traffic(f"iptables -A OUTPUT {rule} -j DROP")
    assert traffic.udp() == (4 if passes else -EPERM)


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        ("--syn", ["S"]),
        ("! --syn", ["A", "PA", "FA"]),
        ("--tcp-flags ALL FIN,ACK", ["FA"]),
        ("--tcp-option 3", ["S"]),
        ("--tcp-flags PSH PSH", ["PA"]),
    ],
)
def test_a_tcp_match_sees_flags_and_options(rule: str, kinds: list[str]) -> None:
    traffic = Traffic(f"iptables -A OUTPUT -p tcp {rule} -j LOG")
    traffic.tcp()
    flags = {"S": "SYN ", "A": "ACK ", "P": "PSH ", "F": "FIN "}
    for text in traffic.log():
        words = {key for key, word in flags.items() if f" {word}" in f" {text}"}
        assert words in [set(kind) for kind in kinds]
    assert len(traffic.log()) >= len(kinds) - 1
    assert len(traffic.log()) < len(traffic.on_the_wire(TCP))


def test_every_third_packet_fits_nth() -> None:
    traffic = Traffic("iptables -A OUTPUT -p udp -m statistic --mode nth --every 3 -j DROP")
    assert [traffic.udp() for _ in range(6)] == [-EPERM, 4, 4, -EPERM, 4, 4]


def test_a_random_drop_is_the_same_for_the_same_seed() -> None:
    def results(seed: int) -> list[int]:
        command = "iptables -A OUTPUT -m statistic --mode random --probability 0.5 -j DROP"
        traffic = Traffic(command, seed=seed)
        return [traffic.udp() for _ in range(12)]

    assert results(1) == results(1)
    assert {4, -EPERM} == set(results(1))


def test_a_limit_lets_a_burst_through_and_then_one_a_period() -> None:
    traffic = Traffic(
        "iptables -A OUTPUT -p udp -m limit --limit 1/second --limit-burst 3 -j ACCEPT",
        "iptables -A OUTPUT -p udp -j DROP",
    )
    assert [traffic.udp() for _ in range(5)] == [4, 4, 4, -EPERM, -EPERM]
    traffic.pair.clock.run(until=traffic.pair.clock.now + 1_000_000_000)
    assert [traffic.udp(), traffic.udp()] == [4, -EPERM]


def test_input_rules_see_the_device_and_drop_in_silence() -> None:
    traffic = Traffic()
    traffic.admin("iptables -A INPUT -i eth0 -p udp --dport 5000 -j DROP", traffic.b)
    assert traffic.udp() == 4
    assert traffic.b.net.drops == {"NETFILTER_DROP": 1}


def test_loops_are_refused_and_change_nothing() -> None:
    traffic = Traffic("iptables -N x", "iptables -N y", "iptables -A x -j y")
    with pytest.raises(CommandError, match="Too many levels of symbolic links"):
        traffic.admin("iptables -A y -j x")
    assert traffic.admin("iptables -S y") == "-N y\n"


@pytest.mark.parametrize(
    "command",
    [
        "iptables -t nat -A POSTROUTING -j REJECT",
        "iptables -A OUTPUT -j SNAT --to-source 1.2.3.4",
        "iptables -t nat -A OUTPUT -j SNAT --to-source 1.2.3.4",
        "iptables -A OUTPUT -j TTL --ttl-set 1",
    ],
)
def test_a_target_in_the_wrong_place_is_refused(command: str) -> None:
    traffic = Traffic()
    with pytest.raises(CommandError, match="Invalid argument"):
        traffic.admin(command)
