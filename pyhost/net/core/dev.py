"""Network devices: registration, up and down, and the way out. Linux: net/core/dev.c.

Linux keeps all of it in one file; here the receive side is in napi.py and the part between qdisc
and driver in dev_xmit.py. This module gives all their names.

    dev_queue_xmit → pick the transmit queue → qdisc (dev_xmit_skb) → sch_direct_xmit →
    dev_hard_start_xmit → ndo_start_xmit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.sysctl import SysctlError, whole_number
from pyhost.net.core import drop_reason
from pyhost.net.core.dev_xmit import (
    dev_hard_start_xmit,
    dev_queue_xmit_nit,
    dev_xmit_complete,
    hard_tx_lock,
    netif_skb_features,
    validate_xmit_skb,
    validate_xmit_skb_list,
    xmit_one,
)
from pyhost.net.core.features import netdev_init_features
from pyhost.net.core.napi import (
    NAPI_POLL_WEIGHT,
    NapiStruct,
    Softnet,
    dev_add_pack,
    dev_remove_pack,
    napi_complete_done,
    napi_disable,
    napi_enable,
    napi_schedule,
    netif_napi_add,
    netif_napi_del,
    netif_receive_skb,
    netif_rx,
)
from pyhost.net.core.netdev_chain import (
    NETDEV_CHANGE,
    NETDEV_CHANGEMTU,
    NETDEV_DOWN,
    NETDEV_UNREGISTER,
    NETDEV_UP,
    call_netdevice_notifiers,
    register_netdevice_notifier,
)
from pyhost.net.core.netdevice import (
    IFF_LOOPBACK,
    IFF_RUNNING,
    IFF_UP,
    NET_XMIT_DROP,
    NETDEV_TX_BUSY,
    NetDevice,
    NetdevQueue,
)
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.core.timestamping import sched_tstamp
from pyhost.net.core.xps import netdev_core_pick_tx
from pyhost.net.sched.sch_device import (
    dev_activate,
    dev_deactivate,
    dev_init_scheduler,
    dev_qdisc_change_tx_queue_len,
    dev_shutdown,
)
from pyhost.net.sched.sch_generic import dev_xmit_skb
from pyhost.uapi.errno import EEXIST, EINVAL, ENETDOWN, ENOMEM, ERANGE

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = [
    "NAPI_POLL_WEIGHT",
    "NETDEV_CHANGE",
    "NETDEV_CHANGEMTU",
    "NETDEV_DOWN",
    "NETDEV_UNREGISTER",
    "NETDEV_UP",
    "NapiStruct",
    "Softnet",
    "call_netdevice_notifiers",
    "dev_add_pack",
    "dev_change_mtu",
    "dev_change_tx_queue_len",
    "dev_close",
    "dev_direct_xmit",
    "dev_get_by_index",
    "dev_get_by_name",
    "dev_hard_start_xmit",
    "dev_open",
    "dev_queue_xmit",
    "dev_queue_xmit_nit",
    "dev_remove_pack",
    "dev_xmit_complete",
    "napi_complete_done",
    "napi_disable",
    "napi_enable",
    "napi_schedule",
    "net_dev_init",
    "netdev_core_pick_tx",
    "netif_carrier_off",
    "netif_carrier_on",
    "netif_napi_add",
    "netif_napi_del",
    "netif_receive_skb",
    "netif_rx",
    "netif_skb_features",
    "register_netdevice",
    "register_netdevice_notifier",
    "unregister_netdevice",
    "validate_xmit_skb",
    "validate_xmit_skb_list",
    "xmit_one",
]  # fmt: skip

SOCK_MIN_SNDBUF = 4608
SOCK_MIN_RCVBUF = 2304


def net_dev_init(net: Net) -> None:
    """Bring up the device layer of a machine. Linux: net_dev_init, net_core_table."""
    softnet = net.softnet = Softnet(net)
    sysctl = net.kernel.sysctl
    size = whole_number(1)
    for name, attribute, parse in (
        ("wmem_max", "sysctl_wmem_max", whole_number(SOCK_MIN_SNDBUF)),
        ("rmem_max", "sysctl_rmem_max", whole_number(SOCK_MIN_RCVBUF)),
        ("wmem_default", "sysctl_wmem_default", whole_number(SOCK_MIN_SNDBUF)),
        ("rmem_default", "sysctl_rmem_default", whole_number(SOCK_MIN_RCVBUF)),
        ("optmem_max", "sysctl_optmem_max", whole_number(0)),
        ("tstamp_allow_data", "sysctl_tstamp_allow_data", whole_number(0, 1)),
        ("somaxconn", "somaxconn", whole_number(0, 65535)),
        ("netdev_budget", "netdev_budget", size),
        ("netdev_budget_usecs", "netdev_budget_usecs", whole_number(0)),
        ("netdev_max_backlog", "netdev_max_backlog", whole_number(0)),
        ("dev_weight", "dev_weight", size),
    ):
        sysctl.register(f"net.core.{name}", softnet, attribute, parse)

    def known_qdisc(text: str) -> str:
        if text not in softnet.qdiscs:
            raise SysctlError(f"{text!r} is none of {' '.join(sorted(softnet.qdiscs))}")
        return text

    sysctl.register("net.core.default_qdisc", softnet, "default_qdisc", known_qdisc)


# -- devices ---------------------------------------------------------------------------------------


def register_netdevice(dev: NetDevice) -> int:
    """Make a device known; it stays down until `dev_open`. -EEXIST: the name is taken.

    Linux: register_netdevice.
    """
    net = dev.net
    if dev.name in net.devices:
        return -EEXIST
    dev.ifindex = net.softnet.next_ifindex
    net.softnet.next_ifindex += 1
    netdev_init_features(dev)
    dev_init_scheduler(dev)
    net.devices[dev.name] = dev
    return 0


def unregister_netdevice(dev: NetDevice) -> None:
    """Close a device and forget it; may sleep. Linux: unregister_netdevice."""
    dev_close(dev)
    dev_shutdown(dev)
    del dev.net.devices[dev.name]
    call_netdevice_notifiers(dev, NETDEV_UNREGISTER)


def dev_get_by_name(net: Net, name: str) -> NetDevice | None:
    """Linux: dev_get_by_name."""
    return net.devices.get(name)


def dev_get_by_index(net: Net, ifindex: int) -> NetDevice | None:
    """Linux: dev_get_by_index."""
    for dev in net.devices.values():
        if dev.ifindex == ifindex:
            return dev
    return None


def dev_open(dev: NetDevice) -> int:
    """Bring a device up: 0 or the driver's negative errno. May sleep where the driver does.

    Linux: dev_open.
    """
    if dev.flags & IFF_UP:
        return 0
    error = dev.ops.ndo_open(dev)
    if error:
        return error
    dev.flags |= IFF_UP
    if dev.carrier:
        dev.flags |= IFF_RUNNING
    dev_activate(dev)
    call_netdevice_notifiers(dev, NETDEV_UP)
    return 0


def dev_close(dev: NetDevice) -> None:
    """Take a device down: nothing is handed to the driver from here on, then the driver stops.

    Linux: dev_close.
    """
    if not dev.flags & IFF_UP:
        return
    dev_deactivate(dev)
    dev.flags &= ~(IFF_UP | IFF_RUNNING)
    dev.ops.ndo_stop(dev)
    call_netdevice_notifiers(dev, NETDEV_DOWN)


def dev_change_mtu(dev: NetDevice, mtu: int) -> int:
    """Set the MTU: 0, -EINVAL outside the device's limits, or what `ndo_change_mtu` says.

    Linux: dev_set_mtu.
    """
    if not dev.min_mtu <= mtu <= dev.max_mtu:
        return -EINVAL
    if mtu == dev.mtu:
        return 0
    change = getattr(dev.ops, "ndo_change_mtu", None)
    if change is not None:
        error: int = change(dev, mtu)
        if error:
            return error
    dev.mtu = mtu
    call_netdevice_notifiers(dev, NETDEV_CHANGEMTU)
    return 0


def dev_change_tx_queue_len(dev: NetDevice, length: int) -> int:
    """Set the length of the device's queue, packets: 0 or -ERANGE.

    Linux: dev_change_tx_queue_len.
    """
    if not 0 <= length < 1 << 32:
        return -ERANGE
    dev.tx_queue_len = length
    dev_qdisc_change_tx_queue_len(dev)
    return 0


def netif_carrier_on(dev: NetDevice) -> None:
    """The link is there: packets may go. Linux: netif_carrier_on, linkwatch."""
    if dev.carrier:
        return
    dev.carrier = True
    if dev.flags & IFF_UP:
        dev.flags |= IFF_RUNNING
        dev_activate(dev)
        call_netdevice_notifiers(dev, NETDEV_CHANGE)


def netif_carrier_off(dev: NetDevice) -> None:
    """The link is gone: what waits and what comes is dropped.

    Linux: netif_carrier_off, linkwatch.
    """
    if not dev.carrier:
        return
    dev.carrier = False
    dev.flags &= ~IFF_RUNNING
    if dev.flags & IFF_UP:
        dev_deactivate(dev)
        call_netdevice_notifiers(dev, NETDEV_CHANGE)


# -- the way out -----------------------------------------------------------------------------------


def dev_queue_xmit(skb: SkBuff) -> int:
    """Send a packet whose link header is in place through `skb.dev`. Linux: __dev_queue_xmit.

    Returns NET_XMIT_* or a negative errno; the packet is gone in every case. Any context but
    hardirq.
    """
    dev = skb.dev
    assert dev is not None
    kernel = dev.net.kernel
    softirq = kernel.softirq
    skb.mac_header = skb.data
    softirq.local_bh_disable()
    if kernel.trace.on:
        kernel.trace.hit("dev_queue_xmit", skb.key, dev=dev.name, len=skb.len)
    if skb.shinfo.tx_flags:
        sched_tstamp(skb)
    if not dev.flags & IFF_LOOPBACK:
        # Nobody below needs the route; a packet that loops back keeps it (IFF_XMIT_DST_RELEASE).
        skb.dst = None
    txq = netdev_core_pick_tx(dev, skb)
    q = txq.qdisc
    assert q is not None
    if q.enqueue is not None:
        rc = dev_xmit_skb(skb, q, dev, txq)
    else:
        rc = _xmit_without_queue(skb, dev, txq)
    softirq.local_bh_enable()
    return rc


def _xmit_without_queue(skb: SkBuff, dev: NetDevice, txq: NetdevQueue) -> int:
    """A device without a qdisc must take the packet now; -ENETDOWN when it does not.

    Linux: __dev_queue_xmit, the tail.
    """
    if dev.flags & IFF_UP and not txq.xmit_lock_owner:
        frames = validate_xmit_skb(skb, dev)
        if not frames:
            return -ENOMEM
        rc = NETDEV_TX_BUSY
        if not txq.state:
            hard_tx_lock(txq)
            rc = dev_hard_start_xmit(frames, dev, txq)
            txq.xmit_lock_owner = False
        if dev_xmit_complete(rc):
            return rc
        dev.net.kernel.warn(f"Virtual device {dev.name} asks to queue packet!")
    else:
        if dev.flags & IFF_UP:
            dev.net.kernel.warn(f"Dead loop on virtual device {dev.name}, fix it urgently!")
        frames = [skb]
    for frame in frames:
        dev.stats.tx_dropped += 1
        kfree_skb_reason(frame, drop_reason.DEV_READY)
    return -ENETDOWN


def dev_direct_xmit(skb: SkBuff, queue_id: int = 0) -> int:
    """Send past qdisc and taps; what the driver does not take at once is dropped.

    Linux: __dev_direct_xmit.

    Returns NETDEV_TX_OK, NETDEV_TX_BUSY (the caller frees the packet) or NET_XMIT_DROP (it is
    gone).
    """
    dev = skb.dev
    assert dev is not None
    if not (dev.flags & IFF_UP and dev.carrier):
        return _drop_direct(skb, dev)
    skb.queue_mapping = queue_id
    txq = dev.tx[queue_id]
    softirq = dev.net.kernel.softirq
    softirq.local_bh_disable()
    frames = validate_xmit_skb(skb, dev)
    if len(frames) != 1 or frames[0] is not skb:
        softirq.local_bh_enable()
        for frame in frames:
            kfree_skb_reason(frame, drop_reason.TX_ERROR)
        return NET_XMIT_DROP
    rc = NETDEV_TX_BUSY
    hard_tx_lock(txq)
    if not txq.state:
        rc = dev.ops.ndo_start_xmit(skb, dev, False)
    txq.xmit_lock_owner = False
    softirq.local_bh_enable()
    return rc


def _drop_direct(skb: SkBuff, dev: NetDevice) -> int:
    dev.stats.tx_dropped += 1
    kfree_skb_reason(skb, drop_reason.DEV_READY)
    return NET_XMIT_DROP
