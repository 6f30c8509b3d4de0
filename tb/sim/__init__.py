"""Inside the simulator: what joins the emulated host to the RTL. Everything here runs under
cocotb.
"""
