"""From the text of a script to its `Script`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptError, ScriptSkip

__all__ = ["parse"]

_NSEC_PER_SEC = 1_000_000_000

_TOKEN_TEXTS = {
    "BACKQUOTED": "a command between back quotes",
    "BLOB_NAME": "a TCP option",
    "CODE": "%{ code }%",
    "ECN": "an ECN name",
    "ELLIPSIS": "'...'",
    "FLAGS": "TCP flags",
    "FLOAT": "a number",
    "HEX": "a number",
    "HEXBLOB": "hexadecimal digits",
    "INTEGER": "a number",
    "NOTE": "a note in parentheses",
    "OPTION": "an option",
    "OPTION_NAME": "a TCP option",
    "STRING": "a string",
    "WORD": "a name",
    "$END": "the end of the script",
}


def parse(text: str, path: str, defines: Mapping[str, str] | None = None) -> ast.Script:
    """Parse the script `text` of the file `path`; `defines` are values for names in it (`-D`).

    Raises ScriptError, which names the line and what was expected there, and ScriptSkip for a
    script that is about IPv6.
    """
    try:
        tree = _lark().parse(text)
        parts = _Builder(defines or {}).transform(tree)
    except UnexpectedInput as error:
        raise ScriptError(path, _line_of(error, text), _explain(error, text)) from None
    except VisitError as error:
        if isinstance(error.orig_exc, _Mistake):
            raise ScriptError(path, error.orig_exc.line, str(error.orig_exc)) from None
        if isinstance(error.orig_exc, ScriptSkip):
            raise error.orig_exc from None
        raise
    options, init, events, cleanup = parts
    return ast.Script(path, options, init, events, cleanup)


@cache
def _lark() -> Lark:
    grammar = files("pyhost.packetdrill").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True)


def _line_of(error: UnexpectedInput, text: str) -> int:
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    return text.count("\n") + 1 if at_end or error.line < 1 else int(error.line)


def _explain(error: UnexpectedInput, text: str) -> str:
    """`expected …, found …`, in the script's own terms."""
    if isinstance(error, UnexpectedToken):
        wanted = error.accepts or error.expected
        ended = error.token.type == "$END"
        found = "the end of the script" if ended else repr(str(error.token))
    else:
        assert isinstance(error, UnexpectedCharacters)
        wanted = error.allowed or set()
        at = error.pos_in_stream or 0
        found = repr(text[at:].split(None, 1)[0][:20])
    names = {_token_text(name) for name in wanted if not name.startswith("SPACE")}
    comments = {"LINE_COMMENT", "BLOCK_COMMENT"}
    return f"expected {' or '.join(sorted(names - comments))}, found {found}"


def _token_text(name: str) -> str:
    if name in _TOKEN_TEXTS:
        return _TOKEN_TEXTS[name]
    for terminal in _lark().terminals:
        if terminal.name == name and terminal.pattern.type == "str":
            return repr(terminal.pattern.value)
    return name


class _Mistake(Exception):
    """Something that the grammar allows and the language does not."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def _nanoseconds(text: str) -> int:
    return int(Decimal(text) * _NSEC_PER_SEC)


def _unsigned(token: Token | None, bits: int, what: str) -> int:
    """The number of a field that has so many bits; 0 where it is left out."""
    if token is None:
        return 0
    value = int(token, 0)
    if not 0 <= value < 1 << bits:
        raise _Mistake(token.line or 0, f"{what} {token}: a number of {bits} bits was expected")
    return value


def _range(kind: str, start: int, end: int, line: int) -> ast.Time:
    if end < start:
        raise _Mistake(line, "the time range is backwards")
    return ast.Time(kind, start, end)


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Makes the records of `ast` out of lark's tree, from the leaves upwards."""

    def __init__(self, defines: Mapping[str, str]) -> None:
        super().__init__()
        self._defines = defines

    def start(self, *parts: Any) -> tuple[Any, ...]:
        """Options, init command, events, cleanup command."""
        options = tuple(_option(part) for part in parts if isinstance(part, Token))
        events = tuple(part for part in parts if isinstance(part, ast.Event))
        first, last = (part for part in parts if part is None or isinstance(part, ast.Command))
        return options, first and first.text, events, last and last.text

    @v_args(meta=True, inline=True)
    def event(self, meta: Any, time: ast.Time, action: ast.Action) -> ast.Event:
        outbound = isinstance(action, ast.Packet) and not action.inbound
        if not outbound and time.kind not in (ast.ABSOLUTE, ast.RELATIVE):
            raise _Mistake(meta.line, "'*' and a time range are for outbound packets")
        return ast.Event(meta.line, time, action)

    def command(self, token: Token) -> ast.Command:
        return ast.Command(token[1:-1])

    def code(self, token: Token) -> ast.Code:
        return ast.Code(token[2:-2].strip(" \t"))

    # -- time --------------------------------------------------------------------------------------

    def seconds(self, token: Token) -> int:
        if token.startswith("-"):
            raise _Mistake(token.line or 0, f"a time cannot be negative: {token}")
        return _nanoseconds(token)

    def any_time(self) -> ast.Time:
        return ast.Time(ast.ANY, 0, 0)

    def absolute(self, start: int) -> ast.Time:
        return ast.Time(ast.ABSOLUTE, start, start)

    def relative(self, start: int) -> ast.Time:
        return ast.Time(ast.RELATIVE, start, start)

    @v_args(meta=True, inline=True)
    def absolute_range(self, meta: Any, start: int, end: int) -> ast.Time:
        return _range(ast.ABSOLUTE_RANGE, start, end, meta.line)

    @v_args(meta=True, inline=True)
    def relative_range(self, meta: Any, start: int, end: int) -> ast.Time:
        return _range(ast.RELATIVE_RANGE, start, end, meta.line)

    # -- packets -----------------------------------------------------------------------------------

    def inbound(self) -> bool:
        return True

    def outbound(self) -> bool:
        return False

    @v_args(meta=True, inline=True)
    def tcp(
        self,
        meta: Any,
        inbound: bool,
        ip: ast.IpInfo | None,
        ports: tuple[int, int] | None,
        flags: Token,
        seq: ast.SeqRange,
        ack: Token | None,
        window: Token | None,
        urgent: Token | None,
        options: Any,
    ) -> ast.TcpPacket:
        if inbound and window is None:
            raise _Mistake(meta.line, "an inbound packet must say its window: 'win N'")
        if inbound and options == _ANY_OPTIONS:
            raise _Mistake(meta.line, "<...> is for outbound packets")
        if inbound and ip is not None and ip.ecn == "ect01":
            raise _Mistake(meta.line, "[ect01] is for outbound packets")
        return ast.TcpPacket(
            inbound,
            ip or ast.IpInfo(),
            ports,
            str(flags),
            seq,
            _unsigned(ack, 32, "ack"),
            None if window is None else _unsigned(window, 16, "win"),
            _unsigned(urgent, 16, "urg"),
            None if options == _ANY_OPTIONS else options or (),
        )

    def udp(
        self, inbound: bool, ip: ast.IpInfo | None, ports: tuple[int, int] | None, length: Token
    ) -> ast.UdpPacket:
        size = _unsigned(length, 16, "UDP payload")
        return ast.UdpPacket(inbound, ip or ast.IpInfo(), ports, size)

    def icmp(
        self,
        inbound: bool,
        ip: ast.IpInfo | None,
        protocol: Token,
        kind: Token,
        code: Token | None,
        mtu: Token | None,
        echo_id: Token | None,
        echoed: ast.SeqRange | int | None,
    ) -> ast.IcmpPacket:
        if protocol == "icmpv6":
            raise ScriptSkip("ICMPv6: there is only IPv4")
        return ast.IcmpPacket(
            inbound,
            ip or ast.IpInfo(),
            self._defines.get(kind, str(kind)),
            None if code is None else self._defines.get(code, str(code)),
            _unsigned(mtu, 16, "mtu"),
            _unsigned(echo_id, 16, "id"),
            echoed,
        )

    def ports(self, source: Token, dest: Token) -> tuple[int, int]:
        return _unsigned(source, 16, "port"), _unsigned(dest, 16, "port")

    @v_args(meta=True, inline=True)
    def seq(self, meta: Any, start: Token, end: Token, length: Token) -> ast.SeqRange:
        first, last = (_unsigned(edge, 32, "sequence number") for edge in (start, end))
        size = _unsigned(length, 16, "TCP payload")
        if last != (first + size) & 0xFFFFFFFF:
            raise _Mistake(meta.line, f"inconsistent TCP sequence numbers: {start}:{end}({length})")
        return ast.SeqRange(first, last, size)

    def echoed(self, seq: ast.SeqRange) -> ast.SeqRange:
        return seq

    def echoed_udp(self, length: Token) -> int:
        return _unsigned(length, 16, "UDP payload")

    def ip_info(self, *items: dict[str, Any]) -> ast.IpInfo:
        return ast.IpInfo(**{name: value for item in items for name, value in item.items()})

    def ecn(self, name: Token) -> dict[str, Any]:
        return {"ecn": str(name)}

    def tos(self, value: Token) -> dict[str, Any]:
        return {"tos": _unsigned(value, 8, "tos")}

    def ttl(self, value: Token) -> dict[str, Any]:
        return {"ttl": _unsigned(value, 8, "ttl")}

    def flow_label(self, _: Token) -> dict[str, Any]:
        raise ScriptSkip("a flow label is IPv6's: there is only IPv4")

    def any_options(self, _: Token) -> str:
        return _ANY_OPTIONS

    def some_options(self, *options: ast.TcpOption) -> tuple[ast.TcpOption, ...]:
        return options

    def number_option(self, name: Token, value: Token | None) -> ast.TcpOption:
        if (value is None) == (name in ("mss", "wscale")):
            raise _Mistake(name.line or 0, f"TCP option {name}: a number is missing or too many")
        bits = 16 if name == "mss" else 8
        return ast.TcpOption(str(name), () if value is None else (_unsigned(value, bits, name),))

    def sack_option(self, *edges: Token) -> ast.TcpOption:
        return ast.TcpOption("sack", tuple(_unsigned(edge, 32, "sack") for edge in edges))

    def ts_option(self, value: Token, echo: Token) -> ast.TcpOption:
        return ast.TcpOption("TS", (_unsigned(value, 32, "val"), _unsigned(echo, 32, "ecr")))

    def blob_option(self, name: Token, blob: Token | None) -> ast.TcpOption:
        digits = self._defines.get(blob, str(blob)) if blob else ""
        try:
            return ast.TcpOption(str(name), (), bytes.fromhex(digits))
        except ValueError:
            raise _Mistake(
                name.line or 0, f"TCP option {name}: {blob} is not whole bytes"
            ) from None

    # -- system calls ------------------------------------------------------------------------------

    def syscall(
        self,
        returns_at: int | None,
        name: Token,
        arguments: tuple[ast.Expr, ...],
        result: ast.Expr,
        errno: Token | None,
        _note: Token | None,
    ) -> ast.Syscall:
        return ast.Syscall(
            str(name), arguments, result, None if errno is None else str(errno), returns_at
        )

    def arguments(self, *arguments: ast.Expr) -> tuple[ast.Expr, ...]:
        return arguments

    def either(self, left: ast.Expr, right: ast.Expr) -> ast.Or:
        return ast.Or(left, right)

    def integer(self, token: Token) -> ast.Number:
        return ast.Number(int(token, 16 if token.type == "HEX" else 10))

    def symbol(self, token: Token) -> ast.Expr:
        """A name, or what `-D` has put in its place."""
        value = self._defines.get(token)
        if value is None:
            return ast.Symbol(str(token))
        if value.startswith('"'):
            return ast.Text(value.strip('"'))
        try:
            return ast.Number(int(value, 0))
        except ValueError:
            return ast.Symbol(value)

    def text(self, token: Token) -> ast.Text:
        return ast.Text(token[1:-1])

    def ellipsis(self, _: Token) -> ast.Ellipsis:
        return ast.Ellipsis()

    def items(self, *items: ast.Expr) -> ast.Items:
        return ast.Items(items)

    def struct(self, *fields: ast.Field) -> ast.Struct:
        return ast.Struct(fields)

    def call(self, name: Token, argument: ast.Expr) -> ast.Call:
        return ast.Call(str(name), argument)

    def named_field(self, name: Token, value: ast.Expr) -> ast.Field:
        return ast.Field(str(name), value)

    def sized_field(self, name: Token, size: ast.Expr, value: ast.Expr) -> ast.Field:
        return ast.Field(str(name), value, size)

    def plain_field(self, value: ast.Expr) -> ast.Field:
        return ast.Field(None, value)


_ANY_OPTIONS = "any"


def _option(token: Token) -> tuple[str, str]:
    name, _, value = token[2:].partition("=")
    return name, value.strip('"`')
