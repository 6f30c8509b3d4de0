"""Bringing a machine up. Linux: init/main.c start_kernel, do_initcalls."""

from __future__ import annotations

from collections.abc import Mapping

from pyhost.drivers.net.loopback import loopback_init
from pyhost.fs.ramfs import RamFs
from pyhost.kernel.clock import Clock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.syscall_table import SYSCALLS
from pyhost.net.core.dev import net_dev_init
from pyhost.net.ipv4.af_inet import inet_init
from pyhost.net.net_namespace import Net
from pyhost.net.netfilter.core import netfilter_init
from pyhost.net.netfilter.ip_tables import ip_tables_init
from pyhost.net.netfilter.nf_conntrack_net import nf_conntrack_init
from pyhost.net.packet.af_packet import packet_init
from pyhost.net.unix import unix_init
from pyhost.net.vlan.vlan import vlan_init
from pyhost.net.xfrm.xfrm_output import xfrm_init
from pyhost.security.hooks import security_init

__all__ = ["boot"]


def boot(
    clock: Clock,
    *,
    name: str = "host",
    number: int = 0,
    seed: int = 0,
    ram_bytes: int = 64 << 20,
    sysctls: Mapping[str, str] | None = None,
) -> Kernel:
    """A machine with file systems, a network stack and the loopback device up; no other device yet.

    `number` tells the machines of one simulation apart (0 to 3). `sysctls` are set before
    anything runs; raises `SysctlError` for an unknown name or a bad value.
    """
    kernel = Kernel(clock, name=name, number=number, seed=seed, ram_bytes=ram_bytes)
    kernel.syscalls = SYSCALLS
    kernel.rootfs = RamFs(kernel)
    net = kernel.net = Net(kernel)
    security_init(net)
    net_dev_init(net)
    netfilter_init(net)
    nf_conntrack_init(net)
    ip_tables_init(net)
    xfrm_init(net)
    inet_init(net)
    unix_init(net)
    packet_init(net)
    vlan_init(net)
    loopback_init(net)
    for key, value in (sysctls or {}).items():
        kernel.sysctl[key] = value
    return kernel
