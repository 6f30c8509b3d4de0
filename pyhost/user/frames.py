"""Keeping pyhost out of the program's tracebacks.

What is a C function for CPython is a Python function here, with a frame that CPython would not
show. The frames of this package, and those of importlib that CPython hides too, are left out
wherever a traceback of the program is shown.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType, TracebackType
from typing import Any, TypeVar

__all__ = ["disguise_as_importlib", "format_exception", "hide_from_traceback_module", "strip"]

_IMPORTLIB = "<frozen importlib._bootstrap>"
_IMPORTLIB_PREFIX = "<frozen importlib._bootstrap"
_OWN_PREFIX = str(Path(__file__).parent.parent) + "/"

_F = TypeVar("_F", bound=Callable[..., Any])


def disguise_as_importlib(function: _F) -> _F:
    """Give `function` the file name of importlib: `warnings` steps over such frames when it looks
    for who is to blame.
    """
    assert isinstance(function, FunctionType)
    function.__code__ = function.__code__.replace(co_filename=_IMPORTLIB)
    return function


def strip(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without hidden frames. A new chain is built; the given one stays as it is.

    As in CPython the frames of importlib are hidden below an import statement, and shown below
    importlib.import_module. CPython: remove_importlib_frames.
    """
    entries = []
    importing = False
    while traceback is not None:
        code = traceback.tb_frame.f_code
        in_importlib = code.co_filename.startswith(_IMPORTLIB_PREFIX)
        importing = importing or (in_importlib and code.co_name == "__import__")
        if not (code.co_filename.startswith(_OWN_PREFIX) or (in_importlib and importing)):
            entries.append(traceback)
        traceback = traceback.tb_next
    chain: TracebackType | None = None
    for entry in reversed(entries):
        chain = TracebackType(chain, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return chain


def _strip_all(error: BaseException | None) -> None:
    """Strip an exception and those it was raised from, each once."""
    todo = [error]
    seen: set[int] = set()
    while todo:
        error = todo.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        error.__traceback__ = strip(error.__traceback__)
        todo += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            todo += error.exceptions


def format_exception(
    kind: type[BaseException], value: BaseException, traceback: TracebackType | None
) -> str:
    """The text that CPython prints for an uncaught exception, by CPython itself. CPython:
    PyErr_Display.
    """
    _strip_all(value)
    saved, sys.stderr = sys.stderr, io.StringIO()
    try:
        sys.__excepthook__(kind, value, strip(traceback))
        return sys.stderr.getvalue()
    finally:
        sys.stderr = saved


def hide_from_traceback_module(module: ModuleType) -> None:
    """Have a freshly imported `traceback` walk past hidden frames (traceback.print_exc,
    logging.exception).
    """
    for name in ("walk_tb", "_walk_tb_with_full_positions"):
        walk = getattr(module, name, None)
        if walk is not None:
            setattr(module, name, _stripping(walk))


def _stripping(
    walk: Callable[[TracebackType | None], Iterator[Any]],
) -> Callable[..., Iterator[Any]]:
    def walk_stripped(tb: TracebackType | None) -> Iterator[Any]:
        return walk(strip(tb))

    return walk_stripped
