"""`tc`: what it takes, what it prints, what it refuses."""

from __future__ import annotations

import pytest

from pyhost.admin import tc_units
from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from tests.unit.net.sched.sched_host import SchedHost


@pytest.fixture
def host() -> SchedHost:
    return SchedHost()


def show(host: SchedHost) -> str:
    return host.tc("qdisc show dev eth0")


DEFAULT = (
    "qdisc pfifo_fast 0: dev eth0 root refcnt 2 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1\n"
)


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ("pfifo limit 20", "pfifo 8001: dev eth0 root refcnt 2 limit 20p"),
        ("bfifo limit 20k", "bfifo 8001: dev eth0 root refcnt 2 limit 20Kb"),
        (
            "handle 1: prio bands 2 priomap 1 1 1 1 1 1 0 0 1 1 1 1 1 1 1 1",
            "prio 1: dev eth0 root refcnt 2 bands 2 priomap 1 1 1 1 1 1 0 0 1 1 1 1 1 1 1 1",
        ),
        (
            "handle 10: tbf rate 1mbit burst 10kb latency 50ms",
            "tbf 10: dev eth0 root refcnt 2 rate 1Mbit burst 10Kb lat 50ms",
        ),
        (
            "tbf rate 512kbit buffer 1600 limit 3000 peakrate 1mbit mtu 1500",
            "tbf 8001: dev eth0 root refcnt 2 rate 512Kbit burst 1600b peakrate 1Mbit"
            " minburst 1500b lat 21.9ms",
        ),
        (
            "fq maxrate 10mbit ce_threshold 2ms horizon_cap",
            "fq 8001: dev eth0 root refcnt 2 limit 10000p flow_limit 100p buckets 1024"
            " orphan_mask 1023 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1"
            " weights 589824 196608 65536 quantum 3028b initial_quantum 15140b maxrate 10Mbit"
            " low_rate_threshold 550Kbit refill_delay 40ms ce_threshold 2ms timer_slack 10us"
            " horizon 10s horizon_cap",
        ),
        (
            "fq_codel limit 100 target 10ms interval 200ms noecn",
            "fq_codel 8001: dev eth0 root refcnt 2 limit 100p flows 1024 quantum 1514"
            " target 10ms interval 200ms memory_limit 32Mb drop_batch 64",
        ),
    ],
)
def test_what_was_set_is_shown(host: SchedHost, options: str, printed: str) -> None:
    assert host.tc(f"qdisc add dev eth0 root {options}") == ""
    assert show(host) == f"qdisc {printed}\n"
    assert host.tc("qdisc del dev eth0 root") == ""
    assert show(host) == DEFAULT


def test_add_is_for_a_place_that_is_free(host: SchedHost) -> None:
    host.tc("qdisc add dev eth0 root fq")
    with pytest.raises(CommandError, match=r"^Error: Exclusivity flag on, cannot modify\.$"):
        host.tc("qdisc add dev eth0 root fq")
    with pytest.raises(CommandError, match="NLM_F_REPLACE needed to override"):
        host.tc("qdisc add dev eth0 root handle 7: fq")


def test_replace_changes_the_same_kind_and_replaces_another(host: SchedHost) -> None:
    host.tc("qdisc replace dev eth0 root pfifo limit 3")
    first = host.q
    host.tc("qdisc replace dev eth0 root pfifo limit 4")
    assert host.q is first
    assert first.limit == 4
    host.tc("qdisc replace dev eth0 root fq")
    assert host.q.ops.id == "fq"
    host.tc("qdisc replace dev eth0 root handle 5: fq")
    assert show(host).startswith("qdisc fq 5:")
    assert list(host.dev.qdisc_hash) == [5 << 16]


def test_change_makes_nothing(host: SchedHost) -> None:
    with pytest.raises(CommandError, match="Qdisc not found"):
        host.tc("qdisc change dev eth0 root fq")
    host.tc("qdisc add dev eth0 root fq")
    with pytest.raises(CommandError, match="Invalid qdisc name"):
        host.tc("qdisc change dev eth0 root pfifo limit 2")


def test_qdiscs_stand_below_classes(host: SchedHost) -> None:
    host.tc("qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 10kb limit 10kb")
    host.tc("qdisc add dev eth0 parent 1:1 handle 10: prio")
    host.tc("qdisc add dev eth0 parent 10:2 handle 20: fq_codel")
    names = [line.split()[1:6] for line in show(host).splitlines()]
    assert [name[:2] for name in names] == [["tbf", "1:"], ["prio", "10:"], ["fq_codel", "20:"]]
    assert "fq_codel 20: dev eth0 parent 10:2 " in show(host)
    assert host.tc("class show dev eth0").splitlines()[:3] == [
        "class tbf 1:1 parent 1: leaf 10: dev eth0",
        "class prio 10:1 parent 10: dev eth0",
        "class prio 10:2 parent 10: leaf 20: dev eth0",
    ]
    host.tc("qdisc del dev eth0 root")
    assert host.dev.qdisc_hash == {}


def test_statistics_are_those_of_the_qdisc(host: SchedHost) -> None:
    host.tc("qdisc add dev eth0 root tbf rate 1mbit burst 2000 limit 3000")
    for _ in range(6):
        host.send(host.udp(size=1000))
    assert host.tc("-s qdisc show dev eth0").splitlines()[1:] == [
        " Sent 2000 bytes 2 pkt (dropped 1, overlimits 4 requeues 0) ",
        " backlog 3000b 3p requeues 0",
    ]
    host.run()
    assert " Sent 5000 bytes 5 pkt (dropped 1," in host.tc("-s qdisc show dev eth0")


@pytest.mark.parametrize("kind", ["fq", "fq_codel"])
def test_what_a_discipline_counts_itself_is_shown(host: SchedHost, kind: str) -> None:
    host.tc(f"qdisc add dev eth0 root {kind}")
    lines = host.tc("-s qdisc show").splitlines()
    assert lines[3].startswith("  flows 0 (inactive 0" if kind == "fq" else "  maxpacket 0 ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("qdisc del dev eth0 root", r"Error: Cannot delete qdisc with handle of zero\."),
        ("qdisc del dev eth0 parent 5:1", "Failed to find qdisc with specified classid"),
        ("qdisc add dev eth9 root fq", 'Cannot find device "eth9"'),
        ("qdisc add root fq", '"dev" is required'),
        ("qdisc add dev eth0 fq", "Classid cannot be zero"),
        ("qdisc add dev eth0 root", "No qdisc kind given"),
        ("qdisc add dev eth0 root cake", 'Unknown qdisc "cake"'),
        ("qdisc add dev eth0 root pfifo limit much", 'Illegal "limit"'),
        ("qdisc add dev eth0 root pfifo rate 1", 'What is "rate"'),
        ("qdisc add dev eth0 root pfifo limit", "Command line is not complete"),
        ("qdisc add dev eth0 parent 1:1 pfifo", "Failed to find specified qdisc"),
        ("qdisc add dev eth0 root handle 1:1 pfifo", "invalid qdisc ID"),
        ("qdisc add dev eth0 root tbf rate 1mbit burst 1k", '"limit" or "latency" is required'),
        ("qdisc add dev eth0 root tbf rate 1m burst 1k limit 9k", 'Illegal "rate"'),
        ("qdisc frobnicate", 'Command "frobnicate" is unknown'),
        ("filter show", 'Object "filter" is unknown'),
        ("class add dev eth0", "Classes come and go"),
        ("-x qdisc", 'Option "-x" is unknown'),
    ],
)
def test_a_mistake_is_one_line(host: SchedHost, line: str, says: str) -> None:
    with pytest.raises(CommandError, match=says) as error:
        host.tc(line)
    assert "\n" not in str(error.value)
    assert show(host) == DEFAULT


@pytest.mark.parametrize(
    ("word", "bytes_a_second"),
    [
        ("8", 1), ("1kbit", 125), ("1mbit", 125_000), ("1.5Mbit", 187_500), ("1gbit", 125_000_000),
        ("1kibit", 128), ("100bps", 100), ("10kbps", 10_000), ("1mibps", 1 << 20),
    ],
)  # fmt: skip
def test_rates(word: str, bytes_a_second: int) -> None:
    assert tc_units.word_to_rate(word, "rate") == bytes_a_second


@pytest.mark.parametrize(
    ("word", "size"),
    [("1500", 1500), ("32kb", 32768), ("32k", 32768), ("1m", 1 << 20), ("8kbit", 1024)],
)
def test_sizes(word: str, size: int) -> None:
    assert tc_units.word_to_size(word, "burst") == size


@pytest.mark.parametrize(
    ("word", "us"), [("5", 5), ("5us", 5), ("50ms", 50_000), ("1.5s", 1_500_000), ("2000ns", 2)]
)
def test_times(word: str, us: int) -> None:
    assert tc_units.word_to_us(word, "target") == us


def test_the_tool_is_in_the_shell(host: SchedHost) -> None:
    assert run_command(host.kernel, "tc qdisc") == DEFAULT
