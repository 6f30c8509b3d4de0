from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from pyhost.dma.debug import DmaViolation
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.rx_engine import l4_checksum_ok
from pyhost.net.core.checksum import csum_bytes
from tests.unit.drivers.net.hnic.rig import payload, tcp_frame, udp_frame
from tests.unit.drivers.net.hnic_model.card_rig import DATA, LOG2, RING, CardRig, record

SIZE = 1 << LOG2
BUFFER = 512


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable(regs.RXQ_BASE)
    return rig


def post(rig: CardRig, *buf_ids: int) -> None:
    """Post buffers of 512 bytes, buffer i at its own place in data memory."""
    for buf_id in buf_ids:
        where = RING + rig.tail % SIZE * regs.RXD_BYTES
        desc = record("RXD", ADDR=DATA + buf_id * BUFFER, LEN=BUFFER, BUF_ID=buf_id)
        rig.kernel.mem.buf[where : where + regs.RXD_BYTES] = desc.to_bytes(regs.RXD_BYTES, "little")
        rig.tail = rig.tail + 1 & 0xFFFF
    rig.bus.writel(rig.tail, regs.RXQ_BASE + regs.Q_DOORBELL)


def test_a_frame_goes_into_the_next_buffer_and_its_completion_says_all(rig: CardRig) -> None:
    post(rig, 9, 4)
    frame = bytes(udp_frame(payload(100)))
    rig.port.receive(frame, 77)
    rig.port.receive(frame[:60], 78)
    assert bytes(rig.kernel.mem.buf[DATA + 9 * BUFFER :][: len(frame)]) == frame
    done = rig.completion(0, "RXC")
    assert (done["BUF_ID"], done["HEAD"], done["STATUS"], done["PHASE"]) == (9, 1, 0, 1)
    assert (done["LEN"], done["COOKIE"], done["CSUM_OK"]) == (len(frame), 77, 1)
    total = sum(int.from_bytes(frame[i : i + 2], "big") for i in range(14, len(frame), 2))
    assert (done["CSUM"] - total) % 0xFFFF == 0
    assert rig.completion(1, "RXC")["BUF_ID"] == 4
    assert rig.reg(regs.RXQ_BASE + regs.Q_CPL_HEAD) == 2


def test_frames_without_a_buffer_or_a_queue_are_dropped_and_counted(rig: CardRig) -> None:
    rig.port.receive(payload(60), 1)
    post(rig, 0)
    rig.port.receive(payload(513), 2)
    rig.port.receive(payload(512), 3)
    rig.bus.writel(0, regs.RXQ_BASE + regs.Q_CTRL)
    rig.port.receive(payload(60), 4)
    engine = rig.model.rx
    assert (engine.dropped_no_desc, engine.dropped_too_long, engine.dropped_disabled) == (1, 1, 1)
    assert rig.completion(0, "RXC")["COOKIE"] == 3


def test_the_rx_interrupt_is_one_shot_and_has_its_own_vector(rig: CardRig) -> None:
    post(rig, *range(8))
    rig.bus.writel(0, regs.RXQ_BASE + regs.Q_IRQ_ARM)
    for key in range(1, 4):
        rig.port.receive(payload(60), key)
    rig.run()
    assert rig.fired == [1]
    rig.bus.writel(2, regs.RXQ_BASE + regs.Q_IRQ_ARM)
    rig.run()
    assert rig.fired == [1, 1]


def test_a_buffer_that_was_never_given_is_a_violation(rig: CardRig) -> None:
    rig.kernel.mem.buf[RING : RING + 16] = record("RXD", ADDR=0x30_0000, LEN=BUFFER).to_bytes(
        16, "little"
    )
    rig.bus.writel(1, regs.RXQ_BASE + regs.Q_DOORBELL)
    with pytest.raises(DmaViolation, match="write of 60 bytes at 0x300000"):
        rig.port.receive(payload(60), 1)


def test_a_descriptor_that_cannot_be_read_is_reported(rig: CardRig) -> None:
    post(rig, 5)
    rig.model.rx.master.fault = lambda addr, length, write: addr == RING
    rig.port.receive(payload(60), 1)
    assert rig.completion(0, "RXC")["STATUS"] == regs.STATUS_DESC_ERR


def flipped(packet: Packet, at: int) -> bytes:
    raw = bytearray(bytes(packet))
    raw[at] ^= 0x10
    return bytes(raw)


GOOD = {
    "tcp": bytes(tcp_frame(payload(700))),
    "tcp, odd": bytes(tcp_frame(payload(701))),
    "tcp, no data": bytes(tcp_frame(b"")),
    "tcp, padded": bytes(tcp_frame(b"")) + b"padding",
    "udp": bytes(udp_frame(payload(33))),
    "ip options": bytes(Ether() / IP(options=[b"\x01\x01\x01\x01"]) / TCP() / Raw(b"abc")),
}
NOT_GOOD = {
    "tcp payload": flipped(tcp_frame(payload(700)), 600),
    "tcp header": flipped(tcp_frame(payload(700)), 40),
    "pseudo header": flipped(tcp_frame(payload(700)), 27),
    "udp": flipped(udp_frame(payload(33)), 70),
    "udp without sum": bytes(Ether() / IP() / UDP(chksum=0) / Raw(b"abcd")),
    "icmp": bytes(Ether() / IP() / ICMP()),
    "arp": bytes(Ether() / ARP()).ljust(60, b"\0"),
    "first fragment": bytes(Ether() / fragment(IP() / UDP() / Raw(payload(600)), 256)[0]),
    "last fragment": bytes(Ether() / fragment(IP() / UDP() / Raw(payload(600)), 256)[-1]),
    "cut off": bytes(tcp_frame(payload(700)))[:-1],
    "runt": payload(20),
    "total length too small": bytes(Ether() / IP(len=30) / TCP()),
}


@pytest.mark.parametrize("name", GOOD)
def test_right_checksums_are_found_right(name: str) -> None:
    assert l4_checksum_ok(GOOD[name], csum_bytes(GOOD[name][14:]))


@pytest.mark.parametrize("name", NOT_GOOD)
def test_anything_else_is_left_to_the_stack(name: str) -> None:
    assert not l4_checksum_ok(NOT_GOOD[name], csum_bytes(NOT_GOOD[name][14:]))
