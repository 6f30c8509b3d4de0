"""A private Python interpreter for one process: its own `sys`, module dictionary, builtins and
importlib.

CPython keeps importlib as two frozen modules which know the rest of the interpreter only through
two arguments: `sys` and `_imp`. `Interpreter` runs these frozen modules a second time, with a `sys`
and an `_imp` of its own. All semantics of import (finders, cached bytecode, packages, locks,
`importlib.import_module`, `reload`) are therefore CPython's own, and everything that the program
imports (socket.py, threading.py, asyncio …) is executed a second time, unmodified, from its source.

`_imp` is the border between importlib and C modules, and there the emulation begins:

    emulated   `EMULATED`: made by pyhost/user/cpython, in terms of system calls
    hidden     `HIDDEN`: accelerators that would bypass the emulation; the standard library
               falls back to its Python code
    shared     every other C module, and the packages of `SHARED`: the very objects of the
               interpreter that runs pyhost

A third-party package that holds extension modules (numpy …) is shared as a whole, because C code
finds its Python half by name.
"""

from __future__ import annotations

import _imp
import importlib
import importlib.machinery
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from pyhost.user import frames
from pyhost.user.cpython.iomodule import Files

if TYPE_CHECKING:
    from pyhost.kernel.process import Process
    from pyhost.user.libc import Libc
    from pyhost.user.stdio import Stdio

__all__ = ["EMULATED", "HIDDEN", "SHARED", "Interpreter"]

EMULATED: Mapping[str, str] = {
    "_io": "iomodule",
    "_posixsubprocess": "posixsubprocess",
    "_random": "randommodule",
    "_signal": "signalmodule",
    "_socket": "socketmodule",
    "_thread": "threadmodule",
    "atexit": "atexitmodule",
    "builtins": "bltinmodule",
    "fcntl": "fcntlmodule",
    "posix": "posixmodule",
    "select": "selectmodule",
    "sys": "sysmodule",
    "time": "timemodule",
}
"""C module → the file in pyhost/user/cpython that stands for it."""

HIDDEN = frozenset(
    {
        "_asyncio",  # knows the running loop of the real thread
        "_datetime",  # reads the real clock
        "_interpchannels",
        "_interpqueues",
        "_interpreters",
        "_multiprocessing",  # semaphores that would stop the simulation
        "_pickle",  # finds classes in the real sys.modules
        "_queue",  # blocks the real thread
        "_uuid",  # reads the real clock and the real MAC address
        "_warnings",  # writes to the real sys.stderr
        "_xxinterpchannels",
        "_xxsubinterpreters",
        "_zoneinfo",  # is built on _datetime
    }
)

SHARED = frozenset(
    {
        "_collections_abc",  # ABCs: one registry for the program and for C code
        "_py_abc",
        "abc",
        "codecs",  # the codec registry belongs to the interpreter
        "ctypes",
        "encodings",
        "json",  # its C half raises json.decoder.JSONDecodeError by name
        "numbers",
        "xml",  # its C half keeps the element factories
    }
    # From 3.12 on typing.Generic is written in C, which calls the Python half by name.
    | ({"typing"} if sys.version_info >= (3, 12) else set())
)
"""Packages of Python code with neither time, threads nor input/output, which C code refers to by
name.
"""

_EXTENSION_SUFFIXES = tuple(importlib.machinery.EXTENSION_SUFFIXES)


class Interpreter:
    """What one program sees as "the interpreter". `start()` makes it ready to import."""

    def __init__(self, process: Process, libc: Libc, stdio: Stdio, argv: Sequence[str]) -> None:
        self.process = process
        self.kernel = process.kernel
        self.libc = libc
        self.stdio = stdio
        self.argv = list(argv)
        self.main_task = libc.current
        self.files = Files(self)
        self.open_files: WeakSet[Any] = WeakSet()
        self.modules: dict[str, ModuleType] = {}
        self.builtins = self._emulate("builtins")
        self.sys = self._emulate("sys")

    def start(self) -> None:
        """Run the frozen importlib on the private `sys` and `_imp`. CPython: init_importlib,
        init_importlib_external.
        """
        for name in ("_thread", "posix", "_io"):
            self._emulate(name)
        self.modules["_imp"] = _make_imp(self)
        # importlib itself warns with the real one; the program gets warnings.py's Python code.
        self.modules["_warnings"] = sys.modules["_warnings"]
        bootstrap = self._run_frozen("_frozen_importlib")
        self.builtins.__import__ = _make_import(self.modules, bootstrap.__import__)
        bootstrap._install(self.sys, self.modules["_imp"])
        self._run_frozen("_frozen_importlib_external")
        bootstrap._install_external_importers()
        del self.modules["_warnings"]
        self.sys.meta_path.insert(0, BorderFinder(self))

    def import_module(self, name: str) -> Any:
        """Import a module as the program would: `import name`."""
        self.builtins.__import__(name)
        return self.modules[name]

    def write_unraisable(self, title: str, error: BaseException) -> None:
        """Show an exception that nobody can catch. CPython: PyErr_WriteUnraisable."""
        stderr = self.sys.stderr
        if stderr is not None:
            text = frames.format_exception(type(error), error, error.__traceback__)
            stderr.write(f"{title}\n{text}")
            stderr.flush()

    def new_module(self, name: str) -> ModuleType:
        """An empty module whose code will see the private builtins."""
        module = ModuleType(name)
        module.__dict__["__builtins__"] = self.builtins.__dict__
        return module

    def create_c_module(self, name: str) -> ModuleType | None:
        """The module that stands for the C module `name`; None when it is not emulated."""
        return self._emulate(name) if name in EMULATED else None

    def _emulate(self, name: str) -> Any:
        made = self.modules.get(name)
        if made is None:
            maker = importlib.import_module(f"pyhost.user.cpython.{EMULATED[name]}")
            made = self.modules[name] = maker.make_module(self)
        return made

    def _run_frozen(self, name: str) -> Any:
        module = self.modules[name] = self.new_module(name)
        module.__dict__["__origname__"] = name
        exec(_imp.get_frozen_object(name), module.__dict__)
        return module


def _make_imp(interpreter: Interpreter) -> ModuleType:
    """The private `_imp`. CPython: Python/import.c."""
    module = ModuleType("_imp", _imp.__doc__)
    module.__dict__.update({k: v for k, v in vars(_imp).items() if not k.startswith("__")})
    specs: dict[str, ModuleSpec | None] = {}

    def is_builtin(name: str) -> int:
        return int(name in interpreter.sys.builtin_module_names)

    def create_c_module(spec: ModuleSpec, _file: object = None) -> ModuleType:
        if spec.name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
        emulated = interpreter.create_c_module(spec.name)
        if emulated is not None:
            return emulated
        try:
            real = importlib.import_module(spec.name)
        except ModuleNotFoundError:
            # An extension beside the program: nobody else can have imported it.
            return _imp.create_dynamic(spec)
        specs[spec.name] = real.__spec__
        return real

    def exec_c_module(module: ModuleType) -> int:
        name = module.__spec__.name if module.__spec__ else module.__name__
        if name in specs:
            # importlib has put the private spec on a module that belongs to everybody.
            module.__spec__ = specs.pop(name)
        elif name not in EMULATED:
            _imp.exec_dynamic(module)
        return 0

    def nothing() -> None:
        """The global import lock: the sections it guards never sleep here."""

    module.__dict__.update(
        is_builtin=is_builtin,
        create_builtin=create_c_module,
        create_dynamic=create_c_module,
        exec_builtin=exec_c_module,
        exec_dynamic=exec_c_module,
        acquire_lock=nothing,
        release_lock=nothing,
        lock_held=lambda: False,
    )
    return module


class BorderFinder:
    """Asked before any other finder: what is shared with the interpreter that runs pyhost, and what
    needs a word after loading.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._shared: dict[str, bool] = dict.fromkeys(SHARED, True)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for a shared module, None for a private one. See importlib.abc.MetaPathFinder."""
        top = fullname.partition(".")[0]
        shared = self._shared.get(top)
        if shared is None:
            shared = self._shared[top] = path is None and self._has_extensions(top)
        if shared:
            return _shared_spec(fullname)
        if fullname == "traceback":
            spec = self._path_spec(fullname)
            spec.loader = _TracebackLoader(spec.loader)
            return cast(ModuleSpec, spec)
        return None

    def _path_spec(self, name: str) -> Any:
        return self._interpreter.modules["_frozen_importlib_external"].PathFinder.find_spec(name)

    def _has_extensions(self, top: str) -> bool:
        if top in sys.stdlib_module_names:
            return False
        spec = self._path_spec(top)
        if spec is None or not spec.submodule_search_locations:
            return False
        folders = list(spec.submodule_search_locations)
        if not any(os.path.dirname(folder) in sys.path for folder in folders):
            return False
        return any(
            name.endswith(_EXTENSION_SUFFIXES)
            for folder in folders
            for _, _, names in os.walk(folder)
            for name in names
        )


def _shared_spec(fullname: str) -> ModuleSpec | None:
    try:
        real = importlib.import_module(fullname)
    except ModuleNotFoundError as error:
        if error.name == fullname:
            return None
        raise
    loader: Any = _SharedLoader(real)
    return ModuleSpec(fullname, loader, origin="shared")


class _SharedLoader:
    """Hands out a module that is loaded already."""

    def __init__(self, real: ModuleType) -> None:
        self._real = real
        self._spec = real.__spec__

    def create_module(self, _spec: ModuleSpec) -> ModuleType:
        return self._real

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _TracebackLoader:
    """Loads `traceback` as its own loader does, and then has it leave out our frames."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        frames.hide_from_traceback_module(module)


def _make_import(
    modules: dict[str, ModuleType], private_import: Callable[..., ModuleType]
) -> Callable[..., ModuleType]:
    """The program's `builtins.__import__`."""

    def __import__(  # noqa: N807
        name: str,
        globals: dict[str, Any] | None = None,
        locals: dict[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if type(fromlist) is list and not fromlist and globals is locals and not level:
            # This is how C code imports (PyImport_Import); it then looks into the real sys.modules.
            importlib.import_module(name)
        module = private_import(name, globals, locals, fromlist or (), level)
        if fromlist:
            if hasattr(module, "__path__"):
                _attach(modules, module, fromlist)
        elif "." in name:
            parent = module
            for part in name.split(".")[1:]:
                _attach(modules, parent, (part,))
                parent = getattr(parent, part, parent)
        return module

    return frames.disguise_as_importlib(__import__)


def _attach(modules: dict[str, ModuleType], package: ModuleType, names: Sequence[str]) -> None:
    """Make submodules attributes of their package while they are still being imported.

    In a circle of imports the bytecode IMPORT_FROM finds such a submodule in sys.modules, and it
    knows the real one alone.
    """
    for name in names:
        if not hasattr(package, name):
            submodule = modules.get(f"{package.__name__}.{name}")
            if submodule is not None:
                setattr(package, name, submodule)
