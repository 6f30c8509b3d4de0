"""What is proved, and the mutants that show that each property can fail."""

from __future__ import annotations

from tests.formal.runner import Mutant, Proof

__all__ = ["PROOFS"]

FIFO = Proof(
    module="hnic_fifo",
    parameters={"WIDTH": 3, "DEPTH": 4},
    depth=2,
    mutants=(
        Mutant(
            "level_is_what_went_in_less_what_went_out",
            "assign level    = wptr_q - rptr_q;",
            "assign level    = wptr_q - rptr_q - (rd_valid && rd_ready);",
        ),
        Mutant(
            "never_more_than_depth ready_unless_full",
            "assign wr_ready = !level[ADDR_W];",
            "assign wr_ready = 1'b1;",
        ),
        Mutant(
            "valid_unless_empty stays_valid",
            "assign rd_valid = wptr_q != rptr_q;",
            "assign rd_valid = wptr_q != rptr_q && !(wr_valid && wr_ready);",
        ),
        Mutant(
            "words_come_out_as_they_went_in",
            "assign rd_data  = mem[rptr_q[ADDR_W-1:0]];",
            "assign rd_data  = mem[rptr_q[ADDR_W-1:0]] ^ (wptr_q[ADDR_W] & rptr_q[ADDR_W]);",
        ),
        Mutant(
            "words_come_out_as_they_went_in stays_the_same word_is_kept",
            "if (wr_valid && wr_ready) begin",
            "if (wr_valid) mem[wptr_q[ADDR_W-1:0]] <= wr_data;\n if (wr_valid && wr_ready) begin",
        ),
        Mutant("in_counts word_is_inside", "wptr_q + 1'b1", "wptr_q + 1'b1 + (&wptr_q)"),
        Mutant("out_counts", "if (rd_valid && rd_ready) rptr_q", "if (rd_ready) rptr_q"),
    ),
)

SKID = Proof(
    module="hnic_skid",
    parameters={"WIDTH": 8},
    depth=2,
    mutants=(
        Mutant(
            "two_words_at_most ready_unless_full",
            "assign in_ready  = !hold_valid_q;",
            "assign in_ready  = !hold_valid_q || in_valid;",
        ),
        Mutant(
            "valid_unless_empty word_is_inside",
            "out_valid_q  <= hold_valid_q || in_valid;",
            "out_valid_q  <= hold_valid_q ? 1'b1 : in_valid && !out_valid_q;",
        ),
        Mutant(
            "words_come_out_as_they_went_in",
            "hold_valid_q ? hold_data_q : in_data",
            "hold_valid_q ? in_data : in_data",
        ),
        Mutant("second_word_is_kept", "hold_data_q  <= in_data;", "hold_data_q  <= out_data_q;"),
        Mutant(
            "stays_the_same",
            "hold_data_q  <= in_data;",
            "out_data_q <= in_data;",
        ),
        Mutant(
            "stays_valid",
            "assign out_valid = out_valid_q;",
            "assign out_valid = out_valid_q && !(hold_valid_q && in_valid);",
        ),
    ),
)

ARB = Proof(
    module="hnic_arb",
    parameters={"N": 4},
    depth=2,
    mutants=(
        Mutant(
            "one_grant_at_most",
            "assign grant = picked[2*N-1:N] | picked[N-1:0];",
            "assign grant = picked[2*N-1:N] | picked[N-1:0] | (request & turn_q) | (request & 4);",
        ),
        Mutant(
            "only_who_asks",
            "assign grant = picked[2*N-1:N] | picked[N-1:0];",
            "assign grant = request == 6 ? 1 : picked[2*N-1:N] | picked[N-1:0];",
        ),
        Mutant(
            "somebody_if_any",
            "assign grant = picked[2*N-1:N] | picked[N-1:0];",
            "assign grant = picked[N-1:0];",
        ),
        Mutant(
            "nobody_waits_longer_than_a_round closer_each_time",
            "turn_q <= {grant[N-2:0], grant[N-1]};",
            "turn_q <= turn_q;",
        ),
        Mutant(
            "one_turn",
            "turn_q <= {grant[N-2:0], grant[N-1]};",
            "turn_q <= {grant[N-2:0], 1'b0};",
        ),
    ),
)

SPLIT = Proof(
    module="hnic_axi_split",
    parameters={"ADDR_W": 32, "LEN_W": 20, "BURST_BYTES": 512},
    depth=2,
    mutants=(
        Mutant(
            "within_4_kib within_burst_bytes",
            "wire             final_burst = left_q <= room;",
            "wire             final_burst = left_q <= BURST;",
        ),
        Mutant(
            "no_empty_burst",
            "wire             final_burst = left_q <= room;",
            "wire             final_burst = left_q < room;",
        ),
        Mutant(
            "burst_follows_burst",
            "addr_q + {{ADDR_W - LEN_W{1'b0}}, bytes};",
            "addr_q + BURST_BYTES;",
        ),
        Mutant(
            "no_byte_too_many bytes_left",
            "left_q  <= left_q - bytes;",
            "left_q  <= left_q - bytes + 1;",
        ),
        Mutant(
            "last_with_the_last_byte",
            "assign out_last  = last_q && final_burst;",
            "assign out_last  = last_q;",
        ),
        Mutant(
            "bursts_while_bytes_are_left",
            "valid_q <= !final_burst;",
            "valid_q <= 1'b0;",
        ),
        Mutant(
            "a_new_read_after_the_last_burst stays_the_same",
            "assign in_ready  = !valid_q || (out_ready && final_burst);",
            "assign in_ready  = !valid_q || final_burst;",
        ),
        Mutant(
            "stays_valid",
            "assign out_valid = valid_q;",
            "assign out_valid = valid_q && !in_valid;",
        ),
    ),
)

AXIL = Proof(
    module="hnic_axil",
    parameters={"ADDR_W": 16},
    depth=6,
    mutants=(
        Mutant(
            "a_whole_write_reaches_the_registers",
            "assign wr_en       = write_fire && (&s_axil_wstrb);",
            "assign wr_en       = write_fire && (|s_axil_wstrb);",
        ),
        Mutant(
            "at_its_address_with_its_word",
            "assign wr_addr     = {s_axil_awaddr[ADDR_W-1:2], 2'b00};",
            "assign wr_addr     = {s_axil_araddr[ADDR_W-1:2], 2'b00};",
        ),
        Mutant(
            "address_and_data_go_together one_write_at_a_time",
            "assign s_axil_awready = write_fire;",
            "assign s_axil_awready = !bvalid_q;",
        ),
        Mutant(
            "a_read_asks_once",
            "assign rd_en       = read_fire;",
            "assign rd_en       = s_axil_arvalid && !rvalid_q;",
        ),
        Mutant(
            "at_its_address",
            "assign rd_addr     = {s_axil_araddr[ADDR_W-1:2], 2'b00};",
            "assign rd_addr     = s_axil_araddr;",
        ),
        Mutant(
            "a_read_gets_the_word_of_the_next_cycle r_only_after_address where_a_read_is",
            "fetch_q <= read_fire;",
            "fetch_q <= s_axil_arvalid;",
        ),
        Mutant(
            "busy_while_anything_is_open",
            "assign status_busy = bvalid_q || fetch_q || rvalid_q;",
            "assign status_busy = bvalid_q || rvalid_q;",
        ),
        Mutant(
            "b_stays",
            "else if (s_axil_bready) bvalid_q <= 1'b0;",
            "else bvalid_q <= 1'b0;",
        ),
        Mutant(
            "r_stays_valid",
            "end else if (s_axil_rready) begin",
            "end else begin",
        ),
        Mutant(
            "r_stays_the_same",
            "assign s_axil_rdata   = rdata_q;",
            "assign s_axil_rdata   = rdata_q & {32{s_axil_rready}};",
        ),
        Mutant(
            "b_only_after_address_and_data",
            "if (write_fire) bvalid_q <= 1'b1;",
            "if (s_axil_awvalid) bvalid_q <= 1'b1;",
        ),
        Mutant(
            "b_is_okay",
            "assign s_axil_bresp   = 2'b00;",
            "assign s_axil_bresp   = {s_axil_awaddr[ADDR_W-1], 1'b0};",
        ),
        Mutant(
            "r_is_okay",
            "assign s_axil_rresp   = 2'b00;",
            "assign s_axil_rresp   = {1'b0, rdata_q == 0};",
        ),
        Mutant(
            "one_read_at_a_time",
            "assign s_axil_arready = !fetch_q && !rvalid_q;",
            "assign s_axil_arready = !fetch_q;",
        ),
        Mutant(
            "writes_are_taken",
            "s_axil_wvalid && !bvalid_q;",
            "s_axil_wvalid && !bvalid_q && !s_axil_arvalid;",
        ),
        Mutant(
            "writes_are_answered",
            "assign s_axil_bvalid  = bvalid_q;",
            "assign s_axil_bvalid  = bvalid_q && s_axil_bready;",
        ),
        Mutant(
            "reads_are_taken",
            "assign s_axil_arready = !fetch_q && !rvalid_q;",
            "assign s_axil_arready = !fetch_q && !rvalid_q && s_axil_rready;",
        ),
        Mutant(
            "reads_are_answered",
            "assign s_axil_rvalid  = rvalid_q;",
            "assign s_axil_rvalid  = rvalid_q && s_axil_rready;",
        ),
    ),
)

AXI_READ = Proof(
    module="hnic_axi_read",
    parameters={"DATA_W": 128, "ADDR_W": 32, "ID_W": 4},
    depth=3,
    mutants=(
        Mutant(
            "one_engine_at_a_time",
            "assign data_ar_ready = slice_ready && grant[1];",
            "assign data_ar_ready = slice_ready;",
        ),
        Mutant(
            "requests_reach_the_bus_in_order second_request_is_kept",
            ": grant[1] ? {ID_DATA, data_ar_addr",
            ": data_ar_valid ? {ID_DATA, data_ar_addr",
        ),
        Mutant(
            "data_goes_to_who_asked",
            "assign txd_r_valid      = m_axi_rvalid && m_axi_rid[1:0] == ID_TXD;",
            "assign txd_r_valid      = m_axi_rvalid && !m_axi_rid[0];",
        ),
        Mutant(
            "data_is_what_came",
            "assign r_error          = m_axi_rresp[1];",
            "assign r_error          = m_axi_rresp == 2'b10;",
        ),
        Mutant(
            "data_never_waits",
            "assign m_axi_rready     = 1'b1;",
            "assign m_axi_rready     = under_way_q != 16'd1;",
        ),
        Mutant(
            "idle_means_nothing_under_way",
            "assign status_idle      = under_way_q == 16'd0 && request == 3'd0;",
            "assign status_idle      = under_way_q == 16'd0;",
        ),
        Mutant(
            "one_turn",
            "turn_q <= {{N - 1{1'b0}}, 1'b1};",
            "turn_q <= {{N - 1{1'b0}}, request[0]};",
            "hnic_arb",
        ),
        Mutant(
            "slice request_is_inside",
            ".in_valid(|request), .in_ready(slice_ready),",
            ".in_valid(request[0]), .in_ready(slice_ready),",
        ),
        Mutant(
            "ar_stays_the_same",
            "hold_data_q  <= in_data;",
            "out_data_q   <= in_data;",
            "hnic_skid",
        ),
        Mutant(
            "second_request_is_legal",
            "hold_data_q  <= in_data;",
            "hold_data_q  <= in_data + 1'b1;",
            "hnic_skid",
        ),
        Mutant(
            "ar_stays_valid",
            "assign out_valid = out_valid_q;",
            "assign out_valid = out_valid_q && !(hold_valid_q && in_valid);",
            "hnic_skid",
        ),
        Mutant(
            "open_bursts",
            "assign txd_ar_ready  = slice_ready && grant[0];",
            "assign txd_ar_ready  = slice_ready && data_ar_valid;",
        ),
        Mutant(
            "count_of_bursts",
            "if (accept != r_end) under_way_q",
            "if (accept || r_end) under_way_q",
        ),
        Mutant(
            "ar_incr_of_full_width",
            "localparam [1:0] BURST_INCR = 2'b01;",
            "localparam [1:0] BURST_INCR = 2'b10;",
        ),
        Mutant(
            "ar_within_4_kib ar_bytes_need_these_beats",
            "{ID_TXD, txd_ar_addr, txd_ar_len, txd_ar_bytes}",
            "{ID_TXD, txd_ar_addr, data_ar_len, txd_ar_bytes}",
        ),
        Mutant(
            "ar_no_longer_than_allowed",
            "{ID_TXD, txd_ar_addr, txd_ar_len, txd_ar_bytes}",
            "{ID_TXD, txd_ar_addr, txd_ar_len + 8'd1, txd_ar_bytes}",
        ),
        Mutant(
            "ar_id_is_known",
            "assign m_axi_arid       = wide_id[ID_W-1:0];",
            "assign m_axi_arid       = wide_id[ID_W-1:0] | wide_id[1];",
        ),
        Mutant(
            "ar_no_more_than_there_is_room_for",
            "assign m_axi_arid       = wide_id[ID_W-1:0];",
            "assign m_axi_arid       = {ID_W{1'b0}};",
        ),
    ),
)

AXI_WRITE = Proof(
    module="hnic_axi_write",
    parameters={"DATA_W": 64, "ADDR_W": 32, "ID_W": 4, "OUTSTANDING": 2},
    depth=2,
    inside=("hnic_arb", "hnic_fifo"),
    mutants=(
        Mutant(
            "one_engine_at_a_time",
            "assign data_aw_ready = grant[1] && may_start;",
            "assign data_aw_ready = may_start;",
        ),
        Mutant("no_burst_begins_while_quiesced", "& {2{!quiesce}};", ";"),
        Mutant(
            "answers_go_to_who_asked",
            "assign cpl_b_valid      = m_axi_bvalid && !m_axi_bid[0];",
            "assign cpl_b_valid      = m_axi_bvalid;",
        ),
        Mutant(
            "an_answer_tells_of_the_error",
            "assign b_error          = m_axi_bresp[1];",
            "assign b_error          = &m_axi_bresp;",
        ),
        Mutant(
            "answers_never_wait",
            "assign m_axi_bready     = 1'b1;",
            "assign m_axi_bready     = !cpl_w_valid;",
        ),
        Mutant(
            "no_more_than_outstanding aw_no_more_than_there_is_room_for",
            "data_aw_valid && !data_count_q[COUNT_W-1]",
            "data_aw_valid",
        ),
        Mutant(
            "idle_means_nothing_begun",
            "assign status_idle      = cpl_count_q == {COUNT_W{1'b0}} && data",
            "assign status_idle      = data",
        ),
        Mutant(
            "beats_reach_the_bus_in_order",
            "order_data ? data_w_strb : cpl_w_strb, w_last}",
            "order_data ? data_w_strb : {NB{1'b1}}, w_last}",
        ),
        Mutant(
            "aw_incr",
            "localparam [1:0] BURST_INCR = 2'b01;",
            "localparam [1:0] BURST_INCR = 2'b00;",
        ),
        Mutant(
            "aw_no_wider_than_the_bus aw_within_4_kib",
            "from_data ? BUS_LOG2[2:0] : cpl_aw_size, bytes}",
            "from_data ? BUS_LOG2[2:0] + 3'd1 : cpl_aw_size, bytes}",
        ),
        Mutant(
            "aw_no_longer_than_allowed lengths",
            "cpl_aw_addr, len, from_data",
            "cpl_aw_addr, len + 8'd1, from_data",
        ),
        Mutant(
            "aw_id_is_known",
            "assign m_axi_awid       = {ID_W{id_bit}} & ONE;",
            "assign m_axi_awid       = {ID_W{id_bit}};",
        ),
        Mutant(
            "aw_fits_data_that_came_before w_last_is_the_last_beat last_beats",
            "wire       w_last = beat_q == order_len;",
            "wire       w_last = beat_q == (order_len | order_data);",
        ),
        Mutant(
            "aw_stays_valid w_stays_valid",
            "assign out_valid = out_valid_q;",
            "assign out_valid = out_valid_q && !hold_valid_q;",
            "hnic_skid",
        ),
        Mutant(
            "aw_stays_the_same w_stays_the_same",
            "hold_data_q  <= in_data;",
            "out_data_q   <= in_data;",
            "hnic_skid",
        ),
        Mutant(
            "counts",
            "if (cpl_begins != cpl_b_valid) cpl_count_q",
            "if (cpl_begins || cpl_b_valid) cpl_count_q",
        ),
        Mutant(
            "addresses_inside beats_inside",
            "hold_valid_q <= 1'b1;",
            "hold_valid_q <= 1'b0;",
            "hnic_skid",
        ),
        Mutant(
            "second_address_is_legal beat_that_is_followed",
            "hold_data_q  <= in_data;",
            "hold_data_q  <= in_data ^ 24'h800000;",
            "hnic_skid",
        ),
        Mutant(
            "order",
            ".wr_data({from_data, len}),",
            ".wr_data({from_data, data_aw_len}),",
        ),
    ),
)

QUEUE = Proof(
    module="hnic_queue",
    parameters={"DESC_BYTES": 32, "CPL_BYTES": 16, "DEPTH": 16, "BURST": 8, "RX": 0},
    depth=1,
    mutants=(
        Mutant(
            "fetch_from_its_slot",
            "{48'd0, slot} << DESC_SHIFT",
            "{48'd0, fetch_q} << DESC_SHIFT",
            step=True,
        ),
        Mutant(
            "fetch_not_over_the_end_of_the_ring",
            "wire [15:0] to_end = size - slot;",
            "wire [15:0] to_end = size;",
            step=True,
        ),
        Mutant(
            "fetch_within_4_kib",
            "least(to_page, MOST)",
            "MOST",
            step=True,
        ),
        Mutant(
            "fetch_what_was_given",
            "least(least(to_tail, to_end), least(to_page, MOST))",
            "least(to_end, least(to_page, MOST))",
        ),
        Mutant(
            "fetch_what_there_is_room_for",
            "&& room >= count;",
            "&& room != 16'd0;",
            step=True,
        ),
        Mutant(
            "never_more_on_the_card_than_depth",
            "&& room >= count;",
            ";",
        ),
        Mutant(
            "head_take_held_fetch_tail",
            "fetch_q   <= fetch_q + count_q;",
            "fetch_q   <= fetch_q + count_q + 1'b1;",
        ),
        Mutant(
            "never_more_than_the_ring",
            "&& (doorbell_tail - tail_q) <= size - (tail_q - head_q)",
            "&& (doorbell_tail - tail_q) <= size",
        ),
        Mutant(
            "held_is_what_came",
            "assign held_valid = going && held != 16'd0;",
            "assign held_valid = going && fetch_q != take_q;",
        ),
        Mutant(
            "completion_in_its_slot",
            "{48'd0, cpl_slot} << CPL_SHIFT",
            "{48'd0, cpl_slot} << DESC_SHIFT",
        ),
        Mutant(
            "phase_toggles_with_each_pass",
            "wire [15:0] cpl_lap = cpl_q >> cpl_size_q;",
            "wire [15:0] cpl_lap = cpl_q >> size_q;",
            step=True,
        ),
        Mutant(
            "completions_in_memory_are_those_answered_well",
            "if (cpl_done && !cpl_error && !cpl_lost_q)",
            "if (cpl_done && !cpl_error)",
        ),
        Mutant(
            "a_good_doorbell_moves_the_tail",
            "if (doorbell && doorbell_ok) tail_q",
            "if (doorbell) tail_q",
        ),
        Mutant(
            "a_bad_doorbell_is_counted",
            "assign stat_doorbell_errs = doorbell && !doorbell_ok;",
            "assign stat_doorbell_errs = doorbell && !(doorbell_ok && cfg_card_enable);",
        ),
        Mutant(
            "a_reset_leaves_nothing",
            "if (rst || reset_done) begin\n            active_q       <= 1'b0;",
            "if (rst || reset_done) begin\n            active_q       <= active_q && !rst;",
        ),
        Mutant(
            "a_reset_is_done_when_nothing_is_under_way",
            "fetch_q == held_q && packets_q == 16'd0 && writes_q",
            "packets_q == 16'd0 && writes_q",
        ),
        Mutant(
            "an_error_shows_when_nothing_is_under_way",
            "assign status_error       = halted_q && quiet;",
            "assign status_error       = halted_q && !request_q;",
        ),
        Mutant(
            "nothing_is_taken_after_a_fault",
            "wire        going = active_q && !halted_q && !cfg_reset",
            "wire        going = active_q && !cfg_reset",
        ),
        Mutant(
            "counts",
            "if (fetched) held_q <= held_q + {8'd0, fetched_count};",
            "if (fetched) held_q <= held_q + {8'd0, fetched_count | 8'd1};",
        ),
        Mutant(
            "rings",
            "        if (!active_q) begin\n            base_q     <= cfg_base;",
            "        if (!active_q || !cfg_enable) begin\n            base_q     <= cfg_base;",
        ),
        Mutant(
            "quiet_without_a_queue",
            "wire stop = !cfg_enable && active_q && drained;",
            "wire stop = !cfg_enable && active_q && !request_q;",
        ),
        Mutant(
            "nothing_without_a_queue",
            "wire clear = stop || reset_done;",
            "wire clear = reset_done;",
        ),
        Mutant(
            "stays_valid",
            "if (request_q) request_q <= !fetch_ready;",
            "if (request_q) request_q <= !fetch_ready && !cfg_reset;",
        ),
        Mutant(
            "stays_the_same",
            "assign fetch_count        = count_q[7:0];",
            "assign fetch_count        = count[7:0];",
        ),
    ),
)

QUEUE_RX = Proof(
    module="hnic_queue",
    parameters={"DESC_BYTES": 16, "CPL_BYTES": 32, "DEPTH": 16, "BURST": 8, "RX": 1},
    depth=1,
    mutants=(
        Mutant(
            "nothing_is_taken_of_a_disabled_receive_queue",
            "&& !(IS_RX && !cfg_enable);",
            ";",
        ),
        Mutant(
            "quiet_without_a_queue",
            "wire quiet = !request_q && fetch_q == held_q && packets_q == 16'd0",
            "wire quiet = !request_q && fetch_q == held_q",
        ),
    ),
)

TX_DONE = Proof(
    module="hnic_tx_done",
    parameters={"QUEUES": 2, "DEPTH": 4, "WRITES": 4},
    depth=2,
    inside=("hnic_fifo",),
    mutants=(
        Mutant(
            "stays_the_same",
            "assign cpl_addr         = cpl_addr_q;",
            "assign cpl_addr         = cpl_ready ? cpl_addr_q : 64'd0;",
        ),
        Mutant(
            "one_end_at_a_time",
            "assign finish[g]      = pop && head_queue == ME[QUEUE_W-1:0];",
            "assign finish[g]      = pop && head_queue <= ME[QUEUE_W-1:0];",
        ),
        Mutant(
            "only_what_entered_ends",
            "wire ended = head_valid && (dropped || time_valid);",
            "wire ended = dropped || time_valid;",
        ),
        Mutant(
            "packets_end_in_order",
            "assign finish[g]      = pop && head_queue == ME[QUEUE_W-1:0];",
            "assign finish[g]      = pop && enter_queue == ME[QUEUE_W-1:0];",
        ),
        Mutant(
            "a_packet_ends_after_it_was_sent",
            "wire ended = head_valid && (dropped || time_valid);",
            "wire ended = head_valid;",
        ),
        Mutant(
            "one_completion_a_packet",
            "wire pop = ended && (silent || room);",
            "wire pop = ended && (silent || (room && cpl_ready));",
        ),
        Mutant(
            "a_completion_unless_flushed",
            "wire silent = head_silent || error",
            "wire silent = error",
        ),
        Mutant(
            "the_record_is_the_packets",
            "wire [63:0]         timestamp = dropped ? {48'd0, head_index} : head_time;",
            "wire [63:0]         timestamp = dropped ? {48'd0, head_next} : head_time;",
        ),
        Mutant(
            "head_moves_behind_the_packet",
            "assign place_issue_head = head_next;",
            "assign place_issue_head = head_index;",
        ),
        Mutant(
            "each_record_is_written_once",
            "assign room             = (!cpl_valid_q || cpl_ready) && routes_ready;",
            "assign room             = routes_ready;",
        ),
        Mutant(
            "answers_go_to_their_queue",
            "assign place_done[g]  = cpl_done && route_queue == ME[QUEUE_W-1:0];",
            "assign place_done[g]  = cpl_done && head_queue == ME[QUEUE_W-1:0];",
        ),
        Mutant(
            "a_fault_halts_its_queue_at_once",
            "enter_status != `HNIC_STATUS_OK && !enter_silent;",
            "enter_status != `HNIC_STATUS_OK;",
        ),
        Mutant(
            "a_drop_is_counted",
            "assign stat_tx_drops = issue && dropped;",
            "assign stat_tx_drops = pop && dropped;",
        ),
        Mutant(
            "stays_valid",
            "end else if (cpl_ready) begin\n            cpl_valid_q <= 1'b0;",
            "end else begin\n            cpl_valid_q <= 1'b0;",
        ),
        Mutant(
            "packets",
            "assign finish[g]      = pop && head_queue == ME[QUEUE_W-1:0];",
            "assign finish[g]      = issue && head_queue == ME[QUEUE_W-1:0];",
        ),
        Mutant(
            "times",
            ".rd_ready(pop && !dropped)",
            ".rd_ready(pop)",
        ),
        Mutant(
            "room_for_each_time",
            ".rd_ready(pop && !dropped)",
            ".rd_ready(issue && !dropped)",
        ),
        Mutant(
            "packet_is_inside",
            ".wr_data({enter_silent, enter_queue, enter_cookie, enter_next,",
            ".wr_data({enter_silent, enter_queue, enter_cookie, enter_index,",
        ),
        Mutant(
            "its_number",
            "enter_status, enter_index}),",
            "enter_status | enter_silent, enter_index}),",
        ),
        Mutant(
            "records",
            ".wr_data(head_queue),",
            ".wr_data(enter_queue),",
        ),
    ),
)

CPL_WRITER = Proof(
    module="hnic_cpl_writer",
    parameters={"DATA_W": 64, "ADDR_W": 32, "OUTSTANDING": 4},
    depth=2,
    inside=("hnic_arb", "hnic_fifo"),
    mutants=(
        Mutant(
            "one_source_at_a_time",
            "assign rx_ready = grant[1] && free;",
            "assign rx_ready = rx_valid && free;",
        ),
        Mutant(
            "an_address_a_record",
            "if (aw_ready) aw_valid_q <= 1'b0;",
            "if (aw_ready && w_end) aw_valid_q <= 1'b0;",
        ),
        Mutant(
            "address_is_the_records",
            "wire [63:0] addr = from_rx ? rx_addr : tx_addr;",
            "wire [63:0] addr = rx_valid ? rx_addr : tx_addr;",
        ),
        Mutant(
            "burst_is_as_long_as_the_record as_many_beats_as_announced",
            "assign aw_len   = is_rx_q ? RX_LEN[7:0] : TX_LEN[7:0];",
            "assign aw_len   = RX_LEN[7:0];",
        ),
        Mutant(
            "within_4_kib",
            "assign aw_size  = is_rx_q ? RX_SIZE[2:0] : TX_SIZE[2:0];",
            "assign aw_size  = RX_SIZE[2:0] + 3'd1;",
        ),
        Mutant(
            "beats_of_the_record",
            "wire       w_end = left_q == 2'd0;",
            "wire       w_end = left_q[0] == 1'b0;",
        ),
        Mutant(
            "each_byte_in_its_lane beats_held",
            "record_q  <= record_q >> RX_PART;",
            "record_q  <= record_q >> (RX_PART - left_q);",
        ),
        Mutant(
            "no_more_than_outstanding",
            "(w_ready && w_end)) && whose_ready;",
            "(w_ready && w_end));",
        ),
        Mutant(
            "one_source_is_told",
            "assign rx_done  = b_valid && whose_rx;",
            "assign rx_done  = b_valid && (whose_rx || is_rx_q);",
        ),
        Mutant(
            "answers_go_to_who_asked whose",
            ".wr_valid(accept), .wr_ready(whose_ready), .wr_data(from_rx),",
            ".wr_valid(accept), .wr_ready(whose_ready), .wr_data(rx_valid),",
        ),
        Mutant(
            "an_answer_tells_of_the_error",
            "assign rx_error = b_error;",
            "assign rx_error = b_error && is_rx_q;",
        ),
        Mutant(
            "held stays_the_same",
            "if (accept) begin aw_valid_q <= 1'b1;",
            "if (tx_valid) addr_q <= 0; if (accept) begin aw_valid_q <= 1'b1;",
        ),
        Mutant(
            "stays_valid",
            "if (aw_ready) aw_valid_q <= 1'b0;",
            "if (w_ready) aw_valid_q <= 1'b0;",
        ),
    ),
)

CPL_WRITER_HALF = Proof(
    module="hnic_cpl_writer",
    parameters={"DATA_W": 256, "ADDR_W": 32, "OUTSTANDING": 4},
    depth=2,
    inside=("hnic_arb", "hnic_fifo"),
    mutants=(
        Mutant(
            "strobes_are_the_records_bytes",
            "assign w_strb = part_strb << lane;",
            "assign w_strb = {NB{1'b1}};",
        ),
        Mutant(
            "each_byte_in_its_lane",
            "assign w_data = record_q << {lane, 3'b000};",
            "assign w_data = record_q;",
        ),
    ),
)

CPL_WRITER_LANES = Proof(
    module="hnic_cpl_writer",
    parameters={"DATA_W": 512, "ADDR_W": 32, "OUTSTANDING": 4},
    depth=2,
    inside=("hnic_arb", "hnic_fifo"),
    mutants=(
        Mutant(
            "strobes_are_the_records_bytes",
            "assign w_strb = {{NB - RX_W / 8{1'b0}}, part_strb} << lane;",
            "assign w_strb = {{NB - RX_W / 8{1'b0}}, part_strb} << lane[4:0];",
        ),
    ),
)

DMA_WRITE = Proof(
    module="hnic_dma_write",
    parameters={"DATA_W": 64, "ADDR_W": 32, "BURST_BYTES": 64, "OUTSTANDING": 2},
    depth=9,
    induction=False,
    mutant_depth=12,
    mutants=(
        Mutant(
            "aw_within_4_kib aw_no_longer_than_allowed",
            "wire             final_burst = left_q <= room;",
            "wire             final_burst = left_q <= BURST;",
            "hnic_axi_split",
        ),
        Mutant(
            "aw_bytes_need_these_beats",
            "assign aw_len   = aw_beats_q[7:0] - 8'd1;",
            "assign aw_len   = aw_beats_q[7:0];",
        ),
        Mutant(
            "aw_is_of_the_burst",
            "aw_addr_q  <= cut_addr;",
            "aw_addr_q  <= place_addr[ADDR_W-1:0];",
        ),
        Mutant(
            "addresses_of_bursts_begun",
            "expect_ready && (empty || !aw_valid_q || aw_ready);",
            "expect_ready;",
        ),
        Mutant(
            "no_beat_beyond_the_bursts",
            "wire               burst_end = left <= here;",
            "wire               burst_end = left < here;",
            "hnic_scatter",
        ),
        Mutant(
            "beats_of_the_burst_write_its_bytes",
            "mix_strb_q  <= strb;",
            "mix_strb_q  <= {NB{1'b1}};",
            "hnic_scatter",
        ),
        Mutant(
            "beats_of_the_burst_write_its_bytes",
            "inside_q    <= !burst_end;",
            "inside_q    <= 1'b1;",
            "hnic_scatter",
        ),
        Mutant(
            "no_more_than_outstanding room_for_each_answer",
            "bursts_ready && expect_ready &&",
            "bursts_ready &&",
        ),
        Mutant(
            "one_done_a_frame",
            "assign done_valid = known && await_last;",
            "assign done_valid = (await_empty || answer_valid) && await_last;",
        ),
        Mutant(
            "done_when_all_was_answered",
            "wire known = await_valid && (await_empty || answer_valid);",
            "wire known = await_valid;",
        ),
        Mutant(
            "done_tells_of_an_error",
            "error_q || (!await_empty && answer_error)",
            "!await_empty && answer_error",
        ),
        Mutant(
            "stays_valid",
            "if (aw_ready) aw_valid_q <= 1'b0;",
            "if (w_ready) aw_valid_q <= 1'b0;",
        ),
        Mutant(
            "stays_the_same",
            "assign aw_addr  = aw_addr_q;",
            "assign aw_addr  = aw_ready ? aw_addr_q : {ADDR_W{1'b0}};",
        ),
    ),
)

PREFETCH = Proof(
    module="hnic_desc_prefetch",
    parameters={
        "DATA_W": 128,
        "ADDR_W": 32,
        "QUEUES": 2,
        "DESC_BYTES": 32,
        "DEPTH": 16,
        "BURST": 4,
        "EOP_LSB": 255,
    },
    depth=9,
    induction=False,
    mutant_depth=12,
    mutants=(
        Mutant(
            "one_queue_at_a_time",
            "may ? grant[QUEUES-1:0] : {QUEUES{1'b0}};",
            "may ? fetch_valid : {QUEUES{1'b0}};",
        ),
        Mutant(
            "no_read_begins_while_quiesced",
            "wire             may = !ar_valid && !quiesce && bursts_ready;",
            "wire             may = !ar_valid && bursts_ready;",
        ),
        Mutant(
            "an_address_a_request",
            "wire             may = !ar_valid && !quiesce && bursts_ready;",
            "wire             may = !quiesce && bursts_ready;",
        ),
        Mutant(
            "within_4_kib bytes_need_these_beats",
            "ar_len_q   <= beats[7:0] - 8'd1;",
            "ar_len_q   <= beats[7:0];",
        ),
        Mutant(
            "no_longer_than_a_burst",
            "ar_bytes_q <= bytes;",
            "ar_bytes_q <= bytes + 13'd32;",
        ),
        Mutant(
            "address_is_the_requests",
            "ar_addr_q  <= pick_addr[ADDR_W-1:0];",
            "ar_addr_q  <= fetch_addr[ADDR_W-1:0];",
        ),
        Mutant(
            "descriptors_go_to_who_asked",
            ".wr_data({pick_queue, pick_count, pick_index}),",
            ".wr_data({1'b0, pick_count, pick_index}),",
        ),
        Mutant(
            "as_soon_as_they_are_there a_burst_ends_with_its_last_beat",
            "left_q   <= left - came;",
            "left_q   <= burst_count - came;",
        ),
        Mutant(
            "nothing_without_data",
            "wire        store = r_valid && complete;",
            "wire        store = burst_valid && complete;",
        ),
        Mutant(
            "an_error_ends_a_packet",
            "&& (word[g*(DESC_W+1) + EOP_BIT] || error);",
            "&& word[g*(DESC_W+1) + EOP_BIT];",
        ),
        Mutant(
            "the_store_gives_what_came",
            "rd_addr({rd_queue, rd_index",
            "rd_addr({1'b0, rd_index",
        ),
        Mutant(
            "the_store_gives_what_came",
            "index_q  <= index + {8'd0, came};",
            "index_q  <= index + 16'd1 + {8'd0, came};",
        ),
        Mutant(
            "the_store_gives_what_came",
            "error_q <= !rst && !complete && error;",
            "error_q <= !rst && !complete && r_error && error_q;",
        ),
        Mutant(
            "stays_valid",
            "end else if (ar_ready) begin",
            "end else begin",
        ),
        Mutant(
            "stays_the_same",
            "assign ar_addr  = ar_addr_q;",
            "assign ar_addr  = ar_ready ? ar_addr_q : {ADDR_W{1'b0}};",
        ),
    ),
)

PREFETCH_BANKS = Proof(
    module="hnic_desc_prefetch",
    parameters={
        "DATA_W": 512,
        "ADDR_W": 32,
        "QUEUES": 2,
        "DESC_BYTES": 16,
        "DEPTH": 16,
        "BURST": 8,
        "EOP_LSB": 127,
    },
    depth=6,
    induction=False,
    mutant_depth=12,
    mutants=(
        Mutant(
            "no_more_ends_than_descriptors",
            "assign mine = first_on & ~(first_on << came);",
            "assign mine = first_on;",
        ),
        Mutant(
            "as_soon_as_they_are_there",
            "wire [7:0]  came = fit < left ? fit : left;",
            "wire [7:0]  came = fit;",
        ),
        Mutant(
            "the_store_gives_what_came",
            "if (rd_en) bank_q <= rd_index",
            "bank_q <= rd_index",
        ),
    ),
)

XGMII_GAP = Proof(
    module="hnic_xgmii_gap",
    depth=2,
    mutants=(
        Mutant(
            "no_gap_more_than_three_bytes_off",
            "{ideal[9:2] + 8'd1, 2'b00}",
            "{ideal[9:2] + 8'd2, 2'b00}",
        ),
        Mutant(
            "never_more_than_three_bytes_short_in_all",
            "wire       shorten = !short_owed[2];",
            "wire       shorten = 1'b1;",
        ),
        Mutant(
            "a_frame_starts_on_lane_0_or_4",
            "{ideal[9:2], 2'b00}",
            "ideal",
        ),
        Mutant(
            "a_frame_may_start_when_the_gap_is_over what_is_left",
            "wait_q >= 10'd8 ? wait_q - 10'd8",
            "wait_q >= 10'd8 ? wait_q - 10'd4",
        ),
        Mutant(
            "what_is_owed",
            "if (wait_q == 10'd0) owed_q <= 2'd0;",
            "",
        ),
    ),
)

TX_BUCKET = Proof(
    module="hnic_tx_bucket",
    depth=2,
    mutants=(
        Mutant(
            "without_a_limit_always",
            "assign allowed     = !limited || (",
            "assign allowed     = (!limited && !start) || (",
        ),
        Mutant(
            "no_packet_on_debt",
            "(!level_q[LEVEL_W-1] && !owed_q)",
            "!owed_q",
        ),
        Mutant(
            "no_packet_while_another_is_not_charged",
            "(!level_q[LEVEL_W-1] && !owed_q)",
            "!level_q[LEVEL_W-1]",
        ),
        Mutant(
            "a_packet_when_nothing_is_owed owed",
            "(start || (owed_q && !charge)) && status_active;",
            "start || (owed_q && !charge);",
        ),
        Mutant(
            "never_more_than_the_bucket_holds level_before",
            "|| $signed(level_d) > $signed(most) ? most : level_d;",
            "? most : level_d;",
        ),
        Mutant(
            "never_more_than_the_rate",
            "+ {{LEVEL_W - 24{1'b0}}, cfg_rate} - (charge",
            "+ {{LEVEL_W - 24{1'b0}}, cfg_rate} + start - (charge",
        ),
        Mutant(
            "full_means_full",
            "level_q == most;",
            "level_q[LEVEL_W-1 -: 8] == most[LEVEL_W-1 -: 8];",
        ),
    ),
)

PROOFS = (
    FIFO,
    SKID,
    ARB,
    SPLIT,
    AXIL,
    AXI_READ,
    AXI_WRITE,
    CPL_WRITER,
    CPL_WRITER_HALF,
    CPL_WRITER_LANES,
    DMA_WRITE,
    PREFETCH,
    PREFETCH_BANKS,
    QUEUE,
    QUEUE_RX,
    TX_DONE,
    TX_BUCKET,
    XGMII_GAP,
)
