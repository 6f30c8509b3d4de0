// hnic_axi_read: the AXI4 read channels, shared by transmit descriptors (id 0), transmit data (id 1), receive descriptors (id 2).
//
// Why: three engines, one bus. Answers are told apart by their id; each engine has kept room for what it asked for, so
// `m_axi_rready` is always 1 and none can block another. They take turns.
// Throughput: an address a cycle, a beat a cycle. Latency: one cycle for addresses, none for data.
//
// | parameter | legal             | meaning            |
// |-----------|-------------------|--------------------|
// | DATA_W    | 64, 128, 256, 512 | width of read data |
// | ADDR_W    | 32..64            | width of addresses |
// | ID_W      | >= 2              | width of ids       |
//
// Test: tests/hdl/test_hnic_axi_read.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_axi_read #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter ID_W = 4
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              txd_ar_valid,
    output wire              txd_ar_ready,
    input  wire [ADDR_W-1:0] txd_ar_addr,
    input  wire [7:0]        txd_ar_len,
    input  wire [12:0]       txd_ar_bytes,
    output wire              txd_r_valid,
    input  wire              data_ar_valid,
    output wire              data_ar_ready,
    input  wire [ADDR_W-1:0] data_ar_addr,
    input  wire [7:0]        data_ar_len,
    input  wire [12:0]       data_ar_bytes,
    output wire              data_r_valid,
    input  wire              rxd_ar_valid,
    output wire              rxd_ar_ready,
    input  wire [ADDR_W-1:0] rxd_ar_addr,
    input  wire [7:0]        rxd_ar_len,
    input  wire [12:0]       rxd_ar_bytes,
    output wire              rxd_r_valid,
    output wire [DATA_W-1:0] r_data,     // for all
    output wire              r_error,
    output wire              status_idle,  // nothing asked for and nothing about to be
    output wire              stat_axi_rd_errs,
    output wire [ID_W-1:0]   m_axi_arid,
    output wire [ADDR_W-1:0] m_axi_araddr,
    output wire [7:0]        m_axi_arlen,
    output wire [2:0]        m_axi_arsize,
    output wire [1:0]        m_axi_arburst,
    output wire              m_axi_arlock,
    output wire [3:0]        m_axi_arcache,
    output wire [2:0]        m_axi_arprot,
    output wire [12:0]       m_axi_aruser,
    output wire              m_axi_arvalid,
    input  wire              m_axi_arready,
    input  wire [ID_W-1:0]   m_axi_rid,
    input  wire [DATA_W-1:0] m_axi_rdata,
    input  wire [1:0]        m_axi_rresp,
    input  wire              m_axi_rlast,
    input  wire              m_axi_rvalid,
    output wire              m_axi_rready
);
    localparam AR_W = 2 + ADDR_W + 8 + 13;
    localparam [1:0] ID_TXD = 2'd0;
    localparam [1:0] ID_DATA = 2'd1;
    localparam [1:0] ID_RXD = 2'd2;
    localparam BUS_LOG2 = $clog2(DATA_W / 8);
    localparam [1:0] BURST_INCR = 2'b01;
    localparam [3:0] CACHE_NORMAL = 4'b0011;  // normal, bufferable: coherence is the driver's barriers

    generate
        if (ID_W < 2) begin : gen_error_hnic_axi_read_id_w
            ERROR_hnic_axi_read_id_w u_stop ();
        end
    endgenerate

    reg  [15:0] under_way_q;  // bursts between an engine's request and their last beat

    wire [2:0]    request = {rxd_ar_valid, data_ar_valid, txd_ar_valid};
    wire [2:0]    grant;
    wire          slice_ready;
    wire          accept = |request && slice_ready;
    wire          r_end = m_axi_rvalid && m_axi_rlast;
    wire [1:0]    id;
    wire [ID_W:0] wide_id = {{ID_W - 1{1'b0}}, id};

    assign txd_ar_ready  = slice_ready && grant[0];
    assign data_ar_ready = slice_ready && grant[1];
    assign rxd_ar_ready  = slice_ready && grant[2];

    hnic_arb #(.N(3)) u_arb (.clk(clk), .rst(rst), .request(request), .advance(slice_ready), .grant(grant));

    hnic_skid #(.WIDTH(AR_W)) u_ar (
        .clk(clk), .rst(rst),
        .in_valid(|request), .in_ready(slice_ready),
        .in_data(grant[2] ? {ID_RXD, rxd_ar_addr, rxd_ar_len, rxd_ar_bytes}
                 : grant[1] ? {ID_DATA, data_ar_addr, data_ar_len, data_ar_bytes}
                 : {ID_TXD, txd_ar_addr, txd_ar_len, txd_ar_bytes}),
        .out_valid(m_axi_arvalid), .out_ready(m_axi_arready),
        .out_data({id, m_axi_araddr, m_axi_arlen, m_axi_aruser})
    );

    assign m_axi_arid       = wide_id[ID_W-1:0];
    assign m_axi_arsize     = BUS_LOG2[2:0];
    assign m_axi_arburst    = BURST_INCR;
    assign m_axi_arlock     = 1'b0;
    assign m_axi_arcache    = CACHE_NORMAL;
    assign m_axi_arprot     = 3'b000;
    assign m_axi_rready     = 1'b1;
    assign r_data           = m_axi_rdata;
    assign r_error          = m_axi_rresp[1];
    assign txd_r_valid      = m_axi_rvalid && m_axi_rid[1:0] == ID_TXD;
    assign data_r_valid     = m_axi_rvalid && m_axi_rid[1:0] == ID_DATA;
    assign rxd_r_valid      = m_axi_rvalid && m_axi_rid[1:0] == ID_RXD;
    assign status_idle      = under_way_q == 16'd0 && request == 3'd0;
    assign stat_axi_rd_errs = m_axi_rvalid && m_axi_rresp[1];

    wire awake = rst || accept || m_axi_rvalid;

    always @(posedge clk) begin
        if (awake) begin
            if (accept != r_end) under_way_q <= accept ? under_way_q + 16'd1 : under_way_q - 16'd1;
            if (rst) under_way_q <= 16'd0;
        end
    end

    wire unused = &{1'b0, m_axi_rid, m_axi_rresp[0], wide_id[ID_W]};

`ifdef HNIC_CHECKS
    wire look = m_axi_rvalid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (r_end && under_way_q == 16'd0) begin
                $display("CHECK %m: a burst ended that nobody asked for");
                $finish;
            end
            if ((m_axi_rid >> 2) != {ID_W{1'b0}} || m_axi_rid[1:0] == 2'd3) begin
                $display("CHECK %m: data with a foreign id");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
