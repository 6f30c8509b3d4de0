// hnic_write_bench: the write side of the bus, from frames and records to AXI, with the bus checker beside it.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_write_bench #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter BURST_BYTES = 512,
    parameter OUTSTANDING = 32,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                quiesce,
    input  wire                place_valid,
    output wire                place_ready,
    input  wire [63:0]         place_addr,
    input  wire [15:0]         place_bytes,
    input  wire                place_last,
    input  wire                in_valid,
    output wire                in_ready,
    input  wire [DATA_W-1:0]   in_data,
    input  wire [COUNT_W-1:0]  in_count,
    input  wire                in_last,
    output wire                done_valid,
    input  wire                done_ready,
    output wire                done_error,
    input  wire                tx_valid,
    output wire                tx_ready,
    input  wire [63:0]         tx_addr,
    input  wire [127:0]        tx_record,
    output wire                tx_done,
    output wire                tx_error,
    input  wire                rx_valid,
    output wire                rx_ready,
    input  wire [63:0]         rx_addr,
    input  wire [255:0]        rx_record,
    output wire                rx_done,
    output wire                rx_error,
    output wire                status_idle,
    output wire                stat_axi_wr_errs,
    output wire [3:0]          m_axi_awid,
    output wire [ADDR_W-1:0]   m_axi_awaddr,
    output wire [7:0]          m_axi_awlen,
    output wire [2:0]          m_axi_awsize,
    output wire [1:0]          m_axi_awburst,
    output wire                m_axi_awlock,
    output wire [3:0]          m_axi_awcache,
    output wire [2:0]          m_axi_awprot,
    output wire [12:0]         m_axi_awuser,
    output wire                m_axi_awvalid,
    input  wire                m_axi_awready,
    output wire [DATA_W-1:0]   m_axi_wdata,
    output wire [DATA_W/8-1:0] m_axi_wstrb,
    output wire                m_axi_wlast,
    output wire                m_axi_wvalid,
    input  wire                m_axi_wready,
    input  wire [3:0]          m_axi_bid,
    input  wire [1:0]          m_axi_bresp,
    input  wire                m_axi_bvalid,
    output wire                m_axi_bready
);
    localparam NB = DATA_W / 8;

    wire              cpl_aw_valid, cpl_aw_ready, cpl_w_valid, cpl_w_ready, cpl_b_valid;
    wire              data_aw_valid, data_aw_ready, data_w_valid, data_w_ready, data_b_valid, b_error;
    wire [ADDR_W-1:0] cpl_aw_addr, data_aw_addr;
    wire [7:0]        cpl_aw_len, data_aw_len;
    wire [12:0]       data_aw_bytes;
    wire [2:0]        cpl_aw_size;
    wire [DATA_W-1:0] cpl_w_data, data_w_data;
    wire [NB-1:0]     cpl_w_strb, data_w_strb;

    hnic_dma_write #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .BURST_BYTES(BURST_BYTES), .OUTSTANDING(OUTSTANDING)) u_dma_write (
        .clk(clk), .rst(rst),
        .place_valid(place_valid), .place_ready(place_ready), .place_addr(place_addr), .place_bytes(place_bytes),
        .place_last(place_last),
        .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data), .in_count(in_count), .in_last(in_last),
        .aw_valid(data_aw_valid), .aw_ready(data_aw_ready), .aw_addr(data_aw_addr), .aw_len(data_aw_len), .aw_bytes(data_aw_bytes),
        .w_valid(data_w_valid), .w_ready(data_w_ready), .w_data(data_w_data), .w_strb(data_w_strb),
        .b_valid(data_b_valid), .b_error(b_error),
        .done_valid(done_valid), .done_ready(done_ready), .done_error(done_error)
    );

    hnic_cpl_writer #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .OUTSTANDING(OUTSTANDING)) u_cpl_writer (
        .clk(clk), .rst(rst),
        .tx_valid(tx_valid), .tx_ready(tx_ready), .tx_addr(tx_addr), .tx_record(tx_record), .tx_done(tx_done), .tx_error(tx_error),
        .rx_valid(rx_valid), .rx_ready(rx_ready), .rx_addr(rx_addr), .rx_record(rx_record), .rx_done(rx_done), .rx_error(rx_error),
        .aw_valid(cpl_aw_valid), .aw_ready(cpl_aw_ready), .aw_addr(cpl_aw_addr), .aw_len(cpl_aw_len), .aw_size(cpl_aw_size),
        .w_valid(cpl_w_valid), .w_ready(cpl_w_ready), .w_data(cpl_w_data), .w_strb(cpl_w_strb),
        .b_valid(cpl_b_valid), .b_error(b_error)
    );

    hnic_axi_write #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .OUTSTANDING(OUTSTANDING)) u_axi_write (
        .clk(clk), .rst(rst), .quiesce(quiesce),
        .cpl_aw_valid(cpl_aw_valid), .cpl_aw_ready(cpl_aw_ready), .cpl_aw_addr(cpl_aw_addr), .cpl_aw_len(cpl_aw_len),
        .cpl_aw_size(cpl_aw_size),
        .cpl_w_valid(cpl_w_valid), .cpl_w_ready(cpl_w_ready), .cpl_w_data(cpl_w_data), .cpl_w_strb(cpl_w_strb),
        .cpl_b_valid(cpl_b_valid),
        .data_aw_valid(data_aw_valid), .data_aw_ready(data_aw_ready), .data_aw_addr(data_aw_addr), .data_aw_len(data_aw_len), .data_aw_bytes(data_aw_bytes),
        .data_w_valid(data_w_valid), .data_w_ready(data_w_ready), .data_w_data(data_w_data), .data_w_strb(data_w_strb),
        .data_b_valid(data_b_valid), .b_error(b_error),
        .status_idle(status_idle), .stat_axi_wr_errs(stat_axi_wr_errs),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awlock(m_axi_awlock), .m_axi_awcache(m_axi_awcache), .m_axi_awprot(m_axi_awprot), .m_axi_awuser(m_axi_awuser),
        .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready)
    );

    hnic_axi_check #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .ID_W(4), .WR_LIMIT(OUTSTANDING)) u_check (
        .clk(clk), .rst(rst),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready),
        .m_axi_arid(4'd0), .m_axi_araddr({ADDR_W{1'b0}}), .m_axi_arlen(8'd0), .m_axi_arsize(3'd0), .m_axi_arburst(2'd0),
        .m_axi_aruser(13'd0), .m_axi_arvalid(1'b0), .m_axi_arready(1'b0),
        .m_axi_rid(4'd0), .m_axi_rdata({DATA_W{1'b0}}), .m_axi_rresp(2'd0), .m_axi_rlast(1'b0), .m_axi_rvalid(1'b0),
        .m_axi_rready(1'b1),
        .broken()
    );
endmodule

`resetall
