"""Scripts in tests: text in, what became of them out."""

from __future__ import annotations

import io
from pathlib import Path

from pyhost.packetdrill import ast
from pyhost.packetdrill.parser import parse
from tb.packetdrill.job import Job, Outcome
from tb.packetdrill.run import run_on_model

__all__ = ["SERVER", "action", "event", "outcome_of", "packet"]

SERVER = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,nop,nop,sackOK,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
"""
"""A connection with fd 4, in seven lines; without timestamps."""


def event(text: str, **defines: str) -> ast.Event:
    """The only event of a script."""
    (only,) = parse(text, "x.pkt", defines).events
    return only


def action(text: str) -> ast.Action:
    """What happens at time 0 of a script with `text` in its only event."""
    return event(f"0 {text}").action


def packet(text: str) -> ast.TcpPacket:
    """A segment of a script."""
    found = action(text)
    assert isinstance(found, ast.TcpPacket)
    return found


def outcome_of(folder: Path, text: str, *, verbose: bool = False) -> tuple[Outcome, str]:
    """What becomes of a script on the model, with what it has printed; the path in the reason is
    `x.pkt`.
    """
    file = folder / "x.pkt"
    file.write_text(text)
    output = io.StringIO()
    outcome = run_on_model(Job(files=(file,), cwd=folder, verbose=verbose), file, output)
    reason = outcome.reason.replace(str(file), "x.pkt")
    return Outcome("x.pkt", outcome.verdict, reason), output.getvalue()
