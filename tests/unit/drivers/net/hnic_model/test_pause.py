"""Pause frames (IEEE 802.3 annex 31B) hold the transmitter between frames."""

from __future__ import annotations

import pytest

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.limits import DOORBELL_LATENCY_NS
from tests.unit.drivers.net.hnic.rig import HOST_MAC, payload
from tests.unit.drivers.net.hnic_model.card_rig import DATA, CardRig, txq, whole

QUANTUM_NS = 51.2
MULTICAST = bytes.fromhex("0180c2000001")
HOST = bytes.fromhex(HOST_MAC.replace(":", ""))
ON = 12 | 1 << regs.LINK_CFG_PAUSE_LSB


def pause(quanta: int, dest: bytes = MULTICAST, opcode: int = 1) -> bytes:
    body = b"\x88\x08" + opcode.to_bytes(2, "big") + quanta.to_bytes(2, "big")
    return (dest + bytes(6) + body).ljust(60, b"\0")


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable()
    rig.bus.writel(ON, regs.LINK_CFG)
    rig.fill(payload(4000))
    return rig


def start_of(rig: CardRig, frame: bytes) -> float:
    """How long after the arrival of `frame` a packet that waits leaves."""
    rig.clock.run(until=rig.clock.now + 10_000)
    rig.port.receive(frame, 0)
    arrived = rig.clock.now
    rig.post(whole(DATA, 64))
    rig.run()
    return rig.port.sent[-1][0] - arrived


@pytest.mark.parametrize("dest", [MULTICAST, HOST])
@pytest.mark.parametrize("quanta", [100, 0xFFFF])
def test_no_frame_begins_while_the_quanta_last(rig: CardRig, dest: bytes, quanta: int) -> None:
    assert start_of(rig, pause(quanta, dest)) == pytest.approx(quanta * QUANTUM_NS, abs=1)
    assert rig.reg(regs.STAT_RX_PAUSES) == 1
    assert rig.reg(regs.STAT_RX_FRAMES) == 0


@pytest.mark.parametrize(
    "frame", [pause(1000, bytes.fromhex("0180c2000002")), pause(1000, opcode=2), pause(0)]
)
def test_other_control_frames_hold_nothing(rig: CardRig, frame: bytes) -> None:
    assert start_of(rig, frame) == DOORBELL_LATENCY_NS


def test_without_the_setting_pause_frames_are_only_counted(rig: CardRig) -> None:
    rig.bus.writel(12, regs.LINK_CFG)
    assert start_of(rig, pause(1000)) == DOORBELL_LATENCY_NS
    assert rig.reg(regs.STAT_RX_PAUSES) == 1


def test_the_frame_on_the_wire_ends_and_the_register_tells(rig: CardRig) -> None:
    rig.post(whole(DATA, 1514, 1), whole(DATA, 64, 2))
    rig.clock.run(until=rig.clock.now + DOORBELL_LATENCY_NS + 10)
    rig.port.receive(pause(500), 0)
    arrived = rig.clock.now
    assert rig.model.register(regs.LINK_STATUS) >> regs.LINK_STATUS_PAUSED_LSB & 1
    rig.clock.run(until=arrived + 5000)
    assert rig.completion(0)["COOKIE"] == 1
    assert len(rig.port.sent) == 1
    rig.run()
    assert rig.port.sent[1][0] == pytest.approx(arrived + 500 * QUANTUM_NS, abs=1)
    assert not rig.reg(regs.LINK_STATUS) >> regs.LINK_STATUS_PAUSED_LSB & 1


@pytest.mark.parametrize("quanta", [0, 10, 2000])
def test_each_pause_frame_replaces_the_time_that_is_left(rig: CardRig, quanta: int) -> None:
    rig.port.receive(pause(1000), 0)
    rig.post(whole(DATA, 64))
    rig.clock.run(until=20_000)
    rig.port.receive(pause(quanta), 0)
    rig.run()
    assert rig.port.sent[0][0] == pytest.approx(20_000 + quanta * QUANTUM_NS, abs=1)


def test_a_super_packet_is_held_between_its_frames(rig: CardRig) -> None:
    shape = {
        "TSO": 1, "CSUM": 1, "IPV4": 1, "L3_START": 14, "CSUM_START": 34, "CSUM_OFFSET": 16,
        "HDR_LEN": 54, "MSS": 1000,
    }  # fmt: skip
    rig.post(whole(DATA, 3054, **shape))
    rig.clock.run(until=rig.clock.now + DOORBELL_LATENCY_NS + 1000)
    rig.port.receive(pause(100), 0)
    arrived = rig.clock.now
    rig.run()
    starts = [start for start, _, _ in rig.port.sent]
    assert starts[1] < arrived
    assert starts[2] == pytest.approx(arrived + 100 * QUANTUM_NS, abs=1)


@pytest.mark.parametrize("what", ["queue", "card", "setting"])
def test_a_reset_does_not_wait_for_the_end_of_the_pause(rig: CardRig, what: str) -> None:
    rig.port.receive(pause(0xFFFF), 0)
    rig.post(whole(DATA, 64))
    rig.clock.run(until=5000)
    if what == "queue":
        rig.bus.writel(1 << regs.Q_CTRL_RESET_LSB, txq(0) + regs.Q_CTRL)
    elif what == "card":
        rig.bus.writel(1 << regs.CTRL_RESET_LSB, regs.CTRL)
    else:
        rig.bus.writel(12, regs.LINK_CFG)
    rig.clock.run(until=5100)
    assert rig.model.register(txq(0) + regs.Q_CTRL) == (what == "setting")
    assert rig.model.register(regs.CTRL) == (what != "card")
    assert len(rig.port.sent) == (what == "setting")
