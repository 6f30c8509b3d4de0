"""Commands of a script, between back quotes: what they mean for the emulated machine.

There is no shell. A text is cut into lines, lists (`;`, `&&`, `||`) and pipes; each command is one
of a few that are done here (`echo`, `grep`, `dd`, `rm`), one of the helper programs that scripts
come with, known by their names, or one of the administrator's tools (`pyhost.admin`).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.kernel.sysctl import SysctlError
from pyhost.net.ipv4.tcp.tcp_proc import tcp4_seq_show
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.usermem import Frame
from pyhost.uapi.fcntl import O_CREAT, O_TRUNC, O_WRONLY

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.net.net_namespace import Net

__all__ = ["run_script_command"]

DEFAULTS = {
    "net.ipv4.tcp_rmem": "4096 540000 15728640",
    "net.ipv4.tcp_wmem": "4096 262144 4194304",
    "net.ipv4.tcp_timestamps": "1",
    "net.ipv4.tcp_syn_retries": "5",
    "net.ipv4.tcp_synack_retries": "5",
    "net.ipv4.tcp_frto": "2",
    "net.ipv4.tcp_sack": "1",
    "net.ipv4.tcp_dsack": "1",
    "net.ipv4.tcp_reordering": "3",
    "net.ipv4.tcp_congestion_control": "cubic",
    "net.ipv4.tcp_slow_start_after_idle": "0",
    "net.ipv4.tcp_early_retrans": "4",
    "net.ipv4.tcp_recovery": "1",
    "net.ipv4.tcp_tso_win_divisor": "3",
    "net.ipv4.tcp_ecn": "0",
    "net.ipv4.tcp_pacing_ss_ratio": "200",
    "net.ipv4.tcp_pacing_ca_ratio": "120",
    "net.ipv4.tcp_notsent_lowat": "4294967295",
    "net.ipv4.tcp_fastopen": "0x70403",
    "net.ipv4.tcp_fastopen_key": "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
    "net.ipv4.tcp_syncookies": "1",
}
"""The settings that scripts get from their `defaults.sh`."""

_QDISC = "tc qdisc replace dev tun0 root pfifo"
"""The queue that goes with them: one that does not pace."""

_REDIRECTION = re.compile(r"\s*(?:&>|[0-9]?>)\s*(?:/dev/null|&[0-9])")
_SEPARATOR = re.compile(r"\s*(;|&&|\|\|)\s*")
_WRITE = re.compile(r"echo\s+(\S+)\s*>\s*(\S+)")
_PROC_SYS = "/proc/sys/"
_MODULE_PARAMETER = re.compile(r"/sys/module/(\w+)/parameters/(\w+)")


def run_script_command(kernel: Kernel, text: str) -> str:
    """Carry out the command and return what it prints.

    Raises ScriptFailure when its last part fails, as a shell would say with its exit status, and
    for a command that means nothing here.
    """
    output = []
    failure: CommandError | None = None
    for line in text.replace("\\\n", " ").splitlines():
        for operator, command in _parts(line):
            if (operator == "||") == (failure is None) and operator in ("&&", "||"):
                continue
            try:
                output.append(_run_pipe(kernel, command))
                failure = None
            except CommandError as error:
                failure = error
    if failure is not None:
        raise ScriptFailure(str(failure))
    return "".join(output)


def _parts(line: str) -> list[tuple[str, str]]:
    """(operator before it, command) for each command of a line, comments left away."""
    line = re.sub(r"(^|\s)#.*", "", line).strip()
    if not line:
        return []
    pieces = ["", *_SEPARATOR.split(line)]
    return [(op, part) for op, part in zip(pieces[::2], pieces[1::2], strict=True) if part]


def _run_pipe(kernel: Kernel, command: str) -> str:
    write = _WRITE.fullmatch(command)
    if write:
        return _write(kernel, write[1], write[2])
    data = ""
    for stage in _REDIRECTION.sub("", command).split("|"):
        data = _run_one(kernel, stage.strip(), data)
    return data


def _run_one(kernel: Kernel, command: str, stdin: str) -> str:
    argv = shlex.split(command)
    name = argv[0].rpartition("/")[2]
    if name.startswith("sysctl_restore_"):
        return ""
    builtin = _BUILTINS.get(name)
    if builtin is not None:
        return builtin(kernel, argv, stdin)
    return run_command(kernel, shlex.join([name, *argv[1:]]))


# -- what is done here -----------------------------------------------------------------------------


def _defaults(kernel: Kernel, _argv: list[str], _stdin: str) -> str:
    for name, value in DEFAULTS.items():
        kernel.sysctl[name] = value
    return run_command(kernel, _QDISC)


def _set_sysctls(kernel: Kernel, argv: list[str], _stdin: str) -> str:
    for word in argv[1:]:
        path, _, value = word.partition("=")
        _write(kernel, value, path)
    return ""


def _write(kernel: Kernel, value: str, path: str) -> str:
    """`echo VALUE > PATH`: a setting of the kernel or of one of its modules."""
    parameter = _MODULE_PARAMETER.fullmatch(path)
    if parameter:
        name = f"module.{parameter[1]}.{parameter[2]}"
    elif path.startswith(_PROC_SYS):
        name = path.removeprefix(_PROC_SYS).replace("/", ".")
    else:
        raise CommandError(f"{path}: nothing that can be written to here")
    try:
        kernel.sysctl[name] = value.strip("\"'")
    except SysctlError as error:
        raise CommandError(str(error)) from None
    return ""


def _sysctl(kernel: Kernel, argv: list[str], _stdin: str) -> str:
    """`sysctl -e` leaves out unknown names."""
    words = [word for word in argv[1:] if word not in ("-q", "-w", "-e")]
    if "-e" in argv:
        words = [word for word in words if word.partition("=")[0] in tuple(kernel.sysctl)]
    return run_command(kernel, shlex.join(["sysctl", "-q", *words]))


def _grep(kernel: Kernel, argv: list[str], stdin: str) -> str:
    text = "".join(map(partial(_read, kernel), argv[2:])) if argv[2:] else stdin
    found = [line for line in text.splitlines(keepends=True) if re.search(argv[1], line)]
    if not found:
        raise CommandError(f"grep {argv[1]!r}: nothing found")
    return "".join(found)


def _read(kernel: Kernel, path: str) -> str:
    """A file below /proc; one that is not there is empty, as it is to a search in several."""
    show = _PROC_FILES.get(path)
    return "" if show is None else show(kernel.net)


def _dd(kernel: Kernel, argv: list[str], _stdin: str) -> str:
    """A file of zeros."""
    words = dict(word.partition("=")[::2] for word in argv[1:])
    if words.get("if") != "/dev/zero" or "of" not in words:
        raise CommandError("dd: only if=/dev/zero of=FILE")
    size = int(words.get("bs", "512")) * int(words.get("count", "1"))
    task = kernel.sched.current
    if task is None or task.process is None:
        raise CommandError("dd: no process to run in")
    with Frame(task.process.mm) as frame:
        path = frame.put(words["of"].encode() + b"\0")
        fd = kernel.syscall("open", path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        if fd < 0:
            raise CommandError(f"dd: {words['of']}: {os.strerror(-fd)}")
        kernel.syscall("write", fd, frame.room(size), size)
        kernel.syscall("close", fd)
    return ""


def _rm(kernel: Kernel, argv: list[str], _stdin: str) -> str:
    for path in argv[1:]:
        if path != "-f":
            kernel.rootfs.unlink(path)
    return ""


_PROC_FILES: dict[str, Callable[[Net], str]] = {"/proc/net/tcp": tcp4_seq_show}

_BUILTINS: dict[str, Callable[[Kernel, list[str], str], str]] = {
    "dd": _dd,
    "defaults.sh": _defaults,
    "grep": _grep,
    "rm": _rm,
    "set_sysctls.py": _set_sysctls,
    "sysctl": _sysctl,
}
