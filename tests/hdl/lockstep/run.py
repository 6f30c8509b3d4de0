"""One seed from its first step to its last, on both sides."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.card import MAC, RAM_BYTES
from tests.hdl.lockstep.compare import (
    CARD_REGISTERS,
    COUNTERS,
    ONLY_WHETHER,
    QUEUE_REGISTERS,
    READ_AHEAD,
    SETTINGS,
    UNDER_WAY,
    Differences,
)
from tests.hdl.lockstep.driver import LARGE, Driver
from tests.hdl.lockstep.packets import Scale
from tests.hdl.lockstep.scenario import Poke, Reset, Ring, Step
from tests.hdl.lockstep.sides import ModelSide, RtlSide

__all__ = ["Lockstep"]

SHOWN = 8


class Lockstep:
    """Both sides and the driver over them. `covered` counts what came up, by status and kind."""

    def __init__(self, dut: Any, seed: int, scale: Scale) -> None:
        self._seed = seed
        self._large = scale is LARGE
        rng = self._rng = random.Random(f"lockstep {seed}")
        self._tx, self._rx = int(dut.TX_QUEUES.value), int(dut.RX_QUEUES.value)
        self._driver = Driver(rng, self._tx, self._rx, scale)
        self._rtl = RtlSide(dut, rng.choice([0.0, 0.0, 0.3]), rng.choice([0, 0, 40]))
        self._counts = [dict.fromkeys(COUNTERS, 0), dict.fromkeys(COUNTERS, 0)]
        self._halted: set[str] = set()
        self._used: set[str] = set()

    async def run(self, steps: int) -> None:
        """Play so many steps; fails at the first difference."""
        image = await self._rtl.start()
        self._model = ModelSide(image, MAC, self._tx, self._rx)
        self._image, self._writable = bytearray(image), bytearray(RAM_BYTES)
        await self._play(self._driver.first(), SETTINGS)
        for number in range(1, steps + 1):
            if self._driver.full:
                break
            step = self._driver.next(number)
            await self._play(step, SETTINGS if number == steps else ())
            if number == steps or any(isinstance(action, Reset) for action in step.actions):
                await self._window(step)

    async def _play(self, step: Step, settings: Iterable[str]) -> None:
        for action in step.actions:
            if isinstance(action, Poke):
                self._note(action)
        diff = Differences()
        self._model.play(step.actions)
        try:
            await self._rtl.play(step.actions)
        except AssertionError as error:
            diff.lines.append(f"the Verilog card: {error}")
        await self._compare(diff, step, settings)
        if diff.lines:
            raise AssertionError(self._story(step, diff))
        self._driver.learn(self._model.read)

    def _note(self, poke: Poke) -> None:
        end = min(poke.addr + len(poke.data), RAM_BYTES)
        self._image[poke.addr : end] = poke.data[: end - poke.addr]
        size = min(poke.grant_bytes or len(poke.data), RAM_BYTES - poke.addr)
        self._writable[poke.addr : poke.addr + size] = bytes([poke.grant == "w"]) * size

    def _story(self, step: Step, diff: Differences) -> str:
        lines = [f"  {line}" for line in diff.lines[:SHOWN]]
        if len(diff.lines) > SHOWN:
            lines.append(f"  and {len(diff.lines) - SHOWN} more")
        said = "; ".join(step.what) or "nothing special"
        deep = "-m deep " if self._large else ""
        repeat = f"LOCKSTEP_SEEDS={self._seed} .venv/bin/pytest {deep}tests/hdl/test_lockstep.py"
        head = f"seed {self._seed}, step {step.number} ({said}):"
        return "\n".join([head, *lines, f"  to repeat: {repeat}"])

    # -- at rest -----------------------------------------------------------------------------------

    async def _compare(self, diff: Differences, step: Step, settings: Iterable[str]) -> None:
        rtl, model, driver = self._rtl, self._model, self._driver
        memory = rtl.memory()
        diff.frames(rtl.take_sent(), model.take_sent(), driver.packets)
        diff.memory(driver.rings, memory, model.memory(), driver.packets)
        for ring in driver.rings:
            model.copy(memory, ring.cpl_span)  # with its time stamps
        diff.untouched(self._image, self._writable, memory)
        for ring in driver.rings:
            if ring.cpl_base:
                await self._registers(diff, ring, (*QUEUE_REGISTERS, *settings))
        await self._counters(diff, step)
        diff.value("interrupts by vector", dict(rtl.take_irqs()), dict(model.take_irqs()))

    async def _registers(self, diff: Differences, ring: Ring, names: Iterable[str]) -> None:
        for name in names:
            offset = ring.block + getattr(r, f"Q_{name}")
            rtl, model = await self._rtl.read(offset), self._model.read(offset)
            diff.value(f"{ring.name}: register {name}", hex(rtl), hex(model))

    async def _counters(self, diff: Differences, step: Step) -> None:
        """What was counted in this step."""
        resets = {action.offset for action in step.actions if isinstance(action, Reset)}
        status = {ring.name: self._model.read(ring.block + r.Q_STATUS) for ring in self._driver.tx}
        halted = {name for name, value in status.items() if value >> r.Q_STATUS_ERROR_LSB & 1}
        reset = {ring.name for ring in self._driver.tx if ring.block + r.Q_CTRL in resets}
        fresh = bool(halted - (self._halted - reset))
        self._halted = halted
        for name in COUNTERS:
            offset = getattr(r, name)
            now = await self._rtl.read(offset), self._model.read(offset)
            moved = [count - before[name] for count, before in zip(now, self._counts, strict=True)]
            for before, count in zip(self._counts, now, strict=True):
                before[name] = count
            if name in ONLY_WHETHER:
                # The Verilog card reads descriptors ahead, so that it may meet errors sooner.
                if now[1] or (now[0] and name != READ_AHEAD):
                    diff.value(f"{name} has counted", bool(now[0]), bool(now[1]))
            elif not (fresh and name in UNDER_WAY):
                diff.value(name, *moved)

    async def _window(self, step: Step) -> None:
        """All registers of the card that are no counters."""
        diff = Differences()
        for name in CARD_REGISTERS:
            offset = getattr(r, name)
            rtl, model = await self._rtl.read(offset), self._model.read(offset)
            diff.value(f"register {name}", hex(rtl), hex(model))
        for base, count in ((r.RSS_KEY, r.RSS_KEY_COUNT), (r.RSS_TABLE, r.RSS_TABLE_COUNT)):
            for offset in range(base, base + 4 * count, 4):
                rtl, model = await self._rtl.read(offset), self._model.read(offset)
                diff.value(f"register at {offset:#x}", hex(rtl), hex(model))
        if diff.lines:
            raise AssertionError(self._story(step, diff))
