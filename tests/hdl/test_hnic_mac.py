"""The two MACs behind one set of ports: frames go out, come in, and wait while the link pauses."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from cocotbext.eth import GmiiSink, GmiiSource, XgmiiSink, XgmiiSource

from tests.hdl.bench import StreamSource, run_module, seeded, start

MAC = bytes.fromhex("020000000001")
PAUSE = bytes.fromhex("0180c2000001020000000009 8808 0001")
IDLE = {
    "time_ns": 0,
    "cfg_ifg": 12,
    "cfg_pause": 1,
    "cfg_mac": int.from_bytes(MAC, "little"),
    "s_wire_cookie": 0xABCD,
    "gmii_rxd": 0,
    "gmii_rx_dv": 0,
    "gmii_rx_er": 0,
    "xgmii_rxd": 0x0707070707070707,
    "xgmii_rxc": 0xFF,
}


@pytest.mark.parametrize("gmii", [0, 1])
@pytest.mark.parametrize("width", [64, 256])
def test_each_mac_sends_and_receives(module_simulator: str, gmii: int, width: int) -> None:
    run_module(__file__, module_simulator, {"GMII": gmii, "DATA_W": width})


def wire(dut: Any) -> tuple[Any, Any]:
    """The far end: (sink, source)."""
    if int(dut.GMII.value):
        sink = GmiiSink(dut.gmii_txd, dut.gmii_tx_er, dut.gmii_tx_en, dut.clk, dut.rst)
        source = GmiiSource(dut.gmii_rxd, dut.gmii_rx_er, dut.gmii_rx_dv, dut.clk, dut.rst)
    else:
        sink = XgmiiSink(dut.xgmii_txd, dut.xgmii_txc, dut.clk, dut.rst)
        source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk, dut.rst)
    return sink, source


def words(dut: Any, frame: bytes, cookie: int) -> list[dict[str, int]]:
    size = len(dut.tx_data) // 8
    parts = [frame[at : at + size] for at in range(0, len(frame), size)]
    return [
        {
            "data": int.from_bytes(part, "little"),
            "count": len(part),
            "last": int(number == len(parts) - 1),
            "cookie": cookie,
            "end": 1,
        }
        for number, part in enumerate(parts)
    ]


async def received(dut: Any) -> tuple[bytes, bool]:
    """The next frame that comes in, and whether it is good."""
    frame = b""
    while True:
        await RisingEdge(dut.clk)
        if not dut.rx_valid.value:
            continue
        count = int(dut.rx_count.value)
        frame += int(dut.rx_data.value).to_bytes(8, "little")[:count]
        if dut.rx_last.value:
            return frame, bool(dut.rx_good.value)


async def begin(dut: Any) -> tuple[Any, Any, StreamSource]:
    source = StreamSource(dut, "tx", seeded())
    await start(dut, **IDLE)
    return *wire(dut), source


@cocotb.test()
async def frames_go_out(dut: Any) -> None:
    sink, _, stream = await begin(dut)
    rng = seeded()
    for size in (60, 61, 64, 200, 1514):
        frame = rng.randbytes(size)
        cocotb.start_soon(stream.send(words(dut, frame, size)))
        while not dut.sent.value:
            await RisingEdge(dut.clk)
        assert dut.sent_end.value == 1
        assert int(dut.m_wire_cookie.value) == size
        assert int(dut.sent_bytes.value) == size
        got = await sink.recv()
        assert got.check_fcs()
        assert bytes(got.get_payload()) == frame


@cocotb.test()
async def frames_come_in(dut: Any) -> None:
    _, source, _ = await begin(dut)
    rng = seeded()
    kind = type(source).__name__
    for size in (60, 61, 64, 200, 1514):
        frame = rng.randbytes(size)
        await source.send(frame_of(kind, frame))
        got, good = await received(dut)
        assert (got, good) == (frame, True)
        assert int(dut.rx_cookie.value) == 0xABCD


def frame_of(kind: str, payload: bytes) -> Any:
    from cocotbext.eth import GmiiFrame, XgmiiFrame

    return (GmiiFrame if kind.startswith("Gmii") else XgmiiFrame).from_payload(payload)


@cocotb.test()
async def a_pause_frame_holds_the_sender(dut: Any) -> None:
    sink, source, stream = await begin(dut)
    quanta = 8
    pause = PAUSE + quanta.to_bytes(2, "big")
    await source.send(frame_of(type(source).__name__, pause.ljust(60, b"\0")))
    while not dut.status_paused.value:
        await RisingEdge(dut.clk)
    cocotb.start_soon(stream.send(words(dut, bytes(60), 1)))
    held = 0
    while dut.status_paused.value:
        await RisingEdge(dut.clk)
        held += 1
        assert not dut.m_wire_cookie_valid.value
    bits = 8 if int(dut.GMII.value) else 64
    assert abs(held - quanta * 512 // bits) <= 2
    assert (await sink.recv()).check_fcs()
