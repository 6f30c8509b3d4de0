"""`ip link add … type vlan …` and `ip link delete`. iproute2: iplink.c, iplink_vlan.c."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import Words, answer, device, hardware_address
from pyhost.net.core.dev import dev_change_mtu, dev_change_tx_queue_len
from pyhost.net.core.dev_addr import dev_set_mac_address
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.vlan.vlan import unregister_vlan_dev, vlan_newlink
from pyhost.net.vlan.vlan_dev import VlanDev
from pyhost.uapi.errno import EOPNOTSUPP
from pyhost.uapi.sockios import IFNAMSIZ

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = ["add_link", "delete_link", "vlan_details"]


@dataclass(slots=True)
class _Wanted:
    """What stands before `type`."""

    name: str = ""
    link: str = ""
    settings: dict[str, str] = field(default_factory=dict)


def add_link(net: Net, words: Words) -> str:
    """iproute2: iplink_modify with RTM_NEWLINK."""
    wanted = _Wanted()
    kind = ""
    while words and not kind:
        word = words.next()
        if word == "type":
            kind = words.next()
        elif word == "link":
            wanted.link = words.next()
        elif word in ("address", "mtu", "txqueuelen"):
            wanted.settings[word] = words.next()
        else:
            wanted.name = words.next() if word in ("name", "dev") else word
    if not kind:
        raise CommandError('Not enough information: "type" argument is required.')
    if kind != "vlan":
        raise CommandError("Error: Unknown device type.")
    if not 0 < len(wanted.name) < IFNAMSIZ or "/" in wanted.name:
        raise CommandError(f'Error: argument "{wanted.name}" is wrong: "name" not a valid ifname')
    _add_vlan(net, wanted, words)
    return ""


def _add_vlan(net: Net, wanted: _Wanted, words: Words) -> None:
    """iproute2: vlan_parse_opt."""
    vlan_id: int | None = None
    maps: dict[str, dict[int, int]] = {"ingress-qos-map": {}, "egress-qos-map": {}}
    while words:
        word = words.next()
        if word == "id":
            vlan_id = _vlan_id(words.next())
        elif word in ("protocol", "proto"):
            proto = words.next()
            if proto.lower() != "802.1q":
                raise CommandError(f'Error: argument "{proto}" is wrong: protocol is invalid')
        elif word in maps:
            _qos_map(words, maps[word], word)
        else:
            raise CommandError(f'vlan: unknown command "{word}"?')
    if vlan_id is None:
        raise CommandError("Error: 8021q: VLAN id not specified.")
    if not wanted.link:
        raise CommandError("Error: 8021q: link not specified.")
    extack = NetlinkExtAck()
    answer(
        vlan_newlink(
            device(net, wanted.link),
            wanted.name,
            vlan_id,
            extack,
            ingress=maps["ingress-qos-map"],
            egress=maps["egress-qos-map"],
        ),
        extack,
    )
    _apply(net.devices[wanted.name], wanted.settings)


def _apply(dev: NetDevice, settings: dict[str, str]) -> None:
    for name, text in settings.items():
        if name == "address":
            answer(dev_set_mac_address(dev, hardware_address(text)))
        elif not text.isdigit():
            raise CommandError(f'Error: argument "{text}" is wrong: Invalid "{name}" value')
        elif name == "mtu":
            answer(dev_change_mtu(dev, int(text)))
        else:
            answer(dev_change_tx_queue_len(dev, int(text)))


def _vlan_id(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= 0xFFFF:
        raise CommandError(f'Error: argument "{text}" is wrong: id is invalid')
    return value


def _qos_map(words: Words, table: dict[int, int], what: str) -> None:
    """`FROM:TO …` up to the next word that is none. iproute2: vlan_parse_qos_map."""
    while ":" in words.peek():
        text = words.next()
        first, _, second = text.partition(":")
        if not first.isdigit() or not second.isdigit():
            raise CommandError(f'Error: argument "{text}" is wrong: invalid {what}')
        table[int(first)] = int(second)


def delete_link(net: Net, words: Words) -> str:
    """iproute2: iplink_modify with RTM_DELLINK."""
    word = words.next()
    dev = device(net, words.next() if word == "dev" else word)
    if words.take("type") and words.next() != "vlan":
        raise CommandError("Error: Unknown device type.")
    if not isinstance(dev.ops, VlanDev):
        answer(-EOPNOTSUPP)
    sched = net.kernel.sched
    if sched.current is None:
        sched.spawn(lambda: unregister_vlan_dev(dev), "ip")
    else:
        answer(unregister_vlan_dev(dev))
    return ""


def vlan_details(dev: NetDevice) -> str:
    """What `ip -d link` adds for a VLAN device. iproute2: vlan_print_opt."""
    ops = dev.ops
    if not isinstance(ops, VlanDev):
        return ""
    text = f"    vlan protocol 802.1Q id {ops.vlan_id} <REORDER_HDR>"
    for name, table in (("ingress", ops.ingress), ("egress", ops.egress)):
        if table:
            pairs = " ".join(f"{first}:{second}" for first, second in table.items())
            text += f"\n      {name}-qos-map {{ {pairs} }}"
    return text
