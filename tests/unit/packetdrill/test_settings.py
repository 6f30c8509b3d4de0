"""Options of a script."""

from __future__ import annotations

import pytest

from pyhost.packetdrill.errors import ScriptSkip
from pyhost.packetdrill.settings import OPTION_HELP, OptionError, Settings, with_options


def test_a_script_changes_what_it_names() -> None:
    changed = with_options(
        Settings(),
        (("tolerance_usecs", "10000"), ("local_ip", "10.0.0.7"), ("strict_segments", "")),
    )
    assert changed.tolerance_ns == 10_000_000
    assert changed.local_addr == 0x0A000007
    assert changed.strict_segments
    assert changed.mtu == 1500


def test_prefixes() -> None:
    settings = Settings()
    assert settings.local_prefixlen == 16
    assert settings.remote_prefixlen == 32
    wide = with_options(settings, (("remote_ip", "192.0.2.1/24"),))
    assert (wide.remote_addr, wide.remote_prefixlen) == (0xC0000201, 24)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mtu", "x"),
        ("mtu", "67"),
        ("mss", "0"),
        ("bind_port", "65536"),
        ("tolerance_usecs", ""),
        ("tolerance_usecs", "-1"),
        ("tolerance_percent", "nan"),
        ("local_ip", "1.2.3"),
        ("local_ip", "1:2"),
        ("remote_ip", "a/24"),
        ("remote_ip", "192.0.2.1/33"),
        ("remote_ip", "192.0.2.1/x"),
    ],
)
def test_a_bad_value_is_an_error(name: str, value: str) -> None:
    with pytest.raises(OptionError, match=f"bad value for --{name}: '{value}'"):
        with_options(Settings(), ((name, value),))


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(OptionError, match="unknown option --magic"):
        with_options(Settings(), (("magic", "1"),))


def test_another_ip_version_is_skipped_by_name() -> None:
    with pytest.raises(ScriptSkip, match="IP version ipv6: there is only IPv4"):
        with_options(Settings(), (("ip_version", "ipv6"),))
    with pytest.raises(ScriptSkip, match="--remote_ip=2001:db8::1: there is only IPv4"):
        with_options(Settings(), (("remote_ip", "2001:db8::1"),))


def test_how_the_original_reaches_its_stack_is_no_matter_here() -> None:
    assert with_options(Settings(), (("speed", "1000"), ("init_scripts", ""))) == Settings()


def test_every_option_is_a_setting() -> None:
    assert all(hasattr(Settings(), name) for name in OPTION_HELP)
