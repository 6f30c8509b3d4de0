"""Runs of packetdrill scripts: each on a machine of its own, the script at the other end of the
wire.

    script ─ syscalls ─→ host kernel ─ driver ─ NIC (RTL or model) ─ link ─ script

`job` says what is to be done, `bench` is one script with its machine, `run` takes them one after
the other, with the model or through `rtl`, and `report` tells what became of them.
"""
