"""A driver that does random things, right and wrong ones, from one seed.

It writes a step at a time. What it may do next depends on what the card has told after the last
one: heads, halted queues. In one step nothing may depend on who is faster, host or card: a fault,
a full ring or a missing buffer comes out the same whatever the time.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.card import MAC
from tests.hdl.card_rings import descriptor
from tests.hdl.lockstep.frames import random_frame
from tests.hdl.lockstep.packets import Packet, Scale, random_packet, spoil
from tests.hdl.lockstep.scenario import (
    BAD,
    DATA,
    Action,
    Frame,
    Poke,
    Reset,
    Ring,
    Settle,
    Step,
    Write,
)

__all__ = ["LARGE", "SMALL", "Driver"]

SMALL = Scale(common=400, super_bytes=1500, jumbo=2500, packets=5, frames=6)
LARGE = Scale(common=1600, super_bytes=70000, jumbo=9600, packets=10, frames=24)

ENABLE = 1 << r.Q_CTRL_ENABLE_LSB
INDEX = 0xFFFF
RX_KEY = 1 << 31
"""Tells the keys of received frames from the cookies of packets."""
TINY = 64
"""Buffers smaller than this keep the card so busy that its packet store might overflow."""


class Driver:
    """`rings` are all queues of the card, `packets` says in words what was sent with a cookie."""

    def __init__(self, rng: random.Random, tx_queues: int, rx_queues: int, scale: Scale) -> None:
        self._rng = rng
        self._scale = scale
        self.tx = [Ring(True, number) for number in range(tx_queues)]
        self.rx = [Ring(False, number) for number in range(rx_queues)]
        self.rings = self.tx + self.rx
        self._serial = 0
        self._next_data = DATA
        self._on = self._configured = False
        self._step = Step()
        self.packets: dict[int, str] = {}
        self._edge_free = True
        self._spoiled: set[str] = set()

    # -- steps -------------------------------------------------------------------------------------

    def first(self) -> Step:
        """Settings of the card, and some queues."""
        self._step = Step(0)
        self._bring_up()
        return self._step

    def next(self, number: int) -> Step:
        """The step that follows."""
        rng = self._rng
        self._step = Step(number)
        self._spoiled.clear()
        self._edge_free = not any(ring.risky for ring in self.rings)
        for ring in self.rings:
            if self._configured:
                self._mend(ring)
        chance = rng.random()
        if chance < 0.05:
            self._reset_card()
            return self._step
        if not self._configured:
            self._bring_up()
        elif chance < 0.12:
            self._switch_card()
        elif chance < 0.25:
            self._configure_card()
        self._arm()
        for ring in self.rx:
            self._post_buffers(ring)
        if rng.random() < 0.8:
            self._add(Settle())
        transmit = self._transmit() if rng.random() < 0.85 else []
        receive = self._receive() if rng.random() < 0.85 else []
        self._shuffle([*transmit, receive])
        if rng.random() < 0.15:
            self._wrong_doorbell()
        elif rng.random() < 0.1:
            self._disable()
        return self._step

    def _say(self, what: str) -> None:
        self._step.what.append(what)

    def _add(self, *actions: Action) -> None:
        self._step.actions.extend(actions)

    def _shuffle(self, strands: list[list[Action]]) -> None:
        """All strands, each in its own order."""
        strands = [strand[::-1] for strand in strands if strand]
        while strands:
            strand = self._rng.choice(strands)
            self._add(strand.pop())
            if not strand:
                strands.remove(strand)

    # -- card --------------------------------------------------------------------------------------

    def _configure_card(self) -> None:
        rng = self._rng
        self._say("settings")
        self._add(Write(r.MAC_LO, int.from_bytes(MAC[:4], "little")))
        self._add(Write(r.MAC_HI, int.from_bytes(MAC[4:], "little") | rng.randrange(2) << 20))
        control = rng.randrange(32)
        self._add(Write(r.RX_CTRL, control | rng.choice([0, 1 << r.RX_CTRL_PROMISC_LSB])))
        self._add(
            Write(r.MC_HASH_LO, rng.getrandbits(32)), Write(r.MC_HASH_HI, rng.getrandbits(32))
        )
        pause = rng.choice([0, 1 << r.LINK_CFG_PAUSE_LSB])
        self._add(Write(r.LINK_CFG, rng.choice([0, 12, 12, 13, 40]) | pause))
        for index in rng.sample(range(r.RSS_KEY_COUNT), 4 if self._on else r.RSS_KEY_COUNT):
            self._add(Write(r.RSS_KEY + 4 * index, rng.getrandbits(32)))
        for index in rng.sample(range(r.RSS_TABLE_COUNT), 8):
            self._add(Write(r.RSS_TABLE + 4 * index, rng.getrandbits(32)))
        self._add(Write(r.SCRATCH, rng.getrandbits(32)))
        self._add(Write(r.CTRL, 1 << r.CTRL_ENABLE_LSB))
        self._on = True

    def _reset_card(self) -> None:
        self._say("reset of the card")
        self._add(Reset(r.CTRL))
        for ring in self.rings:
            self._forget(ring)
        self._on = self._configured = False

    def _bring_up(self) -> None:
        self._say("bring-up")
        self._configure_card()
        self._configured = True
        for ring in self.rings:
            if not ring.enabled and (self._rng.random() < 0.7 or ring.number == 0):
                self._start(ring)

    def _switch_card(self) -> None:
        """Switch the card off or on; while it is off doorbells wait and frames are lost."""
        self._on = not self._on
        self._say(f"card {'on' if self._on else 'off'}")
        self._add(Write(r.CTRL, int(self._on) << r.CTRL_ENABLE_LSB))

    # -- queues ------------------------------------------------------------------------------------

    def _start(self, ring: Ring) -> None:
        """Give a queue its rings and enable it."""
        rng = self._rng
        ring.log2, ring.cpl_log2 = rng.choice([(6, 6), (6, 6), (6, 7), (7, 7), (7, 8)])
        ring.base = ring.area + 64 * rng.randrange(64)
        ring.cpl_base = ring.area + 0x4000 + 64 * rng.randrange(64)
        bad = rng.random()
        if bad < 0.04:
            ring.base = BAD - self._edge(64 * rng.randrange(4))
            self._say(f"{ring.name}: ring in bad memory from {ring.base:#x}")
        elif bad < 0.08:
            ring.cpl_base = BAD - self._edge(64 * rng.randrange(4))
            self._say(f"{ring.name}: completions in bad memory from {ring.cpl_base:#x}")
        ring.risky = bad < 0.08
        block, low = ring.block, rng.randrange(64)
        size = 1 << ring.log2
        span = ring.cpl_span
        self._add(
            Poke(span.start, bytes(len(span)), "w"),
            Poke(ring.base, rng.randbytes(size * ring.desc_bytes)),
            Write(block + r.Q_BASE_LO, ring.base | low),
            Write(block + r.Q_BASE_HI, 0),
            Write(block + r.Q_SIZE, rng.choice([ring.log2, 1]) if ring.log2 == 6 else ring.log2),
            Write(block + r.Q_CPL_BASE_LO, ring.cpl_base | low),
            Write(block + r.Q_CPL_SIZE, ring.cpl_log2 | rng.randrange(4) << 4),
        )
        self._moderate(ring)
        if ring.tx:
            self._add(Write(block + r.Q_PRIORITY, rng.randrange(8)))
            rate = rng.choice([0, 0, 0, 1 << 16, 8 << 16, 0x18001])
            self._add(
                Write(block + r.Q_RATE, rate), Write(block + r.Q_BURST, rng.randrange(1, 9999))
            )
        self._add(Write(block + r.Q_CTRL, ENABLE))
        ring.enabled = True
        ring.halted = ring.armed = False
        ring.tail = ring.head = ring.cpl_head = 0
        ring.buffers.clear()

    def _moderate(self, ring: Ring) -> None:
        rng = self._rng
        count, time = rng.choice([0, 0, 1, 2, 5, 255]), rng.choice([0, 0, 1, 3])
        self._add(
            Write(ring.block + r.Q_COALESCE, count | time << r.Q_COALESCE_TIME_LSB),
            Write(ring.block + r.Q_MODERATION, rng.choice([0, 0, 2])),
        )

    def _forget(self, ring: Ring) -> None:
        ring.enabled = ring.halted = ring.armed = ring.risky = False
        ring.tail = ring.head = ring.cpl_head = 0
        ring.buffers.clear()

    def _mend(self, ring: Ring) -> None:
        """Reset a queue, mostly one that has stopped; start one that is off."""
        rng = self._rng
        if rng.random() < (0.6 if ring.halted else 0.02):
            self._say(f"{ring.name}: reset")
            self._add(Reset(ring.block + r.Q_CTRL))
            self._forget(ring)
        if not ring.enabled and rng.random() < 0.5:
            self._start(ring)

    def _disable(self) -> None:
        """Disable a queue behind all that it was given: that is finished first."""
        ring = self._rng.choice(self.rings)
        if not ring.enabled or ring.halted or ring.armed or ring.risky or not self._on:
            return
        if ring.name in self._spoiled:
            return
        self._say(f"{ring.name}: disable")
        if not ring.tx:
            self._add(Settle())
        self._add(Write(ring.block + r.Q_CTRL, 0))
        if ring.tx and self._rng.random() < 0.5:
            self._add(Write(ring.block + r.Q_DOORBELL, ring.tail + 1))  # ignored
        self._forget(ring)

    def _arm(self) -> None:
        """Interrupts are armed at rest: so each fires once if there is anything in this step."""
        rng = self._rng
        for ring in self.rings:
            if ring.enabled and rng.random() < 0.4:
                index = ring.cpl_head if rng.random() < 0.8 else rng.randrange(1 << 16)
                self._add(Write(ring.block + r.Q_IRQ_ARM, index))
                ring.armed = True
            elif ring.enabled and rng.random() < 0.1 and not ring.armed:
                self._moderate(ring)

    def _wrong_doorbell(self) -> None:
        """At rest: beyond the ring, back, or to a queue that is off."""
        rng = self._rng
        ring = rng.choice(self.rings)
        ahead = rng.choice([(1 << ring.log2) + 1, INDEX, 0x8000])
        self._say(f"{ring.name}: wrong doorbell")
        self._add(Settle(), Write(ring.block + r.Q_DOORBELL, ring.tail + ahead & INDEX))

    # -- transmit ----------------------------------------------------------------------------------

    def _place(self, size: int) -> int:
        """A fresh address for `size` bytes, often near a border of bus words or pages."""
        rng = self._rng
        addr = self._next_data + rng.randrange(64)
        if rng.random() < 0.2:
            addr = (addr + 4095 & ~4095) + 4096 - rng.randrange(1, min(size, 70) + 1)
        self._next_data = (addr + size + 63) & ~63
        return addr

    def _edge(self, ahead: int) -> int:
        """So many bytes before the memory that does not answer, if nobody else is there; else 0."""
        if ahead and self._edge_free:
            self._edge_free = False
            return ahead
        return 0

    @property
    def full(self) -> bool:
        """Whether there is no room for another step's packets and buffers."""
        return self._next_data > BAD - 0xC0000

    def _transmit(self) -> list[list[Action]]:
        """Packets for some queues, a strand a queue, each with doorbells in pieces."""
        rng = self._rng
        strands = []
        for ring in self.tx:
            if not ring.enabled or rng.random() < 0.3:
                continue
            strand: list[Action] = []
            count = rng.randrange(1, self._scale.packets)
            if ring.cpl_base > BAD - 4096:
                count = 1
            wrong = rng.randrange(count) if rng.random() < 0.22 else -1
            for index in range(count):
                packet = random_packet(rng, self._scale)
                how = spoil(rng, packet) if index == wrong else ""
                if how:
                    self._say(f"{ring.name}: {how}")
                    self._spoiled.add(ring.name)
                # Behind an end that is missing the doorbell would come too late or not.
                last = not self._post_packet(ring, packet, strand)
                if rng.random() < 0.5 and not how and not last:
                    strand.append(Write(ring.block + r.Q_DOORBELL, ring.tail))
                if last or packet.eop:
                    break
            strand.append(Write(ring.block + r.Q_DOORBELL, ring.tail))
            strands.append(strand)
        return strands

    def _post_packet(self, ring: Ring, packet: Packet, strand: list[Action]) -> bool:
        """Descriptors and bytes of a packet; False when the ring is full."""
        count = len(packet.cuts)
        if count > ring.room:
            return False
        cookie = ring.number << 24 | self._serial & 0xFFFFFF
        self._serial += 1
        self.packets[cookie] = f"{packet.kind}, {packet.fields}, segments {packet.cuts}"
        at = 0
        for i, size in enumerate(packet.cuts):
            claimed = packet.lens.get(i, size)
            if i in packet.bad:
                addr = BAD - self._edge(packet.bad[i])
            else:
                addr = self._place(max(size, claimed if claimed < 1 << 17 else 0))
            strand.append(Poke(addr, packet.data[at : at + size], "r", claimed))
            at += size
            fields = packet.fields if i == 0 else {}
            desc = descriptor(
                addr,
                claimed,
                sop=bool(packet.sop.get(i, i == 0)),
                eop=bool(packet.eop.get(i, i == count - 1)),
                cookie=cookie,
                **fields,
            )
            word = int.from_bytes(desc, "little") | packet.extra.get(i, 0)
            strand.append(Poke(ring.slot(ring.tail), word.to_bytes(r.TXD_BYTES, "little"), "r"))
            ring.tail = ring.tail + 1 & INDEX
        return True

    # -- receive -----------------------------------------------------------------------------------

    def _post_buffers(self, ring: Ring) -> None:
        """Receive buffers, with doorbells in pieces; sometimes none, sometimes tiny ones."""
        rng = self._rng
        if not ring.enabled or rng.random() < 0.2:
            return
        sizes = rng.choice([(2048, 2048), (2048, 2048), (100, 700), (1, 90), (9604, 9604)])
        for _ in range(min(rng.randrange(24), ring.room)):
            size = rng.randint(*sizes)
            if rng.random() < 0.01:
                addr = BAD - self._edge(min(size, rng.choice([0, 1, 17, 64, 100])))
                ring.risky = True
                self._say(f"{ring.name}: buffer in bad memory")
            else:
                addr = self._place(size)
            if rng.random() < 0.005:
                size = 0
                ring.risky = True
                self._say(f"{ring.name}: buffer without length")
            ring.buffers[ring.tail] = addr, size
            self._add(Poke(addr, b"", "w", size))
            ident = ring.number << 24 | self._serial & 0xFFFFFF
            self._serial += 1
            word = addr << r.RXD_ADDR_LSB | size << r.RXD_LEN_LSB | ident << r.RXD_BUF_ID_LSB
            self._add(Poke(ring.slot(ring.tail), word.to_bytes(r.RXD_BYTES, "little"), "r"))
            ring.tail = ring.tail + 1 & INDEX
            if rng.random() < 0.1:
                self._add(Write(ring.block + r.Q_DOORBELL, ring.tail))
        self._add(Write(ring.block + r.Q_DOORBELL, ring.tail))
        # The doorbell of a buffer must not race with a frame that needs it.
        self._add(Settle())

    def _receive(self) -> list[Action]:
        rng = self._rng
        given = [size for ring in self.rx for _, size in ring.buffers.values()]
        tiny = bool(given) and sum(given) < TINY * len(given)
        serial = tiny or min(given, default=TINY) < 8 or any(ring.risky for ring in self.rx)
        if serial:
            self._say("frame by frame")
        strand: list[Action] = []
        for _ in range(rng.randrange(1, self._scale.frames)):
            frame = random_frame(rng, self._scale.common, self._scale.jumbo)
            key = self._serial & 0xFFFFFF
            strand.append(Frame(frame, key | RX_KEY, rng.random() > 0.04))
            self.packets[key | RX_KEY] = frame.hex()
            self._serial += 1
            if serial:
                strand.append(Settle())
        return strand

    # -- what the card has told --------------------------------------------------------------------

    def learn(self, read: Callable[[int], int]) -> None:
        """Take over the heads and faults that the card's registers show at rest."""
        for ring in self.rings:
            if not ring.enabled:
                continue
            ring.head = read(ring.block + r.Q_HEAD)
            moved = ring.cpl_head != read(ring.block + r.Q_CPL_HEAD)
            ring.armed = ring.armed and not moved
            ring.cpl_head = read(ring.block + r.Q_CPL_HEAD)
            ring.halted = bool(read(ring.block + r.Q_STATUS) >> r.Q_STATUS_ERROR_LSB & 1)
            while ring.buffers and next(iter(ring.buffers)) != ring.head and not ring.halted:
                del ring.buffers[next(iter(ring.buffers))]
