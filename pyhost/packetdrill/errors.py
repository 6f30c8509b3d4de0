"""What can go wrong with a script."""

from __future__ import annotations

__all__ = ["ScriptError", "ScriptFailure", "ScriptSkip"]


class ScriptError(Exception):
    """The script itself is wrong: `file:line: what`. Nothing of it has run."""

    def __init__(self, path: str, line: int, what: str) -> None:
        super().__init__(f"{path}:{line}: {what}")


class ScriptFailure(Exception):
    """The stack did something else than the script says; the text may have several lines."""


class ScriptSkip(Exception):
    """The script asks for what is not there; the text names it."""
