"""The program's clocks are the machine's; the epoch is the start of the simulation."""

from __future__ import annotations


def test_every_clock_is_the_simulated_one(output):
    source = """
        import time
        time.sleep(1.25)
        clocks = (time.time, time.monotonic, time.perf_counter, time.process_time, time.thread_time)
        print({clock() for clock in clocks}, time.clock_gettime(time.CLOCK_BOOTTIME))
        print({time.time_ns(), time.monotonic_ns(), time.perf_counter_ns()})
    """
    assert output(source) == ["{1.25} 1.25", "{1250000000}"]


def test_the_calendar_starts_in_1970(output):
    source = """
        import datetime, time
        time.sleep(3661)
        print(time.gmtime()[:6], time.strftime("%H:%M", time.gmtime()), time.gmtime(0)[:3])
        today = datetime.date.today()
        print(datetime.datetime.now(datetime.timezone.utc), today.year in (1969, 1970))
        parsed = datetime.datetime.strptime("7", "%d")
        print(time.strptime("2024-05-06", "%Y-%m-%d")[:3], parsed.day)
        print(time.asctime() == time.ctime() == time.asctime(time.localtime()))
    """
    assert output(source) == [
        "(1970, 1, 1, 1, 1, 1) 01:01 (1970, 1, 1)",
        "1970-01-01 01:01:01+00:00 True",
        "(2024, 5, 6) 7",
        "True",
    ]


def test_a_sleep_never_ends_early(output):
    source = """
        import time
        for seconds in (0, 1e-9, 0.1, 1/3, 2):
            start = time.time_ns()
            time.sleep(seconds)
            print(time.time_ns() - start)
    """
    assert output(source) == ["0", "1", "100000000", "333333334", "2000000000"]


def test_errors_of_time_are_those_of_cpython(as_cpython):
    as_cpython("""
        import time
        for call in (lambda: time.sleep(-1), lambda: time.sleep(float("nan")),
                     lambda: time.sleep("1"), lambda: time.clock_gettime(12345)):
            try:
                call()
            except (ValueError, OSError, TypeError) as error:
                print(type(error).__name__)
    """)
