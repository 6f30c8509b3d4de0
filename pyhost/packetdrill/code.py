"""`%{ code }%`: Python that looks at the connection under test.

At the time of the event the socket's state is read (`TCP_INFO`, `TCP_CC_INFO`, `SO_MEMINFO`). The
statements run after the script, all in one namespace and in their order, each with the values of
its time in variables.
"""

from __future__ import annotations

import traceback
from contextlib import redirect_stdout
from struct import Struct
from typing import IO, Any

from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.sockets import Sockets
from pyhost.packetdrill.symbols import SYMBOLS
from pyhost.packetdrill.usermem import Frame
from pyhost.uapi.socket import INT, SOL_SOCKET, SOL_TCP
from pyhost.uapi.tcp import TCP_INFO

__all__ = ["CodeBlocks"]

_TCP_INFO = Struct("<8B24I4Q6I4Q2I2Q6I2HI")
_TCP_INFO_NAMES = [
    "state", "ca_state", "retransmits", "probes", "backoff", "options", "wscales", "app_limited",
    "rto", "ato", "snd_mss", "rcv_mss", "unacked", "sacked", "lost", "retrans", "fackets",
    "last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv", "pmtu", "rcv_ssthresh",
    "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering", "rcv_rtt", "rcv_space",
    "total_retrans", "pacing_rate", "max_pacing_rate", "bytes_acked", "bytes_received", "segs_out",
    "segs_in", "notsent_bytes", "min_rtt", "data_segs_in", "data_segs_out", "delivery_rate",
    "busy_time", "rwnd_limited", "sndbuf_limited", "delivered", "delivered_ce", "bytes_sent",
    "bytes_retrans", "dsack_dups", "reord_seen", "rcv_ooopack", "snd_wnd", "rcv_wnd", "rehash",
    "total_rto", "total_rto_recoveries", "total_rto_time",
]  # fmt: skip
_CC_INFO = Struct("<5I")
_VEGAS_NAMES = ("tcpv_enabled", "tcpv_rttcnt", "tcpv_rtt", "tcpv_minrtt")
_MEMINFO = Struct("<9I")
_MEMINFO_NAMES = [
    "RMEM_ALLOC", "RCVBUF", "WMEM_ALLOC", "SNDBUF", "FWD_ALLOC", "WMEM_QUEUED", "OPTMEM", "BACKLOG",
    "DROPS",
]  # fmt: skip

_CONSTANTS = {
    "TCP_ESTABLISHED": 1,
    "TCP_SYN_SENT": 2,
    "TCP_SYN_RECV": 3,
    "TCP_FIN_WAIT1": 4,
    "TCP_FIN_WAIT2": 5,
    "TCP_TIME_WAIT": 6,
    "TCP_CLOSE": 7,
    "TCP_CLOSE_WAIT": 8,
    "TCP_LAST_ACK": 9,
    "TCP_LISTEN": 10,
    "TCP_CLOSING": 11,
    "TCP_CA_Open": 0,
    "TCP_CA_Disorder": 1,
    "TCP_CA_CWR": 2,
    "TCP_CA_Recovery": 3,
    "TCP_CA_Loss": 4,
    "TCPI_OPT_TIMESTAMPS": 1,
    "TCPI_OPT_SACK": 2,
    "TCPI_OPT_WSCALE": 4,
    "TCPI_OPT_ECN": 8,
    "TCPI_OPT_ECN_SEEN": 16,
    "TCPI_OPT_SYN_DATA": 32,
    "TCPI_OPT_USEC_TS": 64,
    "TCPI_OPT_TFO_CHILD": 128,
}


class CodeBlocks:
    """The code of one script: `collect` at each block's time, `execute` at the end."""

    def __init__(self, path: str, sockets: Sockets) -> None:
        self._path = path
        self._sockets = sockets
        self._blocks: list[tuple[int, str, dict[str, int]]] = []

    def collect(self, line: int, text: str) -> None:
        """Read the state of the socket under test; runs in a task of the script's process."""
        flow = self._sockets.under_test
        if flow is None:
            raise ScriptFailure("no socket to use for code")
        info = self._getsockopt(flow.live_fd, SOL_TCP, TCP_INFO, _TCP_INFO.size)
        if info is None:
            raise ScriptFailure("can't find getsockopt to get TCP info")
        values = _tcp_info(info)
        meminfo = self._getsockopt(flow.live_fd, SOL_SOCKET, SYMBOLS["SO_MEMINFO"], _MEMINFO.size)
        if meminfo is not None:
            names = (f"SK_MEMINFO_{name}" for name in _MEMINFO_NAMES)
            values.update(zip(names, _MEMINFO.unpack(meminfo), strict=True))
        cc_info = self._getsockopt(flow.live_fd, SOL_TCP, SYMBOLS["TCP_CC_INFO"], _CC_INFO.size)
        if cc_info is not None:
            values.update(zip(_VEGAS_NAMES, _CC_INFO.unpack(cc_info), strict=False))
        self._blocks.append((line, text, values))

    def _getsockopt(self, fd: int, level: int, name: int, size: int) -> bytes | None:
        """The option's value, zeros behind what the kernel gave; None on an error."""
        kernel = self._sockets.kernel
        task = kernel.sched.current
        assert task is not None
        assert task.process is not None
        with Frame(task.process.mm) as frame:
            room, length = frame.room(size), frame.put(INT.pack(size))
            if kernel.syscall("getsockopt", fd, level, name, room, length) < 0:
                return None
            return frame.get(room, size)

    def execute(self, output: IO[str]) -> None:
        """Run the blocks; what they print goes to `output`. Raises ScriptFailure for the first
        exception.
        """
        space: dict[str, Any] = dict(_CONSTANTS)
        for line, text, values in self._blocks:
            space.update(values)
            try:
                # Where a line is to go on after the last one, it goes on with nothing.
                code = compile("\n" * (line - 1) + text + "\n\n", self._path, "exec")
                with redirect_stdout(output):
                    exec(code, space)
            except Exception as error:
                raise ScriptFailure(self._explain(error, line)) from None

    def _explain(self, error: Exception, line: int) -> str:
        """`line: what`, with the line of the script at which it happened."""
        if isinstance(error, SyntaxError):
            where = error.lineno or line
        else:
            where = traceback.extract_tb(error.__traceback__)[-1].lineno or line
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return f"{self._path}:{where}: error executing code: {what}"


def _tcp_info(data: bytes) -> dict[str, int]:
    """The variables `tcpi_…` of a struct tcp_info."""
    values = dict(zip(_TCP_INFO_NAMES, _TCP_INFO.unpack(data), strict=True))
    wscales = values.pop("wscales")
    values["snd_wscale"], values["rcv_wscale"] = wscales & 15, wscales >> 4
    bits = values.pop("app_limited")
    values["delivery_rate_app_limited"] = bits & 1
    values["fastopen_client_fail"] = bits >> 1 & 3
    return {f"tcpi_{name}": value for name, value in values.items()}
