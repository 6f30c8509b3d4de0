"""What stands behind the `pyhost` command's subcommands; nothing of the emulated machine."""

from __future__ import annotations

__all__: list[str] = []
