"""`pyhost iptables`: look at a rules file and change it, with the words of iptables.

The file is in the format of iptables-save. A machine that never runs reads it, carries the command
out, and writes it back: so a rules file never holds what a run would refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyhost.tools.errors import UserError

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["check_rules", "edit_rules"]


HEADER = "# Rules of a pyhost machine, as iptables-save writes them.\n"


def edit_rules(path: Path, words: Sequence[str]) -> str:
    """Carry out one iptables command on the rules in `path` and return what it prints.

    A file that is not there is an empty one, and is made by the first command that changes
    anything. UserError for whatever iptables refuses.
    """
    from pyhost.admin.errors import CommandError
    from pyhost.admin.iptables import changes_rules, run, save

    kernel = _machine(path.read_text(encoding="utf-8") if path.exists() else "", str(path))
    try:
        changes = changes_rules(list(words))
        text = run(kernel, ["iptables", *words])
    except CommandError as error:
        raise UserError(str(error)) from None
    if changes:
        try:
            path.write_text(HEADER + save(kernel.net, counters=True), encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
    return text


def check_rules(path: Path) -> str:
    """The text of a rules file that a run may use; UserError when it has a mistake."""
    text = path.read_text(encoding="utf-8")
    _machine(text, str(path))
    return text


def _machine(text: str, name: str) -> Kernel:
    """A machine with these rules."""
    from pyhost.admin.errors import CommandError
    from pyhost.admin.iptables import restore
    from pyhost.boot import boot
    from pyhost.kernel.clock import VirtualClock

    kernel = boot(VirtualClock())
    try:
        restore(kernel.net, text, counters=True)
    except CommandError as error:
        raise UserError(f"{name}: {error}") from None
    return kernel
