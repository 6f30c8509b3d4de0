"""Threads of a program are tasks of its process, and wait on the kernel's wait queues."""

from __future__ import annotations


def test_threads_take_turns_in_simulated_time(output):
    source = """
        import threading, time
        def worker(n):
            for i in range(2):
                time.sleep(n)
                print(n, i, time.monotonic())
        threads = [threading.Thread(target=worker, args=(n,)) for n in (1, 3, 4)]
        for thread in threads: thread.start()
        print(threading.active_count(), len({thread.ident for thread in threading.enumerate()}))
        for thread in threads: thread.join()
        print(threading.active_count(), time.monotonic())
    """
    assert output(source) == [
        "4 4", "1 0 1.0", "1 1 2.0", "3 0 3.0", "4 0 4.0", "3 1 6.0", "4 1 8.0", "1 8.0",
    ]  # fmt: skip


def test_a_lock_keeps_the_others_out_until_it_is_released(output):
    source = """
        import threading, time
        lock, order = threading.Lock(), []
        def worker(n):
            with lock:
                order.append(n)
                time.sleep(1)
                order.append(n)
        threads = [threading.Thread(target=worker, args=(n,)) for n in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(order, time.time(), lock.locked())
    """
    assert output(source) == ["[0, 0, 1, 1, 2, 2, 3, 3] 4.0 False"]


def test_waiting_with_a_timeout_takes_exactly_that_long(output):
    source = """
        import queue, threading, time
        lock = threading.Lock()
        lock.acquire()
        print(lock.acquire(timeout=1.5), time.time(), lock.acquire(blocking=False))
        start = time.time()
        print(threading.Event().wait(0.5), time.time() - start)
        try:
            queue.Queue().get(timeout=2)
        except queue.Empty:
            print(round(time.time() - start, 6))
        sleeper = threading.Thread(target=time.sleep, args=(5,))
        sleeper.start()
        sleeper.join(timeout=1)
        print(sleeper.is_alive())
    """
    assert output(source) == ["False 1.5 False", "False 0.5", "2.5", "True"]


def test_conditions_semaphores_barriers_and_simple_queues(output):
    source = """
        import queue, threading, time
        done = []
        items, gate = queue.SimpleQueue(), threading.Semaphore(2)
        barrier = threading.Barrier(3, action=lambda: done.append("all here"))
        def consumer(n):
            barrier.wait()
            with gate:
                done.append((n, items.get()))
        threads = [threading.Thread(target=consumer, args=(n,)) for n in range(3)]
        for thread in threads: thread.start()
        time.sleep(1)
        for item in "abc": items.put(item)
        for thread in threads: thread.join()
        print(done[0], sorted(item for _, item in done[1:]))
        condition = threading.Condition()
        def notifier():
            with condition:
                condition.notify_all()
        with condition:
            threading.Thread(target=notifier).start()
            print(condition.wait(10), time.time())
    """
    assert output(source) == ["all here ['a', 'b', 'c']", "True 1.0"]


def test_thread_local_data_is_each_thread_s_own(output):
    source = """
        import gc, threading, weakref
        class Data(threading.local):
            def __init__(self, start):
                self.value = start
        class Token: pass
        data, plain, seen = Data(10), threading.local(), []
        data.value = 11
        def worker():
            seen.append((data.value, hasattr(plain, "token"), sorted(data.__dict__)))
            plain.token = Token()
            seen.append(weakref.ref(plain.token))
        plain.token = None
        thread = threading.Thread(target=worker)
        thread.start(); thread.join()
        print(seen[0], seen[1](), data.value, plain.token)
        try:
            threading.local(1)
        except TypeError as error:
            print(error)
    """
    assert output(source) == [
        "(10, False, ['value']) None 11 None",
        "Initialization arguments are not supported",
    ]


def test_lock_errors_are_those_of_cpython(as_cpython):
    as_cpython(
        """
        import _thread, threading
        lock, rlock = threading.Lock(), threading.RLock()
        for call in (lock.release, rlock.release, lambda: lock.acquire(False, 1),
                     lambda: lock.acquire(True, -2), lambda: lock.acquire(True, 1e300),
                     lambda: _thread.start_new_thread(1, ()),
                     lambda: _thread.start_new_thread(print, []),
                     threading.current_thread().join,
                     threading.Condition().notify):
            try:
                call()
            except Exception as error:
                print(type(error).__name__, error)
        rlock.acquire(); rlock.acquire()
        print(lock, rlock._is_owned(), lock.acquire(timeout=0), lock.locked())
        rlock.release(); rlock.release()
        print(rlock._is_owned())
    """.replace("print(lock, ", "print(")
    )


def test_a_program_that_polls_lets_time_pass(output):
    source = """
        import threading, time
        flag = []
        threading.Timer(0.001, lambda: flag.append(1)).start()
        while not flag:
            time.monotonic()
        lock = threading.Lock()
        lock.acquire()
        threading.Timer(0.001, lock.release).start()
        while not lock.acquire(blocking=False):
            pass
        print(0.002 <= time.time() < 0.0025)
    """
    assert output(source) == ["True"]


def test_an_executor_runs_its_jobs_in_threads(output):
    source = """
        import concurrent.futures, time
        def job(n):
            time.sleep(n)
            return n
        with concurrent.futures.ThreadPoolExecutor(3) as executor:
            futures = [executor.submit(job, n) for n in (3, 1, 2)]
            print([future.result() for future in concurrent.futures.as_completed(futures)])
        print(time.time())
    """
    assert output(source) == ["[1, 2, 3]", "3.0"]


def test_a_raw_thread_that_fails_says_so_and_the_program_goes_on(run):
    result = run("""
        import _thread, time
        def fail():
            raise ValueError("raw")
        _thread.start_new_thread(fail, ())
        _thread.start_new_thread(_thread.exit, ())
        time.sleep(1)
        print(_thread._count())
    """)
    assert (result.status, result.out) == (0, "0\n")
    assert result.err.startswith("Exception ignored in thread started by: <function fail at")
    assert result.err.endswith("ValueError: raw\n")
    assert result.err.count("File ") == 1


def test_a_killed_thread_runs_not_one_line_more(host):
    source = """
        import os, threading, time
        r, w = os.pipe()
        def reader():
            try:
                os.read(r, 1)
            except BaseException as error:
                os.write(2, b"unwound")
        threading.Thread(target=reader, daemon=True).start()
        time.sleep(1)
        os._exit(9)
    """
    result = host.run(source)
    assert result == (9, "", "")
    assert not [task for task in host.kernel.sched.tasks.values() if task.process is not None]
