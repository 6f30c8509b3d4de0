"""Addresses and routes of a machine. Linux: net/ipv4/fib_*.c, route.c, devinet.c."""
