"""iptables: command lines, listings, saved rules, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.iptables import restore, save
from pyhost.admin.shell import run_command
from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel


@pytest.fixture
def kernel() -> Kernel:
    return boot(VirtualClock())


def rules(kernel: Kernel, chain: str = "OUTPUT", table: str = "filter") -> list[str]:
    """The chain's rules as -S writes them, without the chain."""
    text = run_command(kernel, f"iptables -t {table} -S {chain}")
    return [line.removeprefix(f"-A {chain} ") for line in text.splitlines()[1:]]


def test_a_listing_is_iptables_own(kernel: Kernel) -> None:
    for command in (
        "-A OUTPUT -p tcp --dport 25 -j DROP",
        "-N mail",
        "-A OUTPUT ! -s 10.0.0.0/8 -o eth+ -j mail",
        "-A mail -p udp -m multiport --dports 53,1000:2000 -j REJECT",
        "-P FORWARD DROP",
    ):
        run_command(kernel, f"iptables {command}")
    assert run_command(kernel, "iptables -L") == (
        "Chain INPUT (policy ACCEPT)\n"
        "target     prot opt source               destination         \n"
        "\n"
        "Chain FORWARD (policy DROP)\n"
        "target     prot opt source               destination         \n"
        "\n"
        "Chain OUTPUT (policy ACCEPT)\n"
        "target     prot opt source               destination         \n"
        "DROP       tcp  --  anywhere             anywhere             tcp dpt:smtp\n"
        "mail       all  --  !10.0.0.0/8          anywhere            \n"
        "\n"
        "Chain mail (1 references)\n"
        "target     prot opt source               destination         \n"
        "REJECT     udp  --  anywhere             anywhere             "
        "multiport dports domain,1000:2000 reject-with icmp-port-unreachable\n"
    )
    assert run_command(kernel, "iptables -nvL OUTPUT --line-numbers") == (
        "Chain OUTPUT (policy ACCEPT 0 packets, 0 bytes)\n"
        "num   pkts bytes target     prot opt in     out     source               destination   "
        "      \n"
        "1        0     0 DROP       tcp  --  *      *       0.0.0.0/0            0.0.0.0/0     "
        "       tcp dpt:25\n"
        "2        0     0 mail       all  --  *      eth+    !10.0.0.0/8          0.0.0.0/0     "
        "      \n"
    )


SAME = [
    "-p tcp -m tcp --dport 25 -j DROP",
    "-s 10.0.0.1/32 -d 10.0.0.0/24 -o eth0 -p udp -m udp --sport 1:5 ! --dport 9 -j ACCEPT",
    "! -s 10.0.0.0/8 ! -o lo ! -p tcp -j RETURN",
    "-f",
    "-p tcp -m tcp --tcp-option 3 --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
    "-p icmp -m icmp --icmp-type 8 -j DROP",
    "-p icmp -m icmp ! --icmp-type 3/4 -j DROP",
    "-p tcp -m multiport ! --ports 22,80,1000:2000 -j DROP",
    "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-m conntrack ! --ctstate INVALID --ctproto 6 --ctorigsrc 10.0.0.0/8 --ctdir REPLY -j DROP",
    "-m conntrack --ctorigdstport 80 --ctstatus ASSURED --ctexpire 10:20",
    "-m state --state NEW -j DROP",
    "-m mark --mark 0x7/0xff -j DROP",
    "-m connmark ! --mark 0x1",
    "-m limit --limit 5/min --limit-burst 7 -j DROP",
    "-m length --length 100:200 -j DROP",
    "-m tos ! --tos 0x10/0x3f -j DROP",
    "-m dscp --dscp 0x2e -j DROP",
    "-m ttl --ttl-lt 3 -j DROP",
    '-m comment --comment "what\'s this" -j DROP',
    "-m statistic --mode nth --every 3 --packet 1 -j DROP",
    "-m statistic --mode random --probability 0.25000000000 -j DROP",
    "-m owner ! --uid-owner 0 -j DROP",
    "-m addrtype ! --src-type LOCAL --dst-type UNICAST,MULTICAST -j DROP",
    "-m pkttype --pkt-type multicast -j DROP",
    '-p tcp -m tcp --dport 22 -j LOG --log-prefix "ssh: " --log-level 6 --log-tcp-sequence',
    "-p tcp -j REJECT --reject-with tcp-reset",
    "-j REJECT --reject-with icmp-port-unreachable",
]


@pytest.mark.parametrize("rule", SAME)
def test_a_rule_is_written_as_it_was_read(kernel: Kernel, rule: str) -> None:
    run_command(kernel, f"iptables -A OUTPUT {rule}")
    written = rules(kernel)[0]
    normal = rule.replace("RELATED,ESTABLISHED", "RELATED,ESTABLISHED")
    assert written == normal
    run_command(kernel, "iptables -F")
    run_command(kernel, f"iptables -A OUTPUT {written}")
    assert rules(kernel) == [written]


@pytest.mark.parametrize(
    ("table", "chain", "rule"),
    [
        ("mangle", "OUTPUT", "-j MARK --set-xmark 0x1/0xffffffff"),
        ("mangle", "OUTPUT", "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"),
        ("mangle", "OUTPUT", "-j TOS --set-tos 0x10/0x3f"),
        ("mangle", "OUTPUT", "-j DSCP --set-dscp 0x0a"),
        ("mangle", "OUTPUT", "-j TTL --ttl-dec 1"),
        ("mangle", "OUTPUT", "-p tcp -j TCPMSS --clamp-mss-to-pmtu"),
        ("mangle", "POSTROUTING", "-p tcp -j TCPMSS --set-mss 1400"),
        ("raw", "OUTPUT", "-j CT --notrack"),
        ("nat", "POSTROUTING", "-o eth0 -j SNAT --to-source 10.0.0.9-10.0.0.12 --persistent"),
        ("nat", "POSTROUTING", "-p tcp -j SNAT --to-source 10.0.0.9:1000-2000 --random"),
        ("nat", "POSTROUTING", "-p udp -j MASQUERADE --to-ports 1000-2000 --random-fully"),
        ("nat", "OUTPUT", "-p tcp -j DNAT --to-destination 10.0.0.9:80"),
        ("nat", "PREROUTING", "-p tcp -j REDIRECT --to-ports 8080"),
    ],
)
def test_targets_of_other_tables_are_written_as_they_were_read(
    kernel: Kernel, table: str, chain: str, rule: str
) -> None:
    run_command(kernel, f"iptables -t {table} -A {chain} {rule}")
    assert rules(kernel, chain, table) == [rule]


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("-p 6 --destination-port http", "-p tcp -m tcp --dport 80"),
        ("-p tcp --syn", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"),
        ("--source 10.1.2.3/255.255.0.0", "-s 10.1.0.0/16"),
        ("-p icmp --icmp-type ping -j ACCEPT", "-p icmp -m icmp --icmp-type 8 -j ACCEPT"),
        ("-m limit", "-m limit --limit 3/hour"),
        ("-m limit --limit 120/minute", "-m limit --limit 2/sec"),
        ("-j LOG --log-level warn", "-j LOG"),
        ("-j REJECT --reject-with host-unreach", "-j REJECT --reject-with icmp-host-unreachable"),
    ],
)
def test_other_ways_to_write_it_mean_the_same(kernel: Kernel, written: str, means: str) -> None:
    run_command(kernel, f"iptables -A OUTPUT {written}")
    assert rules(kernel) == [means]


@pytest.mark.parametrize(
    ("option", "mark"),
    [
        ("--set-mark 5", "0x5/0xffffffff"),
        ("--set-mark 5/0xf0", "0x5/0xf5"),
        ("--and-mark 0xff", "0x0/0xffffff00"),
        ("--or-mark 8", "0x8/0x8"),
        ("--xor-mark 3", "0x3/0x0"),
    ],
)
def test_a_mark_is_a_mask_to_clear_and_bits_to_flip(kernel: Kernel, option: str, mark: str) -> None:
    run_command(kernel, f"iptables -t mangle -A OUTPUT -j MARK {option}")
    assert rules(kernel, table="mangle") == [f"-j MARK --set-xmark {mark}"]


def test_rules_are_inserted_replaced_deleted_and_checked_by_number_and_by_words(
    kernel: Kernel,
) -> None:
    for command in (
        "-A OUTPUT -p udp -j DROP", "-I OUTPUT -p tcp -j DROP", "-I OUTPUT 2 -p icmp -j DROP",
        "-R OUTPUT 1 -p esp -j DROP", "-C OUTPUT -p icmp -j DROP",
    ):  # fmt: skip
        run_command(kernel, f"iptables {command}")
    assert rules(kernel) == ["-p esp -j DROP", "-p icmp -j DROP", "-p udp -j DROP"]
    run_command(kernel, "iptables -D OUTPUT 1")
    run_command(kernel, "iptables -D OUTPUT -p udp -j DROP")
    assert rules(kernel) == ["-p icmp -j DROP"]
    run_command(kernel, "iptables -F OUTPUT")
    assert rules(kernel) == []


def test_several_addresses_make_several_rules(kernel: Kernel) -> None:
    run_command(kernel, "iptables -A OUTPUT -s 10.0.0.1,10.0.0.2 -d 10.1.0.0/16 -j DROP")
    assert rules(kernel) == [
        "-s 10.0.0.1/32 -d 10.1.0.0/16 -j DROP",
        "-s 10.0.0.2/32 -d 10.1.0.0/16 -j DROP",
    ]


def test_a_chain_is_made_renamed_and_removed(kernel: Kernel) -> None:
    run_command(kernel, "iptables -N one")
    run_command(kernel, "iptables -A OUTPUT -j one")
    run_command(kernel, "iptables -E one two")
    assert rules(kernel) == ["-j two"]
    run_command(kernel, "iptables -D OUTPUT 1")
    run_command(kernel, "iptables -X two")
    assert "two" not in run_command(kernel, "iptables -S")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("", "no command specified"),
        ("-A NOWHERE -j DROP", "No chain/target/match by that name."),
        ("-A OUTPUT -j NOWHERE", "Couldn't load target `NOWHERE':No such file or directory"),
        ("-A OUTPUT -m nothing", "Couldn't load match `nothing':No such file or directory"),
        ("-A OUTPUT --dport 25 -j DROP", 'unknown option "--dport"'),
        ("-A OUTPUT -p icmp --dport 25 -j DROP", 'unknown option "--dport"'),
        ("-A OUTPUT -p nonsense", 'unknown protocol "nonsense" specified'),
        ("-A OUTPUT -p tcp --dport 70000", "invalid port/service `70000' specified"),
        ("-A OUTPUT -p tcp --dport", 'option "--dport" requires an argument'),
        ("-A OUTPUT -s 10.0.0.256", "host/network `10.0.0.256' not found"),
        ("-A OUTPUT -s 10.0.0.0/33", "invalid mask `33' specified"),
        ("-A OUTPUT -i eth0 -j DROP", "Can't use -i with OUTPUT"),
        ("-A INPUT -o eth0 -j DROP", "Can't use -o with INPUT"),
        ("-A OUTPUT extra", "Bad argument `extra'"),
        ("-A OUTPUT -m multiport --dports 1", "multiport: needs -p tcp"),
        ("-A OUTPUT -j REJECT --reject-with tcp-reset", "REJECT: needs -p tcp"),
        ("-A OUTPUT -j REJECT --reject-with rudely", 'unknown reject type "rudely"'),
        ("-A OUTPUT -m state --state SLEEPY", 'state: Bad state "SLEEPY"'),
        ("-D OUTPUT 1", "Index of deletion too big."),
        ("-I OUTPUT 2 -j DROP", "Index of insertion too big."),
        ("-R OUTPUT 1 -j DROP", "Index of replacement too big."),
        ("-D OUTPUT -j DROP", "Bad rule \\(does a matching rule exist in that chain\\?\\)."),
        ("-C OUTPUT -j DROP", "Bad rule \\(does a matching rule exist in that chain\\?\\)."),
        ("-N OUTPUT", "Chain already exists."),
        ("-N DROP", "chain name may not clash with target name"),
        ("-X OUTPUT", "Invalid argument."),
        ("-P OUTPUT SLEEP", "Bad policy name."),
        ("-P nowhere DROP", "Bad built-in chain name."),
        ("-A OUTPUT -D OUTPUT 1", "Cannot use -D with --append"),
        ("-t nothing -L", "can't initialize iptables table `nothing': Table does not exist"),
        ("-A OUTPUT -s 1.2.3.4 -s 1.2.3.5", "multiple -s flags not allowed"),
        ("-A OUTPUT ! -j DROP", 'cannot have ! before "-j"'),
        ("-A OUTPUT -j LOG --log-prefix 'a prefix that is far too long for it'", "Maximum prefix"),
        ("-L -p tcp", "Illegal option for this command: --list"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(kernel: Kernel, command: str, says: str) -> None:
    run_command(kernel, "iptables -L")
    before = save(kernel.net)
    with pytest.raises(CommandError, match=says) as error:
        run_command(kernel, f"iptables {command}")
    assert str(error.value).startswith("iptables: ")
    assert "\n" not in str(error.value)
    assert save(kernel.net) == before


def test_a_chain_in_use_or_with_rules_stays(kernel: Kernel) -> None:
    run_command(kernel, "iptables -N used")
    run_command(kernel, "iptables -A OUTPUT -j used")
    with pytest.raises(CommandError, match=r"Too many links\."):
        run_command(kernel, "iptables -X used")
    run_command(kernel, "iptables -F OUTPUT")
    run_command(kernel, "iptables -A used -j DROP")
    with pytest.raises(CommandError, match=r"Directory not empty\."):
        run_command(kernel, "iptables -X used")


SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [4:240]
[2:120] -A POSTROUTING -o eth0 -j MASQUERADE
COMMIT
*filter
:INPUT DROP [1:60]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:mail - [0:0]
[3:180] -A OUTPUT -p tcp -m tcp --dport 25 -j mail
[3:180] -A mail -j LOG --log-prefix "mail: "
COMMIT
"""


def test_saved_rules_are_restored_with_their_counters(kernel: Kernel, tmp_path: Path) -> None:
    file = tmp_path / "rules"
    file.write_text(f"# a comment\n\n{SAVED}")
    run_command(kernel, f"iptables-restore -c {file}")
    assert run_command(kernel, "iptables-save -c") == SAVED
    run_command(kernel, f"iptables-restore {file}")
    assert "[3:180]" not in run_command(kernel, "iptables-save -c")


def test_restoring_without_flush_adds_and_a_test_changes_nothing(kernel: Kernel) -> None:
    run_command(kernel, "iptables -A OUTPUT -p udp -j DROP")
    restore(kernel.net, "*filter\n-A OUTPUT -p tcp -j DROP\nCOMMIT\n", flush=False)
    assert rules(kernel) == ["-p udp -j DROP", "-p tcp -j DROP"]
    restore(kernel.net, "*filter\nCOMMIT\n", test=True)
    assert len(rules(kernel)) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("*filter\n-A OUTPUT -p nonsense\nCOMMIT\n", 'line 2 failed: unknown protocol "nonsense"'),
        ("-A OUTPUT -j DROP\n", "line 1 failed: no table"),
        ("*filter\n-A OUTPUT -j DROP\n", "COMMIT expected"),
        ("*what\nCOMMIT\n", "line 1 failed: can't initialize"),
        ("*filter\n:x - [0:0]\n-A x -j x\n-A OUTPUT -j x\nCOMMIT\n", "line 5 failed: Too many"),
    ],
)
def test_a_mistake_in_saved_rules_is_told_with_its_line_and_nothing_is_put_in_place(
    kernel: Kernel, text: str, says: str
) -> None:
    run_command(kernel, "iptables -A OUTPUT -p udp -j DROP")
    with pytest.raises(CommandError, match=says):
        restore(kernel.net, text)
    assert rules(kernel) == ["-p udp -j DROP"]
