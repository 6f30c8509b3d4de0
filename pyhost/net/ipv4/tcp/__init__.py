"""TCP: the socket, its tables, and what all rooms of it share. RFC 9293. Linux: net/ipv4/tcp*.c."""
