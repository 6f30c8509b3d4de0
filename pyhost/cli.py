"""The `pyhost` command.

A mistake of the user gives one line on standard error and exit status 2. Nothing heavy is imported
before it is needed: `pyhost run` of a one-line program starts in a fraction of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pyhost import __version__
from pyhost.tools import options, toolchain
from pyhost.tools.errors import UserError
from tb.config import MTU_MAX, MTU_MIN, SIMULATORS, RunConfig

__all__ = ["cli", "main"]

EXIT_USAGE = 2
"""Wrong usage, or a tool that is missing."""
EXIT_INTERRUPTED = 130
"""What a shell reports for a program stopped with Ctrl-C."""

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, writable=True, path_type=Path)
_SEED_MAX = 2**32 - 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pyhost")
def cli() -> None:
    """A host computer in Python, joined to its NIC in Verilog."""


@cli.command(context_settings={"allow_interspersed_args": False})
@click.argument("program", type=_FILE)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--peer-program",
    type=_FILE,
    metavar="FILE",
    help="Script that runs on the peer host.  [default: a server: 7 echoes, 9 discards]",
)
@click.option(
    "--sim",
    type=click.Choice(SIMULATORS),
    envvar="SIM",
    help="What stands for the NIC.  [default: icarus if there, else verilator]",
)
@click.option(
    "--link-rate",
    type=options.RATE,
    metavar="RATE",
    default="10g",
    show_default=True,
    help="Bits a second on the wire: 2.5g, 100m.",
)
@click.option(
    "--mtu",
    type=click.IntRange(MTU_MIN, MTU_MAX),
    default=1500,
    show_default=True,
    help="Bytes of IP packet in a frame.",
)
@click.option(
    "--delay",
    type=options.DELAY,
    metavar="TIME",
    default="1us",
    show_default=True,
    help="Propagation delay one way: 500ns, 2ms.",
)
@click.option(
    "--sysctl",
    "sysctls",
    type=options.SYSCTL,
    metavar="K=V",
    multiple=True,
    help="A setting under its Linux name; may be repeated.",
)
@click.option(
    "--iptables-rules",
    type=_FILE,
    metavar="FILE",
    help="Packet filter of the host, as `pyhost iptables` writes it.  [default: none]",
)
@click.option(
    "--setup",
    "setups",
    type=_FILE,
    metavar="FILE",
    multiple=True,
    help="Commands for the host, one a line, before the program starts; may be repeated.",
)
@click.option(
    "--do",
    "commands",
    metavar="COMMAND",
    multiple=True,
    help='The same, one command: "tc qdisc replace dev eth0 root fq"; after those of the files.',
)
@click.option(
    "--seed",
    type=click.IntRange(0, _SEED_MAX),
    envvar="COCOTB_RANDOM_SEED",
    default=0,
    show_default=True,
    help="The one seed of everything random.",
)
@click.option(
    "--waves",
    is_flag=True,
    type=options.SWITCH,
    envvar="WAVES",
    help="Dump waveforms to waves.fst.",
)
@click.option(
    "--out", type=_FOLDER, metavar="DIR", help="Where the results go.  [default: build/run/NAME]"
)
def run(
    program: Path,
    args: tuple[str, ...],
    peer_program: Path | None,
    sim: str | None,
    link_rate: int,
    mtu: int,
    delay: int,
    sysctls: tuple[tuple[str, str], ...],
    iptables_rules: Path | None,
    setups: tuple[Path, ...],
    commands: tuple[str, ...],
    seed: int,
    waves: bool,
    out: Path | None,
) -> int:
    """Run PROGRAM, an ordinary Python script, as a process on the emulated host."""
    sim = toolchain.default_simulator() if sim is None else sim
    toolchain.require_simulator(sim, waves=waves)
    _check_sysctls(sysctls)
    config = RunConfig(
        program=program.absolute(),
        args=args,
        peer_program=None if peer_program is None else peer_program.absolute(),
        sim=sim,
        link_rate_bps=link_rate,
        mtu=mtu,
        delay_ns=delay,
        sysctls=sysctls,
        iptables_rules=_rules(iptables_rules),
        setup=_setup(setups, commands),
        seed=seed,
        waves=waves,
        out=_made(Path("build", "run", program.stem) if out is None else out),
        cwd=Path.cwd(),
    )
    _check_setup(config)
    # The simulator and what builds it are children of this process.
    os.environ["PATH"] = toolchain.search_path()
    from tb import session

    return session.run(config)


@cli.command()
@click.argument(
    "paths",
    type=click.Path(exists=True, readable=True, path_type=Path),
    nargs=-1,
    required=True,
    metavar="FILE|FOLDER...",
)
@click.option(
    "--sim",
    type=click.Choice(SIMULATORS),
    envvar="SIM",
    default="model",
    show_default=True,
    help="What stands for the NIC.",
)
@click.option(
    "-D",
    "--define",
    "defines",
    type=options.DEFINE,
    metavar="NAME=VALUE",
    multiple=True,
    help="A value for a name in the scripts; may be repeated.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, _SEED_MAX),
    envvar="COCOTB_RANDOM_SEED",
    default=0,
    show_default=True,
    help="The one seed of everything random.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show packets and system calls as they go by.")
@click.option(
    "--waves", is_flag=True, help="Dump waveforms too; needs --out and a simulator with signals."
)
@click.option(
    "--out",
    type=_FOLDER,
    metavar="DIR",
    help="Where captures go, in a folder for each script.  [default: none]",
)
@options.script_options
def packetdrill(
    paths: tuple[Path, ...],
    sim: str,
    defines: tuple[tuple[str, str], ...],
    seed: int,
    verbose: bool,
    waves: bool,
    out: Path | None,
    **settings: str | None,
) -> int:
    """Run packetdrill scripts against the emulated host, in simulated time.

    Of a folder, all that is called *.pkt in it and below.

    The options with an underscore are packetdrill's own, and a script may have them in its first
    lines; those of the script count more.
    """
    toolchain.require_simulator(sim, waves=waves)
    if waves and out is None:
        raise UserError("--waves needs --out DIR, where they go")
    os.environ["PATH"] = toolchain.search_path()
    from pyhost.packetdrill.errors import ScriptSkip
    from pyhost.packetdrill.settings import OptionError
    from tb.build import BuildError
    from tb.packetdrill.job import Job, find_scripts
    from tb.packetdrill.run import run_job

    files, root = find_scripts(paths)
    job = Job(
        files=files,
        root=root,
        sim=sim,
        seed=seed,
        defines=defines,
        options=tuple((name, text) for name, text in settings.items() if text is not None),
        verbose=verbose,
        waves=waves,
        out=None if out is None else _made(out),
        cwd=Path.cwd(),
    )
    try:
        job.settings()
        return run_job(job)
    except (BuildError, OptionError, ScriptSkip) as error:
        raise UserError(str(error)) from None


@cli.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": ["--help"],
    }
)
@click.option(
    "--rules",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default="iptables.rules",
    show_default=True,
    help="The rules file, in the format of iptables-save.",
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
def iptables(rules: Path, words: tuple[str, ...]) -> None:
    """Carry out an iptables command (-A OUTPUT -p tcp --dport 25 -j DROP) on a rules file."""
    from pyhost.tools.iptables import edit_rules

    print(edit_rules(rules, words), end="")


@cli.command()
def doctor() -> int:
    """Show what is there, what is missing, and the command that fixes it."""
    from pyhost.tools.doctor import diagnose

    return diagnose()


@cli.command()
def claims() -> None:
    """List the claims of docs/claims.md with their tests and results."""
    from pyhost.tools.claims import report

    for line in report(Path.cwd()):
        print(line)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit status."""
    sys.exit(_status(argv))


def _status(argv: Sequence[str] | None) -> int:
    try:
        status: int | None = cli.main(argv, prog_name="pyhost", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return EXIT_USAGE
    except click.ClickException as error:
        return _complain(error.format_message())
    except UserError as error:
        return _complain(str(error))
    except (click.Abort, KeyboardInterrupt):
        print("pyhost: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return status or 0


def _complain(text: str) -> int:
    print("pyhost:", " ".join(text.split()), file=sys.stderr)
    return EXIT_USAGE


def _check_sysctls(sysctls: tuple[tuple[str, str], ...]) -> None:
    """Try the settings on a machine that never runs; UserError when it refuses one."""
    if not sysctls:
        return
    from pyhost.boot import boot
    from pyhost.kernel.clock import VirtualClock
    from pyhost.kernel.sysctl import SysctlError

    try:
        boot(VirtualClock(), sysctls=dict(sysctls))
    except SysctlError as error:
        raise UserError(f"--sysctl {error}") from None


def _rules(path: Path | None) -> str:
    """The text of a rules file, tried on a machine that never runs."""
    if path is None:
        return ""
    from pyhost.tools.iptables import check_rules

    return check_rules(path)


def _setup(files: tuple[Path, ...], commands: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What `--setup` and `--do` name, with the place of each command."""
    if not files and not commands:
        return ()
    from tb.setup import read_setup

    return read_setup(files, commands)


def _check_setup(config: RunConfig) -> None:
    """Try the commands on a machine that never runs; UserError when it refuses one."""
    if config.setup:
        from tb.setup import try_setup

        try_setup(config)


def _made(folder: Path) -> Path:
    """The absolute path of a folder that is there now; UserError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror}") from None
    return folder.absolute()
