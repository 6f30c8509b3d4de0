"""`ethtool`: what a device does and how, in the words and the output of the real one.

    -k -K  offloads          -g -G  rings         -c -C  interrupt coalescing   -i  driver
    -x -X  flow hash         -l -L  channels      -a -A  pause frames           -S  statistics
                                                                                -T  timestamps

Errors are one line. Commands that read the card run in a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ethtool import coalesce, features, info, pause, rings, rxfh
from pyhost.admin.ip_words import Words, device

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["run"]

COMMANDS: Mapping[tuple[str, str], Callable[[NetDevice, Words], str]] = MappingProxyType({
    ("-k", "--show-features"): features.show,
    ("-K", "--features"): features.change,
    ("-g", "--show-ring"): rings.show_rings,
    ("-G", "--set-ring"): rings.set_rings,
    ("-l", "--show-channels"): rings.show_channels,
    ("-L", "--set-channels"): rings.set_channels,
    ("-c", "--show-coalesce"): coalesce.show,
    ("-C", "--coalesce"): coalesce.change,
    ("-a", "--show-pause"): pause.show,
    ("-A", "--pause"): pause.change,
    ("-x", "--show-rxfh"): rxfh.show,
    ("-X", "--rxfh"): rxfh.change,
    ("-i", "--driver"): info.driver,
    ("-S", "--statistics"): info.statistics,
    ("-T", "--show-time-stamping"): info.time_stamping,
})  # fmt: skip


def run(kernel: Kernel, argv: list[str]) -> str:
    """Carry out `ethtool …`; returns what it prints, raises CommandError."""
    words = Words(argv[1:])
    option = words.next()
    for names, command in COMMANDS.items():
        if option in names:
            return command(device(kernel.net, words.next()), words)
    raise CommandError(f"ethtool: bad command line argument(s): {option} is not here")
