"""The type of a design handle.

cocotb finds signals when they are asked for, so there is no static type that knows their names.
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Dut"]

Dut: TypeAlias = Any
