
    // The first cycle is a reset; later ones come whenever they like.
    reg f_started_q = 1'b0;
    always @(posedge clk) f_started_q <= 1'b1;
    always @* if (!f_started_q) assume (rst);
    wire f_on = f_started_q && !rst;
