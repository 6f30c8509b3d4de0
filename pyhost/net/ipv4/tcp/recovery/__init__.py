"""Finding out what is lost, and sending it again. Linux: net/ipv4/tcp_recovery.c, tcp_input.c."""
