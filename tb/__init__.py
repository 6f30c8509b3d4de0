"""The test bench: builds and runs the simulators, and joins them to the emulated host."""

from __future__ import annotations

__all__: list[str] = []
