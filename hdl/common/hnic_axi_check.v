// hnic_axi_check: watches an AXI4 master port and names the first rule that is broken. It drives nothing.
//
// Why: the card and the memory in front of it are checked in every simulation, not only where a test looks. The top has one under
// HNIC_CHECKS; it is not meant for hardware. Both sides are judged: requests of the card, answers of the memory.
// The card's own habits count as rules: INCR bursts, reads of full bus width with ids 0 to 2, records written with id 0 and data,
// in full bus width, with id 1, no beat that writes nothing, never more under way than it has room for. `broken` has a bit a
// rule, set in the cycle after the fault; write data is judged once both the data and its address were taken, one beat a cycle.
//
// | bit | rule                                                                               |
// |-----|------------------------------------------------------------------------------------|
// | 0   | a valid of the master stays until ready, and its payload stands still               |
// | 1   | a valid of the slave stays until ready, and its payload stands still                |
// | 2   | read bursts: INCR, size = bus width, within 4 KiB                                   |
// | 3   | write bursts: INCR, within 4 KiB; id 0: at most a record; id 1: size = bus width    |
// | 4   | `aruser`, the bytes wanted, are at least 1 and need exactly these beats             |
// | 5   | at most RD_LIMIT reads and WR_LIMIT writes of an id are under way; no other ids     |
// | 6   | read data: an id with a read under way, `rlast` on its last beat only               |
// | 7   | write data: `wlast` on a burst's last beat only, strobes in its bytes and not all 0 |
// | 8   | write responses: only after address and last data, with the burst's id              |
//
// | parameter | legal             | meaning                                             |
// |-----------|-------------------|-----------------------------------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of data                                       |
// | ADDR_W    | 32..64            | width of addresses                                  |
// | ID_W      | >= 2              | width of ids                                        |
// | RD_LIMIT  | power of two >= 2 | most reads of one id under way                      |
// | WR_LIMIT  | power of two >= 2 | most writes of one id under way                     |
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
    parameter RD_LIMIT = 64,
    parameter WR_LIMIT = 64,
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
    localparam READ_IDS = 3;
    localparam WRITES = 2 * WR_LIMIT;  // of both ids
    localparam WR_W = $clog2(WRITES);
    localparam [WR_W:0] LIMIT = WR_LIMIT[WR_W:0];
    localparam BEATS = 1024;           // data ahead of its address
    localparam BEAT_W = $clog2(BEATS);
    localparam [ID_W-1:0] DATA_ID = 1;
    localparam [15:0] RECORD = 16'd32; // bytes of the longest record
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

    // Without a transfer, one that waits or one that is judged nothing here changes.
    wire judge, meet;
    reg  [8:0] broken_q;
    wire awake = rst || m_axi_arvalid || m_axi_awvalid || m_axi_wvalid || m_axi_rvalid || m_axi_bvalid
                 || ar_wait_q || aw_wait_q || w_wait_q || r_wait_q || b_wait_q || judge || meet || broken_q != 9'd0;

    reg  master_moved, slave_moved;
    always @* begin
        master_moved = 1'b0;
        slave_moved  = 1'b0;
        if (ar_wait_q) master_moved = !m_axi_arvalid || ar !== ar_q;
        if (aw_wait_q) master_moved = master_moved || !m_axi_awvalid || aw !== aw_q;
        if (w_wait_q) master_moved = master_moved || !m_axi_wvalid || w !== w_q;
        if (r_wait_q) slave_moved = !m_axi_rvalid || r !== r_q;
        if (b_wait_q) slave_moved = slave_moved || !m_axi_bvalid || b !== b_q;
    end

    always @(posedge clk) begin
        if (awake) begin
            ar_wait_q <= m_axi_arvalid && !m_axi_arready && !rst;
            aw_wait_q <= m_axi_awvalid && !m_axi_awready && !rst;
            w_wait_q  <= m_axi_wvalid && !m_axi_wready && !rst;
            r_wait_q  <= m_axi_rvalid && !m_axi_rready && !rst;
            b_wait_q  <= m_axi_bvalid && !m_axi_bready && !rst;
            if (!m_axi_arready) ar_q <= ar;
            if (!m_axi_awready) aw_q <= aw;
            if (!m_axi_wready) w_q <= w;
            if (!m_axi_rready) r_q <= r;
            if (!m_axi_bready) b_q <= b;
        end
    end

    // ---- requests ----
    wire [8:0]  ar_beats = {1'b0, m_axi_arlen} + 9'd1;
    wire [12:0] ar_offset = {{13 - OFF_W{1'b0}}, m_axi_araddr[OFF_W-1:0]};
    wire [15:0] ar_end = {4'd0, m_axi_araddr[11:OFF_W], {OFF_W{1'b0}}} + ({7'd0, ar_beats} << OFF_W);
    wire [13:0] ar_span = {1'b0, m_axi_aruser} + {1'b0, ar_offset} + LAST[13:0];
    wire        ar_bad = m_axi_arburst != INCR || m_axi_arsize != FULL_SIZE || ar_end > {3'd0, PAGE};
    wire        user_bad = m_axi_aruser == 13'd0 || ar_span >> OFF_W != {5'd0, ar_beats};

    wire [8:0]  aw_beats = {1'b0, m_axi_awlen} + 9'd1;
    wire [15:0] aw_bytes = {7'd0, aw_beats} << m_axi_awsize;
    wire [15:0] aw_first = {4'd0, m_axi_awaddr[11:0]} & ~((16'd1 << m_axi_awsize) - 16'd1);
    wire        aw_data = m_axi_awid == DATA_ID;
    wire        aw_bad = m_axi_awburst != INCR || m_axi_awsize > FULL_SIZE || aw_first + aw_bytes > {3'd0, PAGE}
                         || (aw_data ? m_axi_awsize != FULL_SIZE : aw_bytes > RECORD);

    // ---- reads under way: the lengths of each id's bursts, oldest first ----
    wire [READ_IDS-1:0] r_known, r_ended, ar_known, ar_full;

    generate
        genvar i;
        for (i = 0; i < READ_IDS; i = i + 1) begin : gen_read
            localparam [31:0] NUMBER = i;
            reg  [7:0]      lens [0:RD_LIMIT-1];
            reg  [RD_W:0]   asked_q, ended_q;
            reg  [7:0]      beat_q;  // of the oldest burst
            wire [RD_W:0]   open = asked_q - ended_q;
            wire            r_mine = m_axi_rid == NUMBER[ID_W-1:0];

            assign ar_known[i] = m_axi_arid == NUMBER[ID_W-1:0];
            assign ar_full[i]  = ar_known[i] && open[RD_W];
            assign r_known[i]  = r_mine && open != {RD_W + 1{1'b0}};
            assign r_ended[i]  = r_mine && beat_q == lens[ended_q[RD_W-1:0]];

            always @(posedge clk) begin
                if (awake) begin
                    if (ar_fire && ar_known[i]) begin
                        lens[asked_q[RD_W-1:0]] <= m_axi_arlen;
                        asked_q                 <= asked_q + 1'b1;
                    end
                    if (r_fire && r_mine) begin
                        beat_q <= m_axi_rlast ? 8'd0 : beat_q + 8'd1;
                        if (m_axi_rlast) ended_q <= ended_q + 1'b1;
                    end
                    if (rst) begin
                        asked_q <= {RD_W + 1{1'b0}};
                        ended_q <= {RD_W + 1{1'b0}};
                        beat_q  <= 8'd0;
                    end
                end
            end
        end
    endgenerate

    // ---- write data: address and data come in either order, so what came of each waits for the other ----
    reg  [ID_W-1:0]  aw_ids [0:WRITES-1];
    reg  [7:0]       aw_lens [0:WRITES-1];
    reg  [11:0]      aw_addrs [0:WRITES-1];
    reg  [2:0]       aw_sizes [0:WRITES-1];
    reg  [NB:0]      beats [0:BEATS-1];  // {wlast, wstrb}
    reg  [WR_W:0]    aw_count_q, judged_q;
    reg  [BEAT_W:0]  beats_in_q, beats_out_q;
    reg  [7:0]       beat_q;  // of the burst that is judged
    reg  [11:0]      next_q;  // address of its next beat

    wire [7:0]       len = aw_lens[judged_q[WR_W-1:0]];
    wire [2:0]       size = aw_sizes[judged_q[WR_W-1:0]];
    wire [11:0]      here = beat_q == 8'd0 ? aw_addrs[judged_q[WR_W-1:0]] : next_q;
    wire [11:0]      base = here & ~((12'd1 << size) - 12'd1);
    wire [NB-1:0]    lanes = (~({NB{1'b1}} << (8'd1 << size)) << base[OFF_W-1:0]) & ({NB{1'b1}} << here[OFF_W-1:0]);
    wire             beat_last;
    wire [NB-1:0]    beat_strb;
    wire [BEAT_W:0]  beats_held = beats_in_q - beats_out_q;
    assign           judge = judged_q != aw_count_q && beats_held != {BEAT_W + 1{1'b0}};
    wire             burst_end = beat_q == len;
    wire             w_bad = judge && (beat_last != burst_end || (beat_strb & ~lanes) != {NB{1'b0}} || beat_strb == {NB{1'b0}});

    assign {beat_last, beat_strb} = beats[beats_out_q[BEAT_W-1:0]];

    always @(posedge clk) begin
        if (awake) begin
            if (aw_fire) begin
                aw_ids[aw_count_q[WR_W-1:0]]   <= m_axi_awid;
                aw_lens[aw_count_q[WR_W-1:0]]  <= m_axi_awlen;
                aw_addrs[aw_count_q[WR_W-1:0]] <= m_axi_awaddr[11:0];
                aw_sizes[aw_count_q[WR_W-1:0]] <= m_axi_awsize;
                aw_count_q                     <= aw_count_q + 1'b1;
            end
            if (w_fire) begin
                beats[beats_in_q[BEAT_W-1:0]] <= {m_axi_wlast, m_axi_wstrb};
                beats_in_q                    <= beats_in_q + 1'b1;
            end
            if (judge) begin
                beats_out_q <= beats_out_q + 1'b1;
                beat_q      <= burst_end ? 8'd0 : beat_q + 8'd1;
                next_q      <= base + (12'd1 << size);
                if (burst_end) judged_q <= judged_q + 1'b1;
            end
            if (rst) begin
                aw_count_q  <= {WR_W + 1{1'b0}};
                judged_q    <= {WR_W + 1{1'b0}};
                beats_in_q  <= {BEAT_W + 1{1'b0}};
                beats_out_q <= {BEAT_W + 1{1'b0}};
                beat_q      <= 8'd0;
            end
        end
    end

    // ---- write responses: a burst may be answered once its address and its last data were taken ----
    reg  [WR_W:0] w_count_q;  // last beats
    reg  [WR_W:0] met_q;      // bursts with both
    reg  [WR_W:0] open0_q, open1_q;  // addresses of an id without an answer
    reg  [WR_W:0] due0_q, due1_q;    // of them, those that may be answered
    wire [WR_W:0] aw_next = aw_count_q + {{WR_W{1'b0}}, aw_fire};
    wire [WR_W:0] w_next = w_count_q + {{WR_W{1'b0}}, w_fire && m_axi_wlast};
    assign        meet = met_q != aw_next && met_q != w_next;
    wire          meet_data = (met_q == aw_count_q ? m_axi_awid : aw_ids[met_q[WR_W-1:0]]) == DATA_ID;
    wire          b_data = m_axi_bid == DATA_ID;
    wire [WR_W:0] w_ahead = w_count_q - met_q;  // bursts whose data is there and whose address is not
    wire [WR_W:0] w_open = w_ahead + due0_q + due1_q;
    wire          aw_over = m_axi_awid >> 1 != {ID_W{1'b0}} || (aw_data ? open1_q : open0_q) >= LIMIT;
    wire          w_over = w_open[WR_W] || beats_held[BEAT_W];
    wire          b_bad = m_axi_bid >> 1 != {ID_W{1'b0}} || (b_data ? due1_q : due0_q) == {WR_W + 1{1'b0}};

    wire          b_good = b_fire && !b_bad;

    always @(posedge clk) begin
        if (awake) begin
            w_count_q <= w_next;
            if (meet) met_q <= met_q + 1'b1;
            open0_q <= open0_q + {{WR_W{1'b0}}, aw_fire && !aw_data} - {{WR_W{1'b0}}, b_good && !b_data};
            open1_q <= open1_q + {{WR_W{1'b0}}, aw_fire && aw_data} - {{WR_W{1'b0}}, b_good && b_data};
            due0_q  <= due0_q + {{WR_W{1'b0}}, meet && !meet_data} - {{WR_W{1'b0}}, b_good && !b_data};
            due1_q  <= due1_q + {{WR_W{1'b0}}, meet && meet_data} - {{WR_W{1'b0}}, b_good && b_data};
            if (rst) begin
                w_count_q <= {WR_W + 1{1'b0}};
                met_q     <= {WR_W + 1{1'b0}};
                open0_q   <= {WR_W + 1{1'b0}};
                open1_q   <= {WR_W + 1{1'b0}};
                due0_q    <= {WR_W + 1{1'b0}};
                due1_q    <= {WR_W + 1{1'b0}};
            end
        end
    end

    // ---- verdict ----
    assign broken = broken_q;

    always @(posedge clk) begin
        if (awake) begin
            broken_q <= {
                m_axi_bvalid && b_bad,
                w_bad,
                m_axi_rvalid && (r_known == {READ_IDS{1'b0}} || m_axi_rlast != |r_ended),
                (m_axi_arvalid && (ar_known == {READ_IDS{1'b0}} || |ar_full)) || (m_axi_awvalid && aw_over) || (m_axi_wvalid && w_over),
                m_axi_arvalid && user_bad,
                m_axi_awvalid && aw_bad,
                m_axi_arvalid && ar_bad,
                slave_moved,
                master_moved
            };
            if (rst) broken_q <= 9'd0;
            if (STOP != 0 && !rst && broken_q != 9'd0) begin
                $display("CHECK %m: AXI rules broken: %b", broken_q);
                $finish;
            end
        end
    end
endmodule

`resetall
