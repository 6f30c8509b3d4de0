    // What is around a queue: registers with legal values, a store that brings what was asked for, a scheduler that takes what is held.
    reg [15:0] f_asked_q;    // descriptors asked for and not come
    reg [15:0] f_held_q;     // come and not taken
    reg [15:0] f_packets_q, f_writes_q;
    reg [15:0] f_head_q, f_take_q;
    reg [15:0] f_issued_q;   // completions, since the start
    reg [15:0] f_good_q;     // of these, answered without an error before or at them
    reg        f_lost_q;
    function [15:0] u16;  // indices are counts of 16 bits
        input [15:0] value;
        u16 = value;
    endfunction

    wire       f_off = !active_q || stop || reset_done;
    wire       f_fetch = fetch_valid && fetch_ready;

    always @(posedge clk) begin
        f_asked_q   <= f_asked_q + (f_fetch ? fetch_count : 0) - (fetched ? fetched_count : 0);
        f_held_q    <= f_held_q + (fetched ? fetched_count : 0) - take;
        f_packets_q <= f_packets_q + start - finish;
        f_writes_q  <= f_writes_q + cpl_issue - cpl_done;
        f_take_q    <= f_take_q + take;
        f_issued_q  <= f_issued_q + cpl_issue;
        if (cpl_issue) f_head_q <= cpl_issue_head;
        if (cpl_done && cpl_error) f_lost_q <= 1'b1;
        if (cpl_done && !cpl_error && !f_lost_q) f_good_q <= f_good_q + 16'd1;
        if (rst || f_off) begin
            f_held_q   <= 16'd0;
            f_take_q   <= 16'd0;
            f_head_q   <= 16'd0;
            f_issued_q <= 16'd0;
            f_good_q   <= 16'd0;
        end
        if (rst || reset_done) f_lost_q <= 1'b0;
        if (rst) begin
            f_asked_q   <= 16'd0;
            f_packets_q <= 16'd0;
            f_writes_q  <= 16'd0;
        end
    end

    always @* begin
        assume (cfg_size >= 6 && cfg_size <= 12 && cfg_cpl_size >= 6 && cfg_cpl_size <= 12);
        assume (cfg_base[5:0] == 0 && cfg_cpl_base[5:0] == 0);
        if (fetched) assume (fetched_count != 0 && fetched_count <= f_asked_q);
        if (take) assume (f_held_q != 0);
        if (start) assume (held_valid && f_packets_q < 16'd4096);
        if (finish) assume (f_packets_q != 0);
        // A packet's completion is issued while it is under way, and frees what it took.
        if (cpl_issue) assume (f_packets_q != 0 && f_writes_q < 16'd4096 && cpl_issue_head - f_head_q <= f_take_q - f_head_q);
        if (cpl_done) assume (f_writes_q != 0);
    end

    wire f_none = !request_q && packets_q == 0 && writes_q == 0 && tail_q == 0 && fetch_q == 0 && held_q == 0 && head_q == 0
                  && take_q == 0 && cpl_q == 0 && cpl_head_q == 0;

    // The rings as they were when the queue started, and the last doorbell that counted.
    reg [63:0] f_base_q, f_cpl_base_q;
    reg [3:0]  f_size_q, f_cpl_size_q;
    reg        f_rang_q = 1'b0;
    reg        f_rang_well_q, f_was_reset_q = 1'b0;
    reg [15:0] f_rang_tail_q, f_last_tail_q;
    wire [15:0] f_size = 16'd1 << f_size_q;
    wire [15:0] f_cpl_size = 16'd1 << f_cpl_size_q;
    wire [15:0] f_cpl_slot = f_issued_q & (f_cpl_size - 16'd1);
    wire [15:0] f_slot = fetch_index & (f_size - 16'd1);
    always @(posedge clk) begin
        if (!status_active) begin
            f_base_q     <= cfg_base;
            f_cpl_base_q <= cfg_cpl_base;
            f_size_q     <= cfg_size;
            f_cpl_size_q <= cfg_cpl_size;
        end
        f_rang_q      <= doorbell && !rst && !f_off;
        f_rang_well_q <= !stat_doorbell_errs;
        f_rang_tail_q <= doorbell_tail;
        f_last_tail_q <= status_tail;
        f_was_reset_q <= reset_done || rst;
    end

    always @* if (f_on) begin
        if (fetch_valid) begin
            fetch_from_its_slot: assert (fetch_addr == f_base_q + ({48'd0, f_slot} << DESC_SHIFT));
            fetch_not_over_the_end_of_the_ring: assert (f_slot + fetch_count <= f_size);
            fetch_within_4_kib: assert ({4'd0, fetch_addr[11:0]} + ({8'd0, fetch_count} << DESC_SHIFT) <= 16'd4096);
            fetch_what_was_given: assert (fetch_count != 0 && fetch_count <= BURST
                                          && fetch_count <= u16(status_tail - fetch_index));
            fetch_what_there_is_room_for: assert (u16(fetch_index + fetch_count - take_index) <= DEPTH);
        end
        head_take_held_fetch_tail: assert (u16(take_index - status_head) <= u16(held_q - status_head)
                                           && u16(held_q - status_head) <= u16(fetch_index - status_head)
                                           && u16(fetch_index - status_head) <= u16(status_tail - status_head));
        never_more_on_the_card_than_depth: assert (u16(fetch_index - take_index) <= DEPTH);
        never_more_than_the_ring: assert (u16(status_tail - status_head) <= f_size);
        held_is_what_came: assert (!held_valid || f_held_q != 0);
        completion_in_its_slot: assert (!status_active || cpl_addr == f_cpl_base_q + ({48'd0, f_cpl_slot} << CPL_SHIFT));
        phase_toggles_with_each_pass: assert (!status_active || cpl_phase == !((f_issued_q >> f_cpl_size_q) & 1));
        completions_in_memory_are_those_answered_well: assert (status_cpl_head == f_good_q);
        a_good_doorbell_moves_the_tail: assert (!f_rang_q || status_tail == (f_rang_well_q ? f_rang_tail_q : f_last_tail_q));
        a_bad_doorbell_is_counted: assert (!stat_doorbell_errs || (doorbell && (
            !status_active || !cfg_enable || cfg_reset || f_cpl_size_q < f_size_q
            || u16(doorbell_tail - status_tail) > u16(f_size - (status_tail - status_head)))));
        a_reset_leaves_nothing: assert (!f_was_reset_q || (!status_active && !status_error && status_tail == 0 && status_head == 0
                                        && status_cpl_head == 0 && take_index == 0 && !fetch_valid));
        a_reset_is_done_when_nothing_is_under_way: assert (!reset_done || (f_asked_q == 0 && f_packets_q == 0 && f_writes_q == 0
                                                           && !fetch_valid));
        an_error_shows_when_nothing_is_under_way: assert (!status_error || (flush && f_packets_q == 0 && f_writes_q == 0));
        nothing_is_taken_after_a_fault: assert (!flush || !held_valid);
        nothing_is_taken_of_a_disabled_receive_queue: assert (RX == 0 || cfg_enable || !held_valid);
        // What makes the rest inductive.
        counts: assert (f_lost_q == cpl_lost_q && (!request_q || count_q <= BURST) && f_take_q == take_index && f_held_q == u16(held_q - take_q) && f_asked_q == u16(fetch_q - held_q)
                        && f_packets_q == packets_q && f_writes_q == writes_q && f_head_q == head_q && f_issued_q == cpl_q);
        rings: assert ((!active_q && f_none) || (f_base_q == base_q && f_cpl_base_q == cpl_base_q && f_size_q == size_q
                       && f_cpl_size_q == cpl_size_q && cpl_size_q >= 6 && cpl_size_q <= 12 && size_q >= 6 && size_q <= 12 && base_q[5:0] == 0));
        quiet_without_a_queue: assert (active_q || (!request_q && packets_q == 0 && writes_q == 0 && fetch_q == held_q));
        nothing_without_a_queue: assert (active_q || f_none);
    end

    rules_stream #(.WIDTH(88)) f_request (
        .clk(clk), .rst(rst), .valid(fetch_valid), .ready(fetch_ready), .data({fetch_addr, fetch_count, fetch_index})
    );
