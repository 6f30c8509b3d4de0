    // What the queues ask for: a few whole descriptors within 4 KiB, in rings at multiples of 64 bytes, held until they are taken.
    // Each burst's beats come in the order of the addresses, after its own was taken.
    localparam F_N_W = 6;                               // of the numbers of bursts
    localparam F_DESC_BEATS = PARTS;                    // beats of a descriptor, where it has more than one
    wire               f_ask = |fetch_ready;
    wire               f_ar = ar_valid && ar_ready;
    reg  [F_N_W-1:0]   f_in_q, f_taken_q, f_out_q;      // bursts asked for, addresses taken, bursts that have come
    reg  [7:0]         f_beat_q;                        // of the burst that comes
    reg  [QUEUES-1:0]  f_wait_q = {QUEUES{1'b0}};
    reg  [88*QUEUES-1:0] f_asks_q;
    wire [88*QUEUES-1:0] f_asks;

    // Any one burst is followed by its number.
    (* anyconst *) reg [F_N_W-1:0] f_place;
    reg                f_inside_q;
    reg  [QUEUE_W-1:0] f_queue_q;
    reg  [63:0]        f_addr_q;
    reg  [7:0]         f_count_q, f_came_q;             // its descriptors, those that have come
    reg  [15:0]        f_index_q;
    wire [15:0]        f_bytes = f_count_q * DESC_BYTES;
    wire [15:0]        f_span = f_bytes + f_addr_q[OFF_W-1:0];
    wire [15:0]        f_beats = (f_span + NB - 1) / NB;
    wire               f_mine = f_inside_q && f_out_q == f_place;
    // Bytes of the burst that are there with this beat.
    wire [15:0]        f_there = (f_beat_q + 16'd1) * NB - f_addr_q[OFF_W-1:0];
    wire [15:0]        f_there_descs = f_there >= f_bytes ? f_count_q : f_there / DESC_BYTES;

    genvar f_g;
    generate
        for (f_g = 0; f_g < QUEUES; f_g = f_g + 1) begin : f_queue
            wire [63:0] addr = fetch_addr[64*f_g +: 64];
            wire [7:0]  count = fetch_count[8*f_g +: 8];
            wire [15:0] index = fetch_index[16*f_g +: 16];
            assign f_asks[88*f_g +: 88] = {addr, count, index};
            always @* begin
                if (fetch_valid[f_g])
                    assume (count != 0 && count <= BURST && addr[DESC_SHIFT-1:0] == 0 && addr[63:ADDR_W] == 0
                            && {4'd0, addr[11:0]} + (count << DESC_SHIFT) <= 16'd4096
                            && (((addr[15:0] >> DESC_SHIFT) ^ index) & (PER - 1)) == 0);
                if (f_wait_q[f_g]) assume (fetch_valid[f_g] && f_asks[88*f_g +: 88] == f_asks_q[88*f_g +: 88]);
            end
        end
    endgenerate

    integer f_i;
    always @(posedge clk) begin
        f_wait_q <= rst ? {QUEUES{1'b0}} : fetch_valid & ~fetch_ready;
        f_asks_q <= f_asks;
        if (f_ar) f_taken_q <= f_taken_q + 1'b1;
        if (f_ask) begin
            f_in_q <= f_in_q + 1'b1;
            if (f_in_q == f_place) begin
                f_inside_q <= 1'b1;
                f_came_q   <= 8'd0;
                for (f_i = 0; f_i < QUEUES; f_i = f_i + 1) begin
                    if (fetch_ready[f_i]) begin
                        f_queue_q <= f_i;
                        f_addr_q  <= fetch_addr[64*f_i +: 64];
                        f_count_q <= fetch_count[8*f_i +: 8];
                        f_index_q <= fetch_index[16*f_i +: 16];
                    end
                end
            end
        end
        if (r_valid) begin
            f_beat_q <= burst_done ? 8'd0 : f_beat_q + 8'd1;
            if (burst_done) f_out_q <= f_out_q + 1'b1;
            if (f_mine && |fetched) f_came_q <= f_came_q + fetched_count;
            if (f_mine && burst_done) f_inside_q <= 1'b0;
        end
        if (rst) begin
            f_in_q     <= {F_N_W{1'b0}};
            f_taken_q  <= {F_N_W{1'b0}};
            f_out_q    <= {F_N_W{1'b0}};
            f_beat_q   <= 8'd0;
            f_inside_q <= 1'b0;
        end
    end
    always @* if (r_valid) assume (f_out_q != f_taken_q);

    // Any one place of the store: what came for it last, and what is read from it.
    (* anyconst *) reg [QUEUE_W-1:0] f_store_queue;
    (* anyconst *) reg [SLOT_W-1:0]  f_store_slot;
    reg                f_stored_q, f_read_q;
    reg  [DESC_W:0]    f_stored_word_q, f_read_word_q;
    wire [15:0]        f_first = f_index_q + f_came_q;   // the first descriptor of this beat
    wire [SLOT_W-1:0]  f_away = f_store_slot - f_first[SLOT_W-1:0];
    wire               f_store = f_mine && |fetched && f_queue_q == f_store_queue && f_away < fetched_count;
    // Its bytes in the last beat of it, and of the beats before, the last DESC_BYTES that came.
    wire [OFF_W:0]     f_lane = (f_addr_q[OFF_W-1:0] + (f_came_q + f_away) * DESC_BYTES) % NB;
    reg  [DESC_W-1:0]  f_tail_q;
    reg  [3:0]         f_errors_q;
    wire [DESC_W+DATA_W-1:0] f_all = {r_data, f_tail_q};
    wire [DESC_W-1:0]  f_desc = NB < DESC_BYTES ? f_all[DESC_W+DATA_W-1 -: DESC_W] : r_data >> (8 * f_lane);
    wire               f_error = r_error || (NB < DESC_BYTES && |(f_errors_q & ((1 << (PARTS - 1)) - 1)));
    wire               f_read = rd_en && rd_queue == f_store_queue && rd_index[SLOT_W-1:0] == f_store_slot;
    always @(posedge clk) begin
        if (r_valid) begin
            f_tail_q   <= f_all[DESC_W+DATA_W-1 -: DESC_W];
            f_errors_q <= {f_errors_q[2:0], r_error};
        end
        if (f_store) begin
            f_stored_q      <= 1'b1;
            f_stored_word_q <= {f_error, f_desc};
        end else if (|fetched && !f_mine) begin
            f_stored_q <= 1'b0;  // perhaps written by a burst that is not followed
        end
        if (rd_en) begin
            f_read_q      <= f_read && f_stored_q;
            f_read_word_q <= f_stored_word_q;
        end
        if (rst) begin
            f_stored_q <= 1'b0;
            f_read_q   <= 1'b0;
            f_errors_q <= 4'd0;
        end
    end

    always @* if (f_on) begin
        one_queue_at_a_time: assert ((fetch_ready & (fetch_ready - 1'b1)) == 0 && (fetch_ready & ~fetch_valid) == 0);
        no_read_begins_while_quiesced: assert (!quiesce || fetch_ready == 0);
        an_address_a_request: assert ((f_in_q - f_taken_q) % 64 == {5'd0, ar_valid});
        if (ar_valid) begin
            within_4_kib: assert ({4'd0, ar_addr[11:0] & ~(NB - 12'd1)} + (ar_len + 16'd1) * NB <= 16'd4096);
            no_longer_than_a_burst: assert (ar_bytes != 0 && ar_bytes <= BURST * DESC_BYTES);
            bytes_need_these_beats: assert ((ar_addr[OFF_W-1:0] + ar_bytes + NB - 1) >> OFF_W == ar_len + 16'd1);
        end
        if (ar_valid && f_inside_q && f_taken_q == f_place) begin
            address_is_the_requests: assert (ar_addr == f_addr_q[ADDR_W-1:0] && ar_bytes == f_bytes);
        end
        if (f_mine && r_valid) begin
            descriptors_go_to_who_asked: assert ((fetched & ~(1 << f_queue_q)) == 0);
            as_soon_as_they_are_there: assert (f_came_q + (|fetched ? fetched_count : 8'd0) == f_there_descs);
            a_burst_ends_with_its_last_beat: assert (burst_done == (f_beat_q + 1 == f_beats));
        end
        nothing_without_data: assert (r_valid || fetched == 0);
        no_more_ends_than_descriptors: assert (fetched == 0 || (fetched_eops <= fetched_count && (EOP_LSB >= 0 || fetched_eops == 0)));
        an_error_ends_a_packet: assert (fetched == 0 || EOP_LSB < 0 || !r_error || fetched_eops == fetched_count);
        the_store_gives_what_came: assert (!f_read_q || {rd_error, rd_data} == f_read_word_q);
    end

    rules_stream #(.WIDTH(ADDR_W + 21)) f_ar_port (
        .clk(clk), .rst(rst), .valid(ar_valid), .ready(ar_ready), .data({ar_addr, ar_len, ar_bytes})
    );
