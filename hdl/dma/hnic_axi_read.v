// hnic_axi_read: the AXI4 read channels, shared by the descriptor fetch (id 0) and the data read (id 1).
//
// Why: two engines, one bus. Answers are told apart by their id; each engine has kept room for what it asked for, so
// `m_axi_rready` is always 1 and neither can block the other.
// Throughput: an address a cycle, a beat a cycle. Latency: one cycle for addresses, none for data.
//
// | parameter | legal             | meaning            |
// |-----------|-------------------|--------------------|
// | DATA_W    | 64, 128, 256, 512 | width of read data |
// | ADDR_W    | 32..64            | width of addresses |
// | ID_W      | >= 1              | width of ids       |
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
    input  wire              desc_ar_valid,
    output wire              desc_ar_ready,
    input  wire [ADDR_W-1:0] desc_ar_addr,
    input  wire [7:0]        desc_ar_len,
    input  wire [12:0]       desc_ar_bytes,
    output wire              desc_r_valid,
    input  wire              data_ar_valid,
    output wire              data_ar_ready,
    input  wire [ADDR_W-1:0] data_ar_addr,
    input  wire [7:0]        data_ar_len,
    input  wire [12:0]       data_ar_bytes,
    output wire              data_r_valid,
    output wire [DATA_W-1:0] r_data,     // for both
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
    localparam AR_W = 1 + ADDR_W + 8 + 13;
    localparam [ID_W-1:0] ONE = 1;
    localparam BUS_LOG2 = $clog2(DATA_W / 8);
    localparam [1:0] BURST_INCR = 2'b01;
    localparam [3:0] CACHE_NORMAL = 4'b0011;  // normal, bufferable: coherence is the driver's barriers

    reg  [7:0] under_way_q;  // bursts between an engine's request and their last beat

    wire [1:0] grant;
    wire       slice_ready;
    wire       from_data = grant[1];
    wire       request = desc_ar_valid || data_ar_valid;
    wire       accept = request && slice_ready;
    wire       r_end = m_axi_rvalid && m_axi_rlast;
    wire       id_bit;

    assign desc_ar_ready = slice_ready && grant[0];
    assign data_ar_ready = slice_ready && grant[1];

    hnic_arb #(.N(2)) u_arb (
        .clk(clk), .rst(rst), .request({data_ar_valid, desc_ar_valid}), .advance(slice_ready), .grant(grant)
    );

    hnic_skid #(.WIDTH(AR_W)) u_ar (
        .clk(clk), .rst(rst),
        .in_valid(request), .in_ready(slice_ready),
        .in_data(from_data ? {1'b1, data_ar_addr, data_ar_len, data_ar_bytes}
                           : {1'b0, desc_ar_addr, desc_ar_len, desc_ar_bytes}),
        .out_valid(m_axi_arvalid), .out_ready(m_axi_arready),
        .out_data({id_bit, m_axi_araddr, m_axi_arlen, m_axi_aruser})
    );

    assign m_axi_arid       = {ID_W{id_bit}} & ONE;
    assign m_axi_arsize     = BUS_LOG2[2:0];
    assign m_axi_arburst    = BURST_INCR;
    assign m_axi_arlock     = 1'b0;
    assign m_axi_arcache    = CACHE_NORMAL;
    assign m_axi_arprot     = 3'b000;
    assign m_axi_rready     = 1'b1;
    assign r_data           = m_axi_rdata;
    assign r_error          = m_axi_rresp[1];
    assign desc_r_valid     = m_axi_rvalid && !m_axi_rid[0];
    assign data_r_valid     = m_axi_rvalid && m_axi_rid[0];
    assign status_idle      = under_way_q == 8'd0 && !request;
    assign stat_axi_rd_errs = m_axi_rvalid && m_axi_rresp[1];

    always @(posedge clk) begin
        if (accept != r_end) under_way_q <= accept ? under_way_q + 8'd1 : under_way_q - 8'd1;
        if (rst) under_way_q <= 8'd0;
    end

    wire unused = &{1'b0, m_axi_rid, m_axi_rresp[0]};

`ifdef HNIC_CHECKS
    always @(posedge clk) begin
        if (!rst && r_end && under_way_q == 8'd0) begin
            $display("CHECK %m: a burst ended that nobody asked for");
            $finish;
        end
        if (!rst && m_axi_rvalid && (m_axi_rid >> 1) != {ID_W{1'b0}}) begin
            $display("CHECK %m: data with a foreign id");
            $finish;
        end
    end
`endif
endmodule

`resetall
