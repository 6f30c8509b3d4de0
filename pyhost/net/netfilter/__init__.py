"""Netfilter: the hooks on the way of a packet. Linux: net/netfilter."""
