"""`nstat`: counters since the last call."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel


@pytest.fixture
def kernel() -> Kernel:
    kernel = boot(VirtualClock())
    kernel.net.mib.clear()
    kernel.net.count("IpInReceives", 3)
    kernel.net.count("TCPBacklogDrop")
    return kernel


def shown(kernel: Kernel, line: str = "nstat") -> list[list[str]]:
    first, *lines = run_command(kernel, line).splitlines()
    assert first == "#kernel"
    return [text.split() for text in lines]


def test_each_counter_has_its_name_and_what_was_added(kernel: Kernel) -> None:
    assert shown(kernel) == [["IpInReceives", "3", "0.0"], ["TcpExtTCPBacklogDrop", "1", "0.0"]]


def test_the_next_call_shows_what_was_added_since(kernel: Kernel) -> None:
    shown(kernel)
    assert shown(kernel) == []
    kernel.net.count("IpInReceives", 2)
    assert shown(kernel) == [["IpInReceives", "2", "0.0"]]


def test_a_shows_all_and_s_keeps_no_history(kernel: Kernel) -> None:
    shown(kernel)
    assert shown(kernel, "nstat -as IpInReceives") == [["IpInReceives", "3", "0.0"]]
    kernel.net.count("IpInReceives", 2)
    shown(kernel, "nstat -s")
    assert shown(kernel) == [["IpInReceives", "2", "0.0"]]


def test_z_shows_what_has_not_changed(kernel: Kernel) -> None:
    shown(kernel)
    assert shown(kernel, "nstat -z 'Ip*'") == [["IpInReceives", "0", "0.0"]]


def test_an_unknown_option_is_a_mistake(kernel: Kernel) -> None:
    with pytest.raises(CommandError, match="unknown option"):
        run_command(kernel, "nstat -q")
