"""Numbers and formats shared with user space and the wire. Linux: include/uapi."""
