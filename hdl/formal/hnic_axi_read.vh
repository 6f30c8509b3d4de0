    // What an engine may ask for is proved where it is asked: bursts within 4 KiB, no more than it has room for.
    localparam F_LIMIT = 4;
    localparam F_MAX_BEATS = 32;
    localparam F_NB = DATA_W / 8;
    reg [7:0] f_desc_q, f_data_q;  // bursts of each engine under way
    wire      f_end = m_axi_rvalid && m_axi_rready && m_axi_rlast;

    always @(posedge clk) begin
        f_desc_q <= f_desc_q + (desc_ar_valid && desc_ar_ready) - (f_end && m_axi_rid == 0);
        f_data_q <= f_data_q + (data_ar_valid && data_ar_ready) - (f_end && m_axi_rid == 1);
        if (rst) begin
            f_desc_q <= 8'd0;
            f_data_q <= 8'd0;
        end
    end

    wire [15:0] f_desc_first = desc_ar_addr[11:0] & ~(F_NB - 1);
    wire [15:0] f_desc_size = (desc_ar_len + 16'd1) * F_NB;
    wire [15:0] f_desc_span = (desc_ar_addr[11:0] & (F_NB - 1)) + desc_ar_bytes;
    wire [15:0] f_data_first = data_ar_addr[11:0] & ~(F_NB - 1);
    wire [15:0] f_data_size = (data_ar_len + 16'd1) * F_NB;
    wire [15:0] f_data_span = (data_ar_addr[11:0] & (F_NB - 1)) + data_ar_bytes;
    always @* begin
        if (desc_ar_valid) begin
            assume (f_desc_first + f_desc_size <= 16'd4096 && f_desc_q < F_LIMIT && desc_ar_len < F_MAX_BEATS);
            assume (desc_ar_bytes != 0 && f_desc_span <= f_desc_size && f_desc_span + F_NB > f_desc_size);
        end
        if (data_ar_valid) begin
            assume (f_data_first + f_data_size <= 16'd4096 && f_data_q < F_LIMIT && data_ar_len < F_MAX_BEATS);
            assume (data_ar_bytes != 0 && f_data_span <= f_data_size && f_data_span + F_NB > f_data_size);
        end
    end

    wire [7:0] f_open0, f_open1;
    rules_axi4_read #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .ID_W(ID_W), .MAX_BEATS(F_MAX_BEATS), .LIMIT(F_LIMIT)) f_axi (
        .clk(clk), .rst(rst),
        .arid(m_axi_arid), .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arsize(m_axi_arsize), .arburst(m_axi_arburst),
        .aruser(m_axi_aruser), .arvalid(m_axi_arvalid), .arready(m_axi_arready),
        .rid(m_axi_rid), .rdata(m_axi_rdata), .rresp(m_axi_rresp), .rlast(m_axi_rlast),
        .rvalid(m_axi_rvalid), .rready(m_axi_rready), .open0(f_open0), .open1(f_open1)
    );

    // Any one request is followed from its engine to the bus: the n-th that is taken is the n-th there.
    localparam F_W = 1 + ADDR_W + 21;
    reg [1:0]     f_in_q, f_out_q;
    reg           f_inside_q;
    reg [F_W-1:0] f_request_q;
    (* anyconst *) reg [1:0] f_place;
    wire          f_desc_take = desc_ar_valid && desc_ar_ready;
    wire          f_data_take = data_ar_valid && data_ar_ready;
    wire          f_out = m_axi_arvalid && m_axi_arready;
    wire [F_W-1:0] f_there = {m_axi_arid == 1, m_axi_araddr, m_axi_arlen, m_axi_aruser};
    wire [1:0]    f_held = f_in_q - f_out_q;
    wire [1:0]    f_ahead = f_place - f_out_q;
    always @(posedge clk) begin
        if (f_desc_take || f_data_take) begin
            f_in_q <= f_in_q + 2'd1;
            if (f_in_q == f_place) begin
                f_inside_q  <= 1'b1;
                f_request_q <= f_desc_take ? {1'b0, desc_ar_addr, desc_ar_len, desc_ar_bytes}
                                           : {1'b1, data_ar_addr, data_ar_len, data_ar_bytes};
            end
        end
        if (f_out) begin
            f_out_q <= f_out_q + 2'd1;
            if (f_out_q == f_place) f_inside_q <= 1'b0;
        end
        if (rst) begin
            f_in_q     <= 2'd0;
            f_out_q    <= 2'd0;
            f_inside_q <= 1'b0;
        end
    end

    // The register slice, looked into.
    (* hierconn *) wire            \u_ar.hold_valid_q ;
    (* hierconn *) wire [AR_W-1:0] \u_ar.hold_data_q ;
    (* hierconn *) wire [1:0]      \u_arb.turn_q ;
    wire [1:0]      f_turn = \u_arb.turn_q ;
    wire            f_hold_valid = \u_ar.hold_valid_q ;
    wire [AR_W-1:0] f_hold = \u_ar.hold_data_q ;
    wire [15:0] f_hold_first = f_hold[32:21] & ~(F_NB - 1);
    wire [15:0] f_hold_size = (f_hold[20:13] + 16'd1) * F_NB;
    wire [15:0] f_hold_span = (f_hold[32:21] & (F_NB - 1)) + f_hold[12:0];
    wire [7:0]  f_waiting0 = (m_axi_arvalid && m_axi_arid == 0) + (f_hold_valid && !f_hold[AR_W-1]);
    wire [7:0]  f_waiting1 = (m_axi_arvalid && m_axi_arid == 1) + (f_hold_valid && f_hold[AR_W-1]);

    always @* if (f_on) begin
        one_engine_at_a_time: assert (!(f_desc_take && f_data_take));
        requests_reach_the_bus_in_order: assert (!(f_inside_q && m_axi_arvalid && f_ahead == 0) || f_there == f_request_q);
        data_goes_to_who_asked: assert (desc_r_valid == (m_axi_rvalid && m_axi_rid == 0)
                                        && data_r_valid == (m_axi_rvalid && m_axi_rid == 1));
        data_is_what_came: assert (!m_axi_rvalid || (r_data == m_axi_rdata && r_error == m_axi_rresp[1]));
        data_never_waits: assert (m_axi_rready);
        idle_means_nothing_under_way: assert (status_idle == (f_desc_q == 0 && f_data_q == 0
                                                              && !desc_ar_valid && !data_ar_valid));
        // What makes the rest inductive.
        one_turn: assert (f_turn == 2'b01 || f_turn == 2'b10);
        slice: assert (m_axi_arvalid == (f_held != 0) && f_hold_valid == (f_held == 2) && f_held != 3);
        request_is_inside: assert (f_inside_q == (f_ahead < f_held));
        second_request_is_kept: assert (!(f_inside_q && f_ahead == 1) || f_hold == f_request_q);
        second_request_is_legal: assert (!f_hold_valid || (
            f_hold_first + f_hold_size <= 16'd4096 && f_hold[12:0] != 0 && f_hold[20:13] < F_MAX_BEATS
            && f_hold_span <= f_hold_size && f_hold_span + F_NB > f_hold_size));
        open_bursts_of_descriptors: assert (f_desc_q == f_open0 + f_waiting0 && f_desc_q <= F_LIMIT);
        open_bursts_of_data: assert (f_data_q == f_open1 + f_waiting1 && f_data_q <= F_LIMIT);
        count_of_bursts: assert (under_way_q == f_desc_q + f_data_q);
    end
