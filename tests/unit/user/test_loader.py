"""The private interpreter: what a program imports, from where, and what it shares with nobody."""

from __future__ import annotations

import asyncio
import random
import socket
import sys

import pytest


def test_the_standard_library_is_loaded_privately_from_its_own_source(output):
    source = """
        import importlib, socket, sys, threading
        print(id(socket), id(threading), id(sys))
        print(socket.__file__, importlib.import_module("socket") is socket)
        print(sys.modules["socket"] is socket, socket.__spec__.name)
    """
    ids, names, spec = output(source)
    import threading

    assert {id(socket), id(threading), id(sys)}.isdisjoint(map(int, ids.split()))
    assert names == f"{socket.__file__} True"
    assert spec == "True socket"


def test_two_programs_share_no_module_state(host):
    first = host.run("import random, os; random.mark = os.mark = 1; os.environ['MARK'] = '1'")
    second = host.run(
        "import random, os; print(*(hasattr(m,'mark') for m in (random, os)), 'MARK' in os.environ)"
    )
    assert first.status == 0
    assert second.out == "False False False\n"


def test_accelerators_that_would_bypass_the_machine_are_replaced_by_python_code(output):
    source = """
        import asyncio, datetime, pickle, queue
        for item in (asyncio.Future, asyncio.Task, datetime.datetime.now, pickle.Unpickler,
                     queue.SimpleQueue.get):
            code = getattr(item, "__code__", None) or item.__init__.__code__
            print(code.co_name)
        try:
            import _queue
        except ModuleNotFoundError as error:
            print(error, error.name)
    """
    *_, last = output(source)
    assert asyncio.Future.__module__ == "_asyncio"
    assert last == "No module named '_queue' _queue"


def test_packages_with_extension_modules_are_shared_as_a_whole(output):
    import numpy as np
    import numpy.linalg as linalg

    lines = output("""
        import numpy as np, numpy.linalg
        print(id(np), id(numpy.linalg), np.arange(4).sum(), np.linalg is numpy.linalg)
        print(np.__spec__.loader)
    """)
    assert lines[0] == f"{id(np)} {id(linalg)} 6 True"
    assert lines[1] == str(np.__spec__.loader)


def test_modules_beside_the_script_are_found_and_run_once(host):
    host.write("print('loading', __name__, __file__)\nfrom . import b\nname = 'a'", "pkg/a.py")
    host.write("from . import a\nimport pkg.a as again\nassert a is again", "pkg/b.py")
    host.write("", "pkg/__init__.py")
    result = host.run("import pkg.a, pkg.b\nprint(pkg.a.name, pkg.b.a is pkg.a)")
    assert result.err == ""
    assert result.out == f"loading pkg.a {host.folder}/pkg/a.py\na True\n"


def test_reload_and_find_spec_work_on_the_private_modules(output):
    source = """
        import importlib.util, sys, string
        string.mark = 1
        again = importlib.reload(string)
        print(again is string, importlib.util.find_spec("string") is string.__spec__)
        del sys.modules["string"]
        import string as fresh
        print(fresh is string, hasattr(fresh, "mark"))
    """
    assert output(source) == ["True True", "False False"]


def test_exceptions_raised_by_shared_c_code_are_those_the_program_knows(output):
    source = """
        import copy, decimal, json, numbers, pickle, re, struct, zlib
        class Point:
            def __init__(self, x):
                self.x = x
        print(pickle.loads(pickle.dumps(Point(3))).x, copy.deepcopy([Point(4)])[0].x)
        for fail in (lambda: json.loads("{"), lambda: re.compile("("),
                     lambda: zlib.decompress(b"x"), lambda: struct.pack("B", 300)):
            try:
                fail()
            except (json.JSONDecodeError, re.error, zlib.error, struct.error) as error:
                print(type(error).__name__)
        print(isinstance(decimal.Decimal(1), numbers.Number), re.sub("(b)", r"<\\1>", "abc"))
    """
    assert output(source) == [
        "3 4",
        "JSONDecodeError",
        "error",
        "error",
        "error",
        "True a<b>c",
    ]


def test_dataclasses_enums_and_typing_find_the_program_s_own_module(as_cpython):
    as_cpython("""
        import dataclasses, enum, typing
        class Colour(enum.IntEnum):
            RED = 1
        @dataclasses.dataclass(order=True)
        class Item:
            colour: "Colour"
            names: "typing.ClassVar[list[str]]" = []
        print(Item(Colour.RED), dataclasses.fields(Item)[0].type, Item(Colour.RED) <= Item(2))
    """)


def test_builtins_speak_to_the_program_s_own_streams(as_cpython):
    as_cpython("""
        import contextlib, io, sys
        capture = io.StringIO()
        with contextlib.redirect_stdout(capture):
            print("captured", end="")
        print(repr(capture.getvalue()), file=sys.stderr)
        eval("print('from eval')")
        exec("import os; print(os.path.basename(__file__))")
        print(__import__("os.path").__name__, open.__module__, print.__name__)
    """)


@pytest.mark.parametrize(
    "source",
    [
        "import random as r; print(r.random(), r.Random().random(), r.SystemRandom().random())",
        "import os, secrets, uuid; print(os.urandom(8), secrets.token_hex(), uuid.uuid4())",
    ],
)
def test_randomness_comes_from_the_seed_of_the_run(tmp_path, source):
    from tests.unit.user.conftest import Host

    results = []
    for index, seed in enumerate((1, 1, 2)):
        machine = Host(tmp_path / str(index), seed)
        results.append(machine.run(source))
        machine.close()
    assert results[0].err == ""
    assert results[0].out == results[1].out
    assert results[0].out != results[2].out


def test_a_seeded_generator_gives_cpython_s_numbers(output):
    assert (
        output("import random; random.seed(5); print(random.random(), random.Random(6).random())")[
            0
        ]
        == f"{random.Random(5).random()} {random.Random(6).random()}"
    )


def test_most_of_the_standard_library_can_be_imported(output):
    names = [
        "argparse",
        "ast",
        "asyncio",
        "base64",
        "collections",
        "concurrent.futures",
        "configparser",
        "contextlib",
        "csv",
        "ctypes",
        "datetime",
        "decimal",
        "difflib",
        "email.message",
        "fractions",
        "ftplib",
        "glob",
        "hashlib",
        "heapq",
        "html",
        "http.client",
        "http.server",
        "imaplib",
        "inspect",
        "io",
        "ipaddress",
        "json",
        "logging.handlers",
        "lzma",
        "mmap",
        "multiprocessing",
        "operator",
        "pathlib",
        "pickle",
        "platform",
        "pprint",
        "queue",
        "re",
        "resource",
        "sched",
        "secrets",
        "selectors",
        "shelve",
        "shlex",
        "shutil",
        "signal",
        "smtplib",
        "socketserver",
        "sqlite3",
        "ssl",
        "statistics",
        "string",
        "subprocess",
        "tarfile",
        "tempfile",
        "textwrap",
        "threading",
        "timeit",
        "traceback",
        "typing",
        "unittest",
        "urllib.request",
        "uuid",
        "warnings",
        "wsgiref.simple_server",
        "xml.etree.ElementTree",
        "xmlrpc.client",
        "zipfile",
        "zoneinfo",
    ]
    lines = output(
        f"import importlib\nfor n in {names!r}: print(importlib.import_module(n).__name__)"
    )
    assert lines == names


def test_no_other_process_can_be_started(output):
    source = """
        import multiprocessing, os, subprocess
        for start in (os.fork, lambda: subprocess.run(["true"]), lambda: os.system("true"),
                      lambda: os.execv("/bin/true", ["true"]),
                      multiprocessing.get_context("fork").Process(target=print).start):
            try:
                start()
            except OSError as error:
                print(error)
    """
    assert output(source) == ["[Errno 38] Function not implemented"] * 5
