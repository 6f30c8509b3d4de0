"""What goes wrong when an administrator's command is carried out."""

from __future__ import annotations

__all__ = ["CommandError"]


class CommandError(Exception):
    """A command that the machine does not understand or cannot carry out; the text is one line."""
