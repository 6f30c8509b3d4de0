// rules_axi4_write: an AXI4 write port with ids from 0 to IDS - 1. The master's rules are asserted, the slave's are assumed.
//
// Asserted: handshake stability, INCR bursts within 4 KiB, beats, `wlast` on the last beat of each burst and on no other (data
// may come before its address), bursts under way. Any one burst is followed, by its number.
// Assumed: stability, of each id no more answers than addresses, in all no more than bursts whose address and data are over.
module rules_axi4_write #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter ID_W = 4,
    parameter IDS = 2,
    parameter MAX_BEATS = 256,
    parameter LIMIT = 4  // bursts of an id under way
) (
    input wire                clk,
    input wire                rst,
    input wire [ID_W-1:0]     awid,
    input wire [ADDR_W-1:0]   awaddr,
    input wire [7:0]          awlen,
    input wire [2:0]          awsize,
    input wire [1:0]          awburst,
    input wire [12:0]         awuser,
    input wire                awvalid,
    input wire                awready,
    input wire [DATA_W-1:0]   wdata,
    input wire [DATA_W/8-1:0] wstrb,
    input wire                wlast,
    input wire                wvalid,
    input wire                wready,
    input wire [ID_W-1:0]     bid,
    input wire [1:0]          bresp,
    input wire                bvalid,
    input wire                bready,
    output wire [8*IDS-1:0]   open  // bursts of each id whose address was taken and that were not answered
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam AW_W = ID_W + ADDR_W + 26;

    wire [AW_W-1:0]      aw = {awid, awaddr, awlen, awsize, awburst, awuser};
    wire [DATA_W+NB:0]   w = {wdata, wstrb, wlast};
    wire [ID_W+1:0]      b = {bid, bresp};
    reg                  aw_wait_q = 1'b0;
    reg                  w_wait_q = 1'b0;
    reg                  b_wait_q = 1'b0;
    reg [AW_W-1:0]       aw_q;
    reg [DATA_W+NB:0]    w_q;
    reg [ID_W+1:0]       b_q;
    always @(posedge clk) begin
        aw_wait_q <= awvalid && !awready && !rst;
        w_wait_q  <= wvalid && !wready && !rst;
        b_wait_q  <= bvalid && !bready && !rst;
        aw_q      <= aw;
        w_q       <= w;
        b_q       <= b;
    end

    wire aw_fire = awvalid && awready;
    wire w_fire = wvalid && wready;
    wire b_fire = bvalid && bready;

    // ---- the burst that is followed ----
    (* anyconst *) reg [4:0] place;
    reg [4:0]      aw_n_q, w_n_q;  // addresses, last beats so far
    reg [7:0]      beat_q;         // of the burst whose data is next
    reg            aw_seen_q, w_seen_q;
    reg [7:0]      aw_len_q, w_len_q;
    wire           w_mine = w_n_q == place;
    wire           aw_mine = aw_n_q == place;
    always @(posedge clk) begin
        if (aw_fire) begin
            aw_n_q <= aw_n_q + 5'd1;
            if (aw_mine) begin
                aw_seen_q <= 1'b1;
                aw_len_q  <= awlen;
            end
        end
        if (w_fire) begin
            beat_q <= wlast ? 8'd0 : beat_q + 8'd1;
            if (wlast) begin
                w_n_q <= w_n_q + 5'd1;
                if (w_mine) begin
                    w_seen_q <= 1'b1;
                    w_len_q  <= beat_q;
                end
            end
        end
        // Both are over, or the number comes round again.
        if ((aw_seen_q || (aw_fire && aw_mine)) && (w_seen_q || (w_fire && wlast && w_mine))) begin
            aw_seen_q <= 1'b0;
            w_seen_q  <= 1'b0;
        end
        if (rst) begin
            aw_n_q    <= 5'd0;
            w_n_q     <= 5'd0;
            beat_q    <= 8'd0;
            aw_seen_q <= 1'b0;
            w_seen_q  <= 1'b0;
        end
    end

    // ---- answers: as many as bursts whose address and data are over, of each id as many as addresses ----
    reg [4:0] b_n_q;
    always @(posedge clk) begin
        if (b_fire) b_n_q <= b_n_q + 5'd1;
        if (rst) b_n_q <= 5'd0;
    end

    wire [IDS-1:0] full;
    genvar g;
    generate
        for (g = 0; g < IDS; g = g + 1) begin : ids
            reg [7:0] open_q;
            always @(posedge clk) begin
                open_q <= open_q + (aw_fire && awid == g) - (b_fire && bid == g);
                if (rst) open_q <= 8'd0;
            end
            assign open[8*g +: 8] = open_q;
            assign full[g] = open_q >= LIMIT;
        end
    endgenerate

    wire [15:0] first = awaddr[11:0] & ~((16'd1 << awsize) - 16'd1);
    wire [15:0] beats = awlen + 16'd1;

    always @* begin
        if (!rst && awvalid) begin
            aw_incr: assert (awburst == 2'b01);
            aw_no_wider_than_the_bus: assert (awsize <= OFF_W);
            aw_within_4_kib: assert (first + (beats << awsize) <= 16'd4096);
            aw_no_longer_than_allowed: assert (beats <= MAX_BEATS);
            aw_id_is_known: assert (awid < IDS);
            aw_no_more_than_there_is_room_for: assert (awid >= IDS || !full[awid]);
            if (aw_mine) begin
                aw_fits_data_that_came_before: assert (w_seen_q ? awlen == w_len_q : !w_mine || awlen >= beat_q);
            end
        end
        if (!rst && wvalid && w_mine && aw_seen_q) begin
            w_last_is_the_last_beat: assert (wlast == (beat_q == aw_len_q));
        end
        if (!rst && aw_wait_q) begin
            aw_stays_valid: assert (awvalid);
            aw_stays_the_same: assert (aw == aw_q);
        end
        if (!rst && w_wait_q) begin
            w_stays_valid: assert (wvalid);
            w_stays_the_same: assert (w == w_q);
        end
        if (!rst && b_wait_q) assume (bvalid && b == b_q);
        if (!rst && bvalid) assume (bid < IDS && open[8*bid +: 8] != 0 && b_n_q != aw_n_q && b_n_q != w_n_q);
    end
endmodule
