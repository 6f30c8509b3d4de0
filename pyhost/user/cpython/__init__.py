"""CPython's C modules as a program on the emulated host sees them, each named after the C file it
stands for.

Every file has a `make_module(interpreter)`; nothing is shared between two programs.
"""
