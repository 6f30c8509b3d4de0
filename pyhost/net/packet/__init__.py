"""AF_PACKET. Linux: net/packet."""
