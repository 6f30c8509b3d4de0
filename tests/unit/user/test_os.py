"""Emulated and real descriptors side by side: os, open, select."""

from __future__ import annotations

import hashlib


def test_a_pipe_carries_bytes_between_threads(output):
    source = """
        import os, threading, time
        r, w = os.pipe()
        print(r >= 1 << 20, w >= 1 << 20, os.isatty(r), os.get_inheritable(r), os.get_blocking(w))
        def writer():
            time.sleep(1)
            os.write(w, b"hello")
            os.writev(w, [b" big", bytearray(b" "), memoryview(b"world")])
            os.close(w)
        threading.Thread(target=writer).start()
        print(os.read(r, 5), time.time(), os.read(r, 100), os.read(r, 1))
    """
    assert output(source) == ["True True False False True", "b'hello' 1.0 b' big world' b''"]


def test_pipe_errors_are_those_of_linux(as_cpython):
    as_cpython("""
        import os, signal
        r, w = os.pipe()
        os.set_blocking(r, False)
        def reset():
            os.close(r)
            os.write(w, b"x")
        for call in (lambda: os.read(r, 1), lambda: os.write(r, b"x"), lambda: os.read(w, 1),
                     lambda: os.lseek(r, 0, 0), lambda: os.write(w, "text"), reset,
                     lambda: os.close(r), lambda: os.fstat(r), lambda: os.fsync(w),
                     lambda: os.ttyname(w)):
            try:
                print(call())
            except Exception as error:
                print(type(error).__name__, error)
        print(signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN)
    """)


def test_a_big_write_passes_a_small_pipe(output):
    data = bytes(range(256)) * 12_000
    source = """
        import hashlib, os, threading
        data = bytes(range(256)) * 12_000
        r, w = os.pipe()
        def writer():
            with open(w, "wb", buffering=0) as file:
                print(file.write(data))
        threading.Thread(target=writer).start()
        digest, n = hashlib.sha256(), 0
        while block := os.read(r, 100_000):
            digest.update(block)
            n += len(block)
        print(n, digest.hexdigest())
    """
    assert sorted(output(source)) == sorted(
        [str(len(data)), f"{len(data)} {hashlib.sha256(data).hexdigest()}"]
    )


def test_file_objects_over_emulated_descriptors(as_cpython):
    as_cpython("""
        import io, os
        r, w = os.pipe()
        with os.fdopen(w, "w", encoding="utf-8") as out, open(r, "rb") as back:
            print(out.writable(), out.readable(), out.mode, back.mode, back.raw.mode)
            out.write("grüße\\nzwei\\n")
            out.flush()
            print(back.readline(), back.peek(4)[:4], back.seekable())
            print(isinstance(back.raw, io.RawIOBase))
            out.close()
            print(back.read(), back.read(), out.closed)
        for call in (back.read, lambda: os.read(r, 1), lambda: open(r), lambda: open(-1)):
            try:
                call()
            except (ValueError, OSError) as error:
                print(type(error).__name__, error)
        r, w = os.pipe()
        opened = open("ignored", "wb", opener=lambda path, flags: w)
        opened.write(b"through an opener")
        opened.close()
        print(os.read(r, 100))
        keeper = open(r, closefd=False)
        keeper.close()
        os.close(r)
    """)


def test_dup_dup2_and_standard_output(run):
    result = run("""
        import os, sys
        r, w = os.pipe()
        copy = os.dup(w)
        os.close(w)
        saved = os.dup(1)
        print("to the real one", flush=True)
        os.dup2(copy, 1)
        print("into the pipe", flush=True)
        os.dup2(saved, 1)
        os.close(copy)
        print("back again:", os.read(r, 100), flush=True)
        os.close(2)
        try:
            os.write(2, b"x")
        except OSError as error:
            print(error)
    """)
    assert result == (
        0,
        "to the real one\nback again: b'into the pipe\\n'\n[Errno 9] Bad file descriptor\n",
        "",
    )


def test_real_files_stay_real_files(as_cpython):
    as_cpython("""
        import os, shutil, stat, sys, tempfile
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "file")
            fd = os.open(path, os.O_CREAT | os.O_RDWR)
            print(os.write(fd, b"abc"), os.lseek(fd, 0, 0), os.read(fd, 2), fd < 1 << 20)
            print(stat.S_ISREG(os.fstat(fd).st_mode), os.stat(path).st_size, os.listdir(folder))
            os.close(fd)
            shutil.copy(path, path + "2")
            with open(path + "2") as copy:
                print(copy.read(), os.stat(sys.stdin.fileno()).st_nlink >= 0)
    """)


def test_a_finalizer_closes_its_descriptor_at_the_next_system_call(host):
    source = """
        import os
        r, w = os.pipe()
        file = open(w, "wb", buffering=0)
        del file
        print(os.read(r, 1))
    """
    assert host.run(source) == (0, "b''\n", "")


def test_select_poll_and_epoll_wait_for_emulated_descriptors(output):
    source = """
        import os, select, threading, time
        def later(fd):
            threading.Timer(1, os.write, (fd, b"x")).start()
        r, w = os.pipe()
        later(w)
        print(select.select([r], [w], [], 0) == ([], [w], []), select.select([r], [], [], 0.5))
        print(select.select([r], [], []) == ([r], [], []), time.time())
        os.read(r, 1)
        later(w)
        poll = select.poll()
        poll.register(r, select.POLLIN)
        print(poll.poll(500), poll.poll() == [(r, select.POLLIN)], time.time())
        os.read(r, 1)
        later(w)
        with select.epoll() as epoll:
            epoll.register(r, select.EPOLLIN)
            print(epoll.poll(0.5), epoll.poll() == [(r, select.EPOLLIN)], time.time())
            epoll.unregister(r)
        print(epoll.closed)
    """
    assert output(source) == [
        "True ([], [], [])",
        "True 1.0",
        "[] True 2.0",
        "[] True 3.0",
        "True",
    ]


def test_real_descriptors_are_ready_at_once(output):
    source = """
        import os, select, sys
        r, w = os.pipe()
        with open(sys.argv[0]) as file:
            print(select.select([file, r], [], []) == ([file], [], []))
            with select.epoll() as epoll:
                epoll.register(r, select.EPOLLIN)
                os.mkfifo(sys.argv[0] + ".fifo")
                real = os.open(sys.argv[0] + ".fifo", os.O_RDWR)
                epoll.register(real, select.EPOLLIN)
                print(epoll.poll() == [(real, select.EPOLLIN)])
        print(select.select([], [1], [])[1])
    """
    assert output(source) == ["True", "True", "[1]"]


def test_select_errors_are_those_of_cpython(as_cpython):
    as_cpython("""
        import os, select
        poll, epoll = select.poll(), select.epoll()
        r, w = os.pipe()
        os.close(w)
        for call in (lambda: select.select([w], [], []), lambda: select.select([object()], [], []),
                     lambda: select.select([-1], [], []), lambda: select.select([], [], [], -1),
                     lambda: poll.unregister(7), lambda: poll.modify(r, 1),
                     lambda: epoll.modify(r, 1), lambda: epoll.poll(maxevents=0),
                     lambda: epoll.register(w), lambda: (epoll.close(), epoll.fileno())):
            try:
                call()
            except Exception as error:
                print(type(error).__name__, error if not isinstance(error, KeyError) else "")
    """)


def test_the_process_is_one_of_the_machine(host):
    source = """
        import os
        print(os.getpid(), os.getppid(), os.uname().nodename, os.get_terminal_size is not None)
        try:
            os.kill(99999, 9)
        except ProcessLookupError as error:
            print(error)
        os.kill(os.getpid(), 15)
        print("never")
    """
    result = host.run(source)
    assert (result.status, result.err) == (-15, "")
    assert "never" not in result.out
