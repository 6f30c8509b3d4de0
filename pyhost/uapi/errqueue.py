"""The socket error queue, as a program reads it with MSG_ERRQUEUE.

Linux: include/uapi/linux/errqueue.h.
"""

from __future__ import annotations

from struct import Struct

SO_EE_ORIGIN_NONE = 0
SO_EE_ORIGIN_LOCAL = 1
SO_EE_ORIGIN_ICMP = 2
SO_EE_ORIGIN_TIMESTAMPING = 4
SO_EE_ORIGIN_ZEROCOPY = 5

SO_EE_CODE_ZEROCOPY_COPIED = 1

SCM_TSTAMP_SND = 0
SCM_TSTAMP_SCHED = 1
SCM_TSTAMP_ACK = 2
"""`ee_info` of a timestamp: handed to the device, to the queueing discipline, acknowledged."""

SOCK_EXTENDED_ERR = Struct("<IBBBBII")
"""struct sock_extended_err: errno, origin, type, code, pad, info, data."""
