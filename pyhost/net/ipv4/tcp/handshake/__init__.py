"""How connections begin and end. Linux: net/ipv4/tcp_minisocks.c, syncookies.c."""
