"""Two machines on one wire, and the programs that run on them.

    program ─ host kernel ─ driver ─ NIC (RTL or model) ─ link ─ NIC model ─ driver ─ peer kernel ─
    peer program

The testbed knows neither simulator nor virtual clock: it is given a clock, and a function that
plugs the host's NIC in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from pyhost.admin.iptables import save
from pyhost.boot import boot
from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import NSEC_PER_SEC, Clock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.process import Process
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.packet.af_packet import PacketTap
from pyhost.uapi.ethernet import ETH_HLEN, PACKET_OUTGOING
from pyhost.user.program import run_program
from tb.capture import WireCapture
from tb.config import RunConfig
from tb.pcapng import INBOUND, OUTBOUND, PcapngWriter
from tb.progress import Progress
from tb.setup import HOST_ADDR, HOST_MAC, SetupError, bring_up, set_up_host
from tb.wire import Link, Port

__all__ = ["AttachNic", "Testbed"]

PEER_ADDR = 0x0A000002
PEER_MAC = bytes.fromhex("020000000002")
PEER_SERVER = Path(__file__).parent / "peer_server.py"

PEER_GRACE_NS = NSEC_PER_SEC
"""How long the peer's program may go on after the host's has ended."""

AttachNic = Callable[[Kernel, Port, bytes], BusDevice]
"""`attach(kernel, port, mac)` plugs a NIC into the machine."""


class Testbed:
    """One run: built from its settings, `start`ed once, over when `finished`.

    `stdio` are the three file descriptors that both programs use as 0, 1 and 2.
    """

    def __init__(
        self,
        config: RunConfig,
        clock: Clock,
        attach_host: AttachNic,
        stdio: tuple[int, int, int] = (0, 1, 2),
    ) -> None:
        self.config = config
        self.clock = clock
        self.started = time.monotonic()
        self.host_pcap = PcapngWriter(config.out / "host.pcapng", ["eth0"], application="pyhost")
        self._stderr = os.fdopen(stdio[2], "w", closefd=False)
        self.progress = Progress(self._stderr)
        self.link = Link(clock, config.link_rate_bps, config.delay_ns, self._capture)
        self.wire_pcap = self._capture_wire()
        self.host = self._boot("host", 0)
        self.peer = self._boot("peer", 1)
        self.host_device = attach_host(self.host, self.link.ports[0], HOST_MAC)
        self.peer_device = attach_hnic_model(
            self.peer, clock, self.link.ports[1], PEER_MAC, config.link_rate_bps
        )
        self.host_process: Process | None = None
        self.peer_process: Process | None = None
        self.netdevs: dict[str, NetDevice] = {}
        self._stdio = stdio
        self._deadline: int | None = None

    def _boot(self, name: str, number: int) -> Kernel:
        config = self.config
        return boot(
            self.clock,
            name=name,
            number=number,
            seed=config.seed,
            sysctls=dict(config.sysctls),
        )

    # -- the run -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring both machines up; the programs start as soon as both interfaces are up, the peer's
        first.
        """
        self.peer.sched.spawn(self._bring_up_peer, "init")

    def _bring_up_peer(self) -> None:
        self._bring_up(self.peer, self.peer_device, PEER_ADDR)
        self.host.sched.spawn(self._bring_up_host, "init")

    def _bring_up_host(self) -> None:
        config = self.config
        netdev = self._bring_up(self.host, self.host_device, HOST_ADDR)
        PacketTap(self.host.net, self._tap, netdev, keeps=False)
        try:
            set_up_host(self.host, config, self._show)
        except SetupError as error:
            raise KernelBug(f"what was tried before is refused now: {error}") from error
        peer_program = config.peer_program or PEER_SERVER
        self.peer_process = run_program(self.peer, str(peer_program), (), self._stdio)
        self.host_process = run_program(self.host, str(config.program), config.args, self._stdio)

    def _show(self, text: str) -> None:
        """Write what a command of the setup prints where the program's output goes."""
        with os.fdopen(self._stdio[1], "w", encoding="utf-8", closefd=False) as stdout:
            stdout.write(text)

    def _bring_up(self, kernel: Kernel, device: BusDevice, addr: int) -> NetDevice:
        netdev = bring_up(kernel, device, self.config.mtu, addr)
        self.netdevs[kernel.name] = netdev
        return netdev

    def finished(self) -> bool:
        """Whether the run is over: the host's program has ended, the peer's too or its time is up.

        The server that runs when no peer program was given never ends; it is enough that it has
        taken leave of all connections.
        """
        if self.oops is not None:
            return True
        host, peer = self.host_process, self.peer_process
        if host is None or host.exit_code is None or peer is None:
            return False
        if peer.exit_code is not None:
            return True
        if self.config.peer_program is None and not self.host.net.sockets_in_use:
            return True
        if self._deadline is None:
            self._deadline = self.clock.now + PEER_GRACE_NS
            self.clock.call_at(self._deadline, lambda: None)
        return self.clock.now >= self._deadline

    @property
    def oops(self) -> KernelBug | None:
        """What went wrong inside a system call of either machine."""
        return self.host.oops or self.peer.oops

    def close(self) -> None:
        """Write out what the captures hold."""
        self.progress.close()
        self.wire_pcap.close()
        self.host_pcap.close()
        self._write_log()

    def _write_log(self) -> None:
        """The host's kernel log as `host.log`, and its packet filter, with what each rule has
        counted, as `host.rules` if it has tables.
        """
        out = self.config.out
        lines = (f"{record}\n" for record in self.host.log.records)
        (out / "host.log").write_text("".join(lines), encoding="utf-8")
        rules = save(self.host.net, counters=True)
        if rules:
            (out / "host.rules").write_text(rules, encoding="utf-8")

    def kill_all(self) -> None:
        """End what still runs: servers that would wait for ever."""
        for kernel in (self.host, self.peer):
            for task in tuple(kernel.sched.tasks.values()):
                kernel.sched.kill(task)
            kernel.sched.run()

    def say(self, text: str) -> None:
        """Tell the user something, in one line on the programs' standard error."""
        self._stderr.write(f"pyhost: {text}\n")
        self._stderr.flush()

    def counters(self) -> dict[str, dict[str, int]]:
        """What each layer of each machine has counted: `host.mib`, `host.drops`, `host.eth0` …"""
        counters: dict[str, dict[str, int]] = {}
        for kernel in (self.host, self.peer):
            net, mem = kernel.net, kernel.mem
            counters[f"{kernel.name}.mib"] = dict(sorted(net.mib.items()))
            counters[f"{kernel.name}.drops"] = dict(sorted(net.drops.items()))
            counters[f"{kernel.name}.mm"] = {
                "copy_from_user_bytes": mem.copy_from_user_bytes,
                "copy_nocache_bytes": mem.copy_nocache_bytes,
                "skb_copy_bytes": mem.skb_copy_bytes,
                "zerocopy_bytes": mem.zerocopy_bytes,
                "copy_to_user_bytes": mem.copy_to_user_bytes,
                "pages_in_use": mem.pages_in_use,
            }
            counters[f"{kernel.name}.skb"] = {"alive": net.skbs.alive}
            counters[f"{kernel.name}.warnings"] = {"count": kernel.warnings}
        for name, netdev in self.netdevs.items():
            stats = netdev.stats
            counters[f"{name}.{netdev.name}"] = {
                key: getattr(stats, key) for key in stats.__slots__
            }
        return counters

    # -- captures ----------------------------------------------------------------------------------

    def _capture_wire(self) -> WireCapture:
        config = self.config
        writer = PcapngWriter(config.out / "wire.pcapng", ["host", "peer"], application="pyhost")
        return WireCapture(writer, self.link.ports[0].frame_ns(config.mtu + ETH_HLEN))

    def _capture(self, ns: int, side: int, frame: bytes, key: int) -> None:
        self.wire_pcap.write(self.clock.now, ns, side, frame, key)
        if self.progress.active:
            self.progress.update(ns, self.link.frames, self.link.bytes)

    def _tap(self, ns: int, pkt_type: int, frame: bytes, key: int) -> None:
        direction = OUTBOUND if pkt_type == PACKET_OUTGOING else INBOUND
        self.host_pcap.write(0, ns, frame, key=key, direction=direction)
