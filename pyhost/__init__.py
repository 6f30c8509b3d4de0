"""A host computer in Python: everything Linux does between `write()` and `ndo_start_xmit`."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
