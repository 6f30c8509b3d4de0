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
