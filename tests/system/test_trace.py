"""The path of one write, from write() to the wire, as the tracepoints of the host tell it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic import hnic_tx
from pyhost.drivers.net.hnic.hnic_desc import TX_DESC
from pyhost.drivers.net.hnic_model.attach import attach_hnic_model
from pyhost.kernel.clock import VirtualClock
from pyhost.kernel.kernel import Kernel
from pyhost.kernel.trace import TraceEvent
from tb import testbed as machines
from tb.config import RunConfig
from tb.session import conclude
from tb.wire import Port
from tests.system.support import EXAMPLES, read_frames

PROGRAM = """
import os, socket, time
while True:
    sock = socket.socket()
    try:
        sock.connect(("10.0.0.2", 5001))
        break
    except ConnectionRefusedError:
        sock.close()
        time.sleep(0.001)
time.sleep(0.01)
os.write(sock.fileno(), b"the one write")
time.sleep(0.01)
"""
MESSAGE = b"the one write"

BEFORE_THE_PACKET = ("sys_enter", "vfs_write", "sock_sendmsg", "inet_sendmsg")
"""While nothing but the caller's bytes exist."""
THE_PACKET = (
    "tcp_sendmsg", "tcp_push", "tcp_write_xmit", "tcp_transmit_skb", "ip_queue_xmit",
    "ip_local_out", "ip_output", "ip_finish_output", "ip_finish_output2", "neigh_output",
    "dev_queue_xmit", "dev_hard_start_xmit", "ndo_start_xmit",
)  # fmt: skip
"""Each with the key of the packet, in the order of the diagram in docs/tx-path.md."""
THE_CARD = ("doorbell", "nic_gather", "nic_tx", "tx_completion")


class Walk:
    """A run on the model whose tracepoints are all kept."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[TraceEvent] = []
        self.cookies: list[int] = []
        self.out = folder / "out"
        self.out.mkdir()
        program = folder / "program.py"
        program.write_text(PROGRAM)
        self._watch_descriptors(monkeypatch)
        self._run(program)

    def _watch_descriptors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cookies = self.cookies

        class Watched:
            @staticmethod
            def pack_into(buf: object, at: int, *words: int) -> None:
                cookies.append(words[-1])
                TX_DESC.pack_into(buf, at, *words)  # type: ignore[arg-type]

        monkeypatch.setattr(hnic_tx, "TX_DESC", Watched)

    def _run(self, program: Path) -> None:
        config = RunConfig(
            program=program,
            peer_program=EXAMPLES / "01_receive_file.py",
            out=self.out,
            cwd=self.out,
        )
        clock = VirtualClock()

        def attach(kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
            return attach_hnic_model(kernel, clock, port, mac, config.link_rate_bps)

        with open(os.devnull, "r+b") as null, open(self.out / "err", "w+b") as errors:
            stdio = (null.fileno(), null.fileno(), errors.fileno())
            testbed = machines.Testbed(config, clock, attach, stdio)
            testbed.host.trace.register(self.events.append)
            testbed.start()
            clock.run(stop=testbed.finished)
            assert conclude(testbed, None, cycles=0) == 0
        assert (self.out / "err").read_bytes() == b""

    @property
    def of_the_write(self) -> list[TraceEvent]:
        """From the system call that writes the message to the completion of its packet."""
        first = next(
            number
            for number, event in enumerate(self.events)
            if event.name == "sys_enter" and event.fields["name"] == "write"
        )
        rest = self.events[first:]
        last = next(n for n, event in enumerate(rest) if event.name == "tx_completion")
        return rest[: last + 1]


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walk:
    return Walk(tmp_path, monkeypatch)


@pytest.mark.claim("S45")
def test_one_write_walks_through_the_layers_in_the_order_of_the_diagram(walk: Walk) -> None:
    names = [event.name for event in walk.of_the_write]
    wanted = [*BEFORE_THE_PACKET, *THE_PACKET, *THE_CARD]
    assert list(dict.fromkeys(name for name in names if name in wanted)) == wanted
    for name in (*BEFORE_THE_PACKET[1:], *THE_PACKET):
        assert names.count(name) == 1, name


@pytest.mark.claim("S45")
def test_one_key_names_the_packet_from_tcp_to_the_wire(walk: Walk) -> None:
    events = walk.of_the_write
    [key] = [event.key for event in events if event.name == "tcp_sendmsg"]
    assert key > 0
    walked = (*THE_PACKET, "nic_gather", "nic_tx", "tx_completion")
    assert {event.name: event.key for event in events if event.name in walked} == dict.fromkeys(
        walked, key
    )
    assert key in walk.cookies
    [frame] = [f for f in read_frames(walk.out / "wire.pcapng") if MESSAGE in f.data]
    assert (frame.sender, frame.key) == ("host", key)
    [tapped] = [f for f in read_frames(walk.out / "host.pcapng") if MESSAGE in f.data]
    assert tapped.key == key


@pytest.mark.claim("S44")
def test_the_cpu_goes_on_while_the_card_works(walk: Walk) -> None:
    """The write has returned, and the program made its next system call, before the completion."""
    names = [event.name for event in walk.of_the_write]
    assert "sys_enter" in names[names.index("doorbell") :]
    times = {event.name: event.ns for event in walk.of_the_write}
    assert times["doorbell"] < times["nic_tx"] < times["tx_completion"]
