    // As for the FIFO: any one word is followed, words are counted at the ports.
    reg [1:0]       f_in_q, f_out_q;
    reg             f_inside_q;
    reg [WIDTH-1:0] f_word_q;
    (* anyconst *) reg [1:0] f_place;
    wire [1:0] f_held = f_in_q - f_out_q;
    wire [1:0] f_ahead = f_place - f_out_q;

    always @(posedge clk) begin
        if (in_valid && in_ready) begin
            f_in_q <= f_in_q + 1'b1;
            if (f_in_q == f_place) begin
                f_inside_q <= 1'b1;
                f_word_q   <= in_data;
            end
        end
        if (out_valid && out_ready) begin
            f_out_q <= f_out_q + 1'b1;
            if (f_out_q == f_place) f_inside_q <= 1'b0;
        end
        if (rst) begin
            f_in_q     <= 2'd0;
            f_out_q    <= 2'd0;
            f_inside_q <= 1'b0;
        end
    end

    always @* if (f_on) begin
        two_words_at_most: assert (f_held <= 2'd2);
        valid_unless_empty: assert (out_valid == (f_held != 2'd0));
        ready_unless_full: assert (in_ready == (f_held != 2'd2));
        words_come_out_as_they_went_in: assert (!(f_inside_q && f_ahead == 2'd0) || out_data == f_word_q);
        // What makes the rest inductive.
        second_word_is_kept: assert (!(f_inside_q && f_ahead == 2'd1) || hold_data_q == f_word_q);
        word_is_inside: assert (f_inside_q == (f_ahead < f_held));
    end

    rules_stream #(.WIDTH(WIDTH)) f_out (.clk(clk), .rst(rst), .valid(out_valid), .ready(out_ready), .data(out_data));
