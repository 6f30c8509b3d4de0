    // What was asked and what has left of it.
    reg [ADDR_W-1:0] f_addr_q;   // where the next burst must start
    reg [LEN_W-1:0]  f_left_q;   // bytes that are still to come
    reg              f_empty_q;  // nothing was asked for
    reg              f_last_q;
    reg              f_busy_q;
    wire             f_all = f_left_q == {{LEN_W - 13{1'b0}}, out_bytes};  // this burst brings the rest
    wire             f_in = in_valid && in_ready;
    wire             f_out = out_valid && out_ready;

    always @(posedge clk) begin
        if (f_out) begin
            f_addr_q <= f_addr_q + out_bytes;
            f_left_q <= f_left_q - out_bytes;
            if (f_all) f_busy_q <= 1'b0;
        end
        if (f_in) begin
            f_addr_q <= in_addr;
            f_left_q <= in_len;
            f_last_q <= in_last;
            f_empty_q <= in_len == 0;
            f_busy_q <= 1'b1;
        end
        if (rst) f_busy_q <= 1'b0;
    end

    always @* if (f_on) begin
        bursts_while_bytes_are_left: assert (out_valid == f_busy_q);
        a_new_read_after_the_last_burst: assert (!f_in || !f_busy_q || (f_out && f_all));
        if (out_valid) begin
            within_4_kib: assert ({1'b0, out_addr[11:0]} + out_bytes <= 13'd4096);
            within_burst_bytes: assert ({1'b0, out_addr[OFF_W-1:0]} + out_bytes <= BURST_BYTES);
            no_empty_burst: assert (out_bytes != 0 || f_empty_q);
            burst_follows_burst: assert (out_addr == f_addr_q);
            no_byte_too_many: assert (f_left_q >= out_bytes);
            last_with_the_last_byte: assert (out_last == (f_last_q && f_all));
            // What makes the rest inductive.
            bytes_left: assert (left_q == f_left_q && last_q == f_last_q && (f_empty_q == (f_left_q == 0)));
        end
    end

    rules_stream #(.WIDTH(ADDR_W + 14)) f_burst (
        .clk(clk), .rst(rst), .valid(out_valid), .ready(out_ready), .data({out_addr, out_bytes, out_last})
    );
