"""Scripts from their text to their verdict, on a machine with the model of the NIC."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.utils import rdpcap

from tb.packetdrill.job import Job
from tb.packetdrill.run import run_on_model
from tests.unit.packetdrill.support import SERVER, outcome_of

Run = Callable[..., tuple[str, str]]

NO_TS = "`sysctl -q net.ipv4.tcp_timestamps=0`\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run(text)`: the verdict and the reason of a script that begins with a connection."""

    def run(text: str, *, before: str = NO_TS + SERVER) -> tuple[str, str]:
        outcome, _ = outcome_of(tmp_path, before + text)
        return outcome.verdict, outcome.reason

    return run


def test_a_script_that_the_stack_obeys_passes(run: Run) -> None:
    assert run("+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1\n") == ("ok", "")


# -- packets ---------------------------------------------------------------------------------------


def test_a_packet_that_differs_is_shown_with_the_scripts(run: Run) -> None:
    verdict, reason = run("+0 write(4, ..., 100) = 100\n+0 > . 1:101(100) ack 1\n")
    assert verdict == "FAIL"
    lines = reason.splitlines()
    assert lines[0] == (
        "x.pkt:10: error handling packet: live packet field tcp_psh: "
        "expected: 0 (0x0) vs actual: 1 (0x1)"
    )
    assert lines[1].startswith("script packet:  0.100")
    assert lines[1].endswith(" . 1:101(100) ack 1")
    assert lines[2].startswith("actual packet:  0.100")
    assert " P. 1:101(100) ack 1 win " in lines[2]


def test_a_packet_that_does_not_come_is_given_up(run: Run) -> None:
    verdict, reason = run("+0 > P. 1:101(100) ack 1\n")
    assert (verdict, reason) == (
        "FAIL",
        "x.pkt:9: error handling packet: Timed out waiting for packet",
    )


def test_a_packet_that_comes_too_early_fails(run: Run) -> None:
    verdict, reason = run("+0 write(4, ..., 100) = 100\n+.05 > P. 1:101(100) ack 1\n")
    assert verdict == "FAIL"
    assert "x.pkt:10: error handling packet: timing error: expected outbound packet at" in reason


def test_segments_are_merged_up_to_the_scripts_length(run: Run) -> None:
    assert run("+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1\n") == ("ok", "")
    _, reason = run("+0 write(4, ..., 2500) = 2500\n+0 > P. 1:1501(1500) ack 1\n")
    assert "live packet payload: expected 1500 bytes vs actual 2000 bytes" in reason


def test_a_syn_of_an_older_socket_is_passed_over(run: Run) -> None:
    text = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 sendto(3, ..., 0, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 7,FO,nop,nop>
+.01 < S. 0:0(0) ack 1 win 5840 <mss 1040,nop,nop,sackOK,nop,wscale 6,FO abcd1234,nop,nop>
+0 > . 1:1(0) ack 1
+0 close(3) = 0
+0 > F. 1:1(0) ack 1
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(4, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 7>
+1.1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5
+0 fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 sendto(5, ..., 100, MSG_FASTOPEN, ..., ...) = 100
+0 > S 0:100(100) <mss 1460,nop,nop,sackOK,nop,wscale 7,FO abcd1234,nop,nop>
"""
    assert run(text, before=NO_TS) == ("ok", "")


def test_with_strict_segments_they_are_not(tmp_path: Path) -> None:
    text = "+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1\n"
    outcome, _ = outcome_of(tmp_path, "--strict_segments\n" + NO_TS + SERVER + text)
    assert "expected 2500 bytes vs actual 1000 bytes" in outcome.reason


def test_packets_that_the_script_does_not_ask_for_are_no_error(run: Run) -> None:
    assert run("+0 write(4, ..., 100) = 100\n") == ("ok", "")


def test_an_injected_packet_has_been_dealt_with_at_the_next_event(run: Run) -> None:
    text = "+0 < P. 1:101(100) ack 1 win 257\n+0 read(4, ..., 1000) = 100\n"
    assert run("+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n" + text) == ("ok", "")


def test_a_packet_above_the_mtu_comes_as_one(run: Run) -> None:
    text = """\
+0 < P. 1:5001(5000) ack 1 win 257
+0 > . 1:1(0) ack 5001
+0 read(4, ..., 9000) = 5000
"""
    assert run(text) == ("ok", "")


@pytest.mark.parametrize(("mss", "told"), [("--mss=700\n", 700), ("", 1460)])
def test_with_mss_it_says_what_it_was_made_of(tmp_path: Path, mss: str, told: int) -> None:
    text = f"""\
+0 < P. 1:5001(5000) ack 1 win 257
+0 > . 1:1(0) ack 5001
+0 %{{ assert tcpi_rcv_mss == {told}, tcpi_rcv_mss }}%
"""
    outcome, _ = outcome_of(tmp_path, mss + NO_TS + SERVER + text)
    assert (outcome.verdict, outcome.reason) == ("ok", "")


def test_the_isn_of_the_script_is_that_of_syn_packets_alone(run: Run) -> None:
    text = SERVER.replace("> S. 0:0(0)", "> S. 700:700(0)").replace("< S 0:0(0)", "< S 50:50(0)")
    text = text.replace("ack 1 <...>", "ack 51 <...>")
    assert run(text + "+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n", before=NO_TS) == (
        "ok",
        "",
    )


def test_an_icmp_error_reaches_the_connecting_socket(run: Run) -> None:
    text = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...0.1 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)
+0 > S 0:0(0) <...>
+.1 < icmp unreachable protocol_unreachable [0:0(0)]
"""
    verdict, reason = run(text, before="")
    assert verdict == "FAIL"
    assert "Expected errno 111 (Connection refused) but got 92 (Protocol not available)" in reason


# -- system calls ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "+0 write(4, ..., 100) = 99",
            "write call: Expected result 99 but got 100 with errno 0 (Success)",
        ),
        (
            "+0 write(4, NULL, 100) = 100",
            "write call: Expected result 100 but got -1 with errno 14 (Bad address)",
        ),
        (
            "+0 write(4, NULL, 100) = -1 EINVAL (x)",
            "write call: Expected errno 22 (Invalid argument) but got 14 (Bad address)",
        ),
        ("+0 write(9, ..., 100) = 100", "write call: unable to find fd with script fd 9"),
        ("+0 write(4, ...) = 100", "write call: Expected 3 args but got 2"),
        ("+0 write(4, NO, 100) = 100", "write call: unknown symbol: 'NO'"),
        ("+0 frobnicate(4) = 0", "frobnicate call: Unknown system call: 'frobnicate'"),
        ("+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4", "socket call: duplicate fd 4 in script"),
        (
            "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [7], [4]) = 0",
            "getsockopt call: Bad getsockopt optval: expected: 7 actual: 0",
        ),
        (
            "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [8]) = 0",
            "getsockopt call: Bad getsockopt optlen: expected: 8 actual: 4",
        ),
        (
            "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1",
            "poll call: Expected revents of POLLIN but got POLLOUT for pollfd 0",
        ),
        (
            "+0 poll([{fd=4, events=POLLIN}], 2, 0) = 0",
            "poll call: nfds 2 does not match 1-element",
        ),
        (
            "+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 9}], msg_flags=0}, 0) = 9",
            "sendmsg call: msg_iovlen 2 does not match 1-element iovec array",
        ),
    ],
)
def test_a_call_that_ends_otherwise_is_told(run: Run, text: str, told: str) -> None:
    verdict, reason = run(text)
    assert verdict == "FAIL"
    assert reason.startswith(f"x.pkt:9: runtime error in {told}")


def test_descriptors_of_a_script_are_names(run: Run) -> None:
    text = """\
+0 epoll_create(1) = 77
+0 epoll_ctl(77, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=4}) = 0
+0 epoll_wait(77, {events=EPOLLOUT, fd=4}, 1, 0) = 1
+0 pipe([20, 21]) = 0
+0 write(21, ..., 5) = 5
+0 read(20, ..., 9) = 5
+0 close(20) = 0
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 20
"""
    assert run(text) == ("ok", "")


def test_an_accepted_connection_may_have_the_name_of_an_open_one(run: Run) -> None:
    text = """\
+0 setsockopt(4, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 close(3) = 0
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 7:7(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 8 <...>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+0 write(4, ..., 10) = 10
+0 > P. 1:11(10) ack 1
"""
    assert run(text) == ("ok", "")


def test_epoll_events_are_compared(run: Run) -> None:
    text = """\
+0 epoll_create(1) = 77
+0 epoll_ctl(77, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLIN, u32=5}) = 0
+0 epoll_wait(77, {events=EPOLLOUT, u32=5}, 1, 0) = 1
+0 epoll_wait(77, {events=EPOLLOUT, u32=6}, 1, 0) = 1
"""
    _, reason = run(text)
    assert reason == (
        "x.pkt:12: runtime error in epoll_wait call: epoll_event->data does not match script: "
        "expected: u32=6 actual: 5"
    )


ZEROCOPY = """\
+0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+0 send(4, ..., 100, MSG_ZEROCOPY) = 100
+0 > P. 1:101(100) ack 1
+0 < . 1:1(0) ack 101 win 257
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=FLAGS,
               msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR,
                             cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_type=0,
                                        ee_code=SO_EE_CODE_ZEROCOPY_COPIED, ee_info=0,
                                        ee_data=DATA}}]}, MSG_ERRQUEUE) = 0
"""


@pytest.mark.parametrize(
    ("flags", "data", "told"),
    [
        ("MSG_ERRQUEUE", "0", None),
        ("0", "0", "recvmsg call: Expected msg_flags 0x00000000 but got 0x00002000"),
        ("MSG_ERRQUEUE", "1", "recvmsg call: Bad data in extended err 0: expected=1 actual=0"),
    ],
)
def test_messages_of_the_error_queue_are_compared(
    run: Run, flags: str, data: str, told: str | None
) -> None:
    verdict, reason = run(ZEROCOPY.replace("FLAGS", flags).replace("DATA", data))
    if told is None:
        assert (verdict, reason) == ("ok", "")
    else:
        assert reason == f"x.pkt:13: runtime error in {told}"


def test_too_many_or_too_few_control_messages_are_told(run: Run) -> None:
    once = ZEROCOPY.replace("FLAGS", "MSG_ERRQUEUE").replace("DATA", "0")
    head, _, message = once.partition("msg_control=[")
    message = message.removesuffix("]}, MSG_ERRQUEUE) = 0\n")
    _, reason = run(f"{head}msg_control=[{message}, {message}]}}, MSG_ERRQUEUE) = 0\n")
    assert reason == "x.pkt:13: runtime error in recvmsg call: received only 1 cmsgs"
    text = """\
+0 < P. 1:101(100) ack 1 win 257
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,100}], msg_flags=0,
               msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=0}]}, 0) = 100
"""
    _, reason = run(text)
    assert reason == "x.pkt:10: runtime error in recvmsg call: received only 0 cmsgs"


def test_a_call_that_blocks_returns_at_its_time(run: Run) -> None:
    call = "+0...0.1 read(4, ..., 1000) = 100\n"
    assert run(call + "+.1 < P. 1:101(100) ack 1 win 257\n") == ("ok", "")
    verdict, reason = run(call + "+.2 < P. 1:101(100) ack 1 win 257\n")
    assert verdict == "FAIL"
    assert "x.pkt:9: timing error: expected system call return at 0.2000" in reason


def test_a_script_does_not_end_before_its_blocking_call(run: Run) -> None:
    verdict, reason = run("+0...0.1 read(4, ..., 1000) = 100\n")
    assert verdict == "FAIL"
    assert reason == ("x.pkt:9: runtime error: exiting while a blocking system call is in progress")


def test_only_one_call_blocks_at_a_time(run: Run) -> None:
    call = "+0...0.1 read(4, ..., 1000) = 100\n"
    verdict, reason = run(call + call)
    assert verdict == "FAIL"
    assert "another blocking system call is already in progress" in reason


def test_a_script_that_hangs_fails(run: Run) -> None:
    verdict, reason = run("0 pipe([3, 4]) = 0\n+0 read(3, ..., 9) = 9\n", before="")
    assert (verdict, reason) == (
        "FAIL",
        "x.pkt: nothing moves any more, and the script is not over",
    )


# -- code and commands -----------------------------------------------------------------------------


def test_code_sees_the_state_of_its_time(run: Run) -> None:
    text = """\
+0 %{ before = tcpi_unacked }%
+0 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+0 %{
assert before == 0
assert tcpi_unacked == 1 and tcpi_state == TCP_ESTABLISHED
}%
"""
    assert run(text) == ("ok", "")


def test_a_line_of_code_may_go_on_with_nothing(run: Run) -> None:
    assert run("+0 %{ assert 1;\\\n assert tcpi_unacked == 0;\\\n}%\n") == ("ok", "")


def test_a_failing_assert_is_told_with_its_line(run: Run) -> None:
    _, reason = run("+0 %{ x = 1\n\nassert x == 2, 'no' }%\n")
    assert reason == "x.pkt:11: error executing code: AssertionError: no"


def test_what_code_prints_is_printed(tmp_path: Path) -> None:
    outcome, printed = outcome_of(tmp_path, NO_TS + SERVER + "+0 %{ print(tcpi_snd_cwnd) }%\n")
    assert outcome.verdict == "ok"
    assert printed == "10\n"


def test_a_verbose_run_shows_packets_and_calls(tmp_path: Path) -> None:
    _, printed = outcome_of(tmp_path, NO_TS + SERVER, verbose=True)
    assert "inbound injected packet:  0.000000 S 0:0(0) win 32792 <mss 1000" in printed
    assert "outbound sniffed packet:  0.00000" in printed
    assert "accept syscall:  0.1000" in printed


def test_a_command_at_its_time_changes_the_machine(run: Run) -> None:
    text = "+0 `sysctl -q net.ipv4.tcp_notsent_lowat=1000`\n+0 `magic`\n"
    verdict, reason = run(text)
    assert verdict == "FAIL"
    assert reason.startswith("x.pkt:10: error executing command: magic: not a command here")


def test_a_failing_init_command_is_told(run: Run) -> None:
    _, reason = run("0 `true`", before="`sysctl -q net.ipv4.no_such=1`\n")
    assert reason.startswith("x.pkt: error executing init command: sysctl: ")


def resets(folder: Path, text: str) -> int:
    """How many RST a run's capture has from the peer."""
    file = folder / "x.pkt"
    file.write_text(text)
    run_on_model(Job(files=(file,), cwd=folder, root=folder, out=folder), file, io.StringIO())
    packets = rdpcap(str(folder / "x" / "host.pcapng"))
    return sum(packet[IP].src == "192.0.2.1" and "R" in packet[TCP].flags for packet in packets)


def test_a_connection_is_reset_at_the_end_unless_that_is_not_wanted(tmp_path: Path) -> None:
    assert resets(tmp_path, NO_TS + SERVER) == 1
    assert resets(tmp_path, "--send_omit_free\n" + NO_TS + SERVER) == 0


# -- the verdict -----------------------------------------------------------------------------------


def test_another_ip_version_is_skipped(tmp_path: Path) -> None:
    outcome, _ = outcome_of(tmp_path, "--ip_version=ipv6\n0 `x`\n")
    assert (outcome.verdict, outcome.reason) == ("skip", "IP version ipv6: there is only IPv4")


def test_a_text_that_is_no_script_is_an_error(tmp_path: Path) -> None:
    outcome, _ = outcome_of(tmp_path, "0 >\n")
    assert outcome.verdict == "error"
    assert outcome.reason.startswith("x.pkt:")
    outcome, _ = outcome_of(tmp_path, "--magic\n0 `x`\n")
    assert (outcome.verdict, outcome.reason) == ("error", "x.pkt:1: unknown option --magic")


def test_a_run_is_the_same_each_time(tmp_path: Path) -> None:
    text = SERVER + "+0 write(4, ..., 5000) = 5000\n+0 > P. 1:5001(5000) ack 1 <...>\n"
    assert outcome_of(tmp_path, text, verbose=True) == outcome_of(tmp_path, text, verbose=True)
