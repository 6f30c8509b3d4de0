"""`pyhost run` as its users meet it: exit status, messages, options, what a run leaves."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import pywellen
from scapy.layers.inet import ICMP, IP, TCP

from tests.system import judge
from tests.system.support import (
    EXAMPLES,
    PROGRAMS,
    PYTHON,
    ROOT,
    Frame,
    Run,
    RunStore,
    finish,
    interrupt,
    payload,
    pyhost_run,
    start,
)

SIZE = 20000


def run_script(tmp_path: Path, source: str, **settings: object) -> Run:
    """`pyhost run` of a script with this text."""
    program = tmp_path / "program.py"
    program.write_text(source)
    return pyhost_run(tmp_path / "out", program, **settings)  # type: ignore[arg-type]


def send_file(folder: Path, nic: str, *options: object, size: int = SIZE) -> Run:
    """A file from program to program."""
    file = folder / "file.bin"
    file.write_bytes(payload(size))
    return pyhost_run(
        folder / "out",
        EXAMPLES / "01_send_file.py",
        file,
        sim=nic,
        peer=EXAMPLES / "01_receive_file.py",
        options=options,
    ).succeeded()


@pytest.fixture
def plain(runs: RunStore, nic: str) -> Run:
    """The run without any option."""
    return runs.once(f"plain-{nic}", lambda folder: send_file(folder, nic))


def by_key(frame: Frame) -> int:
    """The packet key."""
    return frame.key


def segment_sizes(run: Run) -> list[int]:
    """How much payload each TCP frame of the host has."""
    packets = [frame.packet for frame in run.sent_by("host")]
    return [p[IP].len - 20 - p[TCP].dataofs * 4 for p in packets if TCP in p]


# -- exit status and messages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "status"),
    [("", 0), ("import sys; sys.exit(7)", 7), ("import os; os._exit(5)", 5), ("exit(256 + 4)", 4)],
)
def test_the_exit_status_is_the_program_s(tmp_path: Path, source: str, status: int) -> None:
    run = run_script(tmp_path, source)
    assert (run.status, run.stdout, run.stderr) == (status, "", ""), str(run)
    assert run.summary["exit_status"] == status
    assert run.summary["failure"] is None


def test_the_exit_status_comes_through_the_simulator(tmp_path: Path, simulator: str) -> None:
    run = run_script(tmp_path, "import sys; sys.exit(7)", sim=simulator)
    assert (run.status, run.stdout, run.stderr) == (7, "", ""), str(run)


def test_a_program_that_raises_shows_its_own_traceback_as_python_does(
    tmp_path: Path, nic: str
) -> None:
    source = (
        "import socket\ndef fall():\n    socket.create_connection(('10.0.0.2', 5999))\nfall()\n"
    )
    run = run_script(tmp_path, source, sim=nic)
    assert run.status == 1, str(run)
    lines = run.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ConnectionRefusedError: [Errno 111] Connection refused"
    files = [line.split('"')[1] for line in lines if line.startswith("  File ")]
    assert files[:2] == [str(tmp_path / "program.py")] * 2
    assert not [name for name in files if name.startswith((str(ROOT / "pyhost"), str(ROOT / "tb")))]
    assert run.summary["exit_status"] == 1
    assert run.summary["failure"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mtu", "9001"], "--mtu"),
        (["--link-rate", "fast"], "--link-rate"),
        (["--delay", "1"], "--delay"),
        (["--seed", "-1"], "--seed"),
        (["--sysctl", "net.ipv4.no_such_thing=1"], "no_such_thing"),
        (["--sysctl", "net.ipv4.tcp_timestamps=perhaps"], "tcp_timestamps"),
        (["--sysctl", "net.ipv4.tcp_timestamps"], "--sysctl"),
        (["--peer-program", "no/such/peer.py"], "no/such/peer.py"),
        (["--no-such-option"], "--no-such-option"),
        (["--sim", "model", "--waves"], "--waves"),
    ],
)
def test_a_wrong_option_gives_one_line_and_status_2(
    tmp_path: Path, options: list[str], words: str
) -> None:
    run = run_script(tmp_path, "print('never')", options=options)
    check_complaint(run, words)


def test_a_missing_program_gives_one_line_and_status_2(tmp_path: Path) -> None:
    check_complaint(pyhost_run(tmp_path / "out", tmp_path / "absent.py"), "absent.py")


def check_complaint(run: Run, words: str) -> None:
    """Status 2 and one line with these words."""
    assert (run.status, run.stdout) == (2, ""), str(run)
    assert run.stderr.count("\n") == 1, str(run)
    assert run.stderr.startswith("pyhost: ")
    assert words in run.stderr


def test_ctrl_c_ends_a_run(tmp_path: Path, nic: str) -> None:
    check_interrupt(tmp_path, nic, whole_group=True)


def test_kill_ends_a_run_and_the_simulator_with_it(tmp_path: Path, nic: str) -> None:
    check_interrupt(tmp_path, nic, whole_group=False)


def test_a_program_that_interrupts_itself_ends_as_with_ctrl_c(tmp_path: Path, nic: str) -> None:
    run = run_script(tmp_path, "raise KeyboardInterrupt", sim=nic)
    assert (run.status, run.stdout) == (130, ""), str(run)
    assert run.stderr.strip() == "pyhost: interrupted"
    assert run.summary["failure"] == "interrupted"


def check_interrupt(tmp_path: Path, nic: str, *, whole_group: bool) -> None:
    """It may come while either machine works: their programs are not asked."""
    program = tmp_path / "program.py"
    program.write_text(
        "import time\nprint('on and on', flush=True)\nwhile True:\n    time.sleep(0.001)\n"
    )
    argv = [PYTHON, "-m", "pyhost", "run", "--sim", nic, "--out", str(tmp_path / "out")]
    process = start([*argv, str(program)], {}, ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "on and on\n"
    interrupt(process, whole_group=whole_group)
    run = finish(process, tmp_path / "out", limit_s=20)
    assert (run.status, run.stderr.strip()) == (130, "pyhost: interrupted"), str(run)


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.claim("S23")
@pytest.mark.parametrize(("timestamps", "mss"), [(0, 1460), (1, 1448)])
def test_the_largest_segment_is_the_mtu_without_headers_and_options(
    tmp_path: Path, timestamps: int, mss: int
) -> None:
    run = send_file(tmp_path, "model", "--sysctl", f"net.ipv4.tcp_timestamps={timestamps}")
    assert max(segment_sizes(run)) == mss
    segments = [f.packet[TCP] for f in run.sent_by("host") if TCP in f.packet]
    [syn] = [segment for segment in segments if segment.flags.S]
    assert dict(syn.options)["MSS"] == 1460
    assert ("Timestamp" in dict(syn.options)) == bool(timestamps)


@pytest.mark.claim("S23")
def test_a_small_mtu_gives_small_packets(tmp_path: Path) -> None:
    check_mtu(send_file(tmp_path, "model", "--mtu", 576), 576)


@pytest.mark.claim("S23")
def test_a_jumbo_mtu_gives_jumbo_frames(tmp_path: Path, nic: str) -> None:
    check_mtu(send_file(tmp_path, nic, "--mtu", 9000), 9000)


def check_mtu(run: Run, mtu: int) -> None:
    """The largest packet is as large as the MTU; each frame is right."""
    judge.check_frames(run.wire, mtu=mtu)
    judge.check_with_tshark(run.out / "wire.pcapng")
    assert max(segment_sizes(run)) == mtu - 52
    assert max(len(frame.data) for frame in run.sent_by("host")) == 14 + mtu


def test_frames_follow_closely_at_10_gigabit(plain: Run) -> None:
    check_gaps(plain, byte_ns=0.8)


def test_frames_follow_ten_times_slower_at_1_gigabit(tmp_path: Path, nic: str) -> None:
    check_gaps(send_file(tmp_path, nic, "--link-rate", "1g"), byte_ns=8.0)


def check_gaps(run: Run, *, byte_ns: float) -> None:
    """A full frame takes 1514 bytes with 8 of preamble, 4 of FCS and 12 of gap. XGMII begins a
    frame on a border of four bytes: a gap may be up to 3 shorter when the ones before were longer.
    """
    starts = [frame.ns for frame in run.sent_by("host") if len(frame.data) == 1514]
    shortest = min(later - sooner for sooner, later in itertools.pairwise(starts))
    ideal = (1514 + 24) * byte_ns
    assert ideal - 3 * byte_ns - 1 <= shortest <= ideal + 3 * byte_ns + 1


@pytest.mark.parametrize("delay_us", [1, 5])
def test_the_delay_lies_between_a_question_and_its_answer(tmp_path: Path, delay_us: int) -> None:
    """The first frames are an ARP request and its reply, on its way when the last bit is there."""
    run = send_file(tmp_path, "model", "--delay", f"{delay_us}us")
    request, reply = run.wire[:2]
    assert (request.sender, reply.sender) == ("host", "peer")
    frame_ns = (8 + 60 + 4) * 0.8
    assert delay_us * 1000 + frame_ns - 1 <= reply.ns - request.ns < delay_us * 1000 + 1000


# -- what a run leaves -----------------------------------------------------------------------------


def test_summary_json_counts_what_the_captures_hold(plain: Run, nic: str) -> None:
    summary = plain.summary
    assert summary["name"] == "01_send_file"
    assert (summary["sim"], summary["seed"], summary["exit_status"]) == (nic, 0, 0)
    assert summary["failure"] is None
    assert summary["frames"] == len(plain.wire)
    assert summary["bytes"] == sum(len(frame.data) for frame in plain.wire)
    assert summary["sim_time_ns"] >= plain.wire[-1].ns
    assert (summary["cycles"] > 1000) == (nic != "model")
    assert 0 < summary["wall_time_s"] < 100
    assert summary["versions"]["python"] == sys.version.split()[0]
    counters = summary["counters"]
    assert counters["host.eth0"]["tx_packets"] == len(plain.sent_by("host"))
    assert counters["peer.eth0"]["rx_packets"] == len(plain.sent_by("host"))
    assert counters["host.mm"]["copy_nocache_bytes"] == SIZE
    assert counters["peer.mm"]["copy_to_user_bytes"] == SIZE
    assert counters["host.warnings"]["count"] == counters["peer.warnings"]["count"] == 0


def test_results_xml_is_one_passed_test(plain: Run, nic: str) -> None:
    root = ElementTree.parse(plain.out / "results.xml").getroot()
    [suite] = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    [case] = suite.iter("testcase")
    assert (case.get("classname"), case.get("name")) == (f"pyhost.{nic}", "01_send_file")
    assert len(case) == 0


@pytest.mark.claim("S41")
def test_the_tap_and_the_wire_hold_the_same_frames(plain: Run) -> None:
    """Without the padding, which the card adds, and the TCP checksum, which it computes. A
    super-packet that the card cuts is seen whole by the tap.
    """
    tapped = [f for f in plain.tapped if f.direction == judge.SENT]
    wire = [list(frames) for _, frames in itertools.groupby(plain.sent_by("host"), by_key)]
    if len(tapped) > len(wire):  # a card that cuts nothing
        wire = [[frame] for frame in plain.sent_by("host")]
    assert [f.key for f in tapped] == [frames[0].key for frames in wire]
    for above, below in zip(tapped, wire, strict=True):
        assert above.ns <= below[0].ns
        if len(below) == 1:
            assert bare(above.data) == bare(below[0].data)
        else:
            assert carried(above.data) == b"".join(carried(frame.data) for frame in below)
    received = [bare(f.data) for f in plain.tapped if f.direction == judge.RECEIVED]
    arrived = [bare(f.data) for f in plain.sent_by("peer")][: len(received)]
    assert received == arrived
    assert len(plain.sent_by("peer")) - len(received) <= 1, "the last may be on its way at the end"


def bare(data: bytes) -> bytes:
    """A frame without padding, its TCP checksum blanked."""
    if data[12:14] == b"\x08\x06":
        return data[:42]
    length = 14 + int.from_bytes(data[16:18])
    at = 14 + (data[14] & 15) * 4 + 16
    return data[:at] + b"\0\0" + data[at + 2 : length]


def carried(data: bytes) -> bytes:
    """What a TCP segment carries."""
    tcp = 14 + (data[14] & 15) * 4
    return data[tcp + (data[tcp + 12] >> 4) * 4 : 14 + int.from_bytes(data[16:18])]


def test_frames_with_the_same_key_are_the_segments_of_one_packet(plain: Run) -> None:
    """A super-packet goes down the stack whole, so all that it is cut into has its key."""
    packets = [list(frames) for _, frames in itertools.groupby(plain.sent_by("host"), by_key)]
    assert len({frames[0].key for frames in packets}) == len(packets)
    super_packets = [frames for frames in packets if len(frames) > 1]
    assert super_packets
    for first, second in itertools.chain.from_iterable(map(itertools.pairwise, super_packets)):
        size = first.packet[IP].len - 20 - first.packet[TCP].dataofs * 4
        assert size == 1448
        assert second.packet[TCP].seq == (first.packet[TCP].seq + size) % 2**32


def test_waves_hold_the_keys_of_the_capture(tmp_path: Path, simulator: str) -> None:
    """The value of m_wire_cookie at each pulse of m_wire_cookie_valid, and the capture's keys."""
    run = send_file(tmp_path, simulator, "--waves", size=3000)
    waveform = pywellen.Waveform(str(run.out / "waves.fst"))
    cookie = waveform["hnic_tb.m_wire_cookie"].signal
    pulses = [ps for ps, on in waveform["hnic_tb.m_wire_cookie_valid"].signal if on == 1]
    frames = run.sent_by("host")
    assert [cookie.value_at(ps) for ps in pulses] == [frame.key for frame in frames]
    assert all(abs(ps // 1000 - f.ns) < 7 for ps, f in zip(pulses, frames, strict=True))


def test_the_peer_has_servers_of_its_own(tmp_path: Path) -> None:
    run = pyhost_run(tmp_path / "out", PROGRAMS / "echo_and_discard.py").succeeded()
    assert run.stdout == "echo tcp echo\ndiscard b''\necho udp echo\n"
    assert not [frame for frame in run.wire if ICMP in frame.packet]
