"""The smallest value of a sliding window of time, from three samples. Linux: lib/win_minmax.c
(Kathleen Nichols' algorithm).

Kept are the best sample of the window, the best since that one, and the best since the second. When
the best grows too old the second takes its place. The result may be later than that of a filter
that keeps everything, never wrong by more than a quarter of the window.
"""

from __future__ import annotations

__all__ = ["WindowedMin"]

UNKNOWN = 0xFFFFFFFF


class WindowedMin:
    """Linux: struct minmax, minmax_running_min. Times and the window in ns."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples = [(0, UNKNOWN)] * 3

    def running_min(self, window: int, now: int, value: int) -> int:
        """Take a sample; the smallest value of the last `window` ns."""
        best, second, third = self._samples
        sample = (now, value)
        if value <= best[1] or now - third[0] > window:
            self._samples = [sample] * 3
            return value
        if value <= second[1]:
            second = third = sample
        elif value <= third[1]:
            third = sample
        self._samples = _age(best, second, third, sample, window)
        return self._samples[0][1]


def _age(
    best: tuple[int, int],
    second: tuple[int, int],
    third: tuple[int, int],
    sample: tuple[int, int],
    window: int,
) -> list[tuple[int, int]]:
    """Let go of what is older than the window, and see that the others are spread over it.

    Linux: minmax_subwin_update.
    """
    age = sample[0] - best[0]
    if age > window:
        best, second, third = second, third, sample
        if sample[0] - best[0] > window:
            best, second = second, third
    elif second[0] == best[0] and age > window // 4:
        second = third = sample
    elif third[0] == second[0] and age > window // 2:
        third = sample
    return [best, second, third]
