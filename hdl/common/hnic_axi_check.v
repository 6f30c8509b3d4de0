// hnic_axi_check: watches an AXI4 master port and names the first rule that is broken. It drives nothing.
//
// Why: the card and the memory in front of it are checked in every simulation, not only where a test looks. The top has one under
// HNIC_CHECKS; it is not meant for hardware. Both sides are judged: requests of the card, answers of the memory.
// The card's own habits count as rules: INCR bursts, reads of full bus width, ids 0 and 1 for reads, single-beat writes with
// id 0, never more under way than it has room for. `broken` has a bit a rule, set in the cycle after the fault:
//
// | bit | rule                                                                     |
// |-----|--------------------------------------------------------------------------|
// | 0   | a valid of the master stays until ready, and its payload stands still     |
// | 1   | a valid of the slave stays until ready, and its payload stands still      |
// | 2   | read bursts: INCR, size = bus width, within 4 KiB                         |
// | 3   | write bursts: INCR, size at most the bus width, within 4 KiB, one beat    |
// | 4   | `aruser`, the bytes wanted, are at least 1 and need exactly these beats   |
// | 5   | at most RD_LIMIT reads of an id and WR_LIMIT writes are under way         |
// | 6   | read data: an id with a read under way, `rlast` on its last beat only     |
// | 7   | write data: `wlast` on every beat, strobes only in the bytes of its burst |
// | 8   | write responses: only after address and data, with their id               |
//
// | parameter | legal             | meaning                                             |
// |-----------|-------------------|-----------------------------------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of data                                       |
// | ADDR_W    | 32..64            | width of addresses                                  |
// | ID_W      | >= 1              | width of ids                                        |
// | RD_LIMIT  | power of two >= 2 | most reads of one id under way                      |
// | WR_LIMIT  | power of two >= 2 | most writes under way                               |
// | STOP      | 0, 1              | 1: a broken rule prints CHECK and ends the simulation |
//
// Test: tests/hdl/test_hnic_axi_check.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_axi_check #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter ID_W = 4,
    parameter RD_LIMIT = 32,
    parameter WR_LIMIT = 8,
    parameter STOP = 1
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [ID_W-1:0]     m_axi_awid,
    input  wire [ADDR_W-1:0]   m_axi_awaddr,
    input  wire [7:0]          m_axi_awlen,
    input  wire [2:0]          m_axi_awsize,
    input  wire [1:0]          m_axi_awburst,
    input  wire                m_axi_awvalid,
    input  wire                m_axi_awready,
    input  wire [DATA_W-1:0]   m_axi_wdata,
    input  wire [DATA_W/8-1:0] m_axi_wstrb,
    input  wire                m_axi_wlast,
    input  wire                m_axi_wvalid,
    input  wire                m_axi_wready,
    input  wire [ID_W-1:0]     m_axi_bid,
    input  wire [1:0]          m_axi_bresp,
    input  wire                m_axi_bvalid,
    input  wire                m_axi_bready,
    input  wire [ID_W-1:0]     m_axi_arid,
    input  wire [ADDR_W-1:0]   m_axi_araddr,
    input  wire [7:0]          m_axi_arlen,
    input  wire [2:0]          m_axi_arsize,
    input  wire [1:0]          m_axi_arburst,
    input  wire [12:0]         m_axi_aruser,
    input  wire                m_axi_arvalid,
    input  wire                m_axi_arready,
    input  wire [ID_W-1:0]     m_axi_rid,
    input  wire [DATA_W-1:0]   m_axi_rdata,
    input  wire [1:0]          m_axi_rresp,
    input  wire                m_axi_rlast,
    input  wire                m_axi_rvalid,
    input  wire                m_axi_rready,
    output wire [8:0]          broken
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam [2:0] FULL_SIZE = OFF_W[2:0];
    localparam [1:0] INCR = 2'b01;
    localparam RD_W = $clog2(RD_LIMIT);
    localparam WR_W = $clog2(WR_LIMIT);
    localparam [12:0] PAGE = 13'd4096;
    localparam [31:0] LAST = NB - 1;

    wire ar_fire = m_axi_arvalid && m_axi_arready;
    wire r_fire = m_axi_rvalid && m_axi_rready;
    wire aw_fire = m_axi_awvalid && m_axi_awready;
    wire w_fire = m_axi_wvalid && m_axi_wready;
    wire b_fire = m_axi_bvalid && m_axi_bready;

    // ---- what was there in the last cycle ----
    localparam AR_W = ID_W + ADDR_W + 8 + 3 + 2 + 13;
    localparam AW_W = ID_W + ADDR_W + 8 + 3 + 2;
    localparam W_W = DATA_W + NB + 1;
    localparam R_W = ID_W + DATA_W + 2 + 1;
    localparam B_W = ID_W + 2;
    wire [AR_W-1:0] ar = {m_axi_arid, m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst, m_axi_aruser};
    wire [AW_W-1:0] aw = {m_axi_awid, m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst};
    wire [W_W-1:0]  w = {m_axi_wdata, m_axi_wstrb, m_axi_wlast};
    wire [R_W-1:0]  r = {m_axi_rid, m_axi_rdata, m_axi_rresp, m_axi_rlast};
    wire [B_W-1:0]  b = {m_axi_bid, m_axi_bresp};

    reg             ar_wait_q, aw_wait_q, w_wait_q, r_wait_q, b_wait_q;
    reg  [AR_W-1:0] ar_q;
    reg  [AW_W-1:0] aw_q;
    reg  [W_W-1:0]  w_q;
    reg  [R_W-1:0]  r_q;
    reg  [B_W-1:0]  b_q;

    wire master_moved = (ar_wait_q && (!m_axi_arvalid || ar !== ar_q)) || (aw_wait_q && (!m_axi_awvalid || aw !== aw_q))
                        || (w_wait_q && (!m_axi_wvalid || w !== w_q));
    wire slave_moved = (r_wait_q && (!m_axi_rvalid || r !== r_q)) || (b_wait_q && (!m_axi_bvalid || b !== b_q));

    always @(posedge clk) begin : remember
        ar_wait_q <= m_axi_arvalid && !m_axi_arready && !rst;
        aw_wait_q <= m_axi_awvalid && !m_axi_awready && !rst;
        w_wait_q  <= m_axi_wvalid && !m_axi_wready && !rst;
        r_wait_q  <= m_axi_rvalid && !m_axi_rready && !rst;
        b_wait_q  <= m_axi_bvalid && !m_axi_bready && !rst;
        ar_q      <= ar;
        aw_q      <= aw;
        w_q       <= w;
        r_q       <= r;
        b_q       <= b;
    end

    // ---- requests ----
    wire [8:0]  ar_beats = {1'b0, m_axi_arlen} + 9'd1;
    wire [12:0] ar_offset = {{13 - OFF_W{1'b0}}, m_axi_araddr[OFF_W-1:0]};
    wire [15:0] ar_end = {4'd0, m_axi_araddr[11:OFF_W], {OFF_W{1'b0}}} + ({7'd0, ar_beats} << OFF_W);
    wire [13:0] ar_span = {1'b0, m_axi_aruser} + {1'b0, ar_offset} + LAST[13:0];
    wire        ar_bad = m_axi_arburst != INCR || m_axi_arsize != FULL_SIZE || ar_end > {3'd0, PAGE};
    wire        user_bad = m_axi_aruser == 13'd0 || ar_span >> OFF_W != {5'd0, ar_beats};

    wire [12:0] aw_end = {1'b0, m_axi_awaddr[11:0]} + (13'd1 << m_axi_awsize);
    wire        aw_bad = m_axi_awburst != INCR || m_axi_awsize > FULL_SIZE || m_axi_awlen != 8'd0 || aw_end > PAGE
                         || m_axi_awid != {ID_W{1'b0}};

    // ---- reads under way: the lengths of each id's bursts, oldest first ----
    reg  [7:0]      lens0 [0:RD_LIMIT-1];
    reg  [7:0]      lens1 [0:RD_LIMIT-1];
    reg  [RD_W:0]   asked0_q, asked1_q, ended0_q, ended1_q;
    reg  [7:0]      beat0_q, beat1_q;  // of the oldest burst
    wire [RD_W:0]   open0 = asked0_q - ended0_q;
    wire [RD_W:0]   open1 = asked1_q - ended1_q;
    wire            ar1 = m_axi_arid[0];
    wire            r1 = m_axi_rid[0];
    wire            r_known = m_axi_rid >> 1 == {ID_W{1'b0}} && (r1 ? open1 : open0) != {RD_W + 1{1'b0}};
    wire            r_end = r1 ? beat1_q == lens1[ended1_q[RD_W-1:0]] : beat0_q == lens0[ended0_q[RD_W-1:0]];
    wire            ar_over = m_axi_arid >> 1 != {ID_W{1'b0}} || (ar1 ? open1[RD_W] : open0[RD_W]);

    always @(posedge clk) begin : reads
        if (ar_fire && ar1) begin
            lens1[asked1_q[RD_W-1:0]] <= m_axi_arlen;
            asked1_q                  <= asked1_q + 1'b1;
        end
        if (ar_fire && !ar1) begin
            lens0[asked0_q[RD_W-1:0]] <= m_axi_arlen;
            asked0_q                  <= asked0_q + 1'b1;
        end
        if (r_fire && r1) begin
            beat1_q <= m_axi_rlast ? 8'd0 : beat1_q + 8'd1;
            if (m_axi_rlast) ended1_q <= ended1_q + 1'b1;
        end
        if (r_fire && !r1) begin
            beat0_q <= m_axi_rlast ? 8'd0 : beat0_q + 8'd1;
            if (m_axi_rlast) ended0_q <= ended0_q + 1'b1;
        end
        if (rst) begin
            asked0_q <= {RD_W + 1{1'b0}};
            asked1_q <= {RD_W + 1{1'b0}};
            ended0_q <= {RD_W + 1{1'b0}};
            ended1_q <= {RD_W + 1{1'b0}};
            beat0_q  <= 8'd0;
            beat1_q  <= 8'd0;
        end
    end

    // ---- writes under way: data may come before or after its address, so the later of the two is judged ----
    reg  [NB-1:0]   lanes [0:WR_LIMIT-1];  // bytes that the burst may write
    reg  [NB-1:0]   strbs [0:WR_LIMIT-1];
    reg  [WR_W:0]   aw_count_q, w_count_q, b_count_q;
    wire [WR_W:0]   aw_open = aw_count_q - b_count_q;
    wire [WR_W:0]   w_open = w_count_q - b_count_q;
    wire [WR_W:0]   ahead = aw_count_q - w_count_q;  // addresses without data, or less than 0
    wire [NB-1:0]   aw_lanes = ~({NB{1'b1}} << (8'd1 << m_axi_awsize)) << m_axi_awaddr[OFF_W-1:0];
    wire            aw_first = !ahead[WR_W] && ahead != {WR_W + 1{1'b0}};
    wire            w_first = ahead[WR_W];
    wire            strb_bad = w_fire && aw_first ? (m_axi_wstrb & ~lanes[w_count_q[WR_W-1:0]]) != {NB{1'b0}}
                             : aw_fire && w_first ? (strbs[aw_count_q[WR_W-1:0]] & ~aw_lanes) != {NB{1'b0}}
                             : aw_fire && w_fire && (m_axi_wstrb & ~aw_lanes) != {NB{1'b0}};
    wire            b_bad = m_axi_bid != {ID_W{1'b0}} || aw_open == {WR_W + 1{1'b0}} || w_open == {WR_W + 1{1'b0}};

    always @(posedge clk) begin : writes
        if (aw_fire) begin
            lanes[aw_count_q[WR_W-1:0]] <= aw_lanes;
            aw_count_q                  <= aw_count_q + 1'b1;
        end
        if (w_fire) begin
            strbs[w_count_q[WR_W-1:0]] <= m_axi_wstrb;
            w_count_q                  <= w_count_q + 1'b1;
        end
        if (b_fire) b_count_q <= b_count_q + 1'b1;
        if (rst) begin
            aw_count_q <= {WR_W + 1{1'b0}};
            w_count_q  <= {WR_W + 1{1'b0}};
            b_count_q  <= {WR_W + 1{1'b0}};
        end
    end

    // ---- verdict ----
    reg [8:0] broken_q;
    assign broken = broken_q;

    always @(posedge clk) begin : verdict
        broken_q <= {
            m_axi_bvalid && b_bad,
            (m_axi_wvalid && !m_axi_wlast) || strb_bad,
            m_axi_rvalid && (!r_known || m_axi_rlast != r_end),
            (m_axi_arvalid && ar_over) || (m_axi_awvalid && aw_open[WR_W]) || (m_axi_wvalid && w_open[WR_W]),
            m_axi_arvalid && user_bad,
            m_axi_awvalid && aw_bad,
            m_axi_arvalid && ar_bad,
            slave_moved,
            master_moved
        };
        if (rst) broken_q <= 9'd0;
    end

    generate
        if (STOP != 0) begin : gen_stop
            always @(posedge clk) begin
                if (!rst && broken_q != 9'd0) begin
                    $display("CHECK %m: AXI rules broken: %b", broken_q);
                    $finish;
                end
            end
        end
    endgenerate
endmodule

`resetall
