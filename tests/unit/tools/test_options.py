"""pyhost/tools/options.py: how rates, times and settings are written."""

from __future__ import annotations

import pytest

from pyhost.tools.options import DELAY, RATE, SYSCTL


@pytest.mark.parametrize(
    ("text", "bits_a_second"),
    [
        ("10g", 10_000_000_000),
        ("1G", 1_000_000_000),
        ("25g", 25_000_000_000),
        ("2.5g", 2_500_000_000),
        ("100m", 100_000_000),
        ("100mbit", 100_000_000),
        ("9600", 9600),
    ],
)
def test_rates_are_written_as_tc_writes_them(text: str, bits_a_second: int) -> None:
    assert RATE.convert(text, None, None) == bits_a_second


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("1us", 1000), ("500ns", 500), ("2ms", 2_000_000), ("0.5us", 500), ("1s", 10**9), ("0ns", 0)],
)
def test_times_carry_their_unit(text: str, nanoseconds: int) -> None:
    assert DELAY.convert(text, None, None) == nanoseconds


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("net.ipv4.tcp_sack=0", ("net.ipv4.tcp_sack", "0")),
        ("net/ipv4/tcp_sack=0", ("net.ipv4.tcp_sack", "0")),
        ("net.ipv4.tcp_wmem = 4096 16384 65536", ("net.ipv4.tcp_wmem", "4096 16384 65536")),
    ],
)
def test_settings_are_written_as_sysctl_takes_them(text: str, setting: tuple[str, str]) -> None:
    assert SYSCTL.convert(text, None, None) == setting
