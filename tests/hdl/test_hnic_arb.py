"""The round-robin arbiter."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import run_module, seeded, start


@pytest.mark.parametrize("n", [2, 5])
def test_arbiter_lets_nobody_starve(module_simulator: str, n: int) -> None:
    run_module(__file__, module_simulator, {"N": n})


@cocotb.test()
async def grants_go_round(dut: Any) -> None:
    n = int(dut.N.value)
    await start(dut, request=0, advance=1)
    dut.request.value = (1 << n) - 1
    await RisingEdge(dut.clk)
    seen = []
    for _ in range(3 * n):
        await RisingEdge(dut.clk)
        seen.append(int(dut.grant.value))
    assert seen[:n] * 3 == seen
    assert sorted(seen[:n]) == [1 << i for i in range(n)]


@cocotb.test()
async def a_grant_stands_until_it_is_served(dut: Any) -> None:
    rng = seeded()
    n = int(dut.N.value)
    await start(dut, request=0, advance=0)
    waited = [0] * n
    for _ in range(300):
        request = rng.randrange(1 << n)
        dut.request.value = request
        dut.advance.value = 1
        await RisingEdge(dut.clk)
        grant = int(dut.grant.value)
        assert grant & request == grant
        assert grant.bit_count() == (request != 0)
        for i in range(n):
            asked = request >> i & 1 and not grant >> i & 1
            waited[i] = waited[i] + 1 if asked else 0
            assert waited[i] < n
