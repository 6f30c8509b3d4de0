"""The syntax of the targets that write the packet's and the connection's mark: MARK, CONNMARK.

iptables: extensions/libxt_MARK, libxt_CONNMARK.
"""

from __future__ import annotations

from pyhost.admin.iptables.syntax import Option, Syntax, Values, words
from pyhost.admin.iptables.words import parse_masked, parse_number
from pyhost.net.netfilter.xt_target import ConnmarkTarget, MarkTarget

__all__ = ["MARK_SYNTAXES"]

MASK32 = 0xFFFFFFFF


def _parse_mark(text: str) -> tuple[int, int]:
    return parse_masked(text, "mark")


def _parse_bits(text: str) -> int:
    return parse_number(text, "mark", 0, MASK32)


MARK_OPTIONS = (
    Option("set-xmark", 1, _parse_mark),
    Option("set-mark", 1, _parse_mark),
    Option("and-mark", 1, _parse_bits),
    Option("or-mark", 1, _parse_bits),
    Option("xor-mark", 1, _parse_bits),
)
MARK_NAMES = tuple(option.name for option in MARK_OPTIONS)


def _mark_and_mask(values: Values, name: str) -> tuple[int, int]:
    """All ways to say it, as "clear these bits, then XOR those"."""
    value = values.get(name)
    if name == "set-xmark":
        mark, mask = value
        return mark, mask
    if name == "set-mark":
        mark, mask = value
        return mark, mark | mask
    return {
        "and-mark": (0, ~value & MASK32),
        "or-mark": (value, value),
        "xor-mark": (value, 0),
    }[name]


def _build_mark(values: Values) -> MarkTarget:
    mark, mask = _mark_and_mask(values, values.need(*MARK_NAMES))
    return MarkTarget(mark=mark, mask=mask)


def _mark_words(mark: int, mask: int) -> str:
    return f"{mark:#x}/{mask:#x}"


def _show_change(mark: int, mask: int) -> str:
    if mark == 0:
        return f"and {~mask & MASK32:#x}"
    if mark == mask:
        return f"or {mark:#x}"
    if mask == 0:
        return f"xor {mark:#x}"
    if mask == MASK32:
        return f"set {mark:#x}"
    return f"xset {_mark_words(mark, mask)}"


def _build_connmark(values: Values) -> ConnmarkTarget:
    name = values.need(*MARK_NAMES, "save-mark", "restore-mark")
    if name in MARK_NAMES:
        mark, mask = _mark_and_mask(values, name)
        return ConnmarkTarget(mode="set", mark=mark, ctmask=mask)
    both = values.get("mask", MASK32)
    ctmask, nfmask = values.get("ctmask", both), values.get("nfmask", both)
    return ConnmarkTarget(mode=name.removesuffix("-mark"), ctmask=ctmask, nfmask=nfmask)


def _save_connmark(target: ConnmarkTarget) -> list[str]:
    if target.mode == "set":
        return words("set-xmark", _mark_words(target.mark, target.ctmask))
    masks = [*words("nfmask", f"{target.nfmask:#x}"), *words("ctmask", f"{target.ctmask:#x}")]
    return [f"--{target.mode}-mark", *masks]


def _show_connmark(target: ConnmarkTarget, numeric: bool) -> str:
    if target.mode == "set":
        return f"CONNMARK {_show_change(target.mark, target.ctmask)}"
    if target.ctmask == target.nfmask == MASK32:
        return f"CONNMARK {target.mode}"
    masks = (target.nfmask, target.ctmask)
    first, second = masks if target.mode == "save" else reversed(masks)
    return f"CONNMARK {target.mode} mask {first:#x}/{second:#x}"


MARK_SYNTAXES = (
    Syntax(
        "MARK",
        MARK_OPTIONS,
        _build_mark,
        lambda t: words("set-xmark", _mark_words(t.mark, t.mask)),
        lambda t, _: f"MARK {_show_change(t.mark, t.mask)}",
    ),
    Syntax(
        "CONNMARK",
        (
            *MARK_OPTIONS,
            Option("save-mark", 0),
            Option("restore-mark", 0),
            *(Option(name, 1, _parse_bits) for name in ("mask", "ctmask", "nfmask")),
        ),
        _build_connmark,
        _save_connmark,
        _show_connmark,
    ),
)
