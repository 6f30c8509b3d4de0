"""How a run ends, besides with the program's own exit status."""

from __future__ import annotations

__all__ = ["CHECK_FAILED", "INTERRUPTED", "INTERRUPTION"]

CHECK_FAILED = 3
"""Exit status when a check of the co-simulation failed."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell has it: 128 + SIGINT."""

INTERRUPTION = "interrupted"
"""The failure that stands in the results of such a run."""
