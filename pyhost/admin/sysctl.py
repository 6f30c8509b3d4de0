"""`sysctl [-q] [-w] NAME[=VALUE]…`: read and write the settings of a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.kernel.sysctl import SysctlError

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["run"]


def run(kernel: Kernel, argv: list[str]) -> str:
    """Set each NAME=VALUE, print each NAME; `-q` prints nothing for what was set."""
    quiet = "-q" in argv
    lines = []
    for word in argv[1:]:
        if word in ("-q", "-w"):
            continue
        name, equals, value = word.partition("=")
        try:
            if equals:
                kernel.sysctl[name] = value
            if not (equals and quiet):
                lines.append(f"{name} = {_text(kernel.sysctl[name])}\n")
        except SysctlError as error:
            raise CommandError(f"sysctl: {error}") from None
    return "".join(lines)


def _text(value: object) -> str:
    return "\t".join(map(str, value)) if isinstance(value, tuple) else str(value)
