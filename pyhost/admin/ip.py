"""`ip OBJECT COMMAND …` in iproute2's syntax: routes, addresses, links, neighbours, IPsec.

Errors are iproute2's, in one line. What is shown is IPv4 alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.admin import ip_address, ip_link, ip_metrics, ip_neigh, ip_route, xfrm
from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import Words, pick

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.net_namespace import Net

__all__ = ["run"]

OBJECTS: dict[str, Callable[[Net, Words], str]] = {
    "address": ip_address.run,
    "route": ip_route.run,
    "link": ip_link.run,
    "neighbour": ip_neigh.run,
    "neighbor": ip_neigh.run,
    "tcp_metrics": ip_metrics.run,
    "tcpmetrics": ip_metrics.run,
    "xfrm": xfrm.run,
}
"""In the order in which abbreviations are tried."""


def run(kernel: Kernel, argv: list[str]) -> str:
    """Carry out `ip …`; returns what it prints, raises CommandError."""
    words = Words(argv[1:])
    while words.peek().startswith("-"):
        option = words.next()
        if option not in ("-4", "-family", "-f", "-o", "-oneline", "-details", "-d"):
            raise CommandError(f'Option "{option}" is unknown, try "ip -help".')
        words.details |= option in ("-details", "-d")
        if option in ("-family", "-f") and words.next() != "inet":
            raise CommandError("Only the family inet is here.")
    if not words:
        raise CommandError(f"Usage: ip {{ {' | '.join(OBJECTS)} }} COMMAND")
    handler = pick(words.next(), OBJECTS, "Object", "ip help")
    return handler(kernel.net, words)
