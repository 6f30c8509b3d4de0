"""What an administrator may switch, and what goes with what."""

from __future__ import annotations

import pytest

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import register_netdevice
from pyhost.net.core.features import dev_set_features, netdev_fix_features
from pyhost.net.core.netdevice import NetDevice
from pyhost.uapi.errno import EIO
from tests.unit.net.device import DeviceHost

SG, CSUM, TSO, GSO = nd.NETIF_F_SG, nd.NETIF_F_HW_CSUM, nd.NETIF_F_TSO, nd.NETIF_F_GSO


class Driver:
    """`set` lists what the driver was asked for; `error` is what it answers."""

    def __init__(self) -> None:
        self.set: list[int] = []
        self.error = 0

    def ndo_open(self, dev: NetDevice) -> int:
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        return 0

    def ndo_start_xmit(self, skb: object, dev: NetDevice, more: bool) -> int:
        return nd.NETDEV_TX_OK

    def ndo_set_features(self, dev: NetDevice, features: int) -> int:
        self.set.append(features)
        return self.error


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def dev(driver: Driver) -> NetDevice:
    host = DeviceHost(VirtualClock())
    dev = NetDevice(host.net, "eth1", driver)  # type: ignore[arg-type]
    dev.features = dev.hw_features = SG | CSUM | TSO
    assert register_netdevice(dev) == 0
    return dev


def test_a_new_device_segments_in_software_as_well(dev: NetDevice) -> None:
    assert dev.features == SG | CSUM | TSO | GSO
    assert dev.wanted_features == dev.features


def test_a_feature_goes_off_and_comes_back(dev: NetDevice, driver: Driver) -> None:
    before = dev.net.rt_genid
    assert dev_set_features(dev, TSO, 0) == 0
    assert dev.features == SG | CSUM | GSO
    assert driver.set == [SG | CSUM | GSO]
    assert dev.net.rt_genid > before
    assert dev_set_features(dev, TSO, TSO) == 0
    assert dev.features == SG | CSUM | TSO | GSO


def test_without_gathering_there_is_no_segmentation_until_it_is_back(dev: NetDevice) -> None:
    dev_set_features(dev, SG, 0)
    assert dev.features == CSUM
    dev_set_features(dev, SG, SG)
    assert dev.features == SG | CSUM | TSO | GSO


def test_without_checksums_there_is_no_tso(dev: NetDevice) -> None:
    dev_set_features(dev, CSUM, 0)
    assert dev.features == SG | GSO


def test_what_cannot_be_changed_is_left_alone(dev: NetDevice, driver: Driver) -> None:
    assert dev_set_features(dev, nd.NETIF_F_RXCSUM, nd.NETIF_F_RXCSUM) == 0
    assert not dev.features & nd.NETIF_F_RXCSUM
    assert driver.set == []


def test_a_driver_may_refuse(dev: NetDevice, driver: Driver) -> None:
    driver.error = -EIO
    assert dev_set_features(dev, TSO, 0) == -EIO
    assert dev.features & TSO


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (CSUM | nd.NETIF_F_IP_CSUM, CSUM),
        (TSO, 0),
        (SG | TSO | nd.NETIF_F_TSO_ECN, SG),
        (SG | CSUM | nd.NETIF_F_TSO_ECN, SG | CSUM),
        (SG | nd.NETIF_F_GSO_UDP_L4, SG),
        (SG | CSUM | nd.NETIF_F_GSO_UDP_L4, SG | CSUM | nd.NETIF_F_GSO_UDP_L4),
        (GSO, 0),
    ],
)
def test_features_that_make_no_sense_alone_fall(dev: NetDevice, asked: int, given: int) -> None:
    assert netdev_fix_features(dev, asked) == given
