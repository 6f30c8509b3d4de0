// hnic_axi_write: the AXI4 write channels, shared by the completion writer (id 0) and the write of received data (id 1).
//
// Why: two engines, one bus. Write data follows in the order of the addresses, answers are told apart by their id. The
// beats of a burst are counted here, so the engines need not mark the last one. An engine may ask for a burst only when
// the data for it comes without further help: a burst that waits for data holds up the other engine.
// `quiesce` starts no burst; those begun are finished, then `status_idle` rises.
// Throughput: an address a cycle, a beat a cycle. Latency: one cycle for addresses, two for data behind its address.
//
// | parameter   | legal             | meaning                          |
// |-------------|-------------------|----------------------------------|
// | DATA_W      | 64, 128, 256, 512 | width of write data              |
// | ADDR_W      | 32..64            | width of addresses               |
// | ID_W        | >= 1              | width of ids                     |
// | OUTSTANDING | power of two >= 2 | bursts of one id without answer  |
//
// Test: tests/hdl/test_hnic_axi_write.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_axi_write #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter ID_W = 4,
    parameter OUTSTANDING = 64
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                quiesce,        // start no burst
    input  wire                cpl_aw_valid,
    output wire                cpl_aw_ready,
    input  wire [ADDR_W-1:0]   cpl_aw_addr,
    input  wire [7:0]          cpl_aw_len,
    input  wire [2:0]          cpl_aw_size,
    input  wire                cpl_w_valid,
    output wire                cpl_w_ready,
    input  wire [DATA_W-1:0]   cpl_w_data,
    input  wire [DATA_W/8-1:0] cpl_w_strb,
    output wire                cpl_b_valid,
    input  wire                data_aw_valid,
    output wire                data_aw_ready,
    input  wire [ADDR_W-1:0]   data_aw_addr,
    input  wire [7:0]          data_aw_len,
    input  wire [12:0]         data_aw_bytes,
    input  wire                data_w_valid,
    output wire                data_w_ready,
    input  wire [DATA_W-1:0]   data_w_data,
    input  wire [DATA_W/8-1:0] data_w_strb,
    output wire                data_b_valid,
    output wire                b_error,        // for both
    output wire                status_idle,    // nothing begun, and nothing about to begin
    output wire                stat_axi_wr_errs,
    output wire [ID_W-1:0]     m_axi_awid,
    output wire [ADDR_W-1:0]   m_axi_awaddr,
    output wire [7:0]          m_axi_awlen,
    output wire [2:0]          m_axi_awsize,
    output wire [1:0]          m_axi_awburst,
    output wire                m_axi_awlock,
    output wire [3:0]          m_axi_awcache,
    output wire [2:0]          m_axi_awprot,
    output wire [12:0]         m_axi_awuser,   // bytes that the burst writes
    output wire                m_axi_awvalid,
    input  wire                m_axi_awready,
    output wire [DATA_W-1:0]   m_axi_wdata,
    output wire [DATA_W/8-1:0] m_axi_wstrb,
    output wire                m_axi_wlast,
    output wire                m_axi_wvalid,
    input  wire                m_axi_wready,
    input  wire [ID_W-1:0]     m_axi_bid,
    input  wire [1:0]          m_axi_bresp,
    input  wire                m_axi_bvalid,
    output wire                m_axi_bready
);
    localparam NB = DATA_W / 8;
    localparam BUS_LOG2 = $clog2(NB);
    localparam COUNT_W = $clog2(OUTSTANDING) + 1;
    localparam AHEAD = 8;  // bursts whose address may be ahead of their data
    localparam AW_W = 1 + ADDR_W + 8 + 3 + 13;
    localparam [ID_W-1:0] ONE = 1;
    localparam [1:0] BURST_INCR = 2'b01;
    localparam [3:0] CACHE_NORMAL = 4'b0011;  // normal, bufferable: coherence is the driver's barriers

    generate
        if (OUTSTANDING < 2 || (OUTSTANDING & (OUTSTANDING - 1)) != 0) begin : gen_error_hnic_axi_write_outstanding
            ERROR_hnic_axi_write_outstanding u_stop ();
        end
    endgenerate

    // ---- addresses ----
    reg  [COUNT_W-1:0] cpl_count_q;   // bursts without an answer
    reg  [COUNT_W-1:0] data_count_q;

    wire [1:0] request = {data_aw_valid && !data_count_q[COUNT_W-1], cpl_aw_valid && !cpl_count_q[COUNT_W-1]} & {2{!quiesce}};
    wire [1:0] grant;
    wire       from_data = grant[1];
    wire       slice_ready, order_ready;
    wire       may_start = slice_ready && order_ready;
    wire       accept = |request && may_start;
    wire [7:0] len = from_data ? data_aw_len : cpl_aw_len;
    wire       id_bit;
    wire [12:0] bytes = from_data ? data_aw_bytes : ({5'd0, cpl_aw_len} + 13'd1) << cpl_aw_size;

    assign cpl_aw_ready  = grant[0] && may_start;
    assign data_aw_ready = grant[1] && may_start;

    hnic_arb #(.N(2)) u_arb (.clk(clk), .rst(rst), .request(request), .advance(may_start), .grant(grant));

    hnic_skid #(.WIDTH(AW_W)) u_aw (
        .clk(clk), .rst(rst),
        .in_valid(accept), .in_ready(slice_ready),
        .in_data({from_data, from_data ? data_aw_addr : cpl_aw_addr, len, from_data ? BUS_LOG2[2:0] : cpl_aw_size, bytes}),
        .out_valid(m_axi_awvalid), .out_ready(m_axi_awready),
        .out_data({id_bit, m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awuser})
    );

    // ---- data, in the order of the addresses ----
    wire       order_valid, order_data;  // whose burst is next
    wire [7:0] order_len;
    reg  [7:0] beat_q;
    wire       w_ready;
    wire       w_valid = order_valid && (order_data ? data_w_valid : cpl_w_valid);
    wire       w_last = beat_q == order_len;
    wire       w_step = w_valid && w_ready;

    assign cpl_w_ready  = order_valid && !order_data && w_ready;
    assign data_w_ready = order_valid && order_data && w_ready;

    hnic_fifo #(.WIDTH(1 + 8), .DEPTH(AHEAD)) u_order (
        .clk(clk), .rst(rst),
        .wr_valid(accept), .wr_ready(order_ready), .wr_data({from_data, len}),
        .rd_valid(order_valid), .rd_ready(w_step && w_last), .rd_data({order_data, order_len}),
        .level()
    );

    hnic_skid #(.WIDTH(DATA_W + NB + 1)) u_w (
        .clk(clk), .rst(rst),
        .in_valid(w_valid), .in_ready(w_ready),
        .in_data({order_data ? data_w_data : cpl_w_data, order_data ? data_w_strb : cpl_w_strb, w_last}),
        .out_valid(m_axi_wvalid), .out_ready(m_axi_wready), .out_data({m_axi_wdata, m_axi_wstrb, m_axi_wlast})
    );

    // ---- answers ----
    wire cpl_begins = accept && !from_data;
    wire data_begins = accept && from_data;

    assign cpl_b_valid      = m_axi_bvalid && !m_axi_bid[0];
    assign data_b_valid     = m_axi_bvalid && m_axi_bid[0];
    assign b_error          = m_axi_bresp[1];
    assign stat_axi_wr_errs = m_axi_bvalid && m_axi_bresp[1];
    assign status_idle      = cpl_count_q == {COUNT_W{1'b0}} && data_count_q == {COUNT_W{1'b0}}
                              && (quiesce || !(cpl_aw_valid || data_aw_valid));
    assign m_axi_awid       = {ID_W{id_bit}} & ONE;
    assign m_axi_awburst    = BURST_INCR;
    assign m_axi_awlock     = 1'b0;
    assign m_axi_awcache    = CACHE_NORMAL;
    assign m_axi_awprot     = 3'b000;
    assign m_axi_bready     = 1'b1;

    wire awake = rst || accept || w_step || m_axi_bvalid;

    always @(posedge clk) begin
        if (awake) begin
            if (w_step) beat_q <= w_last ? 8'd0 : beat_q + 8'd1;
            if (cpl_begins != cpl_b_valid) cpl_count_q <= cpl_begins ? cpl_count_q + 1'b1 : cpl_count_q - 1'b1;
            if (data_begins != data_b_valid) data_count_q <= data_begins ? data_count_q + 1'b1 : data_count_q - 1'b1;
            if (rst) begin
                beat_q       <= 8'd0;
                cpl_count_q  <= {COUNT_W{1'b0}};
                data_count_q <= {COUNT_W{1'b0}};
            end
        end
    end

    wire unused = &{1'b0, m_axi_bid, m_axi_bresp[0]};

`ifdef HNIC_CHECKS
    wire look = m_axi_bvalid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if ((cpl_b_valid && cpl_count_q == {COUNT_W{1'b0}}) || (data_b_valid && data_count_q == {COUNT_W{1'b0}})) begin
                $display("CHECK %m: an answer that nobody waits for");
                $finish;
            end
            if ((m_axi_bid >> 1) != {ID_W{1'b0}}) begin
                $display("CHECK %m: an answer with a foreign id");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
