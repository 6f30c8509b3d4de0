"""Ethernet headers in packets."""

from __future__ import annotations

import pytest
from scapy.layers.l2 import Ether

from pyhost.kernel.clock import VirtualClock
from pyhost.net.eth import eth_header, eth_type_trans
from pyhost.uapi.ethernet import (
    ETH_P_802_2,
    ETH_P_802_3,
    ETH_P_IP,
    PACKET_BROADCAST,
    PACKET_HOST,
    PACKET_MULTICAST,
    PACKET_OTHERHOST,
)
from tests.unit.net.device import A_MAC, B_MAC, DeviceHost


@pytest.fixture
def host() -> DeviceHost:
    return DeviceHost(VirtualClock())


def test_the_header_goes_in_front_with_the_devices_address(host: DeviceHost) -> None:
    skb = host.packet(b"payload")
    assert eth_header(skb, host.dev, ETH_P_IP, B_MAC) == 14
    frame = Ether(skb.to_bytes())
    assert (frame.dst, frame.src, frame.type) == ("02:00:00:00:00:02", "02:00:00:00:00:01", 0x0800)
    assert frame.lastlayer().original.endswith(b"payload")


def test_an_802_3_header_holds_the_length(host: DeviceHost) -> None:
    skb = host.packet(b"payload")
    eth_header(skb, host.dev, ETH_P_802_3, B_MAC, bytes(6))
    assert skb.to_bytes()[6:14] == bytes(7) + b"\x07"


@pytest.mark.parametrize(
    ("dest", "kind"),
    [
        (A_MAC, PACKET_HOST),
        (b"\xff" * 6, PACKET_BROADCAST),
        (b"\x01\x00\x5e\x00\x00\x01", PACKET_MULTICAST),
        (B_MAC, PACKET_OTHERHOST),
    ],
    ids=["host", "broadcast", "multicast", "other host"],
)
def test_a_received_frame_is_classed_by_its_destination(
    host: DeviceHost, dest: bytes, kind: int
) -> None:
    frame = dest + B_MAC + b"\x08\x00payload"
    skb = host.packet(frame)
    start = skb.data
    assert eth_type_trans(skb, host.dev) == ETH_P_IP
    assert skb.pkt_type == kind
    assert (skb.mac_header, skb.data, skb.dev) == (start, start + 14, host.dev)
    assert skb.to_bytes() == b"payload"


@pytest.mark.parametrize(
    ("payload", "proto"), [(b"\xff\xff\x00", ETH_P_802_3), (b"\xaa\xaa\x03", ETH_P_802_2)]
)
def test_a_type_that_is_a_length_means_802(host: DeviceHost, payload: bytes, proto: int) -> None:
    skb = host.packet(A_MAC + B_MAC + b"\x00\x03" + payload)
    assert eth_type_trans(skb, host.dev) == proto
