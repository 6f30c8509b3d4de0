"""The values of the command line's options: how each is written, and what it means."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import click

from pyhost.packetdrill.settings import OPTION_HELP

__all__ = [
    "DEFINE", "DELAY", "RATE", "SWITCH", "SYSCTL", "DefineType", "DelayType", "RateType",
    "SwitchType", "SysctlType", "script_options",
]  # fmt: skip

_RATE = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?)(?:bit|bps)?", re.IGNORECASE)
_RATE_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

_DELAY = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)", re.IGNORECASE)
_DELAY_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}

_SYSCTL_NAME = re.compile(r"[a-z0-9_-]+(?:[./][a-z0-9_-]+)+")

# What cocotb takes for true and false in its environment variables.
_TRUE = frozenset({"1", "yes", "y", "on", "true", "enable"})
_FALSE = frozenset({"0", "no", "n", "off", "false", "disable"})


class RateType(click.ParamType[int]):
    """Bits a second, as tc writes it: `10g`, `2.5g`, `100m`."""

    name = "rate"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = _RATE.fullmatch(str(value))
        rate = Decimal(match[1]) * _RATE_UNITS[match[2].lower()] if match else Decimal(0)
        if rate < 1:
            self.fail(f"{value!r} is not a rate such as 10g, 2.5g or 100m", param, ctx)
        return int(rate)


class DelayType(click.ParamType[int]):
    """A time in whole nanoseconds: `1us`, `500ns`, `2ms`."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = _DELAY.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a time such as 500ns, 1us or 2ms", param, ctx)
        delay = Decimal(match[1]) * _DELAY_UNITS[match[2].lower()]
        if delay != int(delay):
            self.fail(f"{value!r} is not a whole number of nanoseconds", param, ctx)
        return int(delay)


class SysctlType(click.ParamType[tuple[str, str]]):
    """`name=value`, as the sysctl command takes it."""

    name = "k=v"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, setting = str(value).partition("=")
        name, setting = name.strip(), setting.strip()
        if not equals or not setting or not _SYSCTL_NAME.fullmatch(name):
            self.fail(f"{value!r} is not NAME=VALUE, such as net.ipv4.tcp_sack=0", param, ctx)
        return name.replace("/", "."), setting


class DefineType(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE`, a name and any text."""

    name = "name=value"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name.isidentifier():
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return name, text


class SwitchType(click.types.BoolParamType):
    """On or off, as cocotb reads it from an environment variable."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> bool:
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            self.fail(f"{value!r} is neither 1 nor 0", param, ctx)
        return word in _TRUE


RATE = RateType()
DELAY = DelayType()
SYSCTL = SysctlType()
DEFINE = DefineType()
SWITCH = SwitchType()

F = TypeVar("F", bound=Callable[..., object])


def script_options(function: F) -> F:
    """Give a command the options that packetdrill scripts have; it gets their texts, None for one
    that is not there.
    """
    for name, (metavar, text) in reversed(list(OPTION_HELP.items())):
        if metavar:
            option = click.option(f"--{name}", metavar=metavar, help=text)
        else:
            option = click.option(f"--{name}", flag_value="1", default=None, help=text)
        function = option(function)
    return function
