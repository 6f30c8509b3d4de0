    // Places as they come; answers come in the order of the addresses, each after its address was taken.
    localparam F_MOST = BURST_BYTES / NB;           // beats of a burst
    wire        f_place_in = place_valid && place_ready;
    wire        f_burst = accept && !empty;         // a burst begins: its address follows, its beats come when it is its turn
    wire        f_aw = aw_valid && aw_ready;
    wire        f_w = w_valid && w_ready;
    wire        f_done = done_valid && done_ready;
    reg [4:0]   f_bursts_q, f_taken_q, f_answered_q;  // bursts begun, addresses taken, answers
    reg [7:0]   f_beats_in_q, f_beats_out_q;        // beats of all bursts begun, beats given
    reg [4:0]   f_ends_q, f_dones_q;                // frames whose last place was cut, frames done

    // Any one burst is followed by its number: its bytes, and which beats are its.
    (* anyconst *) reg [4:0] f_burst_n;
    reg         f_mine_q;
    reg [ADDR_W-1:0] f_addr_q;
    reg [12:0]  f_bytes_q;
    reg [7:0]   f_first_q;
    wire [15:0] f_span = f_addr_q[OFF_W-1:0] + f_bytes_q;
    wire [15:0] f_count = (f_span + NB - 1) / NB;
    wire [7:0]  f_beat = f_beats_out_q - f_first_q;   // of that burst
    wire        f_beat_mine = f_mine_q && f_beat < f_count;
    wire [NB-1:0] f_from = {NB{1'b1}} << (f_beat == 0 ? f_addr_q[OFF_W-1:0] : 0);
    wire [NB-1:0] f_until = f_span >= (f_beat + 1) * NB ? {NB{1'b1}} : ~({NB{1'b1}} << f_span[OFF_W-1:0]);

    // Any one frame: its bursts, their answers, its error.
    (* anyconst *) reg [4:0] f_frame_n;
    reg [4:0]   f_frame_first_q, f_frame_bursts_q;    // the first of its bursts, how many
    reg         f_frame_error_q;
    wire        f_in_frame = f_ends_q == f_frame_n;
    wire [4:0]  f_answer = f_answered_q - f_frame_first_q;
    wire        f_frame_begun = f_in_frame && f_frame_bursts_q != 0;
    wire        f_frame_ended = f_ends_q == f_frame_n + 5'd1 || f_ends_q == f_frame_n + 5'd2 || f_ends_q == f_frame_n + 5'd3
                                || f_ends_q == f_frame_n + 5'd4;

    always @(posedge clk) begin
        if (f_aw) f_taken_q <= f_taken_q + 5'd1;
        if (f_w) f_beats_out_q <= f_beats_out_q + 8'd1;
        if (f_burst) begin
            f_bursts_q   <= f_bursts_q + 5'd1;
            f_beats_in_q <= f_beats_in_q + ((cut_addr[OFF_W-1:0] + cut_bytes + NB - 1) >> OFF_W);
            if (f_bursts_q == f_burst_n) begin
                f_mine_q  <= 1'b1;
                f_addr_q  <= cut_addr;
                f_bytes_q <= cut_bytes;
                f_first_q <= f_beats_in_q;
            end
            if (f_in_frame) begin
                f_frame_bursts_q <= f_frame_bursts_q + 5'd1;
                if (f_frame_bursts_q == 0) f_frame_first_q <= f_bursts_q;
            end
        end
        if (b_valid) begin
            f_answered_q <= f_answered_q + 5'd1;
            if ((f_frame_begun || f_frame_ended) && f_answer < f_frame_bursts_q && b_error) f_frame_error_q <= 1'b1;
        end
        if (accept && cut_last) f_ends_q <= f_ends_q + 5'd1;
        if (f_done) f_dones_q <= f_dones_q + 5'd1;
        if (rst) begin
            f_bursts_q       <= 5'd0;
            f_taken_q        <= 5'd0;
            f_answered_q     <= 5'd0;
            f_beats_in_q     <= 8'd0;
            f_beats_out_q    <= 8'd0;
            f_ends_q         <= 5'd0;
            f_dones_q        <= 5'd0;
            f_mine_q         <= 1'b0;
            f_frame_bursts_q <= 5'd0;
            f_frame_error_q  <= 1'b0;
        end
    end

    always @* begin
        if (b_valid) assume (f_answered_q != f_taken_q);
        if (place_valid) assume (place_addr[63:16] == 0 && place_bytes <= 4 * BURST_BYTES);
        if (in_valid) assume (in_last || in_count == NB);
    end

    always @* if (f_on) begin
        if (aw_valid) begin
            aw_within_4_kib: assert ({4'd0, aw_addr[11:0] & ~(NB - 12'd1)} + (aw_len + 16'd1) * NB <= 16'd4096);
            aw_no_longer_than_allowed: assert (aw_len < F_MOST && aw_bytes != 0 && aw_bytes <= BURST_BYTES);
            aw_bytes_need_these_beats: assert ((aw_addr[OFF_W-1:0] + aw_bytes + NB - 1) >> OFF_W == aw_len + 16'd1);
            if (f_mine_q && f_taken_q == f_burst_n) begin
                aw_is_of_the_burst: assert (aw_addr == f_addr_q && aw_bytes == f_bytes_q);
            end
        end
        addresses_of_bursts_begun: assert (f_bursts_q - f_taken_q == {4'd0, aw_valid});
        if (w_valid) begin
            no_beat_beyond_the_bursts: assert (f_beats_out_q != f_beats_in_q);
            beats_of_the_burst_write_its_bytes: assert (!f_beat_mine || w_strb == (f_from & f_until));
        end
        no_more_than_outstanding: assert ((f_bursts_q - f_answered_q) % 32 <= OUTSTANDING);
        room_for_each_answer: assert (!b_valid || answers_ready);
        one_done_a_frame: assert (!done_valid || f_dones_q != f_ends_q);
        if (done_valid && f_dones_q == f_frame_n) begin
            done_when_all_was_answered: assert (f_frame_bursts_q == 0 || f_answer >= f_frame_bursts_q);
            done_tells_of_an_error: assert (done_error == f_frame_error_q);
        end
    end

    rules_stream #(.WIDTH(ADDR_W + 21)) f_aw_port (
        .clk(clk), .rst(rst), .valid(aw_valid), .ready(aw_ready), .data({aw_addr, aw_len, aw_bytes})
    );
    rules_stream #(.WIDTH(DATA_W + NB)) f_w_port (
        .clk(clk), .rst(rst), .valid(w_valid), .ready(w_ready), .data({w_data, w_strb})
    );
    rules_stream #(.WIDTH(1)) f_done_port (
        .clk(clk), .rst(rst), .valid(done_valid), .ready(done_ready), .data(done_error)
    );
