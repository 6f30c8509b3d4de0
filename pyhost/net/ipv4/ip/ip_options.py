"""Options of received IPv4 headers (RFC 791 section 3.1). Linux: net/ipv4/ip_options.c.

They are checked; nothing is recorded into them, and they are not echoed. A source route is refused,
as `accept_source_route` 0 has it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["IpOptions", "ip_options_compile"]

IPOPT_END = 0
IPOPT_NOOP = 1
IPOPT_RR = 7
IPOPT_TIMESTAMP = 68
IPOPT_LSRR = 131
IPOPT_SSRR = 137
IPOPT_RA = 148

SMALLEST = {IPOPT_RR: (3, 4, 3), IPOPT_LSRR: (3, 4, 0), IPOPT_SSRR: (3, 4, 0),
            IPOPT_TIMESTAMP: (4, 5, 3), IPOPT_RA: (4, 0, 0)}  # fmt: skip
"""By option: least length, least pointer, bytes behind a pointer that still has room."""


class IpOptions(NamedTuple):
    """What a header's options come to. Linux: struct ip_options.

    `fault` is where in the options (offset in bytes) they are wrong, -1 when they are not.
    """

    fault: int
    source_route: bool


def ip_options_compile(options: bytes | memoryview) -> IpOptions:
    """Look through the options of a header. Linux: ip_options_compile."""
    at = 0
    seen: set[int] = set()
    while at < len(options):
        kind = options[at]
        if kind == IPOPT_END:
            break
        if kind == IPOPT_NOOP:
            at += 1
            continue
        fault = _fault(options, at, seen)
        if fault >= 0:
            return IpOptions(fault, False)
        seen.add(kind)
        at += options[at + 1]
    return IpOptions(-1, bool(seen & {IPOPT_LSRR, IPOPT_SSRR}))


def _fault(options: bytes | memoryview, at: int, seen: set[int]) -> int:
    """Where the option at `at` is wrong, -1 when it is right."""
    left = len(options) - at
    if left < 2 or not 2 <= options[at + 1] <= left:
        return at
    kind, length = options[at], options[at + 1]
    if kind not in SMALLEST:
        return -1
    least, pointer, step = SMALLEST[kind]
    if kind in seen:
        return at
    if length < least:
        return at + 1
    where = options[at + 2] if pointer else 0
    if where < pointer or (step and length - step < where <= length):
        return at + 2
    return -1
