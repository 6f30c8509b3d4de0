"""sendfile and MSG_ZEROCOPY: the card reads the pages themselves, no CPU copies a byte of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system import judge
from tests.system.support import PROGRAMS, Run, RunStore, payload, pyhost_run, sha256

SIZE = 100_000
END = len(b"end")


@pytest.fixture
def run(runs: RunStore, nic: str) -> Run:
    """The same file sent both ways through one card."""

    def start(folder: Path) -> Run:
        source = folder / "source.bin"
        source.write_bytes(payload(SIZE))
        return pyhost_run(
            folder / "out",
            PROGRAMS / "tcp_zerocopy.py",
            source,
            sim=nic,
            peer=PROGRAMS / "tcp_receive.py",
        )

    return runs.once(f"zerocopy-{nic}", start).succeeded()


@pytest.mark.claim("S17")
@pytest.mark.parametrize("way", ["sendfile", "zerocopy"])
def test_the_bytes_stand_on_the_wire_and_reach_the_other_program(run: Run, way: str) -> None:
    [words] = run.said(way)
    port = int(words[1])
    assert sha256(judge.tcp_stream(run.wire, "host", port)) == sha256(payload(SIZE))
    [received] = [words for words in run.said("received") if int(words[1]) == port]
    assert received[2:] == [str(SIZE), sha256(payload(SIZE))]


@pytest.mark.claim("S17")
def test_the_cpu_copied_no_byte_of_the_payload(run: Run) -> None:
    """What it did copy is the word that ends the run."""
    counters = run.summary["counters"]["host.mm"]
    assert counters["zerocopy_bytes"] == 2 * SIZE
    assert counters["copy_nocache_bytes"] == END
    assert counters["skb_copy_bytes"] == 0


@pytest.mark.claim("S17")
def test_no_notification_speaks_of_a_copy(run: Run) -> None:
    [words] = run.said("zerocopy")
    assert words[2] == "0"
