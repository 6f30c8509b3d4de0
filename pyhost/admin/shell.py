"""Command lines for a machine: `sysctl -w net.ipv4.tcp_sack=0`, `tc qdisc add dev eth0 root fq`.

Each tool is a module of its own with `run(kernel, argv) -> str`: `argv[0]` is the tool's name, the
result is what the tool prints, and a mistake is a `CommandError`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pyhost.admin import ethtool, ip, iptables, nstat, sysctl, tc
from pyhost.admin.errors import CommandError

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["TOOLS", "run_command"]

TOOLS: Mapping[str, Callable[[Kernel, list[str]], str]] = {
    "ethtool": ethtool.run,
    "ip": ip.run,
    "iptables": iptables.run,
    "iptables-restore": iptables.run_restore,
    "iptables-save": iptables.run_save,
    "nstat": nstat.run,
    "sysctl": sysctl.run,
    "tc": tc.run,
}


def run_command(kernel: Kernel, line: str) -> str:
    """Carry out one command line on `kernel` and return what it prints.

    The line is split as a shell would split it; there are no pipes, variables or redirections.
    Raises CommandError for an unknown tool and for whatever the tool refuses.
    """
    try:
        argv = shlex.split(line, comments=True)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if not argv:
        return ""
    tool = TOOLS.get(argv[0])
    if tool is None:
        raise CommandError(f"{argv[0]}: not a command here; there are {', '.join(sorted(TOOLS))}")
    return tool(kernel, argv)
