"""`ethtool` on a card that can be set: what is shown, changed and refused."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.net.core import netdevice as nd
from tests.unit.drivers.net.hnic.rig import Rig, arriving, payload


@pytest.fixture
def rig() -> Rig:
    return Rig(queues=4)


def ethtool(rig: Rig, line: str) -> str:
    return rig.in_task(lambda: run_command(rig.kernel, f"ethtool {line}"))


def refusal(rig: Rig, line: str) -> str:
    """The one line with which a command is refused."""

    def attempt() -> str:
        try:
            run_command(rig.kernel, f"ethtool {line}")
        except CommandError as error:
            return str(error)
        return "done"

    return rig.in_task(attempt)


# -- rings and channels ----------------------------------------------------------------------------


def rings(rx: int, tx: int) -> str:
    return (
        "Ring parameters for eth0:\n"
        "Pre-set maximums:\nRX:\t\t4096\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t4096\n"
        "Current hardware settings:\n"
        f"RX:\t\t{rx}\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t{tx}\n"
    )


def test_rings_are_shown_and_changed(rig: Rig) -> None:
    assert ethtool(rig, "-g eth0") == rings(256, 256)
    assert ethtool(rig, "-G eth0 rx 512 tx 1000") == ""
    assert ethtool(rig, "--show-ring eth0") == rings(512, 1024)
    assert [len(ring.buffers) for ring in rig.adapter.tx] == [1024] * 4
    assert ethtool(rig, "-G eth0 rx 1") == ""
    assert ethtool(rig, "-g eth0") == rings(64, 1024)


def test_channels_are_shown_and_changed(rig: Rig) -> None:
    wanted = (
        "Channel parameters for eth0:\n"
        "Pre-set maximums:\nRX:\t\t4\nTX:\t\t4\nOther:\t\tn/a\nCombined:\tn/a\n"
        "Current hardware settings:\nRX:\t\t{}\nTX:\t\t{}\nOther:\t\tn/a\nCombined:\tn/a\n"
    )
    assert ethtool(rig, "-l eth0") == wanted.format(4, 4)
    assert ethtool(rig, "-L eth0 rx 2 tx 1") == ""
    assert ethtool(rig, "-l eth0") == wanted.format(2, 1)
    assert rig.dev.real_num_tx_queues == 1
    assert rig.adapter.rss_table == [0, 1] * 64


# -- interrupts and pause --------------------------------------------------------------------------


def test_coalescing_is_shown_and_changed(rig: Rig) -> None:
    assert ethtool(rig, "-C eth0 rx-usecs 20 rx-frames 16 tx-usecs 50") == ""
    shown = ethtool(rig, "-c eth0")
    assert shown.startswith("Coalesce parameters for eth0:\nAdaptive RX: n/a  TX: n/a\n")
    assert "\nrx-usecs: 20\nrx-frames: 16\nrx-usecs-irq: n/a\nrx-frames-irq: n/a\n\n" in shown
    assert "\ntx-usecs: 50\ntx-frames: 0\n" in shown
    rx, tx = regs.RXQ_BASE, regs.TXQ_BASE
    assert rig.model.register(rx + regs.Q_COALESCE) == 49 << 16 | 16
    assert rig.model.register(rx + regs.Q_MODERATION) == 0
    assert rig.model.register(tx + regs.Q_COALESCE) == 0
    assert rig.model.register(tx + regs.Q_MODERATION) == 123
    rig.in_task(lambda: run_command(rig.kernel, "ip link set eth0 down"))
    rig.in_task(lambda: run_command(rig.kernel, "ip link set eth0 up"))
    assert rig.model.register(rx + 3 * regs.RXQ_STRIDE + regs.Q_COALESCE) == 49 << 16 | 16


def test_pause_frames_are_honoured_or_not(rig: Rig) -> None:
    shown = "Pause parameters for eth0:\nAutonegotiate:\toff\nRX:\t\t{}\nTX:\t\toff\n\n"
    assert ethtool(rig, "-a eth0") == shown.format("on")
    gap = rig.model.register(regs.LINK_CFG) & 0xFF
    assert ethtool(rig, "-A eth0 rx off") == ""
    assert ethtool(rig, "-a eth0") == shown.format("off")
    assert rig.model.register(regs.LINK_CFG) == gap


# -- flow hash -------------------------------------------------------------------------------------


def test_the_flow_hash_is_shown(rig: Rig) -> None:
    lines = ethtool(rig, "-x eth0").splitlines()
    assert lines[0] == "RX flow hash indirection table for eth0 with 4 RX ring(s):"
    assert lines[1] == "    0:      0     1     2     3     0     1     2     3"
    assert lines[16] == "  120:      0     1     2     3     0     1     2     3"
    assert lines[17:19] == ["RSS hash key:", rig.adapter.rss_key.hex(":")]
    assert lines[19:21] == ["RSS hash function:", "    toeplitz: on"]


def test_flows_are_spread_as_the_administrator_says(rig: Rig) -> None:
    assert ethtool(rig, "-X eth0 equal 2") == ""
    assert rig.adapter.rss_table == [0, 1] * 64
    assert ethtool(rig, "-X eth0 start 2 equal 2") == ""
    assert rig.adapter.rss_table == [2, 3] * 64
    assert ethtool(rig, "-X eth0 weight 1 3 0 4") == ""
    assert [rig.adapter.rss_table.count(queue) for queue in range(4)] == [16, 48, 0, 64]
    key = ":".join(f"{byte:02x}" for byte in range(40))
    assert ethtool(rig, f"-X eth0 hkey {key}") == ""
    assert rig.model.register(regs.RSS_KEY + 4) == 0x07060504
    assert ethtool(rig, "-X eth0 default") == ""
    assert rig.adapter.rss_table == [0, 1, 2, 3] * 32


# -- driver, statistics, timestamps ----------------------------------------------------------------


def test_the_driver_says_who_it_is(rig: Rig) -> None:
    assert ethtool(rig, "-i eth0").splitlines()[:5] == [
        "driver: hnic",
        "version: 2.0",
        "firmware-version: ",
        "expansion-rom-version: ",
        "bus-info: hnic",
    ]


def test_statistics_have_a_line_for_each_counter(rig: Rig) -> None:
    for index in range(8):
        rig.xmit(rig.skb(payload(100)))
        rig.port.receive(bytes(arriving(payload(100), sport=index + 1)), index + 1)
    rig.run()
    lines = ethtool(rig, "-S eth0").splitlines()
    assert lines[0] == "NIC statistics:"
    assert all(line.startswith("     ") for line in lines[1:])
    stats = dict(line.strip().split(": ") for line in lines[1:])
    assert stats["tx_packets"] == stats["tx_queue_0_packets"] == stats["card_tx_frames"] == "8"
    assert sum(int(stats[f"rx_queue_{queue}_packets"]) for queue in range(4)) == 8
    assert stats["rx_queue_3_card_drops"] == "0"


def test_the_timestamps_a_card_takes_are_listed(rig: Rig) -> None:
    assert ethtool(rig, "-T eth0") == (
        "Time stamping parameters for eth0:\nCapabilities:\n\thardware-transmit\n"
        "\tsoftware-transmit\n\thardware-receive\n\tsoftware-receive\n\tsoftware-system-clock\n"
        "\thardware-raw-clock\nPTP Hardware Clock: none\n"
        "Hardware Transmit Timestamp Modes:\n\toff\n\ton\n"
        "Hardware Receive Filter Modes:\n\tnone\n\tall\n"
    )


# -- features --------------------------------------------------------------------------------------


def test_features_and_what_hangs_on_them(rig: Rig) -> None:
    told = ethtool(rig, "-K eth0 tx off")
    assert told == (
        "Actual changes:\n"
        "tx-checksum-ip-generic: off\n"
        "tx-tcp-segmentation: off [requested on]\n"
        "tx-tcp-ecn-segmentation: off [requested on]\n"
        "tx-tcp6-segmentation: off [requested on]\n"
    )
    assert ethtool(rig, "-K eth0 tx on").startswith("Actual changes:\ntx-checksum-ip-generic: on\n")
    assert rig.dev.features & nd.NETIF_F_TSO
    assert ethtool(rig, "-K eth0 tso off rxhash off") == ""
    assert not rig.dev.features & (nd.NETIF_F_ALL_TSO | nd.NETIF_F_RXHASH)
    shown = ethtool(rig, "-k eth0").splitlines()
    for line in (
        "rx-checksumming: on",
        "tcp-segmentation-offload: off",
        "\ttx-tcp6-segmentation: off",
        "receive-hashing: off",
        "rx-vlan-offload: on",
        "tx-vlan-offload: on",
        "generic-receive-offload: off [fixed]",
    ):
        assert line in shown


def test_the_card_strips_tags_as_long_as_it_shall(rig: Rig) -> None:
    strip = 1 << regs.RX_CTRL_VLAN_STRIP_LSB
    assert rig.model.register(regs.RX_CTRL) & strip
    ethtool(rig, "-K eth0 rxvlan off")
    assert not rig.model.register(regs.RX_CTRL) & strip
    ethtool(rig, "-K eth0 rxvlan on")
    assert rig.model.register(regs.RX_CTRL) & strip


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-G eth0 rx 5000", "netlink error: requested ring size exceeds maximum"),
        ("-G eth0 mini 5", "ethtool (-G): unknown parameter 'mini'"),
        ("-G eth0 rx", "ethtool (-G): no value for parameter 'rx'"),
        ("-G eth0 rx many", "ethtool (-G): invalid value 'many' for parameter 'rx'"),
        ("-G eth0 rx -1", "ethtool (-G): invalid value '-1' for parameter 'rx'"),
        ("-g eth0 now", "ethtool: unexpected parameter 'now'"),
        ("-L eth0 rx 5", "netlink error: requested channel count exceeds maximum"),
        ("-L eth0 tx 0", "netlink error: Invalid argument"),
        ("-C eth0 rx-usecs 99999", "netlink error: Invalid argument"),
        ("-C eth0 adaptive-rx on", "ethtool (-C): unknown parameter 'adaptive-rx'"),
        ("-A eth0 tx on", "netlink error: Invalid argument"),
        ("-A eth0 rx perhaps", "ethtool (-A): invalid value 'perhaps' for parameter 'rx'"),
        ("-X eth0 equal 5", "Cannot set RX flow hash configuration: Invalid argument"),
        ("-X eth0 weight 0 0", "At least one weight must be non-zero"),
        ("-X eth0 weight 100 100", "Total weight exceeds the size of the indirection table"),
        ("-X eth0 equal 2 weight 1", "Equal and weight options are mutually exclusive"),
        ("-X eth0 hkey 01:02", "Key is too short for device (2 < 40)"),
        ("-X eth0 hkey xx", "Invalid RSS hash key format"),
        ("-g eth7", 'Cannot find device "eth7"'),
        ("-K eth0 rxhash", 'Command line is not complete. Try option "help"'),
    ],
)
def test_mistakes(rig: Rig, line: str, told: str) -> None:
    assert refusal(rig, line) == told


def test_a_table_set_by_hand_keeps_its_queues(rig: Rig) -> None:
    ethtool(rig, "-X eth0 equal 4")
    assert refusal(rig, "-L eth0 rx 2") == (
        "netlink error: requested channel counts are too low for existing indirection table"
        " settings"
    )


@pytest.mark.parametrize("what", ["pause", "rss"])
def test_a_card_that_cannot_says_so(rig: Rig, what: str) -> None:
    setattr(rig.adapter.info, what, False)
    line, told = {
        "pause": ("-a eth0", "netlink error: Operation not supported"),
        "rss": ("-x eth0", "Cannot get RX ring count: Operation not supported"),
    }[what]
    assert refusal(rig, line) == told
