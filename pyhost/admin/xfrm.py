"""`ip xfrm { state | policy } …` in iproute2's syntax.

    ip xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1000 mode transport \
        auth-trunc hmac(sha256) 0x00112233… 128 enc ecb(cipher_null) ""
    ip xfrm policy add src 10.0.0.1 dst 10.0.0.2 dir out tmpl proto esp mode transport

ESP alone, with the NULL cipher; `auth` keeps the bits of the result that Linux keeps by default,
`auth-trunc` as many as it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import Words, address, pick, prefix
from pyhost.net.xfrm.xfrm_policy import (
    XfrmPolicy,
    XfrmSelector,
    XfrmTmpl,
    xfrm_policy_delete,
    xfrm_policy_insert,
)
from pyhost.net.xfrm.xfrm_state import (
    AUTH_ALGS,
    ENC_NULL,
    XFRM_MODE_TRANSPORT,
    XFRM_MODE_TUNNEL,
    XfrmAuth,
    XfrmState,
    xfrm_state_add,
    xfrm_state_delete,
)
from pyhost.uapi.errno import EEXIST, EINVAL, ENOENT, ENOSYS, ESRCH

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["run"]

MODES = {"transport": XFRM_MODE_TRANSPORT, "tunnel": XFRM_MODE_TUNNEL}
MODE_NAMES = {mode: name for name, mode in MODES.items()}
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "any": 0}

ANSWERS = {
    -EEXIST: "File exists",
    -EINVAL: "Invalid argument",
    -ENOENT: "No such file or directory",
    -ENOSYS: "Requested AUTH algorithm not found",
    -ESRCH: "No such process",
}


def run(net: Net, words: Words) -> str:
    """Carry out what follows `ip xfrm`."""
    return pick(words.next(), OBJECTS, "Object", "ip xfrm help")(net, words)


def _answer(err: int) -> str:
    if err:
        raise CommandError(f"RTNETLINK answers: {ANSWERS[err]}")
    return ""


def _wrong(word: str, why: str) -> CommandError:
    return CommandError(f'Error: argument "{word}" is wrong: {why}')


def _number(text: str, name: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise _wrong(text, f'"{name}" value is invalid') from None


def _mode(text: str) -> int:
    if text not in MODES:
        raise _wrong(text, '"MODE" is invalid')
    return MODES[text]


def _esp(text: str) -> None:
    if text not in ("esp", "50"):
        raise _wrong(text, '"XFRM-PROTO" is invalid')


# -- state -----------------------------------------------------------------------------------------


class _StateWords:
    """What a state command names."""

    def __init__(self, words: Words) -> None:
        self.src = self.dst = self.spi = self.reqid = self.window = 0
        self.mode = XFRM_MODE_TRANSPORT
        self.auth: XfrmAuth | None = None
        readers: Mapping[str, Callable[[str], None]] = {
            "src": lambda text: setattr(self, "src", address(text)),
            "dst": lambda text: setattr(self, "dst", address(text)),
            "proto": _esp,
            "spi": lambda text: setattr(self, "spi", _number(text, "SPI")),
            "reqid": lambda text: setattr(self, "reqid", _number(text, "REQID")),
            "mode": lambda text: setattr(self, "mode", _mode(text)),
            "replay-window": lambda text: setattr(self, "window", _number(text, "REPLAY-WINDOW")),
        }
        while words:
            word = words.next()
            if word in ("auth", "auth-trunc"):
                self._take_auth(words, truncated=word == "auth-trunc")
            elif word == "enc":
                self._take_enc(words)
            elif word in readers:
                readers[word](words.next())
            else:
                raise _wrong(word, "unknown")

    def _take_auth(self, words: Words, *, truncated: bool) -> None:
        name, key = words.next(), _key(words.next())
        alg = AUTH_ALGS.get(name)
        bits = alg.truncated_bits if alg is not None else 0
        if truncated:
            bits = _number(words.next(), "ALGO-TRUNC-LEN")
        self.auth = XfrmAuth(name, key, bits)

    def _take_enc(self, words: Words) -> None:
        name, key = words.next(), words.next()
        if name not in (ENC_NULL, "cipher_null") or key:
            raise CommandError("RTNETLINK answers: Requested CRYPT algorithm not found")


def _key(text: str) -> bytes:
    """Hexadecimal behind 0x, else the bytes of the text."""
    if not text.startswith("0x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise _wrong(text, '"ALGO-KEYMAT" is invalid') from None


def _state(net: Net, words: Words) -> str:
    if not words:
        return _state_list(net)
    command = words.next()
    if command in ("list", "show", "ls"):
        return _state_list(net)
    if command == "flush":
        for daddr, spi in tuple(net.xfrm.states):
            xfrm_state_delete(net, daddr, spi)
        return ""
    given = _StateWords(words)
    if command in ("delete", "del"):
        return _answer(xfrm_state_delete(net, given.dst, given.spi))
    if command not in ("add", "update"):
        raise CommandError(f'Command "{command}" is unknown, try "ip xfrm state help".')
    if given.auth is None:
        raise CommandError("RTNETLINK answers: Invalid argument")
    if command == "update" and xfrm_state_delete(net, given.dst, given.spi):
        return _answer(-ESRCH)
    state = XfrmState(
        given.src, given.dst, given.spi, given.auth,
        mode=given.mode, reqid=given.reqid, replay_window=given.window,
    )  # fmt: skip
    return _answer(xfrm_state_add(net, state))


def _state_list(net: Net) -> str:
    return "".join(_state_text(state) for state in reversed(net.xfrm.states.values()))


def _state_text(state: XfrmState) -> str:
    auth, replay = state.auth, state.replay
    return (
        f"src {IPv4Address(state.saddr)} dst {IPv4Address(state.daddr)}\n"
        f"\tproto esp spi 0x{state.spi:08x} reqid {state.reqid} mode {MODE_NAMES[state.mode]}\n"
        f"\treplay-window {replay.window} \n"
        f"\tauth-trunc {auth.name} 0x{auth.key.hex()} {auth.bits}\n"
        f"\tenc {ENC_NULL} \n"
        f"\tanti-replay context: seq 0x{replay.seq:x}, oseq 0x{replay.oseq:x}, "
        f"bitmap 0x{replay.bitmap & 0xFFFFFFFF:08x}\n"
        f"\tsel src 0.0.0.0/0 dst 0.0.0.0/0 \n"
    )


# -- policy ----------------------------------------------------------------------------------------


class _PolicyWords:
    """What a policy command names."""

    def __init__(self, words: Words) -> None:
        self.direction = ""
        self.priority = 0
        self.block = False
        self.templates: list[XfrmTmpl] = []
        self._selector: dict[str, int] = {}
        while words:
            self._take(words.next(), words)

    @property
    def selector(self) -> XfrmSelector:
        """Which packets."""
        return XfrmSelector(**self._selector)

    def _take(self, word: str, words: Words) -> None:
        if word in ("src", "dst"):
            side = word[0]
            addr, length = prefix(words.next())
            self._selector |= {f"{side}addr": addr, f"prefixlen_{side}": length}
        elif word == "proto":
            name = words.next()
            self._selector["proto"] = PROTOCOLS.get(name) or _number(name, "UPSPEC PROTO")
        elif word in ("sport", "dport"):
            self._selector[word] = _number(words.next(), "PORT")
        elif word == "dir":
            self.direction = words.next()
        elif word == "priority":
            self.priority = _number(words.next(), "PRIORITY")
        elif word == "action":
            self._take_action(words.next())
        elif word == "tmpl":
            self.templates.append(_template(words))
        else:
            raise _wrong(word, "unknown")

    def _take_action(self, word: str) -> None:
        if word not in ("allow", "block"):
            raise _wrong(word, '"action" value is invalid')
        self.block = word == "block"


def _template(words: Words) -> XfrmTmpl:
    """Everything up to the next word that is no part of a template."""
    tmpl = XfrmTmpl()
    while words and words.peek() in ("src", "dst", "proto", "spi", "reqid", "mode", "level"):
        word, value = words.next(), words.next()
        if word == "src":
            tmpl = tmpl._replace(saddr=address(value))
        elif word == "dst":
            tmpl = tmpl._replace(daddr=address(value))
        elif word == "proto":
            _esp(value)
        elif word == "mode":
            tmpl = tmpl._replace(mode=_mode(value))
        elif word == "level":
            tmpl = tmpl._replace(optional=value == "use")
        elif word == "spi":
            tmpl = tmpl._replace(spi=_number(value, "SPI"))
        else:
            tmpl = tmpl._replace(reqid=_number(value, "REQID"))
    return tmpl


def _policy(net: Net, words: Words) -> str:
    command = words.next() if words else "list"
    if command in ("list", "show", "ls"):
        return _policy_list(net)
    if command == "flush":
        for policies in net.xfrm.policies.values():
            policies.clear()
        net.fib.flush_cache()
        return ""
    given = _PolicyWords(words)
    if given.direction not in net.xfrm.policies:
        raise CommandError('Not enough information: "DIR" is required.')
    if command in ("delete", "del"):
        return _answer(xfrm_policy_delete(net, given.direction, given.selector))
    if command not in ("add", "update"):
        raise CommandError(f'Command "{command}" is unknown, try "ip xfrm policy help".')
    policy = XfrmPolicy(given.selector, given.block, given.priority, tuple(given.templates))
    if command == "update":
        xfrm_policy_delete(net, given.direction, given.selector)
    return _answer(xfrm_policy_insert(net, given.direction, policy))


def _policy_list(net: Net) -> str:
    return "".join(
        _policy_text(direction, policy)
        for direction, policies in net.xfrm.policies.items()
        for policy in policies
    )


def _policy_text(direction: str, policy: XfrmPolicy) -> str:
    sel = policy.selector
    line = (
        f"src {IPv4Address(sel.saddr)}/{sel.prefixlen_s} "
        f"dst {IPv4Address(sel.daddr)}/{sel.prefixlen_d} "
    )
    if sel.proto:
        line += f"proto {next((n for n, p in PROTOCOLS.items() if p == sel.proto), sel.proto)} "
    line += "".join(
        f"{name} {port} " for name, port in (("sport", sel.sport), ("dport", sel.dport)) if port
    )
    line += f"\n\tdir {direction} {'action block ' if policy.block else ''}"
    line += f"priority {policy.priority} \n"
    return line + "".join(map(_template_text, policy.templates))


def _template_text(tmpl: XfrmTmpl) -> str:
    spi = f"spi 0x{tmpl.spi:08x} " if tmpl.spi else ""
    return (
        f"\ttmpl src {IPv4Address(tmpl.saddr)} dst {IPv4Address(tmpl.daddr)}\n"
        f"\t\tproto esp {spi}reqid {tmpl.reqid} mode {MODE_NAMES[tmpl.mode]}\n"
        + ("\t\tlevel use \n" if tmpl.optional else "")
    )


OBJECTS: dict[str, Callable[[Net, Words], str]] = {"state": _state, "policy": _policy}
