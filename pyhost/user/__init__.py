"""Running an ordinary, unmodified Python program as a process of the emulated host."""
