"""Packet schedulers. Linux: net/sched."""
