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


def test_every_module_is_clean_in_both_tools() -> None:
    """With and without the checks, the card at every bus width."""
    result = subprocess.run(
        [ROOT / ".ci" / "lint-hdl.sh"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@every_module
def test_module_names_its_files(module: Path) -> None:
    """The `.f` file beside a module lists all that it is made of and nothing else."""
    names = [path.stem for path in map(Path, sources(module))]
    text = "".join(Path(path).read_text() for path in sources(module))
    used = set(re.findall(r"^ +(hnic_\w+) (?:#\(|u_)", text, re.MULTILINE))
    assert set(names) == used | {module.stem}


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
    # A named block is a thread of its own to Icarus, begun and ended each time: 4 times the cost.
    assert not re.search(r"always @\(posedge clk\) begin *:", text)


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
