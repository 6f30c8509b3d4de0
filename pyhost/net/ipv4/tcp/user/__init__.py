"""TCP as a program sees it: write, read, options, close. Linux: net/ipv4/tcp.c."""
