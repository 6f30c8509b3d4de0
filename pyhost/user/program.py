"""A Python script as a process: from its first line to its exit status. CPython: Modules/main.c,
Python/pythonrun.c, Python/pylifecycle.c.
"""

from __future__ import annotations

import _io
import os
import sys
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from pyhost.fs.file import FilesStruct
from pyhost.kernel.bug import KernelBug
from pyhost.kernel.process import Process
from pyhost.mm.mmap import MmStruct
from pyhost.user import frames
from pyhost.user.abi import FD_BASE
from pyhost.user.libc import Libc
from pyhost.user.loader import Interpreter
from pyhost.user.stdio import Stdio

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["Program", "run_program"]

_EXIT_UNREADABLE = 2
_EXIT_FLUSH_FAILED = 120


def run_program(
    kernel: Kernel, path: str, argv: Sequence[str] = (), stdio: Sequence[int] = (0, 1, 2)
) -> Process:
    """Start the script `path` as a process of `kernel`; it runs as the kernel's clock does.

    `argv` are the arguments behind the script's name, `stdio` the real descriptors of its standard
    streams. When it has ended, `exit_code` is its exit status, negative when a signal ended it, and
    its files are closed.
    """
    name = os.path.basename(path)
    process = Process(kernel, name, MmStruct(kernel.mem), FilesStruct(min_fd=FD_BASE))
    program = Program(process, path, argv, stdio)
    process.spawn(program.main, name)
    return process


class Program:
    """One run of one script."""

    def __init__(
        self, process: Process, path: str, argv: Sequence[str], stdio: Sequence[int]
    ) -> None:
        self._process = process
        self._path = path
        self._argv = [path, *argv]
        self._stdio = Stdio(stdio)

    def main(self) -> None:
        """The main task: run the script, wind up, exit. CPython: Py_RunMain."""
        libc = Libc(self._process)
        self._interpreter = Interpreter(self._process, libc, self._stdio, self._argv)
        self._interpreter.start()
        self._sys: Any = self._interpreter.sys
        self._open_standard_streams()
        self._add_site_builtins()
        status = self._guarded(self._run_script)
        status = self._finalize(status)
        libc.sleeping(self._process.exit, status)

    # -- before the script -------------------------------------------------------------------------

    def _open_standard_streams(self) -> None:
        """CPython: init_sys_streams."""
        for fd, name in enumerate(("stdin", "stdout", "stderr")):
            stream = self._open_standard_stream(fd, name)
            setattr(self._sys, name, stream)
            setattr(self._sys, f"__{name}__", stream)

    def _open_standard_stream(self, fd: int, name: str) -> Any:
        raw_type: Any = self._interpreter.files.raw_type()
        try:
            raw = raw_type(fd, "r" if fd == 0 else "w", False, f"<{name}>")
        except OSError:
            return None
        return _standard_stream(raw, name)

    def _add_site_builtins(self) -> None:
        """exit() and quit() close the program's stdin. CPython: Lib/site.py setquit, sethelper."""
        site = self._interpreter.import_module("_sitebuiltins")
        builtins: Any = self._interpreter.builtins
        for name in ("quit", "exit"):
            setattr(builtins, name, site.Quitter(name, "Ctrl-D (i.e. EOF)"))
        builtins.help = site._Helper()

    # -- the script --------------------------------------------------------------------------------

    def _run_script(self) -> int:
        """CPython: pymain_run_file."""
        path = os.path.abspath(self._path)
        try:
            with open(path, "rb") as file:
                source = file.read()
        except OSError as error:
            reason = f"[Errno {error.errno}] {error.strerror}"
            self._sys.stderr.write(f"python: can't open file {path!r}: {reason}\n")
            return _EXIT_UNREADABLE
        self._sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
        module = self._make_main_module(path)
        code: CodeType = compile(source, path, "exec", dont_inherit=True)
        exec(code, module.__dict__)
        return 0

    def _make_main_module(self, path: str) -> ModuleType:
        module = self._interpreter.new_module("__main__")
        external: Any = self._interpreter.modules["_frozen_importlib_external"]
        module.__dict__.update(
            __builtins__=self._interpreter.builtins,
            __annotations__={},
            __loader__=external.SourceFileLoader("__main__", path),
            __file__=path,
            __cached__=None,
        )
        self._interpreter.modules["__main__"] = module
        return module

    # -- how it ends -------------------------------------------------------------------------------

    def _guarded(self, run: Callable[[], int]) -> int:
        """The exit status of `run()`, however it ends. CPython: PyErr_PrintEx,
        pymain_exit_err_print.

        Ctrl-C reaches whatever runs at that moment, on either machine. A program may catch it; one
        that does not ends the whole run with it.
        """
        try:
            return run()
        except (GreenletExit, KernelBug, KeyboardInterrupt):
            raise
        except SystemExit as error:
            return self._exit_status(error)
        except BaseException as error:
            error.__traceback__ = frames.strip(error.__traceback__)
            return self._report(error)

    def _exit_status(self, error: SystemExit) -> int:
        """CPython: handle_system_exit."""
        code = error.code
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        if self._sys.stderr is not None:
            self._sys.stderr.write(f"{code}\n")
            self._sys.stderr.flush()
        return 1

    def _report(self, error: BaseException) -> int:
        """Hand an uncaught exception to the program's sys.excepthook; the exit status."""
        kind, traceback = type(error), error.__traceback__
        self._sys.last_type, self._sys.last_value, self._sys.last_traceback = kind, error, traceback
        hook = getattr(self._sys, "excepthook", None)
        if hook is None:
            self._write_error("sys.excepthook is missing\n", error)
            return 1
        try:
            hook(kind, error, traceback)
        except GreenletExit:
            raise
        except SystemExit as exit_error:
            return self._exit_status(exit_error)
        except BaseException as hook_error:
            hook_error.__context__ = None
            self._write_error("Error in sys.excepthook:\n", hook_error)
            self._write_error("\nOriginal exception was:\n", error)
        return 1

    def _write_error(self, title: str, error: BaseException) -> None:
        if self._sys.stderr is not None:
            text = frames.format_exception(type(error), error, error.__traceback__)
            self._sys.stderr.write(title + text)
            self._sys.stderr.flush()

    def _finalize(self, status: int) -> int:
        """Join threads, run atexit, drop the script's objects, close its files.

        CPython: Py_FinalizeEx.
        """
        modules: dict[str, Any] = dict(self._interpreter.modules)
        if "threading" in modules:
            self._ignoring(
                "Exception ignored on threading shutdown:", modules["threading"]._shutdown
            )
        if "atexit" in modules:
            modules["atexit"]._run_exitfuncs()
        main = modules.get("__main__")
        if main is not None:
            main.__dict__.clear()
        for stream in tuple(self._interpreter.open_files):
            self._ignoring(f"Exception ignored in: {stream!r}", stream.close)
        return self._flush_standard_streams(status)

    def _ignoring(self, title: str, call: Callable[[], object]) -> None:
        try:
            call()
        except (GreenletExit, KernelBug):
            raise
        except BaseException as error:
            self._interpreter.write_unraisable(title, error)

    def _flush_standard_streams(self, status: int) -> int:
        """CPython: flush_std_files."""
        for name in ("stdout", "stderr"):
            stream = getattr(self._sys, name, None)
            if stream is None or getattr(stream, "closed", False):
                continue
            try:
                stream.flush()
            except (GreenletExit, KernelBug):
                raise
            except BaseException as error:
                status = _EXIT_FLUSH_FAILED
                if name == "stdout":
                    self._interpreter.write_unraisable(f"Exception ignored in: {stream!r}", error)
        return status


def _standard_stream(raw: Any, name: str) -> Any:
    """One of the three streams over `raw`. CPython: create_stdio."""
    reads = name == "stdin"
    real = getattr(sys, f"__{name}__")
    encoding = getattr(real, "encoding", None) or "utf-8"
    errors = "backslashreplace" if name == "stderr" else getattr(real, "errors", None) or "strict"
    unbuffered = not reads and bool(os.environ.get("PYTHONUNBUFFERED"))
    buffer_type: Any = _io.BufferedReader if reads else _io.BufferedWriter
    stream = _io.TextIOWrapper(
        raw if unbuffered else buffer_type(raw),
        encoding,
        errors,
        newline="\n",
        line_buffering=name == "stderr" or raw.isatty(),
        write_through=unbuffered,
    )
    stream.mode = "r" if reads else "w"  # type: ignore[misc]
    return stream
