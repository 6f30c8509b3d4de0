"""Bytes of each sum, and the verdict on lengths, for datagrams of every kind, cut off anywhere."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from tests.hdl.bench import Item, StreamSink, StreamSource, number, run_module, seeded, start
from tests.hdl.rx import Datagram, datagram, network_words, random_frame, split

WORD = ["data", "last", "raw", "ip", "l4"]
VERDICT = ["v4", "v6", "l4", "judge", "pseudo", "front"]
IPV4, IPV6 = 0x0800, 0x86DD

Case = tuple[int, bytes]


def test_datagrams_are_found_and_judged(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


def chosen(words: list[Item], field: str, bits: int) -> bytes:
    """The bytes that a mask names, in order."""
    each = 8 // bits
    data = b""
    for word in words:
        raw = word["data"].to_bytes(8, "big")
        for i in range(bits):
            if word[field] >> (bits - 1 - i) & 1:
                data += raw[each * i : each * (i + 1)]
    return data


class Parts:
    """What goes to the hash: the newest of each part, as hnic_rss keeps it."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.addresses: dict[int, int] = {}
        self.ports: tuple[int, int] = (0, 0)

    async def watch(self, ends: list[tuple[bytes, tuple[int, int]]]) -> None:
        """Add what is there at each frame's end to `ends`."""
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if dut.hash_valid.value:
                step, data = int(dut.hash_step.value), number(dut.hash_data)
                if dut.hash_ports.value:
                    self.ports = (step, data)
                else:
                    self.addresses = {**(self.addresses if step else {}), step: data}
            if dut.end_valid.value:
                addresses = b"".join(v.to_bytes(8, "big") for v in self.addresses.values())
                ends.append((addresses, self.ports))


async def check(dut: Any, cases: list[Case], pause: float = 0.0) -> None:
    rng = seeded()
    inputs = [
        network_words(data, rng, type=kind, front=index) for index, (kind, data) in enumerate(cases)
    ]
    items = [word for words in inputs for word in words]
    hashes: list[tuple[bytes, tuple[int, int]]] = []
    watcher = cocotb.start_soon(Parts(dut).watch(hashes))
    words = cocotb.start_soon(StreamSink(dut, "out", WORD, rng).take(len(items)))
    ends = cocotb.start_soon(StreamSink(dut, "end", VERDICT, rng).take(len(cases)))
    await StreamSource(dut, "in", rng, pause).send(items)
    out, verdicts = iter(await words), await ends
    await ClockCycles(dut.clk, 2)
    watcher.cancel()
    for index, (kind, data) in enumerate(cases):
        got = [next(out) for _ in inputs[index]]
        assert [w["last"] for w in got] == [w["last"] for w in inputs[index]]
        assert chosen(got, "raw", 8) == data
        assert verdicts[index]["front"] == index
        judge_one(data, datagram(kind, data), got, verdicts[index], hashes[index])


def judge_one(
    data: bytes,
    packet: Datagram | None,
    words: list[Item],
    end: Item,
    parts: tuple[bytes, tuple[int, int]],
) -> None:
    v4 = packet is not None and packet.v4
    v6 = packet is not None and not packet.v4
    assert (end["v4"], end["v6"]) == (int(v4), int(v6))
    if packet is None:
        assert not end["l4"]
        assert not end["judge"]
        return
    assert end["l4"] == int(packet.whole_l4)
    assert end["judge"] == int(packet.judged)
    assert chosen(words, "ip", 2) == (data[: 4 * (data[0] & 15)] if v4 else b"")
    assert parts[0] == packet.src + packet.dst
    if packet.whole_l4:
        ports = int.from_bytes(packet.l4[:4], "big") << 32
        assert parts[1] == (len(packet.src) // 4, ports)
    if packet.judged:
        assert chosen(words, "l4", 8) == packet.src + packet.dst + packet.l4
        assert end["pseudo"] == len(packet.l4) + packet.proto


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def datagrams_of_every_kind(dut: Any, pause: float) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    cases = []
    for _ in range(150):
        frame = random_frame(rng, longest=80)
        l3, kind, _ = split(frame)
        cases.append((kind, frame[l3:]))
    await check(dut, cases, pause)


@cocotb.test()
async def every_header_length_at_every_cut(dut: Any) -> None:
    await start(dut, in_valid=0)
    cases: list[Case] = []
    for options in (0, 4, 8, 12, 40):
        head = IP(options=b"\x01" * options)
        for rest in (TCP(), UDP() / b"a"):
            whole = bytes(head / rest)
            cases += [(IPV4, whole[:n]) for n in range(len(whole) - 9, len(whole) + 1)]
            cases.append((IPV4, whole + b"padding"))
    for rest in (TCP(), UDP()):
        whole = bytes(IPv6() / rest)
        cases += [(IPV6, whole[:n]) for n in range(len(whole) + 1)]
        cases.append((IPV6, whole + b"padding"))
    cases += [(IPV6, cases[0][1]), (IPV4, bytes(IPv6() / TCP())), (0x0806, bytes(IP() / TCP()))]
    await check(dut, cases)


@cocotb.test()
async def lengths_that_lie(dut: Any) -> None:
    rng = seeded()
    await start(dut, in_valid=0)
    cases: list[Case] = []
    for total in (0, 19, 20, 27, 28, 29, 39, 40, 41, 48, 49, 60, 65535):
        for rest in (TCP(), UDP(), UDP(len=8), UDP(len=total & 0xFF)):
            cases.append((IPV4, bytes(IP(len=total) / rest / Raw(rng.randbytes(20)))))
            cases.append((IPV6, bytes(IPv6(plen=total) / rest / Raw(rng.randbytes(20)))))
    for ihl in range(16):
        cases.append((IPV4, bytes(IP(ihl=ihl) / TCP() / Raw(rng.randbytes(30)))))
    await check(dut, cases)


@cocotb.test()
async def the_longest_datagram(dut: Any) -> None:
    """What 16 bits of length can say."""
    await start(dut, in_valid=0)
    head = bytes(IP(len=65535, proto=17) / UDP(len=65515, chksum=1))
    await check(dut, [(IPV4, head.ljust(65535, b"\xa5"))])
