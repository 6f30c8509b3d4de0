"""The files generated from hnic.rdl are up to date, and staleness is noticed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pyhost.drivers.net.hnic import hnic_regs as r

ROOT = Path(__file__).resolve().parents[2]
EXPORT = ROOT / "hdl" / "csr" / "export.py"


def load_exporter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hnic_export", EXPORT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, EXPORT, "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_a_stale_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export = load_exporter()
    monkeypatch.setattr(export, "ROOT", tmp_path)
    for name in ("VERILOG", "PYTHON", "MARKDOWN"):
        path = tmp_path / getattr(export, name).name
        path.write_text(getattr(export, name).read_text())
        monkeypatch.setattr(export, name, path)
    assert export.main(["--check"]) == 0
    export.PYTHON.write_text(export.PYTHON.read_text() + "X = 1\n")
    assert export.main(["--check"]) == 1
    assert "stale: hnic_regs.py" in capsys.readouterr().out
    assert export.main([]) == 0
    assert export.main(["--check"]) == 0


def test_records_have_the_sizes_of_the_contract() -> None:
    assert (r.TXD_BYTES, r.TXC_BYTES, r.RXD_BYTES, r.RXC_BYTES) == (32, 16, 16, 32)


def test_fields_of_a_record_do_not_overlap() -> None:
    for prefix, size in (
        ("TXD", r.TXD_BYTES),
        ("TXC", r.TXC_BYTES),
        ("RXD", r.RXD_BYTES),
        ("RXC", r.RXC_BYTES),
    ):
        names = [
            n.removesuffix("_LSB")
            for n in vars(r)
            if n.startswith(f"{prefix}_") and n.endswith("_LSB")
        ]
        bits = [
            b
            for n in names
            for b in range(getattr(r, f"{n}_LSB"), getattr(r, f"{n}_LSB") + getattr(r, f"{n}_W"))
        ]
        assert len(bits) == len(set(bits))
        assert max(bits) < 8 * size
