    // Bytes from the word with the terminate character on: where the gap ends if it is as long as wanted, and where a frame may start.
    reg                f_new_q;    // the gap began with the last word
    reg  [11:0]        f_ideal_q;  // its wanted end
    reg  [11:0]        f_left_q;   // bytes until a frame may start, from this word on
    reg  signed [12:0] f_debt_q;   // bytes by which gaps were too short in all, since the last one with nothing owed
    wire signed [12:0] f_short = $signed({1'b0, f_ideal_q}) - $signed({3'd0, wait_q}) - 13'sd8;  // of the new gap
    wire        [11:0] f_left = f_new_q ? {2'd0, wait_q} : f_left_q;
    wire signed [12:0] f_debt = f_new_q ? f_debt_q + f_short : f_debt_q;
    always @(posedge clk) begin
        f_new_q   <= frame_end;
        f_ideal_q <= cfg_ifg + end_lane + (lane4 ? 12'd4 : 12'd0);
        f_left_q  <= !idle || frame_end ? f_left : f_left >= 12'd8 ? f_left - 12'd8 : 12'd0;
        f_debt_q  <= idle && !frame_end && f_left == 12'd0 ? 13'sd0 : f_debt;
        if (rst) begin
            f_new_q  <= 1'b0;
            f_left_q <= 12'd0;
            f_debt_q <= 13'sd0;
        end
    end
    always @* assume (cfg_ifg >= 8'd12 && cfg_ifg <= 8'd252);

    always @* if (f_on) begin
        no_gap_more_than_three_bytes_off: assert (!f_new_q || (f_short <= 13'sd3 && f_short >= -13'sd3));
        never_more_than_three_bytes_short_in_all: assert (f_debt >= 13'sd0 && f_debt <= 13'sd3);
        a_frame_starts_on_lane_0_or_4: assert (f_left[1:0] == 2'd0);
        a_frame_may_start_when_the_gap_is_over: assert (start_lane0 == (f_left == 12'd0) && start_lane4 == (f_left == 12'd4)
                                                        && status_busy == (f_left != 12'd0));
        // What makes the rest inductive.
        what_is_owed: assert ($signed({11'd0, owed_q}) == f_debt);
        what_is_left: assert ({2'd0, wait_q} == f_left);
    end
