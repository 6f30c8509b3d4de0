"""`_thread._local`: attributes that each thread sees for itself. CPython: Modules/_threadmodule.c
(local).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakSet

from pyhost.user.libc import Libc

__all__ = ["Local"]


class _Impl:
    """Behind one `Local`: a dictionary a thread, and whose is in place now."""

    __slots__ = ("__weakref__", "args", "dicts", "owner")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], owner: int) -> None:
        self.args = args, kwargs
        self.dicts: dict[int, dict[str, Any]] = {owner: {}}
        self.owner = owner


class Local:
    """`threading.local`; each program has a subclass that knows its `libc` and its instances."""

    __slots__ = ("__dict__", "__weakref__", "_impl")

    libc: ClassVar[Libc]
    impls: ClassVar[WeakSet[_Impl]]

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Local:
        initialise: Callable[..., None] = cls.__init__
        if (args or kwargs) and initialise is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self = object.__new__(cls)
        impl = _Impl(args, kwargs, cls.libc.current.pid)
        object.__setattr__(self, "_impl", impl)
        object.__setattr__(self, "__dict__", impl.dicts[impl.owner])
        cls.impls.add(impl)
        return self

    @classmethod
    def forget(cls, ident: int) -> None:
        """The thread `ident` has ended: drop what it stored."""
        for impl in tuple(cls.impls):
            # The dictionary may still be the one in place, so it is emptied too.
            impl.dicts.pop(ident, {}).clear()

    def __getattribute__(self, name: str) -> Any:
        _switch(self)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        _switch(self)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        _switch(self)
        object.__delattr__(self, name)


def _switch(local: Local) -> None:
    """Put the current thread's dictionary in place; a thread that comes for the first time runs
    `__init__`.
    """
    impl: _Impl = object.__getattribute__(local, "_impl")
    ident = type(local).libc.current.pid
    if ident == impl.owner:
        return
    impl.owner = ident
    known = impl.dicts.get(ident)
    if known is not None:
        object.__setattr__(local, "__dict__", known)
        return
    impl.dicts[ident] = {}
    object.__setattr__(local, "__dict__", impl.dicts[ident])
    args, kwargs = impl.args
    type(local).__init__(local, *args, **kwargs)
