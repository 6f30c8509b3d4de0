"""The language: each form of an event, and what is said about a text that is none."""

from __future__ import annotations

import pytest

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptError
from pyhost.packetdrill.parser import parse
from tests.unit.packetdrill.support import action, event, packet

MS = 1_000_000


def syscall(text: str) -> ast.Syscall:
    found = action(text)
    assert isinstance(found, ast.Syscall)
    return found


def error(text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        parse(text, "x.pkt")
    return str(caught.value)


# -- the file --------------------------------------------------------------------------------------


def test_a_script_has_options_an_init_command_events_and_a_cleanup_command() -> None:
    script = parse("--mtu=1280\n--strict_segments\n`a`\n0 `b`\n+1 `c`\n`d`\n", "x.pkt")
    assert script.options == (("mtu", "1280"), ("strict_segments", ""))
    assert (script.init, script.cleanup) == ("a", "d")
    assert [e.action for e in script.events] == [ast.Command("b"), ast.Command("c")]


def test_a_script_needs_neither_command() -> None:
    script = parse("0 `b`", "x.pkt")
    assert (script.init, script.cleanup) == (None, None)


def test_events_know_their_lines_and_comments_do_not_count() -> None:
    script = parse("// one\n/* two\n three */\n0 `a`  // four\n\n+0 `b`\n", "x.pkt")
    assert [e.line for e in script.events] == [4, 6]


def test_a_command_may_have_several_lines_and_a_code_block_braces() -> None:
    assert action("`a \\\n b`") == ast.Command("a \\\n b")
    assert action("%{ d = {1: 2} \nassert d }%") == ast.Code("d = {1: 2} \nassert d")


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "start", "end"),
    [
        ("0", ast.ABSOLUTE, 0, 0),
        ("0.25", ast.ABSOLUTE, 250 * MS, 250 * MS),
        ("+.1", ast.RELATIVE, 100 * MS, 100 * MS),
        ("+2", ast.RELATIVE, 2000 * MS, 2000 * MS),
        ("*", ast.ANY, 0, 0),
        (".3~.4", ast.ABSOLUTE_RANGE, 300 * MS, 400 * MS),
        ("+.3~+.4", ast.RELATIVE_RANGE, 300 * MS, 400 * MS),
    ],
)
def test_each_form_of_time(text: str, kind: str, start: int, end: int) -> None:
    assert event(f"{text} > . 1:1(0)").time == ast.Time(kind, start, end)


def test_a_time_is_exact_to_the_nanosecond() -> None:
    assert event("+.000000001 `x`").time.start == 1


def test_a_blocking_call_says_when_it_returns() -> None:
    assert syscall("...0.3 read(4, ..., 10) = 5").returns_at == 300 * MS
    assert syscall("read(4, ..., 10) = 5").returns_at is None


# -- packets ---------------------------------------------------------------------------------------


def test_an_inbound_segment_with_everything() -> None:
    found = packet("< [ect0] PU. 1:101(100) ack 7 win 257 urg 9 <nop,nop,TS val 1 ecr 2>")
    assert found == ast.TcpPacket(
        inbound=True,
        ip=ast.IpInfo(ecn="ect0"),
        ports=None,
        flags="PU.",
        seq=ast.SeqRange(1, 101, 100),
        ack=7,
        window=257,
        urgent=9,
        options=(ast.TcpOption("nop"), ast.TcpOption("nop"), ast.TcpOption("TS", (1, 2))),
    )


def test_an_outbound_segment_may_say_little() -> None:
    found = packet("> . 1:1(0)")
    assert (found.inbound, found.ack, found.window, found.options) == (False, 0, None, ())


@pytest.mark.parametrize("flags", ["S", "S.", ".", "-", "FP.", "R", "SEW", "SEWA", "S5."])
def test_flags(flags: str) -> None:
    assert packet(f"> {flags} 0:0(0)").flags == flags


def test_any_options_are_three_dots() -> None:
    assert packet("> S 0:0(0) <...>").options is None


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("mss 1460", ast.TcpOption("mss", (1460,))),
        ("eol", ast.TcpOption("eol")),
        ("sackOK", ast.TcpOption("sackOK")),
        ("wscale 7", ast.TcpOption("wscale", (7,))),
        ("sack 1:2 3:4", ast.TcpOption("sack", (1, 2, 3, 4))),
        ("FO", ast.TcpOption("FO")),
        ("FO abcd1234", ast.TcpOption("FO", (), b"\xab\xcd\x12\x34")),
        ("FOEXP 0102", ast.TcpOption("FOEXP", (), b"\x01\x02")),
        ("md5 00ff", ast.TcpOption("md5", (), b"\x00\xff")),
    ],
)
def test_each_tcp_option(text: str, option: ast.TcpOption) -> None:
    assert packet(f"> . 1:1(0) ack 1 <nop,{text}>").options == (ast.TcpOption("nop"), option)


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("[noecn]", ast.IpInfo(ecn="noecn")),
        ("(ect01)", ast.IpInfo(ecn="ect01")),
        ("[ce]", ast.IpInfo(ecn="ce")),
        ("[tos 0x10]", ast.IpInfo(tos=16)),
        ("(ttl 3)", ast.IpInfo(ttl=3)),
        ("[tos 0x10, ttl 3]", ast.IpInfo(tos=16, ttl=3)),
    ],
)
def test_what_is_said_of_the_ip_header(text: str, info: ast.IpInfo) -> None:
    assert packet(f"> {text} . 1:1(0) ack 1").ip == info


def test_ports() -> None:
    assert packet("< 1000 > 2000 S 0:0(0) win 1").ports == (1000, 2000)


def test_icmp() -> None:
    found = action("< icmp unreachable frag_needed mtu 800 [1:1001(1000)]")
    assert isinstance(found, ast.IcmpPacket)
    assert (found.kind, found.code, found.mtu) == ("unreachable", "frag_needed", 800)
    assert found.echoed == ast.SeqRange(1, 1001, 1000)
    bare = action("< icmp source_quench")
    assert isinstance(bare, ast.IcmpPacket)
    assert (bare.code, bare.echoed) == (None, None)


def test_udp() -> None:
    found = action("< udp (100)")
    assert isinstance(found, ast.UdpPacket)
    assert found.length == 100


# -- system calls ----------------------------------------------------------------------------------


def test_a_call_with_its_error_and_a_note() -> None:
    found = syscall("connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)")
    assert found.arguments == (ast.Number(3), ast.Ellipsis(), ast.Ellipsis())
    assert (found.result, found.errno) == (ast.Number(-1), "EINPROGRESS")
    assert syscall("fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)").result == ast.Number(2)


def test_expressions() -> None:
    found = syscall('f(A|B|0x10, -5, "a\\"b", [1, 2], []) = 0')
    either, number, text, items, empty = found.arguments
    assert either == ast.Or(ast.Or(ast.Symbol("A"), ast.Symbol("B")), ast.Number(16))
    assert number == ast.Number(-5)
    assert text == ast.Text('a\\"b')
    assert items == ast.Items((ast.Number(1), ast.Number(2)))
    assert empty == ast.Items(())


def test_structures() -> None:
    poll = syscall("poll([{fd=4, events=POLLIN|POLLOUT}], 1, 0) = 0").arguments[0]
    assert isinstance(poll, ast.Items)
    (entry,) = poll.items
    assert isinstance(entry, ast.Struct)
    assert entry.get("fd") == ast.Number(4)
    assert entry.get("revents") is None
    message = syscall(
        "sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 40}, {..., 20}], msg_flags=0}, 0) = 60"
    ).arguments[1]
    assert isinstance(message, ast.Struct)
    iov = message.field("msg_iov")
    assert iov is not None
    assert iov.size == ast.Number(2)
    address = syscall('bind(3, {sin_port = htons(80), sin_addr = inet_addr("1.2.3.4")}, 16) = 0')
    assert address.arguments[1] == ast.Struct(
        (
            ast.Field("sin_port", ast.Call("htons", ast.Number(80))),
            ast.Field("sin_addr", ast.Call("inet_addr", ast.Text("1.2.3.4"))),
        )
    )


def test_a_defined_name_stands_for_its_value() -> None:
    found = event("0 f(A, B, C) = 0", A="7", B='"x"', C="SOL_IP").action
    assert isinstance(found, ast.Syscall)
    assert found.arguments == (ast.Number(7), ast.Text("x"), ast.Symbol("SOL_IP"))
    cookie = event("0 > S 0:0(0) <FO COOKIE,nop,nop>", COOKIE="0102").action
    assert isinstance(cookie, ast.TcpPacket)
    assert cookie.options is not None
    assert cookie.options[0].blob == b"\x01\x02"
    code = event("0 < icmp unreachable CODE", CODE="net_unreachable").action
    assert isinstance(code, ast.IcmpPacket)
    assert code.code == "net_unreachable"


# -- mistakes --------------------------------------------------------------------------------------


def test_a_mistake_names_file_line_what_was_expected_and_what_was_found() -> None:
    assert (
        error("0 `a`\n+0 read(4, ..., 5 = 3\n") == "x.pkt:2: expected ')' or ',' or '|', found '='"
    )
    assert error("0 > S 0:0(0) <mss>\n").startswith("x.pkt:1: ")
    assert error("0 > S 0:0\n").startswith("x.pkt:2: expected '(', found the end of the script")


def test_an_unknown_option_of_a_segment_is_a_mistake() -> None:
    assert "x.pkt:1: expected '...' or 'TS' or 'sack' or a TCP option" in error(
        "0 > S 0:0(0) <magic 7>"
    )


def test_an_inbound_segment_must_say_its_window() -> None:
    assert error("0 `a`\n+0 < . 1:1(0) ack 1\n") == (
        "x.pkt:2: an inbound packet must say its window: 'win N'"
    )


def test_any_options_are_for_outbound_packets() -> None:
    assert "<...> is for outbound packets" in error("0 < S 0:0(0) win 1 <...>")


def test_the_numbers_of_a_segment_must_agree() -> None:
    assert error("0 > . 1:1002(1000) ack 1") == (
        "x.pkt:1: inconsistent TCP sequence numbers: 1:1002(1000)"
    )


def test_sequence_numbers_wrap() -> None:
    assert packet("> . 4294967295:1(2)").seq.length == 2


def test_a_script_without_events_is_a_mistake() -> None:
    assert error("// nothing\n").startswith("x.pkt:")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-1 `x`", "a time cannot be negative: -1"),
        ("+.2~+.1 > . 0:0(0)", "the time range is backwards"),
        ("* `x`", "'*' and a time range are for outbound packets"),
        ("* < . 0:0(0) win 1", "'*' and a time range are for outbound packets"),
        ("0~1 < . 0:0(0) win 1", "'*' and a time range are for outbound packets"),
        ("0 < [ect01] . 0:0(0) win 1", "[ect01] is for outbound packets"),
        ("0 < . 0:0(0) win 65536", "win 65536: a number of 16 bits was expected"),
        ("0 < . 0:0(0) win -1", "win -1: a number of 16 bits was expected"),
        ("0 < . 0:0(0) ack 4294967296 win 1", "ack 4294967296: a number of 32 bits was expected"),
        ("0 < 70000 > 80 . 0:0(0) win 1", "port 70000: a number of 16 bits was expected"),
        ("0 > [tos 0x100] . 0:0(0)", "tos 0x100: a number of 8 bits was expected"),
        ("0 > S 0:0(0) <mss 65536>", "mss 65536: a number of 16 bits was expected"),
        ("0 < udp (65536)", "UDP payload 65536: a number of 16 bits was expected"),
    ],
)
def test_what_the_grammar_allows_and_the_language_does_not(text: str, told: str) -> None:
    assert error(text) == f"x.pkt:1: {told}"
