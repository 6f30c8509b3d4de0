"""Write all that is derived from hnic.rdl: Verilog, Python, the tables of docs/hnic.md.

    python hdl/csr/export.py            write the files that changed
    python hdl/csr/export.py --check    write nothing, exit 1 and name each stale file

Names are the same in Verilog (with `HNIC_` in front), Python and the docs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, Node, RegfileNode, RegNode

__all__ = ["Outputs", "main", "render"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SOURCE = HERE / "hnic.rdl"
VERILOG = HERE / "hnic_regs.vh"
PYTHON = ROOT / "pyhost" / "drivers" / "net" / "hnic" / "hnic_regs.py"
MARKDOWN = ROOT / "docs" / "hnic.md"

# What stands around each generated table of the data sheet. The rest of it is written by hand.
BEGIN = "<!-- hnic.rdl: {}: begin, written by hdl/csr/export.py -->"
END = "<!-- hnic.rdl: {}: end -->"

# Address map of the record in host memory -> prefix of its constants.
RECORDS = {"tx_desc": "TXD", "tx_cpl": "TXC", "rx_desc": "RXD", "rx_cpl": "RXC"}
STATUS_ENUM_FIELD = ("tx_cpl", "Q1", "STATUS")

Outputs = dict[Path, str]


@dataclass(frozen=True, slots=True)
class Constant:
    """One named number of the contract. `verilog` is its literal there."""

    name: str
    value: int
    verilog: str
    comment: str = ""


def _hex(name: str, value: int, bits: int, comment: str = "") -> Constant:
    return Constant(name, value, f"{bits}'h{value:0{(bits + 3) // 4}X}", comment)


def _dec(name: str, value: int, comment: str = "") -> Constant:
    return Constant(name, value, str(value), comment)


def _elaborate(name: str) -> AddrmapNode:
    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    return compiler.elaborate(top_def_name=name).top


def _field_reset(field: FieldNode) -> int:
    """Value of the field after reset; the map resets fields to constants only."""
    reset = field.get_property("reset", default=0)
    assert isinstance(reset, int)
    return reset


def _reset(reg: RegNode) -> int:
    """Value of the whole register after reset."""
    return sum(_field_reset(field) << field.low for field in reg.fields())


def _field_constants(prefix: str, field: FieldNode, base: int = 0) -> Iterator[Constant]:
    name = f"{prefix}_{field.inst_name}"
    yield _dec(f"{name}_LSB", base + field.low)
    yield _dec(f"{name}_W", field.width)


def _register_constants(prefix: str, reg: RegNode) -> Iterator[Constant]:
    """Offset, reset value and fields of one register."""
    name = f"{prefix}{reg.inst_name}"
    yield _hex(name, reg.raw_address_offset, 16, reg.get_property("name"))
    if reg.is_array:
        assert reg.array_dimensions is not None
        yield _dec(f"{name}_COUNT", reg.array_dimensions[0])
    yield _hex(f"{name}_RST", _reset(reg), 32)
    for field in reg.fields():
        yield from _field_constants(name, field)
        yield _hex(f"{name}_{field.inst_name}_RST", _field_reset(field), field.width)


def _queue_constants(arrays: list[RegfileNode]) -> Iterator[Constant]:
    """Where each array of queue blocks starts, its stride, and the one block they share."""
    for array in arrays:
        assert array.array_stride is not None
        yield _hex(
            f"{array.inst_name}_BASE", array.raw_address_offset, 16, array.get_property("name")
        )
        yield _hex(f"{array.inst_name}_STRIDE", array.array_stride, 16)
    for reg in arrays[0].children():
        assert isinstance(reg, RegNode)
        yield from _register_constants("Q_", reg)


def _record_constants(record: AddrmapNode, prefix: str) -> Iterator[Constant]:
    """Size of a record in host memory and its fields, with bit 0 the first bit of the record."""
    yield _dec(f"{prefix}_BYTES", record.size, record.get_property("name"))
    for reg in record.registers():
        base = reg.raw_address_offset * 8
        for field in reg.fields():
            yield from _field_constants(prefix, field, base)


def _status_constants() -> Iterator[Constant]:
    record, reg, field = STATUS_ENUM_FIELD
    node = _elaborate(record).find_by_path(f"{reg}.{field}")
    assert isinstance(node, FieldNode)
    encode = node.get_property("encode")
    assert encode is not None
    for member in encode.members.values():
        yield _hex(f"STATUS_{member.name}", member.value, node.width, member.rdl_desc or "")


def _groups() -> list[tuple[str, list[Constant]]]:
    """All constants, in the order of the source, under their headings."""
    window = _elaborate("hnic")
    arrays = [child for child in window.children() if isinstance(child, RegfileNode)]
    plain = [child for child in window.children() if isinstance(child, RegNode)]
    groups = [
        ("Registers", [c for reg in plain for c in _register_constants("", reg)]),
        ("Queue blocks", list(_queue_constants(arrays))),
    ]
    for name, prefix in RECORDS.items():
        record = _elaborate(name)
        groups.append((record.get_property("name"), list(_record_constants(record, prefix))))
    groups.append(("Completion status", list(_status_constants())))
    return groups


def _verilog(groups: list[tuple[str, list[Constant]]]) -> str:
    lines = [
        "// Generated from hdl/csr/hnic.rdl by hdl/csr/export.py. Do not edit.",
        "`ifndef HNIC_REGS_VH",
        "`define HNIC_REGS_VH",
    ]
    for heading, constants in groups:
        lines += ["", f"// {heading}"]
        for constant in constants:
            note = f"  // {constant.comment}" if constant.comment else ""
            lines.append(f"`define HNIC_{constant.name} {constant.verilog}{note}")
    return "\n".join([*lines, "", "`endif", ""])


def _python(groups: list[tuple[str, list[Constant]]]) -> str:
    lines = [
        '"""Registers, descriptors and completions of hnic.',
        "",
        "Generated from hdl/csr/hnic.rdl by hdl/csr/export.py. Do not edit.",
        "",
        "`X` is a byte offset, `X_RST` the value after reset. `X_F_LSB` and `X_F_W` are the"
        " place of field F",
        "in it, `X_F_RST` its value after reset. `TXD_`, `TXC_`, `RXD_`, `RXC_`: records in"
        " host memory;",
        "`_LSB` counts from their bit 0.",
        '"""',
        "",
        "from __future__ import annotations",
    ]
    for heading, constants in groups:
        lines += ["", f"# {heading}"]
        for constant in constants:
            text = constant.verilog.split("'h")
            value = f"0x{text[1]}" if len(text) == 2 else text[0]
            lines.append(f"{constant.name} = {value}")
    return "\n".join([*lines, ""])


def _bits(field: FieldNode) -> str:
    return str(field.low) if field.width == 1 else f"{field.high}:{field.low}"


def _access(field: FieldNode) -> str:
    return str(field.get_property("sw").name)


def _register_rows(reg: RegNode) -> Iterator[str]:
    """One row for the register, one for each field."""
    offset = f"`0x{reg.raw_address_offset:03X}{' + 4 * i' if reg.is_array else ''}`"
    name = reg.get_property("name")
    count = f"[{reg.array_dimensions[0]}]" if reg.is_array and reg.array_dimensions else ""
    yield f"| {offset} | **{reg.inst_name}{count}** | | | `0x{_reset(reg):08X}` | {name} |"
    for field in reg.fields():
        desc = field.get_property("desc", default="") or ""
        yield f"| | {field.inst_name} | {_bits(field)} | {_access(field)} | | {desc} |"


def _register_table(nodes: list[RegNode]) -> list[str]:
    head = ["| offset | name | bits | access | reset | meaning |", "|---|---|---|---|---|---|"]
    return head + [row for reg in nodes for row in _register_rows(reg)]


def _record_table(record: Node) -> list[str]:
    lines = ["| byte | field | bits | meaning |", "|---|---|---|---|"]
    assert isinstance(record, AddrmapNode)
    for reg in record.registers():
        for field in reg.fields():
            desc = field.get_property("desc", default="") or ""
            lines.append(
                f"| {reg.raw_address_offset} | {field.inst_name} | {_bits(field)} | {desc} |"
            )
    return lines


def _status_table() -> list[str]:
    return ["| value | name | meaning |", "|---|---|---|"] + [
        f"| {c.value} | {c.name.removeprefix('STATUS_')} | {c.comment} |"
        for c in _status_constants()
    ]


def _tables() -> dict[str, list[str]]:
    """The tables of the data sheet by name: the window, a queue block, each record, the status."""
    window = _elaborate("hnic")
    arrays = [child for child in window.children() if isinstance(child, RegfileNode)]
    plain = [child for child in window.children() if isinstance(child, RegNode)]
    block = [reg for reg in arrays[0].children() if isinstance(reg, RegNode)]
    tables = {"window": _register_table(plain), "queue": _register_table(block)}
    tables |= {name: _record_table(_elaborate(name)) for name in RECORDS}
    return tables | {"status": _status_table()}


def _markdown() -> str:
    """The present page with what is between the markers replaced."""
    page = MARKDOWN.read_text()
    for name, lines in _tables().items():
        before, begin, rest = page.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        if not begin or not end:
            raise SystemExit(f"{MARKDOWN}: no place for the table {name!r}")
        page = "\n".join([before + begin, "", *lines, "", end + after])
    return page


def render() -> Outputs:
    """Text of each generated file."""
    groups = _groups()
    return {VERILOG: _verilog(groups), PYTHON: _python(groups), MARKDOWN: _markdown()}


def _stale(outputs: Outputs) -> list[Path]:
    return [path for path, text in outputs.items() if not path.exists() or path.read_text() != text]


def main(argv: list[str] | None = None) -> int:
    """Command line; 1 when `--check` finds a stale file."""
    parser = argparse.ArgumentParser(description="Export hnic.rdl")
    parser.add_argument("--check", action="store_true", help="only say which files are stale")
    args = parser.parse_args(argv)
    outputs = render()
    stale = _stale(outputs)
    for path in stale:
        if args.check:
            sys.stdout.write(f"stale: {path.relative_to(ROOT)} (run python hdl/csr/export.py)\n")
        else:
            path.write_text(outputs[path])
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
