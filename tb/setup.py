"""What is done to the host before its program starts: interface, packet filter, commands of an
administrator.

Commands come from `--setup FILE` and `--do COMMAND`. `try_setup` carries them out on a machine that
never runs a program, so a mistake is known before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pyhost.admin.errors import CommandError
from pyhost.admin.iptables import restore
from pyhost.admin.shell import run_command
from pyhost.boot import boot
from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic.hnic_main import hnic_probe
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.net.core.dev import dev_change_mtu, dev_open
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.ipv4.fib.route import inet_add_addr
from pyhost.tools.errors import UserError
from tb.config import RunConfig
from tb.wire import Link

__all__ = [
    "HOST_ADDR", "HOST_MAC", "SetupError", "bring_up", "read_setup", "set_up_host", "try_setup",
]  # fmt: skip

DEVICE = "eth0"
HOST_ADDR = 0x0A000001
HOST_MAC = bytes.fromhex("020000000001")
PREFIXLEN = 24

DO = "--do"
"""Where a command comes from that stands on the command line."""


class SetupError(Exception):
    """A command that the host refuses; the text is one line: where, which, why."""


def read_setup(files: Iterable[Path], commands: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(where, command) for each line of the files, then for each command of the command line.

    Empty lines and lines that begin with `#` are left away. UserError for a file that is no text.
    """
    found = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {path}: {error}") from None
        found += [(f"{path}:{number}", line.strip()) for number, line in enumerate(lines, 1)]
    found += [(DO, command.strip()) for command in commands]
    return tuple((where, line) for where, line in found if line and not line.startswith("#"))


def bring_up(kernel: Kernel, device: BusDevice, mtu: int, addr: int) -> NetDevice:
    """Start the driver and give the interface its MTU and its address; runs in a task."""
    netdev = hnic_probe(kernel, device, DEVICE)
    dev_change_mtu(netdev, mtu)
    dev_open(netdev)
    inet_add_addr(netdev, addr, PREFIXLEN)
    return netdev


def set_up_host(kernel: Kernel, config: RunConfig, show: Callable[[str], object]) -> None:
    """Put the packet filter in place and carry out the commands; runs in a task once the
    interface is up.

    `show` gets what a command prints. Raises SetupError for the first command that is refused.
    """
    if config.iptables_rules:
        restore(kernel.net, config.iptables_rules, counters=True)
    for where, line in config.setup:
        try:
            show(run_command(kernel, line))
        except CommandError as error:
            raise SetupError(f"{where}: `{line}`: {error}") from None


def try_setup(config: RunConfig) -> None:
    """Set up a host that runs no program; UserError for what it refuses."""
    if not config.setup:
        return
    clock = VirtualClock()
    kernel = boot(clock, seed=config.seed, sysctls=dict(config.sysctls))
    link = Link(clock, config.link_rate_bps, config.delay_ns, lambda *_frame: None)
    device = attach_hnic_model(kernel, clock, link.ports[0], HOST_MAC, config.link_rate_bps)
    refused: list[str] = []
    done: list[bool] = []

    def init() -> None:
        try:
            bring_up(kernel, device, config.mtu, HOST_ADDR)
            set_up_host(kernel, config, lambda _text: None)
        except SetupError as error:
            refused.append(str(error))
        done.append(True)

    kernel.sched.spawn(init, "init")
    clock.run(stop=lambda: bool(done))
    if refused:
        raise UserError(refused[0])
