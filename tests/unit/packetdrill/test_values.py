"""Expressions and names."""

from __future__ import annotations

import errno
import select
import socket
from struct import Struct

import pytest

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.symbols import SYMBOLS, errno_name, flag_names
from pyhost.packetdrill.values import number, numbers, packed, single
from tests.unit.packetdrill.support import action


def value(text: str) -> ast.Expr:
    found = action(f"f({text}) = 0")
    assert isinstance(found, ast.Syscall)
    return found.arguments[0]


def test_numbers_symbols_and_masks() -> None:
    assert number(value("5")) == 5
    assert number(value("POLLIN|POLLOUT|0x100")) == 0x105
    assert number(value("htons(8080)")) == 8080
    assert number(value('inet_addr("192.0.2.1")')) == 0xC0000201
    assert numbers(value("[1, SOCK_STREAM]")) == [1, 1]
    assert single(value("[7]")) == ast.Number(7)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("NO_SUCH", "unknown symbol: 'NO_SUCH'"),
        ("...", r"a number was expected, not \.\.\."),
        ('"x"', "a number was expected, not a string"),
        ("[1]", "a number was expected, not an array"),
        ("{a=1}", "a number was expected, not a structure"),
        ('inet_addr("1.2")', "cannot evaluate inet_addr"),
    ],
)
def test_what_is_no_number_is_told(text: str, what: str) -> None:
    with pytest.raises(ScriptFailure, match=what):
        number(value(text))


def test_a_bracket_holds_one_value() -> None:
    with pytest.raises(ScriptFailure, match="multiple elements"):
        single(value("[1, 2]"))
    with pytest.raises(ScriptFailure, match=r"\[value\] was expected"):
        single(value("1"))
    with pytest.raises(ScriptFailure, match=r"\[values\] were expected"):
        numbers(value("1"))


def test_names_have_the_numbers_of_the_real_system() -> None:
    for module in (errno, socket, select):
        for name in dir(module):
            real = getattr(module, name)
            if name in SYMBOLS and isinstance(real, int):
                assert SYMBOLS[name] & 0xFFFFFFFF == real & 0xFFFFFFFF, name


def test_names_of_numbers() -> None:
    assert errno_name(errno.EAGAIN) == "EAGAIN"
    assert errno_name(9999) == "9999"
    assert flag_names("POLL", 0x5) == "POLLIN|POLLOUT"
    assert flag_names("POLL", 0) == "0"
    assert flag_names("POLL", 0x40000001) == "POLLIN|0x40000000"


def test_a_number_that_does_not_fit_its_field_fails_the_script() -> None:
    assert packed(Struct("<HB"), 1, 2) == b"\1\0\2"
    with pytest.raises(ScriptFailure, match="a number is too large for its field: 65536, 2"):
        packed(Struct("<HB"), 65536, 2)
