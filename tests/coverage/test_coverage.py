"""Verilator's coverage data is read and summed up as it should be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.coverage.data import checks, read, summarize

SOURCE = """\
module hnic_x (input wire clk);
    always @(posedge clk) begin
        if (a) b <= c;
        else b <= d;
    end
`ifdef HNIC_CHECKS
    always @(posedge clk) if (bad) $finish;
`endif
endmodule
"""


def record(kind: str, line: int, comment: str, spans: str, count: int, folder: str = "/r") -> str:
    fields = {
        "f": f"{folder}/hdl/common/hnic_x.v",
        "l": line,
        "n": 5,
        "t": kind,
        "page": f"v_{kind}/hnic_x",
        "o": comment,
        "S": spans,
        "h": "hnic_x",
    }
    text = "".join(f"\x01{name}\x02{value}" for name, value in fields.items())
    return f"C '{text}' {count}\n"


def test_runs_are_summed_and_checks_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "hnic_x.v").write_text(SOURCE)
    first, second = tmp_path / "1.dat", tmp_path / "2.dat"
    first.write_text(
        "# SystemC::Coverage-3\n"
        + record("line", 2, "block", "2", 7)
        + record("branch", 3, "if", "3", 0)
        + record("branch", 3, "else", "4", 7)
        + record("toggle", 1, "clk:0->1", "", 7)
        + record("toggle", 1, "clk:1->0", "", 0)
        + record("branch", 7, "if", "7", 0)
        + record("line", 2, "block", "2", 0, folder="/r/tb")
    )
    second.write_text(record("branch", 3, "else", "4", 1, folder="/elsewhere"))
    module = summarize(read([first, second]), tmp_path)["hnic_x"]
    assert module.total == Counter(line=3, branch=2, toggle=2)
    assert module.hit == Counter(line=2, branch=1, toggle=1)
    assert module.lines == [3]
    assert module.branches == [(3, "if")]
    assert module.toggles == ["clk:1->0"]


def test_what_a_check_says_is_not_to_be_run() -> None:
    assert checks(SOURCE) == {7}
