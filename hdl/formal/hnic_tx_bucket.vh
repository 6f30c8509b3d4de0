    // The shape is set before the queue runs, and no debt is as large as 2^24 bytes.
    (* anyconst *) reg [23:0] f_rate;
    (* anyconst *) reg [23:0] f_burst;
    always @* begin
        assume (cfg_rate == f_rate && cfg_burst == f_burst);
        if (charge) assume ($signed(level_q) >= -$signed({2'd1, {LEVEL_W - 2{1'b0}}}));
    end

    // Any stretch of time in which the queue runs, from a cycle of the solver's choice on: what was charged less what flowed in.
    (* anyseq *) reg  f_begin;
    reg                    f_counts_q, f_open_q;
    reg signed [LEVEL_W+7:0] f_before_q;  // level when it began
    reg signed [LEVEL_W+7:0] f_sum_q;
    wire signed [LEVEL_W+7:0] f_level = $signed(level_q);
    wire signed [LEVEL_W+7:0] f_most = $signed({8'd0, most});
    wire signed [LEVEL_W+7:0] f_cost = charge ? $signed({8'd0, cost}) : 0;
    wire signed [LEVEL_W+7:0] f_inflow = $signed({{LEVEL_W + 8 - 24{1'b0}}, cfg_rate});
    wire f_far = f_sum_q[LEVEL_W+7 -: 2] == 2'b10;  // the stretch ends before its sum passes what can be counted
    always @(posedge clk) begin
        f_counts_q <= limited && status_active && (f_counts_q ? !f_far : f_begin);
        f_sum_q    <= (f_counts_q ? f_sum_q : 0) + f_cost - f_inflow;
        if (!f_counts_q) f_before_q <= f_level;
        f_open_q   <= status_active && (start || (f_open_q && !charge));
        if (rst) begin
            f_counts_q <= 1'b0;
            f_open_q   <= 1'b0;
        end
    end

    always @* if (f_on) begin
        without_a_limit_always: assert (limited || allowed);
        no_packet_on_debt: assert (!limited || !allowed || f_level >= 0);
        no_packet_while_another_is_not_charged: assert (!limited || !allowed || !f_open_q);
        a_packet_when_nothing_is_owed: assert (allowed || f_level < 0 || f_open_q);
        never_more_than_the_bucket_holds: assert (f_level <= f_most);
        never_more_than_the_rate: assert (!f_counts_q || f_sum_q <= f_before_q - f_level);
        full_means_full: assert (!status_full || !limited || !status_active || f_level == f_most);
        // What makes the rest inductive.
        owed: assert (owed_q == f_open_q);
        level_before: assert (!f_counts_q || (f_before_q <= f_most && f_before_q >= -$signed({10'd1, {LEVEL_W - 1{1'b0}}})));
    end
