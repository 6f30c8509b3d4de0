"""`ethtool -k` and `-K`, as the real one speaks."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.net.core.netdevice import NETIF_F_GSO, NETIF_F_SG
from tests.unit.net.support import Host, two_hosts


@pytest.fixture
def host() -> Host:
    return two_hosts().a


def features(host: Host) -> dict[str, str]:
    lines = run_command(host.kernel, "ethtool -k eth0").splitlines()
    assert lines[0] == "Features for eth0:"
    return dict(line.strip().split(": ") for line in lines[1:])


def test_what_the_device_does_is_shown(host: Host) -> None:
    shown = features(host)
    dev = host.kernel.net.devices["eth0"]
    gso = shown["generic-segmentation-offload"]
    assert gso == ("on" if dev.features & NETIF_F_GSO else "off [requested on]")
    assert shown["scatter-gather"] == ("on" if dev.features & NETIF_F_SG else "off")
    assert shown["tx-checksum-ipv4"] == "off [fixed]"


def test_features_are_changed_by_their_short_and_long_names(host: Host) -> None:
    dev = host.kernel.net.devices["eth0"]
    dev.hw_features |= NETIF_F_SG
    run_command(host.kernel, "ethtool -K eth0 sg on gso on")
    assert dev.features & NETIF_F_GSO
    run_command(host.kernel, "ethtool -K eth0 tso off gso off")
    assert not dev.features & NETIF_F_GSO
    run_command(host.kernel, "ethtool -K eth0 tx-generic-segmentation on")
    assert dev.features & NETIF_F_GSO


def test_what_goes_with_a_feature_is_told(host: Host) -> None:
    dev = host.kernel.net.devices["eth0"]
    dev.hw_features |= NETIF_F_SG
    run_command(host.kernel, "ethtool -K eth0 sg on")
    run_command(host.kernel, "ethtool -K eth0 gso on")
    told = run_command(host.kernel, "ethtool -K eth0 sg off")
    assert told == (
        "Actual changes:\ntx-scatter-gather: off\ntx-generic-segmentation: off [requested on]\n"
    )


def test_what_is_so_already_is_no_mistake(host: Host) -> None:
    dev = host.kernel.net.devices["eth0"]
    dev.hw_features |= NETIF_F_SG
    run_command(host.kernel, "ethtool -K eth0 sg on gso on")
    assert run_command(host.kernel, "ethtool -K eth0 gso on") == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ethtool -K eth9 gso on", 'Cannot find device "eth9"'),
        ("ethtool -K eth0 magic on", "bad command line argument"),
        ("ethtool -K eth0 gso maybe", "bad command line argument"),
        ("ethtool -i eth0", "netlink error: Operation not supported"),
        ("ethtool -Z eth0", "bad command line argument"),
        ("ethtool", "Command line is not complete"),
    ],
)
def test_mistakes(host: Host, line: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        run_command(host.kernel, line)
