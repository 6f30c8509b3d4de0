"""Legal traffic leaves the checker silent; each rule, broken alone, is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import reset, run_module, start

LIMIT = 4
MASTER, SLAVE, AR, AW, USER, UNDER_WAY, R, W, B = (1 << bit for bit in range(9))


@pytest.mark.parametrize("width", [64, 512])
def test_each_broken_rule_is_named(module_simulator: str, width: int) -> None:
    run_module(
        __file__,
        module_simulator,
        {"DATA_W": width, "RD_LIMIT": LIMIT, "WR_LIMIT": LIMIT, "STOP": 0},
    )


class Port:
    """Puts one cycle after another on the bus; whatever is not named is idle and legal."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bytes = len(dut.m_axi_wstrb)
        self.size = self.bytes.bit_length() - 1
        self.broken = 0
        self.legal = {
            "awid": 0,
            "awaddr": 0x1000,
            "awlen": 0,
            "awsize": 3,
            "awburst": 1,
            "awvalid": 0,
            "awready": 1,
            "wdata": 7,
            "wstrb": 0xFF,
            "wlast": 1,
            "wvalid": 0,
            "wready": 1,
            "bid": 0,
            "bresp": 0,
            "bvalid": 0,
            "bready": 1,
            "arid": 1,
            "araddr": 0x2000,
            "arlen": 1,
            "arsize": self.size,
            "arburst": 1,
            "aruser": 2 * self.bytes,
            "arvalid": 0,
            "arready": 1,
            "rid": 1,
            "rdata": 9,
            "rresp": 0,
            "rlast": 0,
            "rvalid": 0,
            "rready": 1,
        }

    async def start(self) -> Port:
        """Clock and reset, all valids low."""
        await start(self.dut, **{f"m_axi_{k}": v for k, v in self.legal.items()})
        return self

    async def clear(self) -> None:
        """Reset: nothing is under way, nothing was broken."""
        await reset(self.dut, **{f"m_axi_{k}": v for k, v in self.legal.items()})
        self.broken = 0

    async def play(self, *steps: Mapping[str, int]) -> int:
        """One cycle a step; gives the rules broken in them."""
        for step in (*steps, *[{}] * 3):
            for name, value in (self.legal | dict(step)).items():
                getattr(self.dut, f"m_axi_{name}").value = value
            await RisingEdge(self.dut.clk)
            self.broken |= int(self.dut.broken.value)
        return self.broken


ASK = {"arvalid": 1}
BEAT = {"rvalid": 1}
END = {"rvalid": 1, "rlast": 1}
ADDRESS = {"awvalid": 1}
DATA = {"wvalid": 1}
ANSWER = {"bvalid": 1}


@cocotb.test()
async def legal_traffic_is_not_objected_to(dut: Any) -> None:
    port = await Port(dut).start()
    other = {"arid": 0, "arlen": 0, "aruser": port.bytes}
    whole = (1 << port.bytes) - 1
    burst = {"awid": 1, "awaddr": 0x3001, "awlen": 3, "awsize": port.size}
    unaligned = {"araddr": 0x2003, "aruser": 2 * port.bytes - 3}
    assert not await port.play(
        ASK | {"arready": 0},
        ASK,
        ASK | other,
        BEAT,
        END | {"rid": 0},
        END | {"rready": 0},
        END,
        ASK | unaligned,
        BEAT,
        END,
        ADDRESS | DATA,
        ANSWER | {"bready": 0},
        ANSWER,
        DATA | {"wready": 0},
        DATA,
        ADDRESS,
        ANSWER,
        ADDRESS,
        DATA,
        ANSWER,
        ADDRESS | burst,
        DATA | {"wlast": 0, "wstrb": whole << 1 & whole},
        DATA | {"wlast": 0, "wstrb": whole},
        DATA | {"wlast": 0, "wstrb": whole} | {"wready": 0},
        DATA | {"wlast": 0, "wstrb": whole},
        DATA | {"wstrb": 1},
        ADDRESS | DATA,
        ANSWER,
        ANSWER | {"bid": 1},
        DATA | {"wlast": 0, "wstrb": whole << 1 & whole},
        DATA | {"wlast": 0, "wstrb": whole},
        DATA | {"wlast": 0, "wstrb": whole},
        DATA | {"wstrb": whole},
        DATA,
        ADDRESS | burst,
        ANSWER | {"bid": 1},
        ADDRESS,
        ANSWER,
        ADDRESS | {"awlen": 1},
        DATA | {"wlast": 0},
        DATA | {"wstrb": 0xFF << 8 % port.bytes},
        ANSWER,
        ASK | {"araddr": 0x3000 - 2 * port.bytes},
        BEAT | {"rresp": 2},
        END,
        *[ASK] * LIMIT,
        *[BEAT, END] * LIMIT,
        *[ASK] * LIMIT,
        *[ASK | {"arid": 2}] * LIMIT,
        *[BEAT, END, BEAT | {"rid": 2}, END | {"rid": 2}] * LIMIT,
        *[ADDRESS | DATA] * LIMIT,
        *[ADDRESS | DATA | {"awid": 1, "awsize": port.size}] * LIMIT,
        *[ANSWER, ANSWER | {"bid": 1}] * LIMIT,
    )


@cocotb.test()
async def each_rule_is_named_when_broken(dut: Any) -> None:
    port = await Port(dut).start()
    whole = port.bytes
    data = ADDRESS | {"awid": 1, "awlen": 1, "awsize": port.size}
    cases: list[tuple[int, list[dict[str, int]]]] = [
        (MASTER, [ASK | {"arready": 0}, {}]),
        (MASTER, [ASK | {"arready": 0}, ASK | {"araddr": 0x2000 + whole}]),
        (MASTER, [ADDRESS | {"awready": 0}, ADDRESS | {"awaddr": 0x1040}, DATA]),
        (MASTER, [ADDRESS, DATA | {"wready": 0}, DATA | {"wdata": 8}]),
        (SLAVE, [ASK, BEAT | {"rready": 0}, BEAT | {"rdata": 10}, END]),
        (SLAVE, [ADDRESS | DATA, ANSWER | {"bready": 0}, {}]),
        (AR, [ASK | {"arburst": 2}]),
        (AR, [ASK | {"arsize": 2}]),
        (AR, [ASK | {"araddr": 0x3000 - whole}]),
        (AW, [ADDRESS | {"awburst": 0}]),
        (AW, [ADDRESS | {"awsize": port.size + 1, "awaddr": 0}]),
        (AW, [ADDRESS | {"awlen": 4}]),
        (AW, [ADDRESS | {"awlen": 64 // whole, "awsize": port.size}]),
        (AW, [ADDRESS | {"awid": 1, "awsize": port.size - 1}]),
        (AW, [ADDRESS | {"awaddr": 0x1FF8, "awlen": 1}]),
        (AW, [ADDRESS | {"awid": 1, "awaddr": 0x2001 - whole, "awlen": 1, "awsize": port.size}]),
        (USER, [ASK | {"aruser": 0}]),
        (USER, [ASK | {"aruser": whole}]),
        (USER, [ASK | {"aruser": 2 * whole + 1}]),
        (USER, [ASK | {"araddr": 0x2001}]),
        (UNDER_WAY, [ASK] * (LIMIT + 1)),
        (UNDER_WAY, [ASK | {"arid": 2}] * (LIMIT + 1)),
        (UNDER_WAY, [ASK | {"arid": 3}]),
        (UNDER_WAY, [ADDRESS] * (LIMIT + 1)),
        (UNDER_WAY, [ADDRESS | {"awid": 1, "awsize": port.size}] * (LIMIT + 1)),
        (UNDER_WAY, [ADDRESS | {"awid": 2}]),
        (UNDER_WAY, [DATA] * (2 * LIMIT + 1)),
        (R, [BEAT]),
        (R, [ASK, BEAT | {"rid": 0}]),
        (R, [ASK, BEAT | {"rid": 2}]),
        (R, [ASK | {"arid": 2}, END | {"rid": 2}]),
        (R, [ASK, BEAT | {"rid": 3}]),
        (R, [ASK, END]),
        (R, [ASK, BEAT, BEAT]),
        (W, [ADDRESS | DATA | {"wlast": 0}]),
        (W, [ADDRESS | DATA | {"wstrb": 1 << whole - 1 | 0x80, "awsize": 2}]),
        (W, [ADDRESS | {"awaddr": 0x1000, "awsize": 1}, DATA | {"wstrb": 4}]),
        (W, [DATA | {"wstrb": 4}, ADDRESS | {"awaddr": 0x1000, "awsize": 1}]),
        (W, [ADDRESS | DATA | {"wstrb": 0}]),
        (W, [ADDRESS | {"awaddr": 0x1001}, DATA | {"wstrb": 1}]),
        (W, [ADDRESS | {"awlen": 1}, DATA]),
        (W, [data, DATA | {"wlast": 0}, DATA | {"wlast": 0}]),
        (W, [data, DATA | {"wlast": 0}, DATA | {"wstrb": 0}]),
        (W, [DATA | {"wlast": 0}, DATA | {"wstrb": 0}, data]),
        (B, [ANSWER]),
        (B, [data, DATA | {"wlast": 0}, ANSWER | {"bid": 1}, DATA]),
        (B, [ADDRESS, data, DATA, ANSWER | {"bid": 1}]),
        (B, [ADDRESS | DATA, ADDRESS | DATA, ANSWER, ANSWER, ANSWER]),
        (B, [ADDRESS | DATA, ANSWER | {"bid": 2}]),
        (B, [ADDRESS, ANSWER]),
        (B, [DATA, ANSWER]),
        (B, [ADDRESS | DATA, ANSWER | {"bid": 1}]),
    ]
    for number, (rule, steps) in enumerate(cases):
        await port.clear()
        broken = await port.play(*steps)
        assert broken == rule, f"case {number}: {broken:09b} instead of {rule:09b}"
