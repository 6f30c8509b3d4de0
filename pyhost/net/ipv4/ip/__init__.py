"""IPv4 itself: the way up, the way down, fragments, options. Linux: net/ipv4/ip_*.c."""
