"""The value of an expression."""

from __future__ import annotations

import struct
from ipaddress import AddressValueError, IPv4Address
from struct import Struct

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.symbols import SYMBOLS

__all__ = ["number", "numbers", "packed", "single"]


def number(expr: ast.Expr) -> int:
    """The number that `expr` stands for; raises ScriptFailure when it is none."""
    if isinstance(expr, ast.Number):
        return expr.value
    if isinstance(expr, ast.Symbol):
        if expr.name not in SYMBOLS:
            raise ScriptFailure(f"unknown symbol: '{expr.name}'")
        return SYMBOLS[expr.name]
    if isinstance(expr, ast.Or):
        return number(expr.left) | number(expr.right)
    if isinstance(expr, ast.Call):
        return _call(expr)
    raise ScriptFailure(f"bad type: a number was expected, not {_kind(expr)}")


def _call(expr: ast.Call) -> int:
    """`htons` and `inet_addr`, in host order as everything in a script."""
    if expr.name == "htons":
        return number(expr.argument)
    if expr.name == "inet_addr" and isinstance(expr.argument, ast.Text):
        try:
            return int(IPv4Address(expr.argument.value))
        except AddressValueError:
            pass
    raise ScriptFailure(f"cannot evaluate {expr.name}(…)")


def single(expr: ast.Expr) -> ast.Expr:
    """The one element of `[element]`."""
    if not isinstance(expr, ast.Items):
        raise ScriptFailure(f"bad type: [value] was expected, not {_kind(expr)}")
    if len(expr.items) != 1:
        raise ScriptFailure("expected [<element>] but got multiple elements")
    return expr.items[0]


def numbers(expr: ast.Expr) -> list[int]:
    """The numbers of `[a, b, …]`."""
    if not isinstance(expr, ast.Items):
        raise ScriptFailure(f"bad type: [values] were expected, not {_kind(expr)}")
    return [number(item) for item in expr.items]


def packed(layout: Struct, *values: int) -> bytes:
    """A structure of these numbers; raises ScriptFailure when one of them does not fit."""
    try:
        return layout.pack(*values)
    except struct.error:
        text = ", ".join(map(str, values))
        raise ScriptFailure(f"a number is too large for its field: {text}") from None


def _kind(expr: ast.Expr) -> str:
    return {
        ast.Ellipsis: "...",
        ast.Text: "a string",
        ast.Items: "an array",
        ast.Struct: "a structure",
    }.get(type(expr), "a value")
