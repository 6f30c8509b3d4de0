"""Network device drivers. Linux: drivers/net."""
