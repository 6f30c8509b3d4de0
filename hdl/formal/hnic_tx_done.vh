    // Around: one `sent` for each packet that entered with status OK, one answer for each record that was taken.
    // Any one packet is followed by its number from its entry to its record.
    (* anyconst *) reg [3:0] f_place;
    reg [3:0]  f_in_q, f_out_q;           // packets entered, packets ended
    reg [3:0]  f_ok_q, f_sent_q;          // of these with status OK, of these sent
    reg [3:0]  f_issued_q, f_taken_q, f_answered_q;  // records
    reg        f_inside_q, f_silent_q, f_gone_q;
    reg [3:0]  f_ok_number_q;
    reg [63:0] f_time_q;
    reg [QUEUE_W-1:0]  f_queue_q;
    reg [COOKIE_W-1:0] f_cookie_q;
    reg [15:0]         f_next_q, f_index_q;
    reg [STATUS_W-1:0] f_status_q;
    wire       f_enter = enter_valid && enter_ready;
    wire       f_end = |finish;
    wire       f_issue = |place_issue;
    wire       f_mine = f_inside_q && f_out_q == f_place;
    wire       f_ok = f_status_q == `HNIC_STATUS_OK;

    // The record that must come for it, and the queue of a record by its number.
    reg        f_due_q = 1'b0;
    reg [RECORD_W-1:0] f_due_record_q;
    reg [63:0] f_due_addr_q;
    reg [QUEUE_W-1:0] f_queue_of [0:15];
    wire [RECORD_W-1:0] f_record = ({{RECORD_W - COOKIE_W{1'b0}}, f_cookie_q} << `HNIC_TXC_COOKIE_LSB)
        | ({{RECORD_W - 16{1'b0}}, f_next_q} << `HNIC_TXC_HEAD_LSB)
        | ({{RECORD_W - STATUS_W{1'b0}}, f_status_q} << `HNIC_TXC_STATUS_LSB)
        | ({{RECORD_W - 1{1'b0}}, place_phase[f_queue_q]} << `HNIC_TXC_PHASE_LSB)
        | ({{RECORD_W - 64{1'b0}}, f_ok ? f_time_q : {48'd0, f_index_q}} << `HNIC_TXC_TIMESTAMP_LSB);

    always @(posedge clk) begin
        if (f_enter) begin
            f_in_q <= f_in_q + 4'd1;
            if (enter_status == `HNIC_STATUS_OK) f_ok_q <= f_ok_q + 4'd1;
            if (f_in_q == f_place && !f_inside_q) begin
                f_inside_q    <= 1'b1;
                f_silent_q    <= flush[enter_queue];
                f_gone_q      <= 1'b0;
                f_queue_q     <= enter_queue;
                f_cookie_q    <= enter_cookie;
                f_next_q      <= enter_next;
                f_status_q    <= enter_status;
                f_index_q     <= enter_index;
                f_ok_number_q <= f_ok_q;
            end
        end
        if (sent) begin
            f_sent_q <= f_sent_q + 4'd1;
            if (f_inside_q && f_ok && f_sent_q == f_ok_number_q && !f_gone_q) begin
                f_gone_q <= 1'b1;
                f_time_q <= sent_time;
            end
        end
        if (f_end) begin
            f_out_q <= f_out_q + 4'd1;
            if (f_mine) f_inside_q <= 1'b0;
        end
        if (f_issue) begin
            f_issued_q             <= f_issued_q + 4'd1;
            f_queue_of[f_issued_q] <= place_issue[1];
        end
        if (cpl_valid && cpl_ready) f_taken_q <= f_taken_q + 4'd1;
        if (cpl_done) f_answered_q <= f_answered_q + 4'd1;
        f_due_q        <= f_issue && f_mine && !rst;
        f_due_record_q <= f_record;
        f_due_addr_q   <= place_addr[f_queue_q*64 +: 64];
        if (rst) begin
            f_in_q       <= 4'd0;
            f_out_q      <= 4'd0;
            f_ok_q       <= 4'd0;
            f_sent_q     <= 4'd0;
            f_issued_q   <= 4'd0;
            f_taken_q    <= 4'd0;
            f_answered_q <= 4'd0;
            f_inside_q   <= 1'b0;
        end
    end

    always @* begin
        if (sent) assume (f_sent_q != f_ok_q);
        if (cpl_done) assume (f_answered_q != f_taken_q);
    end

    wire f_no_writes = error_status[f_queue_q*8 +: 8] == `HNIC_STATUS_CPL_ERR;
    always @* if (f_on) begin
        one_end_at_a_time: assert ((finish & (finish - 1'b1)) == 0);
        only_what_entered_ends: assert (!f_end || f_in_q != f_out_q);
        packets_end_in_order: assert (!(f_end && f_mine) || finish[f_queue_q]);
        a_packet_ends_after_it_was_sent: assert (!(f_end && f_mine && f_ok) || f_gone_q);
        one_completion_a_packet: assert ((place_issue & ~finish) == 0);
        a_completion_unless_flushed: assert (!(f_end && f_mine) || f_issue == !(f_silent_q || f_no_writes));
        the_record_is_the_packets: assert (!f_due_q || (cpl_valid && cpl_record == f_due_record_q && cpl_addr == f_due_addr_q));
        head_moves_behind_the_packet: assert (!(f_issue && f_mine) || place_issue_head == f_next_q);
        each_record_is_written_once: assert ((f_issued_q - f_taken_q) == {3'd0, cpl_valid});
        answers_go_to_their_queue: assert (!cpl_done || place_done == (1 << f_queue_of[f_answered_q]));
        a_fault_halts_its_queue_at_once: assert (halt == ((f_enter && enter_status != `HNIC_STATUS_OK && !flush[enter_queue])
                                                         << enter_queue));
        a_drop_is_counted: assert (!(f_end && f_mine) || stat_tx_drops == (f_issue && !f_ok));
    end

    rules_stream #(.WIDTH(RECORD_W + 64)) f_cpl (
        .clk(clk), .rst(rst), .valid(cpl_valid), .ready(cpl_ready), .data({cpl_addr, cpl_record})
    );
