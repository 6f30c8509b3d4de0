"""`python -m tests.system.altered_run MODULE ARGS...`: `pyhost ARGS` with something changed.

In a simulator MODULE is the cocotb test instead of `tb.sim.cosim`; with `--sim model` its
`alter()` is called before the run.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import tb.rtl_session
from pyhost.cli import main
from tb.simulate import simulate


def run(module: str, argv: list[str]) -> None:
    """Do the run and leave with its exit status."""

    def altered(*args: Any, **settings: Any) -> int:
        return simulate(*args, **settings | {"test_module": module})

    if argv[argv.index("--sim") + 1] == "model":
        importlib.import_module(module).alter()
    tb.rtl_session.simulate = altered  # type: ignore[assignment]
    main(argv)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
