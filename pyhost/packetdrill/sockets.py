"""The descriptors and connections of one script.

Descriptors in a script are names: the number that the script gives as the result of `socket()`
stands for what the kernel returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.flow import (
    CONNECTING,
    LISTENING,
    NEW,
    PACKET_RECEIVED,
    SYN_SENT,
    SYNACK_ACKED,
    SYNACK_SENT,
    Flow,
)
from pyhost.packetdrill.packets import Endpoints
from pyhost.packetdrill.settings import Settings
from pyhost.uapi.socket import pack_sockaddr_in

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["Sockets"]

_ACCEPTABLE = (SYNACK_SENT, SYNACK_ACKED)

_FIRST_REMOTE_PORT = 32768
_REMOTE_PORTS = 28232
"""net.ipv4.ip_local_port_range of the peer."""


class Sockets:
    """Script descriptor → live descriptor, the flows, and `under_test`: the flow that packets of
    the script belong to.
    """

    def __init__(self, kernel: Kernel, settings: Settings) -> None:
        self.kernel = kernel
        self.settings = settings
        self.live: dict[int, int] = {}
        self.flows: list[Flow] = []
        self.under_test: Flow | None = None
        self.start = 0
        """When the script began, in nanoseconds of the machine's clock."""
        self._next_port = kernel.random.randrange(_REMOTE_PORTS)

    # -- descriptors -------------------------------------------------------------------------------

    def live_fd(self, script_fd: int) -> int:
        """The live descriptor; raises ScriptFailure when the script has no such open one."""
        if script_fd not in self.live:
            raise ScriptFailure(f"unable to find fd with script fd {script_fd}")
        return self.live[script_fd]

    def name_fd(self, script_fd: int, live_fd: int) -> None:
        """From now on `script_fd` stands for `live_fd`."""
        if script_fd < 0:
            raise ScriptFailure(f"invalid fd {script_fd} in script")
        if script_fd in self.live:
            raise ScriptFailure(f"duplicate fd {script_fd} in script")
        self.live[script_fd] = live_fd

    def forget_fd(self, script_fd: int) -> None:
        """The descriptor is closed."""
        live_fd = self.live.pop(script_fd)
        for flow in self.flows:
            if flow.live_fd == live_fd:
                flow.live_fd = -1

    def flow_of(self, live_fd: int) -> Flow | None:
        """The flow behind a live descriptor."""
        return next((flow for flow in self.flows if flow.live_fd == live_fd), None)

    # -- flows -------------------------------------------------------------------------------------

    def opened(self, protocol: int, live_fd: int) -> None:
        """socket() has made a new socket; packets are about it now."""
        self.under_test = Flow(protocol, live_fd=live_fd)
        self.flows.append(self.under_test)

    def listening(self, live_fd: int) -> None:
        """listen() has succeeded."""
        flow = self.flow_of(live_fd)
        if flow is not None:
            flow.state = LISTENING

    def connecting(self, live_fd: int) -> bytes:
        """connect(), or a send that connects, is about to be called: the sockaddr to give it."""
        settings = self.settings
        flow = self.flow_of(live_fd)
        if flow is not None and flow.state == NEW:
            flow.state = CONNECTING
            flow.ends = Endpoints(0, 0, settings.remote_addr, settings.connect_port)
        return pack_sockaddr_in(settings.remote_addr, settings.connect_port)

    def disconnecting(self, live_fd: int) -> None:
        """connect(AF_UNSPEC) is about to be called: the socket may connect again."""
        flow = self.flow_of(live_fd)
        if flow is not None:
            flow.state = NEW

    def bind_address(self) -> bytes:
        """The sockaddr for bind(fd, ..., ...)."""
        return pack_sockaddr_in(self.settings.local_addr, self.settings.bind_port)

    def accepted(self, script_fd: int, live_fd: int, peer: tuple[int, int]) -> None:
        """accept() has returned `live_fd`, a connection with `peer` (address, port). The script may
        give it the name of one that it has not closed.
        """
        for flow in self.flows:
            if (flow.ends.daddr, flow.ends.dport) == peer and flow.state in _ACCEPTABLE:
                flow.live_fd = live_fd
                self.live[script_fd] = live_fd
                return
        raise ScriptFailure("unable to find socket matching accept() call")

    def incoming(self, protocol: int, seq: int) -> Flow:
        """A packet of the script reaches a listening socket: a new flow, which is under test."""
        settings = self.settings
        port = _FIRST_REMOTE_PORT + self._next_port % _REMOTE_PORTS
        self._next_port += 1
        ends = Endpoints(settings.local_addr, settings.bind_port, settings.remote_addr, port)
        flow = Flow(protocol, PACKET_RECEIVED, ends=ends, remote_isn=seq)
        self.flows.append(flow)
        self.under_test = flow
        return flow

    def matches(self, ends: Endpoints, *, is_syn: bool, seq: int) -> bool:
        """Whether a packet of the stack belongs to the flow under test. The first SYN of a
        connecting socket tells its port and initial number.
        """
        flow = self.under_test
        if flow is None:
            return False
        if ends == flow.ends:
            return True
        if not is_syn or flow.state != SYN_SENT or any(other.ends == ends for other in self.flows):
            return False
        if (ends.daddr, ends.dport) != (flow.ends.daddr, flow.ends.dport):
            return False
        flow.ends = ends
        flow.live_local_isn = seq
        return True

    def matches_udp(self, ends: Endpoints) -> bool:
        """The same for a datagram; the first one tells the port."""
        flow = self.under_test
        if flow is None or (ends.daddr, ends.dport) != (flow.ends.daddr, flow.ends.dport):
            return False
        flow.ends = ends
        return True
