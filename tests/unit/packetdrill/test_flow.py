"""Numbers of the script and of the live connection."""

from __future__ import annotations

import pytest

from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.flow import Flow
from pyhost.packetdrill.packets import Endpoints, TcpSegment, segment_of_script
from pyhost.packetdrill.settings import Settings
from pyhost.packetdrill.tcp_options import options_text
from pyhost.uapi.ip import IPPROTO_TCP
from tests.unit.packetdrill.support import packet

ISN = 0xFFFFFFF0


def flow(remote_isn: int = 0) -> Flow:
    made = Flow(IPPROTO_TCP, ends=Endpoints(1, 8080, 2, 40000))
    made.live_local_isn = ISN
    made.remote_isn = remote_isn
    return made


def live(made: Flow, text: str, settings: Settings | None = None) -> TcpSegment:
    return made.to_live(segment_of_script(packet(f"< {text}")), settings or Settings())


def test_an_acknowledgement_of_the_script_is_of_the_live_numbers() -> None:
    found = live(flow(), ". 1:1(0) ack 21 win 5 <nop,nop,sack 31:41>")
    assert (found.seq, found.ack) == (1, 5)
    assert options_text(found.options) == "nop,nop,sack 15:25"
    assert found.ends == Endpoints(2, 40000, 1, 8080)


def test_the_peers_isn_is_verbatim_in_a_syn_and_added_afterwards() -> None:
    made = flow(remote_isn=123)
    assert live(made, "S. 123:123(0) ack 1 win 5").seq == 123
    assert live(made, ". 1:1(0) ack 1 win 5").seq == 124


def test_what_the_stack_sends_is_mapped_back() -> None:
    made = flow(remote_isn=123)
    sent = segment_of_script(packet("> . 5:5(0) ack 124 <nop,nop,sack 133:143>"))
    found = made.to_script(sent)
    assert (found.seq, found.ack) == (21, 1)
    assert options_text(found.options) == "nop,nop,sack 10:20"


def test_a_number_without_the_ack_flag_is_left_alone() -> None:
    made = flow(remote_isn=123)
    assert made.to_script(segment_of_script(packet("> R 5:5(0)"))).ack == 0
    assert live(made, "S 0:0(0) win 5").ack == 0


# -- timestamps ------------------------------------------------------------------------------------


def sent_with(made: Flow, script: str, actual: str) -> TcpSegment:
    said, seen = (segment_of_script(packet(f"> {text}")) for text in (script, actual))
    return made.learn_timestamps(said, seen)


def test_an_echo_is_that_of_the_live_timestamp() -> None:
    made = flow()
    found = sent_with(
        made, "S 0:0(0) <nop,nop,TS val 100 ecr 0>", "S 0:0(0) <nop,nop,TS val 7000 ecr 3>"
    )
    assert options_text(found.options) == "nop,nop,TS val 100 ecr 3"
    echoed = live(made, ". 1:1(0) ack 1 win 5 <nop,nop,TS val 200 ecr 100>")
    assert options_text(echoed.options) == "nop,nop,TS val 200 ecr 7000"


def test_later_timestamps_count_from_the_first() -> None:
    made = flow()
    sent_with(made, "S 0:0(0) <nop,nop,TS val 100 ecr 0>", "S 0:0(0) <nop,nop,TS val 7000 ecr 0>")
    later = sent_with(
        made,
        ". 1:1(0) ack 1 <nop,nop,TS val 1 ecr 0>",
        ". 1:1(0) ack 1 <nop,nop,TS val 7050 ecr 0>",
    )
    assert options_text(later.options) == "nop,nop,TS val 150 ecr 0"


def test_an_echo_of_what_was_never_sent_fails_unless_it_may_be_reckoned() -> None:
    made = flow()
    text = ". 1:1(0) ack 1 win 5 <nop,nop,TS val 200 ecr 160>"
    sent_with(made, "S 0:0(0) <nop,nop,TS val 100 ecr 0>", "S 0:0(0) <nop,nop,TS val 7000 ecr 0>")
    with pytest.raises(ScriptFailure, match="unable to infer live TS ecr for script TS ecr 160"):
        live(made, text)
    found = live(made, text, Settings(tcp_ts_ecr_scaled=True))
    assert options_text(found.options) == "nop,nop,TS val 200 ecr 7060"


# -- the end ---------------------------------------------------------------------------------------


def test_the_final_rst_follows_what_was_injected_last() -> None:
    made = flow()
    made.last_injected = live(made, "FP. 1:11(10) ack 1 win 5")
    rst = made.reset_segment()
    assert rst is not None
    assert (rst.seq, rst.ack, rst.window) == (12, ISN + 1, 5)
    assert rst.has("R")


def test_without_an_injected_ack_it_goes_by_what_the_stack_has_sent() -> None:
    made = flow()
    assert made.reset_segment() is None
    made.last_sent = segment_of_script(packet("> S 5:5(0)"))
    rst = made.reset_segment()
    assert rst is not None
    assert (rst.seq, rst.ack) == (0, 6)
    made.last_sent = segment_of_script(packet("> . 5:5(0) ack 77"))
    rst = made.reset_segment()
    assert rst is not None
    assert (rst.seq, rst.ack) == (77, 5)
