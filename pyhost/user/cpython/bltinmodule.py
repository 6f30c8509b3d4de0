"""`builtins`: CPython's own, save what names sys.stdout, sys.stdin, files and imports. CPython:
Python/bltinmodule.c.
"""

from __future__ import annotations

import builtins
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `builtins`; `__import__` and `open` are put in by the loader, exit and quit by
    `program`.
    """
    module = ModuleType("builtins", builtins.__doc__)
    module.__dict__.update(vars(builtins))

    def print(*args: object, file: Any = None, **options: Any) -> None:
        if file is None:
            file = interpreter.sys.stdout
            if file is None:
                return
        builtins.print(*args, file=file, **options)

    def input(prompt: object = "", /) -> str:
        for name in ("stdin", "stdout", "stderr"):
            if getattr(interpreter.sys, name, None) is None:
                raise RuntimeError(f"input(): lost sys.{name}")
        interpreter.sys.stderr.flush()
        interpreter.sys.stdout.write(str(prompt))
        interpreter.sys.stdout.flush()
        line: str = interpreter.sys.stdin.readline()
        if not line:
            raise EOFError("EOF when reading a line")
        return line.removesuffix("\n")

    for function, real in ((print, builtins.print), (input, builtins.input)):
        function.__doc__ = real.__doc__
        function.__qualname__ = function.__name__
        function.__module__ = "builtins"
    module.__dict__.update(print=print, input=input)
    return module
