"""Scripts that test the stack: the language of packetdrill, in simulated time.

    text ─ parser ─→ ast ─→ run ─┬─ syscalls ─→ kernel
                                 ├─ flow, packets, compare ⇄ wire
                                 └─ commands, code

`run` plays one script on one machine; it is the other end of the machine's wire. Who makes machine
and wire, and for how many scripts, is not decided here (`tb/packetdrill/`).
"""
