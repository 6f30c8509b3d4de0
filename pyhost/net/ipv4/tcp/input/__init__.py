"""What comes in: segments, data, errors. Linux: net/ipv4/tcp_input.c."""
