    // Records lie at multiples of their size; the writes are answered once their address and all their beats were taken.
    localparam F_TX_BYTES = TX_W / 8;
    localparam F_RX_BYTES = RX_W / 8;
    localparam F_N_W = $clog2(OUTSTANDING) + 1;
    wire              f_tx = tx_valid && tx_ready;
    wire              f_rx = rx_valid && rx_ready;
    reg               f_aw_due_q, f_w_due_q, f_is_rx_q;  // of the record taken last
    reg [63:0]        f_addr_q;
    reg [RX_W-1:0]    f_record_q;
    reg [2:0]         f_beat_q;
    reg [F_N_W-1:0]   f_in_q, f_out_q;                   // records taken, records answered
    wire [F_N_W-1:0]  f_open = f_in_q - f_out_q;
    wire [F_N_W-1:0]  f_written = f_open - (f_aw_due_q || f_w_due_q);
    wire [7:0]        f_bytes = f_is_rx_q ? F_RX_BYTES : F_TX_BYTES;
    wire [7:0]        f_part = f_bytes > NB ? NB : f_bytes;  // bytes of the record in a beat
    wire [7:0]        f_beats = f_bytes / f_part;
    wire [NB-1:0]     f_lanes = ((1 << f_part) - 1) << f_addr_q[OFF_W-1:0];
    wire              f_w_last = f_beat_q + 1 == f_beats;

    // Any one record is followed to its answer, any one byte of each record to its lane.
    (* anyconst *) reg [F_N_W-1:0] f_place;
    (* anyconst *) reg [4:0]       f_byte;
    reg               f_inside_q, f_mine_rx_q;
    wire [OFF_W-1:0]  f_lane = f_addr_q[OFF_W-1:0] + f_byte;
    wire              f_byte_now = f_byte < f_bytes && f_byte / f_part == f_beat_q;

    always @(posedge clk) begin
        if (aw_valid && aw_ready) f_aw_due_q <= 1'b0;
        if (w_valid && w_ready) begin
            f_beat_q <= f_beat_q + 3'd1;
            if (f_w_last) f_w_due_q <= 1'b0;
        end
        if (f_tx || f_rx) begin
            f_aw_due_q <= 1'b1;
            f_w_due_q  <= 1'b1;
            f_is_rx_q  <= f_rx;
            f_addr_q   <= f_rx ? rx_addr : tx_addr;
            f_record_q <= f_rx ? rx_record : tx_record;
            f_beat_q   <= 3'd0;
            f_in_q     <= f_in_q + 1'b1;
            if (f_in_q == f_place) begin
                f_inside_q  <= 1'b1;
                f_mine_rx_q <= f_rx;
            end
        end
        if (b_valid) begin
            f_out_q <= f_out_q + 1'b1;
            if (f_out_q == f_place) f_inside_q <= 1'b0;
        end
        if (rst) begin
            f_aw_due_q <= 1'b0;
            f_w_due_q  <= 1'b0;
            f_in_q     <= {F_N_W{1'b0}};
            f_out_q    <= {F_N_W{1'b0}};
            f_inside_q <= 1'b0;
        end
    end

    always @* begin
        if (tx_valid) assume (tx_addr[3:0] == 0);
        if (rx_valid) assume (rx_addr[4:0] == 0);
        if (b_valid) assume (f_written != 0);
    end

    // Whose answers they are, looked into.
    (* hierconn *) wire [F_N_W-1:0] \u_whose.f_place ;
    (* hierconn *) wire [F_N_W-1:0] \u_whose.f_in_q ;
    (* hierconn *) wire [F_N_W-1:0] \u_whose.f_out_q ;
    (* hierconn *) wire             \u_whose.f_inside_q ;
    (* hierconn *) wire             \u_whose.f_word_q ;
    wire [F_N_W-1:0] f_whose_place = \u_whose.f_place ;
    wire [F_N_W-1:0] f_whose_in = \u_whose.f_in_q ;
    wire [F_N_W-1:0] f_whose_out = \u_whose.f_out_q ;
    wire             f_whose_inside = \u_whose.f_inside_q ;
    wire             f_whose_word = \u_whose.f_word_q ;
    always @* assume (f_whose_place == f_place);

    always @* if (f_on) begin
        one_source_at_a_time: assert (!(f_tx && f_rx));
        an_address_a_record: assert (aw_valid == f_aw_due_q);
        if (aw_valid) begin
            address_is_the_records: assert (aw_addr == f_addr_q[ADDR_W-1:0]);
            burst_is_as_long_as_the_record: assert ((aw_len + 16'd1) << aw_size == f_bytes && (1 << aw_size) <= NB);
            within_4_kib: assert ({4'd0, aw_addr[11:0]} + ((aw_len + 16'd1) << aw_size) <= 16'd4096);
        end
        beats_of_the_record: assert (w_valid == f_w_due_q);
        if (w_valid) begin
            as_many_beats_as_announced: assert (aw_len + 8'd1 == f_beats && f_beat_q < f_beats);
            strobes_are_the_records_bytes: assert (w_strb == f_lanes);
            each_byte_in_its_lane: assert (!f_byte_now || w_data[8*f_lane +: 8] == f_record_q[8*f_byte +: 8]);
        end
        no_more_than_outstanding: assert (f_open <= OUTSTANDING);
        one_source_is_told: assert (tx_done + rx_done == b_valid);
        answers_go_to_who_asked: assert (!(b_valid && f_inside_q && f_out_q == f_place) || rx_done == f_mine_rx_q);
        an_answer_tells_of_the_error: assert (!b_valid || (tx_error == b_error && rx_error == b_error));
        // What makes the rest inductive.
        whose: assert (f_whose_in == f_in_q && f_whose_out == f_out_q && f_whose_inside == f_inside_q
                       && (!f_inside_q || f_whose_word == f_mine_rx_q) && (!(f_aw_due_q || f_w_due_q) || f_open != 0));
        held: assert (!(f_aw_due_q || f_w_due_q) || (is_rx_q == f_is_rx_q && addr_q == f_addr_q[ADDR_W-1:0]
                      && f_addr_q[3:0] == 0 && (!f_is_rx_q || f_addr_q[4] == 0)));
        beats_held: assert (!f_w_due_q || (record_q == f_record_q >> (f_beat_q * RX_PART) && left_q + f_beat_q + 1 == f_beats
                            && (f_is_rx_q || f_record_q >> TX_W == 0)));
    end

    rules_stream #(.WIDTH(ADDR_W + 11)) f_aw (
        .clk(clk), .rst(rst), .valid(aw_valid), .ready(aw_ready), .data({aw_addr, aw_len, aw_size})
    );
    rules_stream #(.WIDTH(DATA_W + NB)) f_w (
        .clk(clk), .rst(rst), .valid(w_valid), .ready(w_ready), .data({w_data, w_strb})
    );
