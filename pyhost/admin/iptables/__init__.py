"""`iptables`, `iptables-save` and `iptables-restore` for a running machine.

    words.py       addresses, ports, marks: text to values and back
    syntax.py      how an extension's options are described
    matches*.py    the matches, targets.py the targets
    rule.py        a rule from words, and back to words
    chains.py      a table with its chains
    command.py     -A, -D, -P and so on;  listing.py -L and -S;  saved.py whole tables as text

The rules themselves are in `pyhost.net.netfilter`, which knows nothing of words.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.iptables.command import CHANGES, COMMANDS, run_iptables
from pyhost.admin.iptables.saved import restore, save

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["changes_rules", "restore", "run", "run_restore", "run_save", "save"]


def run(kernel: Kernel, argv: list[str]) -> str:
    """`iptables [-t TABLE] COMMAND …`; CommandError with one line in iptables' own words."""
    return run_iptables(kernel.net, argv[1:])


def run_save(kernel: Kernel, argv: list[str]) -> str:
    """`iptables-save [-c] [-t TABLE]`."""
    table: str | None = None
    counters = False
    words = argv[1:]
    while words:
        word = words.pop(0)
        if word in ("-c", "--counters"):
            counters = True
        elif word in ("-t", "--table") and words:
            table = words.pop(0)
        else:
            raise CommandError(f'iptables-save: unknown option "{word}"')
    return save(kernel.net, table, counters=counters)


def run_restore(kernel: Kernel, argv: list[str]) -> str:
    """`iptables-restore [-c] [-n] [-t] FILE`: FILE is a real file."""
    options = {word for word in argv[1:] if word.startswith("-")}
    files = [word for word in argv[1:] if not word.startswith("-")]
    known = {"-c", "--counters", "-n", "--noflush", "-t", "--test"}
    if options - known:
        raise CommandError(f'iptables-restore: unknown option "{min(options - known)}"')
    if len(files) != 1:
        raise CommandError("iptables-restore: one file is wanted")
    try:
        text = Path(files[0]).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"iptables-restore: {files[0]}: {error.strerror}") from None
    restore(
        kernel.net,
        text,
        counters=bool(options & {"-c", "--counters"}),
        flush=not options & {"-n", "--noflush"},
        test=bool(options & {"-t", "--test"}),
    )
    return ""


def changes_rules(words: list[str]) -> bool:
    """Whether a command line may change anything."""
    return bool({COMMANDS[word] for word in words if word in COMMANDS} & CHANGES)
