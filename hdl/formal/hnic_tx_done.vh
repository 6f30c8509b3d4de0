    // Around: one `sent` for each packet that enters with status OK, for two of them before they enter; one answer for each record that was taken.
    // Any one packet is followed from its entry to its record, any one record to its answer.
    (* anyconst *) reg [3:0] f_place;
    (* anyconst *) reg [3:0] f_record_n;
    (* anyconst *) reg [3:0] f_ok_number; // of the packet among those with status OK, if it is one
    reg        f_written_q;               // the record's write is under way
    reg [QUEUE_W-1:0] f_written_queue_q;
    reg [3:0]  f_in_q, f_out_q;           // packets entered, packets ended
    reg [3:0]  f_ok_q, f_sent_q, f_ended_ok_q;  // of these with status OK, of these sent, ended
    reg [3:0]  f_issued_q, f_taken_q, f_answered_q;  // records
    reg        f_inside_q, f_silent_q, f_gone_q;
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

    // The record that must come for it.
    reg        f_due_q = 1'b0;
    reg [RECORD_W-1:0] f_due_record_q;
    reg [63:0] f_due_addr_q;
    wire [RECORD_W-1:0] f_record = ({{RECORD_W - COOKIE_W{1'b0}}, f_cookie_q} << `HNIC_TXC_COOKIE_LSB)
        | ({{RECORD_W - 16{1'b0}}, f_next_q} << `HNIC_TXC_HEAD_LSB)
        | ({{RECORD_W - STATUS_W{1'b0}}, f_status_q} << `HNIC_TXC_STATUS_LSB)
        | ({{RECORD_W - 1{1'b0}}, place_phase[f_queue_q]} << `HNIC_TXC_PHASE_LSB)
        | ({{RECORD_W - 64{1'b0}}, f_ok ? f_time_q : {48'd0, f_index_q}} << `HNIC_TXC_TIMESTAMP_LSB);

    function [3:0] u4;  // numbers are counts of 4 bits
        input [3:0] value;
        u4 = value;
    endfunction

    always @(posedge clk) begin
        if (f_enter) begin
            f_in_q <= f_in_q + 4'd1;
            if (enter_status == `HNIC_STATUS_OK) f_ok_q <= f_ok_q + 4'd1;
            if (f_in_q == f_place && (enter_status != `HNIC_STATUS_OK || f_ok_q == f_ok_number)) begin
                f_inside_q    <= 1'b1;
                f_silent_q    <= flush[enter_queue];
                f_queue_q     <= enter_queue;
                f_cookie_q    <= enter_cookie;
                f_next_q      <= enter_next;
                f_status_q    <= enter_status;
                f_index_q     <= enter_index;
            end
        end
        if (sent) begin
            f_sent_q <= f_sent_q + 4'd1;
            if (f_sent_q == f_ok_number) begin
                f_gone_q <= 1'b1;
                f_time_q <= sent_time;
            end
        end
        if (f_end) begin
            f_out_q <= f_out_q + 4'd1;
            if (f_mine) f_inside_q <= 1'b0;
            if (!dropped) f_ended_ok_q <= f_ended_ok_q + 4'd1;
            if (!dropped && f_ended_ok_q == f_ok_number) f_gone_q <= 1'b0;
        end
        if (f_issue) begin
            f_issued_q <= f_issued_q + 4'd1;
            if (f_issued_q == f_record_n) begin
                f_written_q       <= 1'b1;
                f_written_queue_q <= place_issue[1];
            end
        end
        if (cpl_valid && cpl_ready) f_taken_q <= f_taken_q + 4'd1;
        if (cpl_done) begin
            f_answered_q <= f_answered_q + 4'd1;
            if (f_answered_q == f_record_n) f_written_q <= 1'b0;
        end
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
            f_gone_q     <= 1'b0;
            f_ended_ok_q <= 4'd0;
            f_written_q  <= 1'b0;
        end
    end

    always @* begin
        if (sent) assume (f_sent_q != u4(f_ok_q + 4'd2));
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
        answers_go_to_their_queue: assert (!cpl_done || ((place_done & (place_done - 1'b1)) == 0 && place_done != 0
            && (!(f_written_q && f_answered_q == f_record_n) || place_done[f_written_queue_q])));
        a_fault_halts_its_queue_at_once: assert (halt == ((f_enter && enter_status != `HNIC_STATUS_OK && !flush[enter_queue])
                                                         << enter_queue));
        room_for_each_time: assert (!sent || times_ready);
        a_drop_is_counted: assert (!(f_end && f_mine) || stat_tx_drops == (f_issue && !f_ok));
    end

    rules_stream #(.WIDTH(RECORD_W + 64)) f_cpl (
        .clk(clk), .rst(rst), .valid(cpl_valid), .ready(cpl_ready), .data({cpl_addr, cpl_record})
    );

    // ---- what makes it inductive: the packet that is followed, its time and a record in their queues ----
    localparam F_PACKET_W = 1 + QUEUE_W + COOKIE_W + 16 + STATUS_W + 16;
    localparam F_PACKETS_W = $clog2(DEPTH) + 1;
    localparam F_ROUTES_W = $clog2(WRITES) + 1;
    (* hierconn *) wire [F_PACKETS_W-1:0] \u_packets.f_place ;
    (* hierconn *) wire [F_PACKETS_W-1:0] \u_packets.f_in_q ;
    (* hierconn *) wire [F_PACKETS_W-1:0] \u_packets.f_out_q ;
    (* hierconn *) wire [F_PACKET_W-1:0]  \u_packets.f_word_q ;
    (* hierconn *) wire [F_PACKETS_W:0]   \u_times.f_place ;
    (* hierconn *) wire [F_PACKETS_W:0]   \u_times.f_in_q ;
    (* hierconn *) wire [F_PACKETS_W:0]   \u_times.f_out_q ;
    (* hierconn *) wire [63:0]            \u_times.f_word_q ;
    (* hierconn *) wire [F_ROUTES_W-1:0]  \u_routes.f_place ;
    (* hierconn *) wire [F_ROUTES_W-1:0]  \u_routes.f_in_q ;
    (* hierconn *) wire [F_ROUTES_W-1:0]  \u_routes.f_out_q ;
    (* hierconn *) wire [QUEUE_W-1:0]     \u_routes.f_word_q ;
    (* hierconn *) wire [DEPTH*F_PACKET_W-1:0] \u_packets.f_mem ;
    wire [F_PACKETS_W-1:0] f_packets_place = \u_packets.f_place ;
    wire [F_PACKETS_W-1:0] f_packets_in = \u_packets.f_in_q ;
    wire [F_PACKETS_W-1:0] f_packets_out = \u_packets.f_out_q ;
    wire [F_PACKET_W-1:0]  f_packet = \u_packets.f_word_q ;
    wire [F_PACKETS_W:0]   f_times_place = \u_times.f_place ;
    wire [F_PACKETS_W:0]   f_times_in = \u_times.f_in_q ;
    wire [F_PACKETS_W:0]   f_times_out = \u_times.f_out_q ;
    wire [63:0]            f_time = \u_times.f_word_q ;
    wire [F_ROUTES_W-1:0]  f_routes_place = \u_routes.f_place ;
    wire [F_ROUTES_W-1:0]  f_routes_in = \u_routes.f_in_q ;
    wire [F_ROUTES_W-1:0]  f_routes_out = \u_routes.f_out_q ;
    wire [QUEUE_W-1:0]     f_route = \u_routes.f_word_q ;
    wire [DEPTH*F_PACKET_W-1:0] f_packets = \u_packets.f_mem ;

    // Of the packets that are there: those with status OK, and of these those ahead of the one that is followed.
    reg [3:0] f_goods, f_ahead;
    integer   f_k;
    reg [F_PACKETS_W-1:0] f_at;
    always @* begin
        f_goods = 4'd0;
        f_ahead = 4'd0;
        for (f_k = 0; f_k < DEPTH; f_k = f_k + 1) begin
            f_at = f_packets_out + f_k;
            if (f_k < u4(f_in_q - f_out_q) && f_packets[F_PACKET_W*f_at[F_PACKETS_W-2:0] + 16 +: STATUS_W] == `HNIC_STATUS_OK) begin
                f_goods = f_goods + 4'd1;
                if (f_k < u4(f_place - f_out_q)) f_ahead = f_ahead + 4'd1;
            end
        end
    end
    always @* assume (f_packets_place == f_place[F_PACKETS_W-1:0] && f_routes_place == f_record_n[F_ROUTES_W-1:0]
                      && f_times_place == f_ok_number);

    always @* if (f_on) begin
        packets: assert (f_packets_in == f_in_q[F_PACKETS_W-1:0] && f_packets_out == f_out_q[F_PACKETS_W-1:0]
                         && u4(f_in_q - f_out_q) <= DEPTH && f_goods == u4(f_ok_q - f_ended_ok_q));
        times: assert (f_times_in == f_sent_q && f_times_out == f_ended_ok_q
                       && u4(f_sent_q - f_ended_ok_q) <= f_goods + 2
                       && f_gone_q == (u4(f_ok_number - f_ended_ok_q) < u4(f_sent_q - f_ended_ok_q))
                       && (!f_gone_q || f_time == f_time_q));
        packet_is_inside: assert (!f_inside_q || (u4(f_place - f_out_q) < u4(f_in_q - f_out_q)
            && f_packet == {f_silent_q, f_queue_q, f_cookie_q, f_next_q, f_status_q, f_index_q}));
        its_number: assert (!(f_inside_q && f_ok) || f_ok_number == u4(f_ended_ok_q + f_ahead));
        records: assert (f_routes_in == f_issued_q[F_ROUTES_W-1:0] && f_routes_out == f_answered_q[F_ROUTES_W-1:0]
                         && u4(f_issued_q - f_answered_q) <= WRITES
                         && f_written_q == (u4(f_record_n - f_answered_q) < u4(f_issued_q - f_answered_q))
                         && (!f_written_q || f_route == f_written_queue_q)
                         && u4(f_taken_q - f_answered_q) <= u4(f_issued_q - f_answered_q));
    end
