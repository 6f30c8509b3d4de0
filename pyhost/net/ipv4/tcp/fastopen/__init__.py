"""TCP Fast Open. RFC 7413. Linux: net/ipv4/tcp_fastopen.c."""
