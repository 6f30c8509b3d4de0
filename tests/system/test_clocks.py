"""The same run gives the same packets at the same times, whatever clock drives it."""

from __future__ import annotations

from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from tests.system.support import EXAMPLES, Run, RunStore, payload, pyhost_run

SIZE = 9001


def send_file(
    runs: RunStore, name: str, nic: str, *options: object, altered_by: str | None = None
) -> Run:
    """A small file from program to program."""

    def do(folder: Path) -> Run:
        (folder / "file.bin").write_bytes(payload(SIZE))
        return pyhost_run(
            folder / "out",
            EXAMPLES / "01_send_file.py",
            folder / "file.bin",
            sim=nic,
            peer=EXAMPLES / "01_receive_file.py",
            options=options,
            altered_by=altered_by,
        )

    return runs.once(f"clocks-{name}-{nic}", do).succeeded()


def capture(run: Run) -> bytes:
    """The whole capture of the wire: frames, times, keys."""
    return (run.out / "wire.pcapng").read_bytes()


@pytest.mark.parametrize("seed", [0, 5])
def test_virtual_clock_and_simulator_clock_give_the_same_trace(
    runs: RunStore, simulator: str, seed: int
) -> None:
    virtual = send_file(runs, f"virtual-{seed}", "model", "--seed", seed)
    module = "tests.system.cosim_model_nic"
    simulated = send_file(runs, f"sim-{seed}", simulator, "--seed", seed, altered_by=module)
    assert simulated.summary["cycles"] < 100, "the RTL took part"
    assert simulated.wire == virtual.wire
    assert capture(simulated) == capture(virtual)


def test_a_run_again_gives_the_same_trace(runs: RunStore, nic: str) -> None:
    one, two = (send_file(runs, name, nic, "--seed", 3) for name in ("one", "two"))
    assert one.out != two.out
    assert capture(one) == capture(two)
    assert (one.out / "host.pcapng").read_bytes() == (two.out / "host.pcapng").read_bytes()


def test_both_simulators_give_the_same_trace(runs: RunStore, simulators: tuple[str, ...]) -> None:
    if len(simulators) < 2:
        pytest.skip("only one simulator is here")
    one, two = (send_file(runs, "one", simulator, "--seed", 3) for simulator in simulators)
    assert one.wire == two.wire
    assert capture(one) == capture(two)


def test_another_seed_gives_other_numbers_and_the_same_bytes(runs: RunStore, nic: str) -> None:
    starts = set()
    for name, seed in (("one", 3), ("other", 4)):
        run = send_file(runs, name, nic, "--seed", seed)
        [syn] = [f.packet[TCP] for f in run.sent_by("host") if _opens(f.packet)]
        starts.add((syn.sport, syn.seq))
        assert f"received {SIZE} bytes" in run.stdout
    (port, isn), (other_port, other_isn) = starts
    assert port != other_port
    assert isn != other_isn


def test_model_and_rtl_send_the_same_bytes(runs: RunStore, nic: str) -> None:
    """Their times differ, so acknowledgements and the cut into segments may, and the numbers that
    come from a clock (RFC 6528, RFC 7323); the stream does not, nor does the handshake.
    """
    run, model = (send_file(runs, "one", sim, "--seed", 3) for sim in (nic, "model"))
    assert [_timeless(f.data) for f in run.wire[:4]] == [_timeless(f.data) for f in model.wire[:4]]
    assert run.stdout == model.stdout


def _timeless(frame: bytes) -> bytes:
    """The frame without what depends on when it was sent."""
    packet = Ether(frame)
    if TCP in packet:
        tcp = packet[TCP]
        tcp.seq = tcp.ack = tcp.chksum = 0
        tcp.options = [(k, (0, 0) if k == "Timestamp" else v) for k, v in tcp.options]
    return bytes(packet)


def _opens(packet: object) -> bool:
    return TCP in packet and bool(packet[TCP].flags.S)  # type: ignore[operator, index]
