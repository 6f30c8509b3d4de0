"""UDP. RFC 768. Linux: net/ipv4/udp.c."""
