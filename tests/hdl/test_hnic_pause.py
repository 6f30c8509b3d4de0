"""PAUSE frames, made by scapy, hold for their quanta; others do not."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from scapy.contrib.mac_control import MACControlGate, MACControlPause
from scapy.layers.l2 import Ether

from tests.hdl.bench import reset, run_module, seeded, start
from tests.hdl.frames import words

MULTICAST = "01:80:c2:00:00:01"
OWN = "02:11:22:33:44:55"
OTHER = "02:11:22:33:44:56"
IDLE = {"in_valid": 0, "in_last": 0, "in_good": 0}
CONFIG = {"cfg_pause": 1, "cfg_mac": int.from_bytes(bytes.fromhex(OWN.replace(":", "")), "little")}


@pytest.mark.parametrize("bits", [8, 64])
def test_pause_frames_hold(module_simulator: str, bits: int) -> None:
    run_module(__file__, module_simulator, {"BITS_A_CYCLE": bits})


def pause(quanta: int, destination: str = MULTICAST) -> bytes:
    frame = Ether(dst=destination, src=OTHER, type=0x8808) / MACControlPause(pause_time=quanta)
    return bytes(frame).ljust(60, b"\0")


def quantum(dut: Any) -> int:
    return 512 // int(dut.BITS_A_CYCLE.value)


class Stream:
    """The receive MAC's stream; counts the pulses and how long `hold` is high."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self.pauses = 0
        self.held = 0
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            self.pauses += int(self._dut.stat_rx_pauses.value)
            self.held += int(self._dut.hold.value)

    async def send(self, frame: bytes, good: int = 1, gap: int = 0) -> None:
        for item in words(frame):
            self._dut.in_data.value = item["data"]
            self._dut.in_last.value = item["last"]
            self._dut.in_good.value = item["last"] & good
            self._dut.in_valid.value = 1
            await RisingEdge(self._dut.clk)
            self._dut.in_valid.value = 0
            for _ in range(gap):
                await RisingEdge(self._dut.clk)

    async def wait(self, cycles: int) -> None:
        for _ in range(cycles):
            await RisingEdge(self._dut.clk)


@cocotb.test()
@cocotb.parametrize(destination=[MULTICAST, OWN], gap=[0, 3])
async def hold_lasts_its_quanta(dut: Any, destination: str, gap: int) -> None:
    await start(dut, **CONFIG, **IDLE)
    stream = Stream(dut)
    for quanta in (1, 2, 5, 17, 40):
        stream.held = 0
        await stream.send(pause(quanta, destination), gap=gap)
        await stream.wait((quanta + 1) * quantum(dut))
        assert stream.held == quanta * quantum(dut)
        assert not dut.hold.value
    assert stream.pauses == 5


@cocotb.test()
async def hold_rises_behind_the_frame_and_zero_ends_it(dut: Any) -> None:
    await start(dut, **CONFIG, **IDLE)
    stream = Stream(dut)
    await stream.send(pause(0xFFFF))
    await stream.wait(1)
    assert dut.hold.value
    await stream.wait(50)
    await stream.send(pause(0))
    await stream.wait(1)
    assert not dut.hold.value
    await stream.send(pause(0x1234))
    await stream.send(pause(3))  # replaces what is left
    await stream.wait(1)
    stream.held = 0
    await stream.wait(5 * quantum(dut))
    assert 3 * quantum(dut) - 1 <= stream.held <= 3 * quantum(dut)
    assert stream.pauses == 4


@cocotb.test()
async def other_frames_do_not_hold(dut: Any) -> None:
    rng = seeded()
    await start(dut, **CONFIG, **IDLE)
    stream = Stream(dut)
    right = pause(9)
    for place in (*range(6), *range(12, 16)):  # address, type, opcode
        wrong = bytearray(right)
        wrong[place] ^= 1 << rng.randrange(8)
        await stream.send(bytes(wrong))
    await stream.send(pause(9, OTHER))
    await stream.send(bytes(Ether(dst=MULTICAST, src=OTHER) / MACControlGate()).ljust(60, b"\0"))
    await stream.send(right, good=0)
    await stream.send(right[:24])  # the parameter's word is the last
    await stream.send(right[24:])
    await stream.send(rng.randbytes(1514))
    await stream.wait(3)
    assert (stream.pauses, stream.held) == (0, 0)
    await stream.send(right)
    await stream.wait(3)
    assert stream.pauses == 1
    assert dut.hold.value


@cocotb.test()
async def it_is_obeyed_only_if_wanted(dut: Any) -> None:
    await start(dut, **{**CONFIG, "cfg_pause": 0}, **IDLE)
    stream = Stream(dut)
    await stream.send(pause(9))
    await stream.wait(3)
    assert (stream.pauses, stream.held) == (1, 0)
    dut.cfg_pause.value = 1
    await stream.send(pause(9))
    await stream.wait(3)
    assert dut.hold.value
    dut.cfg_pause.value = 0
    await stream.wait(2)
    assert not dut.hold.value


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **CONFIG, **IDLE)
    stream = Stream(dut)
    await stream.send(pause(9))
    await stream.send(pause(9)[:17])
    dut.in_last.value = 0
    await reset(dut, **IDLE)
    assert not dut.hold.value
    await stream.send(pause(2))
    stream.held = 0
    await stream.wait(4 * quantum(dut))
    assert stream.held == 2 * quantum(dut)
