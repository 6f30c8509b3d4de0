"""The hash of Microsoft's verification suite, and of a model that goes bit by bit."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSource, run_module, seeded, start
from tests.hdl.rx import Config, toeplitz

MICROSOFT_KEY = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
)
# "Verifying the RSS Hash Calculation": source, port, destination, port; hash without, with ports
MICROSOFT = [
    ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323E8FC2, 0x51CCC178),
    ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xD718262A, 0xC626B0EA),
    ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xD2D0A5DE, 0x5C2B394A),
    ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x82989176, 0xAFC7327F),
    ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5D1809C5, 0x10E828A2),
    ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2CC18CD5, 0x40207D3D),
    ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0F0C461C, 0xDDE51BBF),
    (
        "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
        44251,
        "fe80::200:f8ff:fe21:67cf",
        38024,
        0x4B61E985,
        0x02D1FEEF,
    ),
]


@pytest.mark.parametrize("queues", [1, 5, 32])
def test_hashes_are_those_of_microsoft(module_simulator: str, queues: int) -> None:
    run_module(__file__, module_simulator, {"QUEUES": queues})


def queue_of(entry: int, dut: Any) -> int:
    """Where an entry leads: tables of 1 and 5 queues can name queues that are not there."""
    queues = {1: 1, 3: 5, 5: 32}[len(dut.out_queue)]
    return entry if entry < queues else 0


async def hash_of(dut: Any, addresses: bytes, ports: bytes, count_ports: bool) -> tuple[int, ...]:
    """Hash, type and queue. Ports go in whether they count or not."""
    rng = seeded()
    v4 = len(addresses) == 8
    parts = [
        {"data": int.from_bytes(addresses[i : i + 8], "big"), "step": i // 8, "ports": 0}
        for i in range(0, len(addresses), 8)
    ]
    data = int.from_bytes(ports, "big") << 32
    parts.append({"data": data, "step": len(addresses) // 8, "ports": 1})
    await StreamSource(dut, "in", rng, 0.2).send(parts)
    verdict = {"v4": int(v4), "v6": int(not v4), "l4": int(count_ports)}
    await StreamSource(dut, "end", rng).send([verdict])
    while not dut.out_valid.value:
        await RisingEdge(dut.clk)
    return int(dut.out_hash.value), int(dut.out_type.value), int(dut.out_queue.value)


@cocotb.test()
async def the_verification_suite(dut: Any) -> None:
    await start(dut, in_valid=0, end_valid=0)
    config = Config(rss_key=MICROSOFT_KEY)
    config.drive(dut)
    for src, sport, dst, dport, bare, full in MICROSOFT:
        addresses = ip_address(src).packed + ip_address(dst).packed
        ports = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
        kind = 1 if len(addresses) == 8 else 3
        assert toeplitz(MICROSOFT_KEY, addresses + ports) == full
        assert await hash_of(dut, addresses, ports, False) == (bare, kind, 0)
        assert await hash_of(dut, addresses, ports, True) == (full, kind + 1, 0)


@cocotb.test()
async def any_key_and_any_table(dut: Any) -> None:
    rng = seeded()
    await start(dut, in_valid=0, end_valid=0)
    entries = 1 << len(dut.out_queue)
    for turn in range(60):
        if turn % 10 == 0:
            table = [rng.randrange(entries) for _ in range(128)]
            config = Config(rss_key=rng.randbytes(40), rss_table=table)
            config.drive(dut)
        addresses = rng.randbytes(rng.choice([8, 32]))
        ports, count = rng.randbytes(4), rng.random() < 0.5
        wanted = toeplitz(config.rss_key, addresses + ports * count)
        assert await hash_of(dut, addresses, ports, count) == (
            wanted,
            (1 if len(addresses) == 8 else 3) + count,
            queue_of(config.rss_table[wanted & 127], dut),
        )


@cocotb.test()
async def no_hash_leads_to_queue_0(dut: Any) -> None:
    """Switched off, and for frames that are no IP."""
    rng = seeded()
    await start(dut, in_valid=0, end_valid=0)
    table = [1] * 128
    for rss in (True, False, True):
        Config(rss=rss, rss_table=table, rss_key=rng.randbytes(40)).drive(dut)
        got = await hash_of(dut, rng.randbytes(32), rng.randbytes(4), True)
        assert got[1:] == ((4, queue_of(1, dut)) if rss else (0, 0))
        assert rss or got[0] == 0
        await StreamSource(dut, "end", rng).send([{"v4": 0, "v6": 0, "l4": 0}])
        while not dut.out_valid.value:
            await RisingEdge(dut.clk)
        assert int(dut.out_hash.value) == int(dut.out_queue.value) == int(dut.out_type.value) == 0
