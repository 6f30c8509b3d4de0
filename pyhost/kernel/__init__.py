"""The machine's core: CPU, tasks, interrupts, time."""
