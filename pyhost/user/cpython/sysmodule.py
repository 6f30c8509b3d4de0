"""`sys`: CPython's own, save what belongs to one program. CPython: Python/sysmodule.c."""

from __future__ import annotations

import sys
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from pyhost.user import frames

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_OF_ONE_PROGRAM = (
    "__interactivehook__",
    "last_exc",
    "last_traceback",
    "last_type",
    "last_value",
    "ps1",
    "ps2",
)


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `sys`, still without standard streams."""
    from pyhost.user.loader import EMULATED, HIDDEN

    module = ModuleType("sys", sys.__doc__)
    module.__dict__.update(vars(sys))
    for name in _OF_ONE_PROGRAM:
        module.__dict__.pop(name, None)

    def excepthook(
        exctype: type[BaseException], value: BaseException, traceback: TracebackType | None, /
    ) -> None:
        stderr = module.__dict__.get("stderr")
        if stderr is not None:
            stderr.write(frames.format_exception(exctype, value, traceback))
            stderr.flush()

    module.__dict__.update(
        modules=interpreter.modules,
        argv=interpreter.argv,
        orig_argv=[sys.executable, *interpreter.argv],
        path=[entry for entry in sys.path if entry],
        path_hooks=[],
        path_importer_cache={},
        meta_path=[],
        builtin_module_names=tuple(
            sorted((set(sys.builtin_module_names) - HIDDEN) | set(EMULATED))
        ),
        excepthook=excepthook,
        __excepthook__=excepthook,
        stdin=None,
        stdout=None,
        stderr=None,
    )
    return module
