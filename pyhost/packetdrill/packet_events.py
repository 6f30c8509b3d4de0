"""The packets of a script: injected, or expected and compared."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from pyhost.packetdrill import ast
from pyhost.packetdrill.compare import compare_segment, join_segments, merge
from pyhost.packetdrill.context import RunContext
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.flow import (
    CONNECTING,
    LISTENING,
    PACKET_RECEIVED,
    SYN_ACKED,
    SYN_SENT,
    SYNACK_ACKED,
    SYNACK_SENT,
    Flow,
)
from pyhost.packetdrill.icmp import icmp_of_script
from pyhost.packetdrill.packets import (
    ECN_BITS,
    Endpoints,
    IcmpMessage,
    TcpSegment,
    UdpDatagram,
    parse_frame,
    segment_of_script,
)
from pyhost.packetdrill.timing import Due
from pyhost.uapi.ip import IPPROTO_ICMP, IPPROTO_TCP

__all__ = ["PacketEvents"]

GIVE_UP_NS = 2_000_000_000
"""How long after its time a packet of the stack is waited for."""

DELIVERY_LIMIT_NS = 1_000_000
"""How long an injected packet may take to the stack; then it is taken to be lost on the way."""

LivePacket = TcpSegment | UdpDatagram | IcmpMessage


class PacketEvents:
    """The script's end of the wire: what has arrived and was not yet asked for."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._sockets = context.sockets
        self._arrived: deque[LivePacket] = deque()
        context.machine.on_delivery = context.wake

    def arrived(self, frame: bytes) -> None:
        """A frame of the stack has reached the script's end of the wire."""
        packet = parse_frame(frame)
        if packet is not None:
            packet.time = self._context.now
            self._arrived.append(packet)
            self._context.wake()

    def packet_event(self, packet: ast.Packet, due: Due) -> None:
        """Inject the packet when it is due, or wait for it and compare it."""
        flow = self._flow_of(packet)
        if packet.inbound:
            self._context.wait_until(due, "inbound packet")
            self._inject(packet, flow)
        elif isinstance(packet, ast.TcpPacket):
            self._expect_segment(packet, flow, due)
        else:
            self._expect_other(packet, due)

    # -- flows -------------------------------------------------------------------------------------

    def _flow_of(self, packet: ast.Packet) -> Flow:
        """The flow that a packet of the script belongs to; the first one to a listening socket
        makes a new one.
        """
        flow = self._sockets.under_test
        if isinstance(packet, ast.TcpPacket):
            if packet.inbound and (flow is None or flow.state == LISTENING):
                return self._sockets.incoming(IPPROTO_TCP, packet.seq.start)
            syn = "S" in packet.flags and "." not in packet.flags
            if not packet.inbound and syn and flow is not None and flow.state == CONNECTING:
                flow.state = SYN_SENT
                flow.script_local_isn = packet.seq.start
        if flow is None:
            raise ScriptFailure("no matching socket for script packet")
        return flow

    # -- inbound -----------------------------------------------------------------------------------

    def _inject(self, packet: ast.Packet, flow: Flow) -> None:
        live: LivePacket
        if isinstance(packet, ast.TcpPacket):
            live = self._live_segment(packet, flow)
            flow.last_injected = live
        elif isinstance(packet, ast.IcmpPacket):
            live = icmp_of_script(packet, flow)
        else:
            ends = _with_ports(packet, flow.ends.reversed())
            live = UdpDatagram(bytes(packet.length), tos=_tos(packet.ip), ends=ends)
        self._show("inbound injected", live, self._context.now)
        self._deliver(live)

    def _deliver(self, packet: LivePacket) -> None:
        """Send a packet and come back when the stack has dealt with it, as the original does, whose
        packets are received while they are written to a tun device. Softirqs go before tasks, so
        nothing is left to do when this task runs again.
        """
        context = self._context
        count = context.machine.delivered
        limit = context.now + DELIVERY_LIMIT_NS
        self.send(packet)
        while context.machine.delivered == count and context.now < limit:
            context.sleep(limit)

    def send(self, packet: LivePacket) -> None:
        """Give the stack a packet of the peer."""
        mss = self._context.settings.mss
        large = isinstance(packet, TcpSegment) and len(packet.payload) > mss
        self._context.machine.inject(packet.packet(), mss if large else 0)

    def _live_segment(self, packet: ast.TcpPacket, flow: Flow) -> TcpSegment:
        script = segment_of_script(packet)
        if flow.state == SYNACK_SENT and script.has("."):
            flow.state = SYNACK_ACKED
        elif flow.state == SYN_SENT and script.has("S") and script.has("."):
            flow.state = SYN_ACKED
            flow.remote_isn = script.seq
        live = flow.to_live(script, self._context.settings)
        return replace(live, ends=_with_ports(packet, live.ends))

    # -- outbound ----------------------------------------------------------------------------------

    def _next_packet(self, due: Due) -> LivePacket:
        """The next packet of the flow under test; raises ScriptFailure when none comes in time."""
        limit = self._give_up_at(due)
        while True:
            while not self._arrived:
                if limit is not None and self._context.now >= limit:
                    raise ScriptFailure("Timed out waiting for packet")
                self._context.sleep(limit)
            packet = self._arrived.popleft()
            if self._belongs(packet):
                return packet

    def _give_up_at(self, due: Due) -> int | None:
        """Two seconds after the time at which it is due, None when any time will do."""
        if due.kind == ast.ANY:
            return None
        return max(due.end, self._context.now) + GIVE_UP_NS

    def _belongs(self, packet: LivePacket) -> bool:
        flow = self._sockets.under_test
        if isinstance(packet, TcpSegment):
            is_syn = packet.has("S") and not packet.has(".")
            return self._sockets.matches(packet.ends, is_syn=is_syn, seq=packet.seq)
        if isinstance(packet, UdpDatagram):
            return flow is not None and self._sockets.matches_udp(packet.ends)
        return flow is not None and flow.protocol == IPPROTO_ICMP

    def _expect_segment(self, packet: ast.TcpPacket, flow: Flow, due: Due) -> None:
        script = segment_of_script(packet)
        handshake = script.has("S") and script.has(".")
        if flow.state == PACKET_RECEIVED and handshake:
            flow.script_local_isn = script.seq
        parts: list[TcpSegment] = []
        wanted = packet.seq.length
        while not parts or (_length(parts) < wanted and not self._context.settings.strict_segments):
            live = self._next_packet(due)
            if not isinstance(live, TcpSegment):
                raise ScriptFailure(f"live packet is no TCP segment but {live.text()}")
            if flow.state == PACKET_RECEIVED and handshake:
                flow.state = SYNACK_SENT
                flow.live_local_isn = live.seq
            self._show("outbound sniffed", live, live.time)
            flow.last_sent = live
            self._merge(parts, flow.to_script(live), packet, due)
        if _length(parts) != wanted:
            text = f"expected {wanted} bytes vs actual {_length(parts)} bytes"
            shown = _shown_script("script", packet, due)
            lines = [self._shown("actual", part, part.time) for part in parts]
            raise ScriptFailure("\n".join([f"live packet payload: {text}", shown, *lines]))
        self._compare(packet, script, flow.learn_timestamps(script, join_segments(parts)), due)

    def _merge(
        self, parts: list[TcpSegment], part: TcpSegment, packet: ast.TcpPacket, due: Due
    ) -> None:
        try:
            merge(parts, part, packet.seq.length)
        except ScriptFailure as failure:
            shown = [
                self._shown(f"actual #{index}", segment, segment.time)
                for index, segment in enumerate([*parts, part])
            ]
            head = _shown_script("   script", packet, due)
            raise ScriptFailure("\n".join([str(failure), head, *shown])) from None

    def _compare(
        self, packet: ast.TcpPacket, script: TcpSegment, actual: TcpSegment, due: Due
    ) -> None:
        try:
            compare_segment(packet, script, actual, self._ts_tolerance(due))
            self._context.check_time(due, actual.time, "outbound packet")
        except ScriptFailure as failure:
            lines = [
                str(failure),
                _shown_script("script", packet, due),
                self._shown("actual", actual, actual.time),
            ]
            raise ScriptFailure("\n".join(lines)) from None

    def _ts_tolerance(self, due: Due) -> float | None:
        """By how many steps a timestamp may be off, from the whole time that has passed."""
        settings = self._context.settings
        if not settings.tcp_ts_tick_usecs:
            return None
        usecs = settings.tolerance_percent / 100 * due.start / 1000
        return max(settings.tolerance_usecs, usecs) / settings.tcp_ts_tick_usecs

    def _expect_other(self, packet: ast.UdpPacket | ast.IcmpPacket, due: Due) -> None:
        live = self._next_packet(due)
        self._show("outbound sniffed", live, live.time)
        if isinstance(packet, ast.UdpPacket):
            wanted = UdpDatagram(bytes(packet.length)).text()
        else:
            assert self._sockets.under_test is not None
            wanted = icmp_of_script(packet, self._sockets.under_test).text()
        if live.faults:
            raise ScriptFailure(live.faults)
        if live.text() != wanted:
            raise ScriptFailure(f"live packet: expected: {wanted} vs actual: {live.text()}")
        self._context.check_time(due, live.time, "outbound packet")

    # -- showing -----------------------------------------------------------------------------------

    def _show(self, what: str, packet: LivePacket, time: int) -> None:
        if self._context.settings.verbose:
            self._context.say(self._shown(what, packet, time))

    def _shown(self, what: str, packet: LivePacket, time: int) -> str:
        return f"{what} packet: {time / 1e9:9.6f} {packet.text()}"


def _shown_script(what: str, packet: ast.TcpPacket, due: Due) -> str:
    text = segment_of_script(packet).text(window=packet.window is not None)
    return f"{what} packet: {due.start / 1e9:9.6f} {text}"


def _length(parts: list[TcpSegment]) -> int:
    return sum(len(part.payload) for part in parts)


def _tos(ip: ast.IpInfo) -> int:
    return ip.tos if ip.tos is not None else ECN_BITS.get(ip.ecn or "", 0)


def _with_ports(packet: ast.TcpPacket | ast.UdpPacket, ends: Endpoints) -> Endpoints:
    """Other ports, where the script names some."""
    if packet.ports is None:
        return ends
    return replace(ends, sport=packet.ports[0], dport=packet.ports[1])
