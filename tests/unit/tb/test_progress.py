"""tb/progress.py: a line for a terminal, silence for everything else."""

from __future__ import annotations

import io

from tb.progress import Progress, describe


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now_s


def test_a_file_gets_not_one_character() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.update(1_000_000, 3, 4500)
    progress.close()
    assert stream.getvalue() == ""
    assert not progress.active


def test_a_terminal_shows_time_frames_and_bytes() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.update(1_234_567, 1300, 1_950_000)
    assert "1.235 ms simulated, 1,300 frames, 1,950,000 bytes" in stream.getvalue()
    progress.close()


def test_the_line_is_taken_away_at_the_end() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.update(1, 1, 60)
    progress.close()
    last = stream.getvalue().rsplit("\r", 2)[-2:]
    assert "".join(last).strip() == ""


def test_most_updates_do_not_even_look_at_the_clock() -> None:
    clock = Clock()
    progress = Progress(Terminal(), clock=clock)
    for frame in range(320):
        progress.update(frame, frame, frame)
    assert clock.looks == 10
    progress.close()


def test_the_line_changes_only_when_its_time_has_come() -> None:
    clock, stream = Clock(), Terminal()
    progress = Progress(stream, clock=clock)
    for frame in range(64):
        progress.update(frame, frame, frame)
    assert describe(32, 32, 32) not in stream.getvalue()
    clock.now_s = 1.0
    for frame in range(64, 97):
        progress.update(frame, frame, frame)
    assert describe(64, 64, 64) in stream.getvalue()
    progress.close()
