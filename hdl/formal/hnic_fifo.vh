    // Counts of what went in and out at the ports; any one word is followed from one to the other.
    reg [ADDR_W:0]  f_in_q, f_out_q;
    reg             f_inside_q;
    reg [WIDTH-1:0] f_word_q;
    (* anyconst *) reg [ADDR_W:0] f_place;
    wire [ADDR_W:0] f_held = f_in_q - f_out_q;
    wire [ADDR_W:0] f_ahead = f_place - f_out_q;

    always @(posedge clk) begin
        if (wr_valid && wr_ready) begin
            f_in_q <= f_in_q + 1'b1;
            if (f_in_q == f_place) begin
                f_inside_q <= 1'b1;
                f_word_q   <= wr_data;
            end
        end
        if (rd_valid && rd_ready) begin
            f_out_q <= f_out_q + 1'b1;
            if (f_out_q == f_place) f_inside_q <= 1'b0;
        end
        if (rst) begin
            f_in_q     <= {ADDR_W + 1{1'b0}};
            f_out_q    <= {ADDR_W + 1{1'b0}};
            f_inside_q <= 1'b0;
        end
    end

    always @* if (f_on) begin
        level_is_what_went_in_less_what_went_out: assert (level == f_held);
        never_more_than_depth: assert (f_held <= DEPTH);
        valid_unless_empty: assert (rd_valid == (f_held != 0));
        ready_unless_full: assert (wr_ready == (f_held != DEPTH));
        words_come_out_as_they_went_in: assert (!(f_inside_q && rd_valid && f_ahead == 0) || rd_data == f_word_q);
        // What makes the rest inductive.
        in_counts: assert (wptr_q == f_in_q);
        out_counts: assert (rptr_q == f_out_q);
        word_is_inside: assert (f_inside_q == (f_ahead < f_held));
        word_is_kept: assert (!f_inside_q || mem[f_place[ADDR_W-1:0]] == f_word_q);
    end

    rules_stream #(.WIDTH(WIDTH)) f_rd (.clk(clk), .rst(rst), .valid(rd_valid), .ready(rd_ready), .data(rd_data));

    // All words, for the proofs of modules that have a FIFO inside.
    wire [DEPTH*WIDTH-1:0] f_mem;
    genvar f_g;
    generate
        for (f_g = 0; f_g < DEPTH; f_g = f_g + 1) begin : f_words
            assign f_mem[f_g*WIDTH +: WIDTH] = mem[f_g];
        end
    endgenerate
