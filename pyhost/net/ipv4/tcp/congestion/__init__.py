"""How much may be on the way. Linux: net/ipv4/tcp_cong.c, tcp_cubic.c."""
