"""What leaves, and when. Linux: net/ipv4/tcp_output.c."""
