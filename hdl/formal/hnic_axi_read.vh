    // What an engine may ask for is proved where it is asked: bursts within 4 KiB, no more than it has room for.
    localparam F_LIMIT = 4;
    localparam F_MAX_BEATS = 32;
    localparam F_NB = DATA_W / 8;
    localparam F_W = ADDR_W + 21;
    wire [2:0]       f_valid = {rxd_ar_valid, data_ar_valid, txd_ar_valid};
    wire [2:0]       f_take = f_valid & {rxd_ar_ready, data_ar_ready, txd_ar_ready};
    wire [3*F_W-1:0] f_requests = {rxd_ar_addr, rxd_ar_len, rxd_ar_bytes, data_ar_addr, data_ar_len, data_ar_bytes,
                                   txd_ar_addr, txd_ar_len, txd_ar_bytes};
    wire             f_end = m_axi_rvalid && m_axi_rready && m_axi_rlast;
    wire             f_out = m_axi_arvalid && m_axi_arready;
    wire [23:0]      f_on_bus;
    reg  [7:0]       f_open_q [0:2];  // bursts of each engine under way

    // A request that may stand on the bus.
    function f_legal;
        input [F_W-1:0] request;
        reg [15:0] first, size, span;
        begin
            first   = request[32:21] & ~(F_NB - 1);
            size    = (request[20:13] + 16'd1) * F_NB;
            span    = (request[32:21] & (F_NB - 1)) + request[12:0];
            f_legal = first + size <= 16'd4096 && request[20:13] < F_MAX_BEATS && request[12:0] != 0
                      && span <= size && span + F_NB > size;
        end
    endfunction

    rules_axi4_read #(
        .DATA_W(DATA_W), .ADDR_W(ADDR_W), .ID_W(ID_W), .IDS(3), .MAX_BEATS(F_MAX_BEATS), .LIMIT(F_LIMIT)
    ) f_axi (
        .clk(clk), .rst(rst),
        .arid(m_axi_arid), .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arsize(m_axi_arsize), .arburst(m_axi_arburst),
        .aruser(m_axi_aruser), .arvalid(m_axi_arvalid), .arready(m_axi_arready),
        .rid(m_axi_rid), .rdata(m_axi_rdata), .rresp(m_axi_rresp), .rlast(m_axi_rlast),
        .rvalid(m_axi_rvalid), .rready(m_axi_rready), .open(f_on_bus)
    );

    // The register slice and the arbiter, looked into.
    (* hierconn *) wire            \u_ar.hold_valid_q ;
    (* hierconn *) wire [AR_W-1:0] \u_ar.hold_data_q ;
    (* hierconn *) wire [2:0]      \u_arb.turn_q ;
    wire            f_hold_valid = \u_ar.hold_valid_q ;
    wire [AR_W-1:0] f_hold = \u_ar.hold_data_q ;
    wire [2:0]      f_turn = \u_arb.turn_q ;

    wire [2:0]      f_counted;
    genvar f_g;
    generate
        for (f_g = 0; f_g < 3; f_g = f_g + 1) begin : f_engine
            wire [7:0] waiting = (m_axi_arvalid && m_axi_arid == f_g) + (f_hold_valid && f_hold[AR_W-1:AR_W-2] == f_g);
            always @(posedge clk) begin
                f_open_q[f_g] <= rst ? 8'd0 : f_open_q[f_g] + f_take[f_g] - (f_end && m_axi_rid == f_g);
            end
            assign f_counted[f_g] = f_open_q[f_g] == f_on_bus[8*f_g +: 8] + waiting && f_open_q[f_g] <= F_LIMIT;
            always @* begin
                if (f_valid[f_g]) assume (f_legal(f_requests[F_W*f_g +: F_W]) && f_open_q[f_g] < F_LIMIT);
            end
        end
    endgenerate

    // Any one request is followed from its engine to the bus: the n-th that is taken is the n-th there.
    reg [1:0]     f_in_q, f_out_q;
    reg           f_inside_q;
    reg [F_W+1:0] f_request_q;
    (* anyconst *) reg [1:0] f_place;
    wire [1:0]    f_held = f_in_q - f_out_q;
    wire [1:0]    f_ahead = f_place - f_out_q;
    wire [F_W+1:0] f_there = {m_axi_arid[1:0], m_axi_araddr, m_axi_arlen, m_axi_aruser};
    always @(posedge clk) begin
        if (f_take != 0) begin
            f_in_q <= f_in_q + 2'd1;
            if (f_in_q == f_place) begin
                f_inside_q  <= 1'b1;
                f_request_q <= f_take[2] ? {2'd2, f_requests[2*F_W +: F_W]}
                               : f_take[1] ? {2'd1, f_requests[F_W +: F_W]} : {2'd0, f_requests[F_W-1:0]};
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

    always @* if (f_on) begin
        one_engine_at_a_time: assert ((f_take & (f_take - 3'd1)) == 0);
        requests_reach_the_bus_in_order: assert (!(f_inside_q && m_axi_arvalid && f_ahead == 0) || f_there == f_request_q);
        data_goes_to_who_asked: assert (txd_r_valid == (m_axi_rvalid && m_axi_rid == 0)
                                        && data_r_valid == (m_axi_rvalid && m_axi_rid == 1)
                                        && rxd_r_valid == (m_axi_rvalid && m_axi_rid == 2));
        data_is_what_came: assert (!m_axi_rvalid || (r_data == m_axi_rdata && r_error == m_axi_rresp[1]));
        data_never_waits: assert (m_axi_rready);
        idle_means_nothing_under_way: assert (status_idle == (f_open_q[0] == 0 && f_open_q[1] == 0 && f_open_q[2] == 0
                                                              && f_valid == 0));
        // What makes the rest inductive.
        one_turn: assert (f_turn != 0 && (f_turn & (f_turn - 3'd1)) == 0);
        slice: assert (m_axi_arvalid == (f_held != 0) && f_hold_valid == (f_held == 2) && f_held != 3);
        request_is_inside: assert (f_inside_q == (f_ahead < f_held));
        second_request_is_kept: assert (!(f_inside_q && f_ahead == 1) || f_hold == f_request_q);
        second_request_is_legal: assert (!f_hold_valid || (f_legal(f_hold[F_W-1:0]) && f_hold[AR_W-1:AR_W-2] != 2'd3));
        open_bursts: assert (f_counted == 3'b111);
        count_of_bursts: assert (under_way_q == f_open_q[0] + f_open_q[1] + f_open_q[2]);
    end
