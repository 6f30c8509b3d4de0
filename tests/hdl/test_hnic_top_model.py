"""The card against its Python model: random packets and frames, the same bytes and completions."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import cocotb
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from pyhost.drivers.net.hnic import hnic_regs as r
from pyhost.drivers.net.hnic.hnic_desc import TX_DESC
from pyhost.drivers.net.hnic_model.pause import PauseTimer
from pyhost.drivers.net.hnic_model.rss import Rss
from pyhost.drivers.net.hnic_model.rx_filter import RxFilter
from pyhost.drivers.net.hnic_model.rx_frame import rx_examine
from pyhost.drivers.net.hnic_model.rx_mac import RxMac
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.tx_data import TxData
from pyhost.drivers.net.hnic_model.tx_packet import TxPacket
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.trace import Tracer
from tests.hdl.bench import run_module
from tests.hdl.card import Card
from tests.hdl.card_rings import descriptor

PACKETS = 60
FRAMES = 150
CONTROL = 1 << r.RX_CTRL_PROMISC_LSB | 1 << r.RX_CTRL_RSS_LSB | 1 << r.RX_CTRL_VLAN_STRIP_LSB


def test_the_card_does_what_its_model_does(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"AXI_DATA_W": 128}, top="hnic_top")


# -- transmit --------------------------------------------------------------------------------------


class Memory:
    """The RAM of the bench, for the model."""

    def __init__(self, card: Card) -> None:
        self._ram = card.ram

    def read(self, addr: int, length: int) -> bytes:
        return bytes(self._ram.read(addr, length))


def random_fields(rng: random.Random, size: int) -> dict[str, int]:
    """What a first descriptor asks for; now and then something that is wrong."""
    fields: dict[str, int] = {}
    ipv4 = rng.random() < 0.5
    l4 = 34 if ipv4 else 54
    if rng.random() < 0.5:
        fields |= {"vlan": 1, "vlan_tci": rng.randrange(65536)}
    if size > 120 and rng.random() < 0.4:
        fields |= {
            "tso": 1, "csum": 1, "ipv4": int(ipv4), "l3_start": 14, "csum_start": l4,
            "csum_offset": 16, "hdr_len": l4 + rng.choice([20, 32]), "mss": rng.randrange(20, 700),
        }  # fmt: skip
    elif rng.random() < 0.7:
        start = rng.randrange(14, 70)
        fields |= {"csum": 1, "csum_start": start, "csum_offset": rng.choice([6, 16])}
    if rng.random() < 0.3:
        fields |= {"ipv4": 1, "ipcsum": 1, "l3_start": 14}
    if rng.random() < 0.1:
        fields |= {rng.choice(["mss", "hdr_len", "csum_offset", "l3_start"]): rng.randrange(256)}
    return fields


def model_of(card: Card, descs: list[bytes], first: int) -> TxPacket:
    """The packet as the model judges and builds it."""
    words = [TX_DESC.unpack(desc) for desc in descs]
    packet = TxPacket(first, words[0])
    for index, desc in enumerate(words):
        if status := packet.add(desc, desc is words[-1]):
            packet.fail(status, first + index)
            return packet
    TxData(Memory(card), CardStats(), Tracer(VirtualClock())).load(packet)  # type: ignore[arg-type]
    return packet


@cocotb.test()
async def packets_leave_as_the_model_says(dut: Any) -> None:
    card = await Card(dut).start()
    ring = card.tx[0]
    wrong = 0
    for cookie in range(PACKETS):
        size = card.rng.randrange(13, 1500)
        data = bytearray(card.rng.randbytes(size))
        data[14:15] = b"\x45"
        cuts = sorted(card.rng.sample(range(1, size), card.rng.choice([0, 1, 3, 8])))
        edges = [0, *cuts, size]
        fields = random_fields(card.rng, size)
        descs = []
        for a, b in pairwise(edges):
            addr = card.place(bytes(data[a:b]), card.rng.randrange(64))
            more = {} if a else dict(fields)
            asked = (more.pop("csum_start"), more.pop("csum_offset")) if "csum" in more else None
            more.pop("csum", None)
            descs.append(
                descriptor(addr, b - a, sop=not a, eop=b == size, cookie=cookie, csum=asked, **more)
            )
        want = model_of(card, descs, ring.tail)
        for desc in descs:
            ring.post(desc)
        await ring.doorbell()
        (got,) = await ring.completions(1)
        await card.settle()
        assert (got.cookie, got.status, got.fault) == (cookie, want.status, want.fault), fields
        assert card.frames() == want.frames, (fields, size)
        if want.status:
            wrong += 1
            await ring.reset()
            await ring.start()
    assert 0 < wrong < PACKETS / 2


# -- receive ---------------------------------------------------------------------------------------


def random_frame(rng: random.Random) -> bytes:
    """IP of some kind, tagged or not, often with something wrong in it."""
    ip = IP(src="10.0.0.1", dst="10.0.0.2") if rng.random() < 0.6 else IPv6(src="::1", dst="::2")
    if isinstance(ip, IP):
        ip.options = [b"\x01" * 4] * rng.choice([0, 0, 1, 10])
        ip.frag = rng.choice([0, 0, 0, 7])
    l4 = rng.choice([TCP, UDP])(sport=rng.randrange(65536), dport=9)
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    tag = ether / Dot1Q(vlan=5) if rng.random() < 0.4 else ether
    raw = bytearray(bytes(tag / ip / l4 / Raw(rng.randbytes(rng.choice([0, 1, 7, 30, 500])))))
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        raw[rng.randrange(12, min(len(raw), 80))] ^= 1 << rng.randrange(8)
    cut = rng.choice([0, 0, 0, 1, 20])
    return bytes(raw[: len(raw) - cut]).ljust(60, rng.choice([b"\0", b"x"]))


@cocotb.test()
async def frames_are_judged_as_the_model_does(dut: Any) -> None:
    card = await Card(dut).start()
    await card.bring_up_rx()
    ring = card.rx[0]
    rss = Rss(8)
    for index in range(r.RSS_KEY_COUNT):
        word = card.rng.getrandbits(32)
        await card.write(r.RSS_KEY + 4 * index, word)
        rss.write(r.RSS_KEY + 4 * index, word)
    await card.write(r.RX_CTRL, CONTROL)
    taken: list[bytes] = []
    stats = CardStats()
    wanted = RxFilter(bytes(6))
    wanted.control = CONTROL
    mac = RxMac(
        VirtualClock(), 10**10, wanted, PauseTimer(10**10), stats,
        lambda frame, key, ns: taken.append(frame),
    )  # fmt: skip
    mac.card_enabled = True
    for key in range(FRAMES):
        frame = random_frame(card.rng)
        taken.clear()
        mac.receive(frame, key)
        await card.receive(frame, key)
        await card.settle()
        got = ring.completion()
        assert (got is not None) == bool(taken), frame.hex()
        if got is None:
            continue
        want = rx_examine(frame, key, 0, CONTROL, rss)
        stats.rx_csum_errs += want.csum_bad
        assert got.frame == want.data, frame.hex()
        assert got.record >> 128 & (1 << 64) - 1 == want.shape, frame.hex()
        low = (1 << r.RXC_BUFS_LSB - 192) - 1 | 0xFF << r.RXC_HASH_TYPE_LSB - 192
        assert got.record >> 192 & low == want.last, frame.hex()
        ring.post_buffer(2048, card.rng.randrange(64))
        await ring.doorbell()
    for register in (r.STAT_RX_CSUM_ERRS, r.STAT_RX_LEN_ERRS, r.STAT_RX_FILTERED):
        assert await card.read(register) == stats.read(register)
    assert stats.rx_csum_errs > 0
