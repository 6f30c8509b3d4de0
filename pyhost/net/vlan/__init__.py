"""VLAN devices: an interface for each 802.1Q id on top of another. Linux: net/8021q."""
