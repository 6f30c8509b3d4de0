"""How a program ends, judged by CPython: status, output, traceback."""

from __future__ import annotations

import sys

import pytest

from pyhost.kernel.bug import KernelBug

ENDINGS = {
    "the end of the file": "print('done')",
    "sys.exit()": "import sys; sys.exit()",
    "sys.exit(None)": "import sys; sys.exit(None)",
    "sys.exit(int)": "import sys; sys.exit(3)",
    "a status beyond a byte": "import sys; sys.exit(259)",
    "a negative status": "import sys; sys.exit(-1)",
    "sys.exit(message)": "import sys; print('out'); sys.exit('no such thing')",
    "a tuple as status": "raise SystemExit((1, 2))",
    "exit()": "exit(4)",
    "os._exit": "import os; print('lost in the buffer'); os._exit(5)",
    "os.abort": "import os; os.abort()",
    "a division by zero": "def f(x):\n    return 1 / x\n\ndef g():\n    f(0)\n\ng()",
    "chained exceptions": """
        def f():
            try:
                {}["key"]
            except KeyError as error:
                raise ValueError("no key") from error
        try:
            f()
        finally:
            [][1]
    """,
    "an exception group": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])",
    "an exception with a note": "e = ValueError('x'); e.add_note('look here'); raise e",
    "a misspelt name": "value = 1\nprint(valeu)",
    "a missing module": "import no_such_module",
    "a missing name in a module": "from socket import no_such_name",
    "a syntax error": "print('a'\nx = 1 +\n",
    "an indentation error": "if True:\nprint(1)\n",
    "an own excepthook": """
        import sys, traceback
        def hook(kind, value, tb):
            print("hook", kind, value, len(traceback.extract_tb(tb)))
        sys.excepthook = hook
        1 / 0
    """,
    "an excepthook that fails": """
        import sys
        def hook(kind, value, tb):
            raise RuntimeError("in the hook")
        sys.excepthook = hook
        1 / 0
    """,
    "atexit after an exception": """
        import atexit
        atexit.register(print, "first")
        atexit.register(print, "second", end="!\\n")
        raise ValueError("boom")
    """,
    "atexit functions that fail": """
        import atexit
        def fail():
            raise ValueError("at the end")
        atexit.register(print, "still called")
        atexit.register(fail)
    """,
    "an object with a finalizer": """
        class Last:
            def __del__(self):
                print("finalizer")
        last = Last()
        print("end")
    """,
    "an exception in a thread": """
        import threading
        def fail():
            raise ValueError("in the thread")
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
        print("main goes on")
    """,
    "SystemExit in a thread": """
        import sys, threading
        thread = threading.Thread(target=sys.exit, args=(7,))
        thread.start()
        thread.join()
        print("main goes on")
    """,
    "a thread that outlives main": """
        import threading, time
        def late():
            time.sleep(0.05)
            print("late")
        threading.Thread(target=late).start()
        print("main ends")
    """,
    "a daemon that is cut off": """
        import threading, time
        def forever():
            try:
                while True:
                    time.sleep(0.01)
            except BaseException:
                print("caught")
            finally:
                print("unwound")
        threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.05)
        print("main ends")
    """,
    "a closed stdout": "import sys; sys.stdout.close()",
    "a warning": "import warnings\ndef f():\n    warnings.warn('old', stacklevel=2)\nf()",
    "print to nowhere": "import sys; sys.stdout = None; print('x'); raise SystemExit(2)",
    "an error in a standard module": "import json\njson.loads('{')",
    "a printed traceback": """
        import socket, traceback
        def f():
            socket.socket().connect("not a tuple")
        try:
            f()
        except TypeError:
            traceback.print_exc()
    """,
    "a logged traceback": """
        import importlib, logging
        try:
            importlib.import_module("no_such_module")
        except ImportError:
            logging.exception("import failed")
    """,
}


@pytest.mark.parametrize("source", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_program_ends_as_under_cpython(as_cpython, source):
    as_cpython(source)


@pytest.mark.parametrize("keeper", ["file", "circle = [file]; circle.append(circle)"])
# CPython ignores this warning unless it is asked not to; pytest asks.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_file_that_was_never_closed_is_flushed_at_the_end(host, keeper):
    path = host.folder / "out.txt"
    source = f"""
        file = open({str(path)!r}, "w")
        {keeper}
        file.write("content")
    """
    assert host.run(source).status == 0
    assert path.read_text() == "content"


def test_a_syntax_error_in_an_imported_module_is_shown_as_cpython_shows_it(host, as_cpython):
    host.write("x = (1,\n", "broken.py")
    as_cpython("import broken")


def test_an_exception_in_an_imported_module_is_shown_without_import_machinery(host, as_cpython):
    host.write("def f():\n    raise ValueError('inside')\nf()\n", "failing.py")
    as_cpython("import failing")


def test_arguments_and_the_script_path_are_those_of_cpython(as_cpython):
    source = """
        import os, sys
        print(sys.argv, __name__, __file__, __package__, __spec__, __builtins__)
        print(sys.path[0] == os.path.dirname(__file__), sys.orig_argv[1:])
    """
    assert as_cpython(source, "one", "-two").status == 0


def test_standard_input_is_read_by_input_and_by_sys_stdin(as_cpython):
    source = """
        import sys
        print(repr(input("name? ")), sys.stdin.readline(), sys.stdin.buffer.read())
        try:
            input()
        except EOFError as error:
            print(error)
    """
    as_cpython(source, stdin=b"first\nsecond\nthird\n")


def test_a_missing_script_ends_with_status_2(host):
    process, streams = host.start(host.folder / "missing.py")
    host.finish(process)
    result = host.result(process, streams)
    assert result.status == 2
    assert result.err.endswith("[Errno 2] No such file or directory\n")


def test_nothing_is_open_and_nothing_is_mapped_after_the_end(host):
    source = """
        import os, threading, time
        r, w = os.pipe()
        threading.Thread(target=os.read, args=(r, 1), daemon=True).start()
        time.sleep(0.1)
    """
    pages = host.kernel.mem.pages_in_use
    process, _ = host.start(host.write(source))
    host.finish(process)
    assert process.exit_code == 0
    assert not process.files.fds
    assert not process.tasks
    assert host.kernel.mem.pages_in_use == pages


def test_the_private_interpreter_leaves_the_real_one_alone(host):
    before = dict(sys.modules)
    stdout, path = sys.stdout, list(sys.path)
    host.write("value = 1", "neighbour.py")
    source = """
        import asyncio, collections, enum, logging, neighbour, socket, sys, threading, warnings
        sys.path.append("/nowhere")
        sys.stdout = None
        warnings.simplefilter("error")
        logging.basicConfig()
    """
    assert host.run(source).status == 0
    assert "neighbour" not in sys.modules
    assert (sys.stdout, sys.path) == (stdout, path)
    assert all(sys.modules[name] is module for name, module in before.items())


def break_pipe2(host):
    def sys_pipe2(*_):
        raise KernelBug("a broken pipe2")

    host.kernel.syscalls = {**host.kernel.syscalls, "pipe2": sys_pipe2}


def test_a_bug_of_the_kernel_is_not_blamed_on_the_program(host):
    break_pipe2(host)
    process, streams = host.start(host.write("import os; os.pipe()"))
    with pytest.raises(KernelBug, match="a broken pipe2"):
        host.finish(process)
    assert (streams / "err").read_text() == ""


def test_a_bug_of_the_kernel_is_kept_when_threading_catches_it(host):
    break_pipe2(host)
    host.run("import os, threading; threading.Thread(target=os.pipe).start()")
    assert str(host.kernel.oops) == "a broken pipe2"
