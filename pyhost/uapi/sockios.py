"""ioctls of sockets that ask about interfaces. Linux: include/uapi/linux/sockios.h, linux/if.h."""

from __future__ import annotations

from struct import Struct

SIOCGIFNAME = 0x8910
SIOCGIFCONF = 0x8912
SIOCGIFFLAGS = 0x8913
SIOCGIFADDR = 0x8915
SIOCGIFDSTADDR = 0x8917
SIOCGIFBRDADDR = 0x8919
SIOCGIFNETMASK = 0x891B
SIOCGIFMETRIC = 0x891D
SIOCGIFMTU = 0x8921
SIOCGIFHWADDR = 0x8927
SIOCGIFINDEX = 0x8933
SIOCGIFTXQLEN = 0x8942
SIOCSHWTSTAMP = 0x89B0
SIOCGHWTSTAMP = 0x89B1

IFNAMSIZ = 16

IFREQ_SIZE = 40
"""struct ifreq: a name of IFNAMSIZ bytes, then a union of 24."""

IFCONF = Struct("<i4xQ")
"""struct ifconf: bytes of room, where the struct ifreqs go."""
