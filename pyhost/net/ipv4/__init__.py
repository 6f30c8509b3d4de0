"""IPv4: routing, output, input, fragments, ICMP, UDP, TCP, ARP. Linux: net/ipv4."""
