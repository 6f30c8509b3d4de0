"""Reading a netlist that Yosys mapped to a Xilinx 7-series device: what it uses, its longest path.

The path is an estimate before placement: delays of the primitives as the data sheet of the slowest
speed grade (-1) has them, and a fixed delay for each wire outside a carry chain.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

__all__ = ["longest_path", "output_name", "resources"]

Cell = dict[str, Any]

NET_NS = 0.5
SETUP_NS = 0.1
CLOCKED = {"FD": 0.46, "RAMB": 2.45}
"""From the clock edge to the output of a flip-flop, of a block RAM without output register."""
LOGIC = {"LUT": 0.124, "INV": 0.124, "MUXF": 0.25, "CARRY4": 0.4, "RAM": 0.3, "DSP": 3.8}
"""Through a LUT, a multiplexer, in and out of a carry chain, from address to data of a LUT RAM."""
CARRY_NS = 0.1
"""Through four bits of a carry chain."""


def resources(cells: dict[str, Cell]) -> dict[str, int]:
    """Cells by kind: `lut` (without LUT RAM), `lutram` (LUTs that are memory), `ff`, `carry4`,
    `bram18` in halves of a RAMB36, `dsp`.
    """
    kinds = Counter(str(cell["type"]) for cell in cells.values())
    luts_of_ram = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}

    def count(prefix: str) -> int:
        return sum(number for kind, number in kinds.items() if kind.startswith(prefix))

    return {
        "lut": count("LUT") + count("INV"),
        "lutram": sum(kinds[kind] * size for kind, size in luts_of_ram.items()),
        "ff": count("FD"),
        "carry4": kinds["CARRY4"],
        "bram18": 2 * count("RAMB36") + count("RAMB18"),
        "dsp": count("DSP"),
    }


def output_name(module: dict[str, Any], cell: str) -> str:
    """The name in the source of what a register or a RAM drives, without the bit."""
    item = module["cells"][cell]
    bits = {
        bit
        for port, bits in item["connections"].items()
        if item["port_directions"][port] == "output"
        for bit in bits
    }
    names = [
        name
        for name, net in module["netnames"].items()
        if not net.get("hide_name") and not bits.isdisjoint(net["bits"])
    ]
    return f"`{min(names, key=len)}`" if names else cell.split("$")[0] or item["type"]


def _delay(table: dict[str, float], kind: str) -> float | None:
    return next((ns for prefix, ns in table.items() if kind.startswith(prefix)), None)


def longest_path(cells: dict[str, Cell]) -> tuple[float, int, str, str]:
    """The longest path from a clock edge to the next: ns, LUTs and multiplexers on it, where it
    begins and ends. Paths from and to ports count as from and to flip-flops.
    """
    arrival: dict[int, tuple[float, int, str]] = {}
    waiting: dict[str, int] = {}
    readers: dict[int, list[str]] = {}
    inputs: dict[str, list[int]] = {}
    driven: set[int] = set()
    for name, cell in cells.items():
        clocked = _delay(CLOCKED, cell["type"])
        for port, bits in cell["connections"].items():
            for bit in (bit for bit in bits if isinstance(bit, int)):
                if cell["port_directions"][port] == "output":
                    driven.add(bit)
                    if clocked is not None:
                        arrival[bit] = (clocked, 0, name)
                elif clocked is None and not _written(cell, port):
                    inputs.setdefault(name, []).append(bit)
    for name, bits in inputs.items():
        open_bits = [bit for bit in dict.fromkeys(bits) if bit in driven and bit not in arrival]
        waiting[name] = len(open_bits)
        for bit in open_bits:
            readers.setdefault(bit, []).append(name)
    ready = [name for name, count in waiting.items() if count == 0]
    while ready:
        name = ready.pop()
        for bit in _through(cells[name], arrival, name):
            for reader in readers.get(bit, ()):
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
    worst = (0.0, 0, "", "")
    for name, cell in cells.items():
        clocked = _delay(CLOCKED, cell["type"]) is not None
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output" or not (clocked or _written(cell, port)):
                continue
            for bit in bits:
                if bit in arrival:
                    ns, levels, start = arrival[bit]
                    worst = max(worst, (ns + NET_NS + SETUP_NS, levels, start, name))
    return worst


def _written(cell: Cell, port: str) -> bool:
    """Whether a port of a LUT RAM belongs to its write side, which is clocked."""
    return "RAM" in cell["type"] and (port.startswith(("DI", "W")) or port in ("D", "ADDRD"))


def _through(cell: Cell, arrival: dict[int, tuple[float, int, str]], name: str) -> list[int]:
    """Let a cell of logic drive its outputs, whose bits are returned."""
    kind = str(cell["type"])
    carry = kind == "CARRY4"
    best = (0.0, 0, name)
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == "output" or _written(cell, port):
            continue
        for bit in bits:
            if bit in arrival:
                ns, levels, start = arrival[bit]
                step = CARRY_NS if carry and port == "CI" else (_delay(LOGIC, kind) or 0.0) + NET_NS
                best = max(best, (ns + step, levels, start))
    level = 0 if carry else 1
    out: list[int] = []
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == "output":
            for bit in (bit for bit in bits if isinstance(bit, int)):
                arrival[bit] = (best[0], best[1] + level, best[2])
                out.append(bit)
    return out
