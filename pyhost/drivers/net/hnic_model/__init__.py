"""The NIC in Python, behind the same bus as the RTL: same registers, descriptors, completions and
wire.
"""
