"""ip xfrm: states and policies by hand."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.boot import boot
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel

STATE = (
    "ip xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1000 reqid 7 mode tunnel "
    "replay-window 32 auth-trunc 'hmac(sha256)' 0x00ff 128 enc 'ecb(cipher_null)' ''"
)


@pytest.fixture
def kernel() -> Kernel:
    return boot(VirtualClock())


def test_a_state_is_shown_as_it_was_given(kernel: Kernel) -> None:
    run_command(kernel, STATE)
    assert run_command(kernel, "ip xfrm state") == (
        "src 10.0.0.1 dst 10.0.0.2\n"
        "\tproto esp spi 0x00001000 reqid 7 mode tunnel\n"
        "\treplay-window 32 \n"
        "\tauth-trunc hmac(sha256) 0x00ff 128\n"
        "\tenc ecb(cipher_null) \n"
        "\tanti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000\n"
        "\tsel src 0.0.0.0/0 dst 0.0.0.0/0 \n"
    )
    run_command(kernel, "ip xfrm state flush")
    assert run_command(kernel, "ip xfrm state list") == ""


def test_a_policy_is_shown_as_it_was_given(kernel: Kernel) -> None:
    run_command(
        kernel,
        "ip xfrm policy add src 10.0.0.0/24 dst 10.0.0.2 proto tcp dport 80 dir out priority 3 "
        "tmpl src 1.1.1.1 dst 2.2.2.2 proto esp reqid 7 mode tunnel",
    )
    assert run_command(kernel, "ip xfrm policy") == (
        "src 10.0.0.0/24 dst 10.0.0.2/32 proto tcp dport 80 \n"
        "\tdir out priority 3 \n"
        "\ttmpl src 1.1.1.1 dst 2.2.2.2\n"
        "\t\tproto esp reqid 7 mode tunnel\n"
    )
    run_command(
        kernel,
        "ip xfrm policy delete src 10.0.0.0/24 dst 10.0.0.2 proto tcp dport 80 dir out",
    )
    assert run_command(kernel, "ip xfrm policy list") == ""


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (STATE, "RTNETLINK answers: File exists"),
        (STATE.replace("0x1000", "0x10"), "RTNETLINK answers: Invalid argument"),
        (STATE.replace("0x1000", "1x"), '"SPI" value is invalid'),
        (STATE.replace("sha256", "sha3"), "Requested AUTH algorithm not found"),
        (STATE.replace("cipher_null", "aes"), "Requested CRYPT algorithm not found"),
        (STATE.replace("proto esp", "proto ah"), '"XFRM-PROTO" is invalid'),
        ("ip xfrm state del src 1.1.1.1 dst 2.2.2.2 proto esp spi 9", "No such process"),
        ("ip xfrm policy add dst 1.1.1.1", '"DIR" is required'),
        ("ip xfrm policy del dst 1.1.1.1 dir out", "No such file or directory"),
        ("ip xfrm nothing", "is unknown"),
    ],
)
def test_a_mistake_is_one_line(kernel: Kernel, command: str, says: str) -> None:
    run_command(kernel, STATE)
    with pytest.raises(CommandError, match=says) as error:
        run_command(kernel, command)
    assert "\n" not in str(error.value)
