    // What the engines do is proved where they are: legal bursts.
    localparam F_MAX_BEATS = 4;
    wire [15:0] f_cpl_first = cpl_aw_addr[11:0] & ~((16'd1 << cpl_aw_size) - 16'd1);
    wire [15:0] f_data_first = data_aw_addr[11:0] & ~(NB - 1);
    reg         f_cpl_wait_q = 1'b0;
    reg         f_data_wait_q = 1'b0;
    reg [ADDR_W+10:0] f_cpl_q;
    reg [ADDR_W+20:0] f_data_q;
    always @(posedge clk) begin
        f_cpl_wait_q  <= cpl_aw_valid && !cpl_aw_ready && !rst;
        f_data_wait_q <= data_aw_valid && !data_aw_ready && !rst;
        f_cpl_q       <= {cpl_aw_addr, cpl_aw_len, cpl_aw_size};
        f_data_q      <= {data_aw_addr, data_aw_len, data_aw_bytes};
    end
    always @* begin
        if (cpl_aw_valid) assume (cpl_aw_size <= BUS_LOG2 && cpl_aw_len < F_MAX_BEATS
                                  && f_cpl_first + ((cpl_aw_len + 16'd1) << cpl_aw_size) <= 16'd4096);
        if (data_aw_valid) assume (data_aw_len < F_MAX_BEATS && f_data_first + (data_aw_len + 16'd1) * NB <= 16'd4096);
        if (f_cpl_wait_q) assume (cpl_aw_valid && f_cpl_q == {cpl_aw_addr, cpl_aw_len, cpl_aw_size});
        if (f_data_wait_q) assume (data_aw_valid && f_data_q == {data_aw_addr, data_aw_len, data_aw_bytes});
    end

    wire [15:0] f_open;
    rules_axi4_write #(
        .DATA_W(DATA_W), .ADDR_W(ADDR_W), .ID_W(ID_W), .IDS(2), .MAX_BEATS(F_MAX_BEATS), .LIMIT(OUTSTANDING)
    ) f_axi (
        .clk(clk), .rst(rst),
        .awid(m_axi_awid), .awaddr(m_axi_awaddr), .awlen(m_axi_awlen), .awsize(m_axi_awsize), .awburst(m_axi_awburst),
        .awuser(m_axi_awuser), .awvalid(m_axi_awvalid), .awready(m_axi_awready),
        .wdata(m_axi_wdata), .wstrb(m_axi_wstrb), .wlast(m_axi_wlast), .wvalid(m_axi_wvalid), .wready(m_axi_wready),
        .bid(m_axi_bid), .bresp(m_axi_bresp), .bvalid(m_axi_bvalid), .bready(m_axi_bready), .open(f_open)
    );

    // Bursts and answers of each engine, counted at its own ports; beats, at both ends, of any one.
    reg [7:0] f_cpl_open_q, f_data_open_q;
    reg       f_draining_q;  // quiesce was there in the last cycle
    wire      f_cpl_take = cpl_aw_valid && cpl_aw_ready;
    wire      f_data_take = data_aw_valid && data_aw_ready;
    reg [4:0] f_w_in_q, f_w_out_q;
    reg       f_w_inside_q;
    reg [DATA_W+NB-1:0] f_w_q;
    (* anyconst *) reg [4:0] f_w_place;
    wire      f_w_take = (cpl_w_valid && cpl_w_ready) || (data_w_valid && data_w_ready);
    wire      f_w_give = m_axi_wvalid && m_axi_wready;
    always @(posedge clk) begin
        f_cpl_open_q  <= f_cpl_open_q + f_cpl_take - cpl_b_valid;
        f_data_open_q <= f_data_open_q + f_data_take - data_b_valid;
        if (f_w_take) f_w_in_q <= f_w_in_q + 5'd1;
        if (f_w_give) f_w_out_q <= f_w_out_q + 5'd1;
        if (f_w_take && f_w_in_q == f_w_place) begin
            f_w_inside_q <= 1'b1;
            f_w_q        <= cpl_w_ready ? {cpl_w_data, cpl_w_strb} : {data_w_data, data_w_strb};
        end
        if (f_w_give && f_w_out_q == f_w_place) f_w_inside_q <= 1'b0;
        if (rst) begin
            f_cpl_open_q  <= 8'd0;
            f_data_open_q <= 8'd0;
            f_w_in_q      <= 5'd0;
            f_w_out_q     <= 5'd0;
            f_w_inside_q  <= 1'b0;
        end
    end

    always @* if (f_on) begin
        one_engine_at_a_time: assert (!(f_cpl_take && f_data_take) && !(cpl_w_ready && data_w_ready));
        no_burst_begins_while_quiesced: assert (!quiesce || !(f_cpl_take || f_data_take));
        answers_go_to_who_asked: assert (cpl_b_valid == (m_axi_bvalid && m_axi_bid == 0)
                                         && data_b_valid == (m_axi_bvalid && m_axi_bid == 1));
        an_answer_tells_of_the_error: assert (!m_axi_bvalid || b_error == m_axi_bresp[1]);
        answers_never_wait: assert (m_axi_bready);
        no_more_than_outstanding: assert (f_cpl_open_q <= OUTSTANDING && f_data_open_q <= OUTSTANDING);
        idle_means_nothing_begun: assert (!status_idle || (f_cpl_open_q == 0 && f_data_open_q == 0 && !m_axi_awvalid
                                          && !m_axi_wvalid));
        beats_reach_the_bus_in_order: assert (!(f_w_inside_q && m_axi_wvalid && f_w_out_q == f_w_place)
                                              || {m_axi_wdata, m_axi_wstrb} == f_w_q);
    end

    // ---- what makes it inductive: where the burst and the beat that are followed are ----
    (* hierconn *) wire [AW_W-1:0]    \u_aw.hold_data_q ;
    (* hierconn *) wire               \u_aw.hold_valid_q ;
    (* hierconn *) wire [DATA_W+NB:0] \u_w.hold_data_q ;
    (* hierconn *) wire               \u_w.hold_valid_q ;
    (* hierconn *) wire [3:0]         \u_order.f_place ;
    (* hierconn *) wire [3:0]         \u_order.f_in_q ;
    (* hierconn *) wire [3:0]         \u_order.f_out_q ;
    (* hierconn *) wire [8:0]         \u_order.f_word_q ;
    (* hierconn *) wire [4:0]         \f_axi.place ;
    (* hierconn *) wire [4:0]         \f_axi.aw_n_q ;
    (* hierconn *) wire [4:0]         \f_axi.w_n_q ;
    (* hierconn *) wire [4:0]         \f_axi.b_n_q ;
    (* hierconn *) wire [7:0]         \f_axi.beat_q ;
    (* hierconn *) wire               \f_axi.aw_seen_q ;
    (* hierconn *) wire               \f_axi.w_seen_q ;
    (* hierconn *) wire [7:0]         \f_axi.aw_len_q ;
    (* hierconn *) wire [7:0]         \f_axi.w_len_q ;
    wire [AW_W-1:0]    f_aw_hold = \u_aw.hold_data_q ;
    wire               f_aw_held = \u_aw.hold_valid_q ;
    wire [DATA_W+NB:0] f_w_hold = \u_w.hold_data_q ;
    wire               f_w_held = \u_w.hold_valid_q ;
    wire [3:0]         f_order_place = \u_order.f_place ;
    wire [3:0]         f_order_in = \u_order.f_in_q ;
    wire [3:0]         f_order_out = \u_order.f_out_q ;
    wire [8:0]         f_order_word = \u_order.f_word_q ;
    wire [4:0]         f_burst = \f_axi.place ;
    wire [4:0]         f_aw_n = \f_axi.aw_n_q ;
    wire [4:0]         f_w_n = \f_axi.w_n_q ;
    wire [4:0]         f_b_n = \f_axi.b_n_q ;
    wire [7:0]         f_beat = \f_axi.beat_q ;
    wire               f_aw_seen = \f_axi.aw_seen_q ;
    wire               f_w_seen = \f_axi.w_seen_q ;
    wire [7:0]         f_aw_len = \f_axi.aw_len_q ;
    wire [7:0]         f_w_len = \f_axi.w_len_q ;

    reg  [4:0] f_in_q, f_out_q;  // bursts begun, bursts whose beats are all taken
    reg  [7:0] f_len_q;          // of the burst that is followed
    always @(posedge clk) begin
        if (accept) begin
            f_in_q <= f_in_q + 5'd1;
            if (f_in_q == f_burst) f_len_q <= len;
        end
        if (w_step && w_last) f_out_q <= f_out_q + 5'd1;
        if (rst) begin
            f_in_q  <= 5'd0;
            f_out_q <= 5'd0;
        end
    end
    always @* assume (f_order_place == f_burst[3:0]);

    function [4:0] u5;  // numbers of bursts and beats are counts of 5 bits
        input [4:0] value;
        u5 = value;
    endfunction
    wire [7:0] f_cpl_waits = (m_axi_awvalid && m_axi_awid == 0) + (f_aw_held && !f_aw_hold[AW_W-1]);
    wire [7:0] f_data_waits = (m_axi_awvalid && m_axi_awid == 1) + (f_aw_held && f_aw_hold[AW_W-1]);
    wire [7:0] f_hold_len = f_aw_hold[23:16];
    wire [2:0] f_hold_size = f_aw_hold[15:13];
    wire [11:0] f_hold_addr = f_aw_hold[35:24];
    wire [15:0] f_hold_first = f_hold_addr & ~((16'd1 << f_hold_size) - 16'd1);
    wire       f_aw_inside = u5(f_burst - f_aw_n) < u5(f_in_q - f_aw_n);
    wire       f_w_under_way = u5(f_burst - f_w_n) < u5(f_in_q - f_w_n);
    wire       f_in_order = u5(f_burst - f_out_q) < u5(f_in_q - f_out_q);
    wire       f_end = m_axi_wvalid && m_axi_wlast;
    wire       f_hold_end = f_w_held && f_w_hold[0];
    wire [7:0] f_beat_hold = !m_axi_wvalid ? f_beat : m_axi_wlast ? 8'd0 : f_beat + 8'd1;
    wire [7:0] f_beat_next = !f_w_held ? f_beat_hold : f_w_hold[0] ? 8'd0 : f_beat_hold + 8'd1;

    always @* if (f_on) begin
        counts: assert (cpl_count_q == f_cpl_open_q && data_count_q == f_data_open_q
                        && f_cpl_open_q == f_open[7:0] + f_cpl_waits && f_data_open_q == f_open[15:8] + f_data_waits
                        && f_open[7:0] <= OUTSTANDING && f_open[15:8] <= OUTSTANDING
                        && u5(f_in_q - f_b_n) == u5(f_cpl_open_q + f_data_open_q));
        addresses_inside: assert (u5(f_in_q - f_aw_n) == m_axi_awvalid + f_aw_held && (m_axi_awvalid || !f_aw_held)
                                  && u5(f_aw_n - f_b_n) <= u5(f_in_q - f_b_n));
        second_address_is_legal: assert (!f_aw_held || (f_hold_len < F_MAX_BEATS && f_hold_size <= BUS_LOG2
                                         && f_hold_first + ((f_hold_len + 16'd1) << f_hold_size) <= 16'd4096));
        beats_inside: assert (u5(f_out_q - f_w_n) == f_end + f_hold_end && (m_axi_wvalid || !f_w_held)
                              && u5(f_w_n - f_b_n) <= u5(f_in_q - f_b_n) && u5(f_out_q - f_b_n) <= u5(f_in_q - f_b_n)
                              && beat_q == f_beat_next && u5(f_w_in_q - f_w_out_q) == m_axi_wvalid + f_w_held);
        order: assert (f_order_in == f_in_q[3:0] && f_order_out == f_out_q[3:0] && (!f_in_order || f_order_word[7:0] == f_len_q));
        lengths: assert ((!(f_aw_inside && m_axi_awvalid && f_aw_n == f_burst) || m_axi_awlen == f_len_q)
                         && (!(f_aw_inside && f_aw_n != f_burst) || f_hold_len == f_len_q)
                         && (!f_aw_seen || f_aw_len == f_len_q) && (!f_w_seen || f_w_len == f_len_q)
                         && f_aw_seen == (f_w_under_way && !f_aw_inside) && f_w_seen == (f_aw_inside && !f_w_under_way));
        last_beats: assert ((!(f_w_under_way && f_w_n == f_burst && m_axi_wvalid) || (m_axi_wlast == (f_beat == f_len_q) && f_beat <= f_len_q))
                            && (!(f_w_under_way && f_w_held && u5(f_w_n + f_end) == f_burst)
                                || (f_w_hold[0] == (f_beat_hold == f_len_q) && f_beat_hold <= f_len_q))
                            && (!(f_in_order && f_out_q == f_burst) || beat_q <= f_len_q)
                            && (f_in_q != f_out_q || beat_q == 0)
                            && (!(f_in_q == f_out_q || (f_in_order && f_out_q == f_burst && beat_q == 0))
                                || (f_w_held ? f_w_hold[0] : !m_axi_wvalid || m_axi_wlast)));
        beat_that_is_followed: assert (f_w_inside_q == (u5(f_w_place - f_w_out_q) < u5(f_w_in_q - f_w_out_q))
                                       && (!(f_w_inside_q && f_w_place != f_w_out_q) || f_w_hold[DATA_W+NB:1] == f_w_q));
    end
