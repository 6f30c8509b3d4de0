"""Protocol-independent network core. Linux: net/core."""
