    // Any one requester: it waits while others are served, at most N - 1 times in a row.
    (* anyconst *) reg [N-1:0] f_who;  // one-hot
    integer      f_i;
    reg  [7:0]   f_waited_q;
    reg  [7:0]   f_distance;  // turns from whose turn it is to f_who
    reg  [N-1:0] f_turn;
    always @* assume (f_who != 0 && (f_who & (f_who - 1'b1)) == 0);

    always @* begin
        f_distance = 8'd0;
        f_turn     = turn_q;
        for (f_i = 0; f_i < N; f_i = f_i + 1) begin
            if ((f_turn & f_who) == 0) begin
                f_distance = f_distance + 8'd1;
                f_turn     = {f_turn[N-2:0], f_turn[N-1]};
            end
        end
    end

    always @(posedge clk) begin
        if ((request & f_who) == 0 || (advance && (grant & f_who) != 0)) f_waited_q <= 8'd0;
        else if (advance) f_waited_q <= f_waited_q + 8'd1;
        if (rst) f_waited_q <= 8'd0;
    end

    always @* if (f_on) begin
        one_grant_at_most: assert ((grant & (grant - 1'b1)) == 0);
        only_who_asks: assert ((grant & ~request) == 0);
        somebody_if_any: assert ((grant != 0) == (request != 0));
        nobody_waits_longer_than_a_round: assert (f_waited_q < N);
        // What makes the rest inductive.
        one_turn: assert (turn_q != 0 && (turn_q & (turn_q - 1'b1)) == 0);
        closer_each_time: assert (f_waited_q + f_distance < N);
    end
