"""`atexit`: what the program wants called at its end. CPython: Modules/atexitmodule.c."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_F = TypeVar("_F", bound=Callable[..., Any])


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `atexit`."""
    module = ModuleType("atexit", "Functions that are called when the program ends.")
    calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

    def register(func: _F, /, *args: Any, **kwargs: Any) -> _F:
        if not callable(func):
            raise TypeError("the first argument must be callable")
        calls.append((func, args, kwargs))
        return func

    def unregister(func: object, /) -> None:
        calls[:] = [call for call in calls if call[0] != func]

    def _run_exitfuncs() -> None:
        while calls:
            func, args, kwargs = calls.pop()
            try:
                func(*args, **kwargs)
            except Exception as error:
                interpreter.write_unraisable(
                    f"Exception ignored in atexit callback: {func!r}", error
                )

    module.__dict__.update(
        register=register,
        unregister=unregister,
        _clear=calls.clear,
        _ncallbacks=calls.__len__,
        _run_exitfuncs=_run_exitfuncs,
    )
    return module
