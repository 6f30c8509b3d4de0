"""Every module, alone, is clean in both tools, in Verilog-2005, with and without the checks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tb.build import file_list

ROOT = Path(__file__).resolve().parents[2]
HDL = ROOT / "hdl"
MODULES = sorted(HDL.glob("*/hnic_*.v"))
MAX_LINES = 400
MAX_BLOCK = 60
MAX_PORTS = 45

every_module = pytest.mark.parametrize("module", MODULES, ids=[path.stem for path in MODULES])


def sources(module: Path) -> list[str]:
    listing = module.with_suffix(".f")
    return [str(path) for path in (file_list(listing) if listing.exists() else [module])]


def clean(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    assert not re.search(r"warning|error", said, re.IGNORECASE), said


@every_module
@pytest.mark.parametrize("define", ["-DHNIC_CHECKS", "-DHNIC_PLAIN"])
def test_module_is_clean_in_both_tools(module: Path, define: str) -> None:
    include = f"-I{HDL / 'csr'}"
    common = [define, include, *sources(module)]
    clean(["iverilog", "-g2005", "-Wall", "-t", "null", "-s", module.stem, *common])
    waivers = str(HDL / "lint" / "verilator.vlt")
    options = [
        "--lint-only",
        "-Wall",
        "--default-language",
        "1364-2005",
        "--top-module",
        module.stem,
    ]
    clean(["verilator", *options, waivers, *common])


@pytest.mark.parametrize("width", [64, 256, 512])
def test_card_is_clean_at_every_bus_width(width: int) -> None:
    include, files = f"-I{HDL / 'csr'}", sources(HDL / "top" / "hnic_top.v")
    clean(
        [
            "iverilog",
            "-g2005",
            "-Wall",
            "-t",
            "null",
            f"-Phnic_top.AXI_DATA_W={width}",
            "-s",
            "hnic_top",
            include,
            *files,
        ]
    )
    waivers = str(HDL / "lint" / "verilator.vlt")
    options = [
        "--lint-only",
        "-Wall",
        "--default-language",
        "1364-2005",
        "--top-module",
        "hnic_top",
    ]
    clean(["verilator", *options, f"-GAXI_DATA_W={width}", waivers, include, *files])


@pytest.mark.parametrize(
    ("module", "parameter"),
    [
        ("hnic_fifo", "DEPTH=12"),
        ("hnic_axi_split", "BURST_BYTES=8192"),
        ("hnic_top", "MAX_FRAME=20000"),
    ],
)
def test_an_illegal_parameter_stops_the_build(module: str, parameter: str) -> None:
    (path,) = HDL.glob(f"*/{module}.v")
    command = [
        "iverilog",
        "-g2005",
        "-t",
        "null",
        f"-P{module}.{parameter}",
        "-s",
        module,
        f"-I{HDL / 'csr'}",
        *sources(path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert f"ERROR_{module}_{parameter.split('=')[0].lower()}" in result.stdout + result.stderr


@every_module
def test_module_keeps_the_house_rules(module: Path) -> None:
    text = module.read_text()
    lines = text.splitlines()
    assert f"module {module.stem}" in text
    assert text.count("endmodule") == 1
    assert len(lines) <= MAX_LINES
    assert text.startswith(f"// {module.stem}: ")
    assert f"tests/hdl/test_{module.stem}.py" in text
    assert (Path(__file__).parent / f"test_{module.stem}.py").exists()
    assert text.rstrip().endswith("`resetall")
    assert "`default_nettype none" in text
    ports = re.findall(r"^    (?:input|output) ", text, re.MULTILINE)
    assert len(ports) <= MAX_PORTS or module.stem == "hnic_top"
    assert longest_block(lines) <= MAX_BLOCK


def longest_block(lines: list[str]) -> int:
    """Lines of the longest `always ... begin` block, which ends with an `end` of its own depth."""
    longest = 0
    for start, line in enumerate(lines):
        head = re.match(r"( *)always .*begin\b", line)
        if head:
            closing = f"{head[1]}end"
            length = next(
                i for i, text in enumerate(lines[start:], start=1) if text.rstrip() == closing
            )
            longest = max(longest, length)
    return longest
