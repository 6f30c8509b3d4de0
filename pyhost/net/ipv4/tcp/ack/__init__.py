"""What an acknowledgement says. Linux: net/ipv4/tcp_input.c (tcp_ack), tcp_rate.c."""
