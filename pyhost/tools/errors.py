"""A mistake of the user: reported as one line, never as a traceback."""

from __future__ import annotations

__all__ = ["UserError"]


class UserError(Exception):
    """Something the user can put right; the text is one line that says what and how.

    The command prints it as `pyhost: TEXT` and exits with status 2.
    """
