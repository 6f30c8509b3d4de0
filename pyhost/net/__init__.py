"""The network stack. Linux: net/."""
