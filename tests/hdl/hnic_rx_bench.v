// hnic_rx_bench: the receive engine with its way to the memory bus, and the bus checker beside it.
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_rx_bench #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter QUEUES = 8,
    parameter DEPTH = 64,
    parameter DESC_BURST = 8,
    parameter BURST_BYTES = 512,
    parameter OUTSTANDING = 64,
    parameter FRAMES = 64,
    parameter CPL_OUTSTANDING = 64,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1,  // derived, do not set
    parameter COUNT_W = $clog2(DATA_W / 8) + 1,           // derived, do not set
    parameter ID_W = 4
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 quiesce,       // start no frame and no read; the writes' own is in hnic_axi_write
    input  wire                 cfg_card_enable,
    input  wire [QUEUES-1:0]    cfg_enable,
    input  wire [QUEUES-1:0]    cfg_reset,
    input  wire [64*QUEUES-1:0] cfg_base,
    input  wire [4*QUEUES-1:0]  cfg_size,
    input  wire [64*QUEUES-1:0] cfg_cpl_base,
    input  wire [4*QUEUES-1:0]  cfg_cpl_size,
    input  wire [QUEUES-1:0]    doorbell,
    input  wire [15:0]          doorbell_tail,
    output wire [QUEUES-1:0]    reset_done,
    output wire [QUEUES-1:0]    status_active,
    output wire [QUEUES-1:0]    status_error,
    output wire [16*QUEUES-1:0] status_tail,
    output wire [16*QUEUES-1:0] status_head,
    output wire [16*QUEUES-1:0] status_cpl_head,
    output wire [8*QUEUES-1:0]  error_status,
    output wire [16*QUEUES-1:0] error_index,
    output wire [32*QUEUES-1:0] status_drops,
    output wire                 status_busy,
    output wire                 stat_rx_drops,
    output wire                 stat_doorbell_errs,
    // frames: a record each, and in the same order the words
    input  wire                 pkt_valid,
    output wire                 pkt_ready,
    input  wire [QUEUE_W-1:0]   pkt_queue,
    input  wire [8*`HNIC_RXC_BYTES-1:0] pkt_cpl,
    input  wire                 in_valid,
    output wire                 in_ready,
    input  wire [DATA_W-1:0]    in_data,
    input  wire [COUNT_W-1:0]   in_count,
    input  wire                 in_last,
    output wire                 status_idle,   // of the bus
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
    output wire              m_axi_rready,
    output wire [ID_W-1:0]     m_axi_awid,
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
    input  wire [ID_W-1:0]     m_axi_bid,
    input  wire [1:0]          m_axi_bresp,
    input  wire                m_axi_bvalid,
    output wire                m_axi_bready
);
    localparam NB = DATA_W / 8;
    localparam CPL_W = 8 * `HNIC_RXC_BYTES;

    wire              ar_valid, ar_ready, r_valid, r_error, rd_idle, wr_idle;
    wire              aw_valid, aw_ready, w_valid, w_ready, b_valid, b_error;
    wire              cpl_aw_valid, cpl_aw_ready, cpl_w_valid, cpl_w_ready, cpl_b_valid;
    wire              cpl_valid, cpl_ready, cpl_done, cpl_error;
    wire [ADDR_W-1:0] ar_addr, aw_addr, cpl_aw_addr;
    wire [63:0]       cpl_addr;
    wire [7:0]        ar_len, aw_len, cpl_aw_len;
    wire [12:0]       aw_bytes;
    wire [12:0]       ar_bytes;
    wire [2:0]        cpl_aw_size;
    wire [DATA_W-1:0] r_data, w_data, cpl_w_data;
    wire [NB-1:0]     w_strb, cpl_w_strb;
    wire [CPL_W-1:0]  cpl_record;

    assign status_idle = rd_idle && wr_idle;

    hnic_rx_engine #(
        .DATA_W(DATA_W), .ADDR_W(ADDR_W), .QUEUES(QUEUES), .DEPTH(DEPTH), .DESC_BURST(DESC_BURST), .BURST_BYTES(BURST_BYTES),
        .OUTSTANDING(OUTSTANDING), .FRAMES(FRAMES), .CPL_OUTSTANDING(CPL_OUTSTANDING)
    ) u_engine (
        .clk(clk), .rst(rst), .quiesce(quiesce), .cfg_card_enable(cfg_card_enable), .cfg_enable(cfg_enable),
        .cfg_reset(cfg_reset), .cfg_base(cfg_base), .cfg_size(cfg_size), .cfg_cpl_base(cfg_cpl_base),
        .cfg_cpl_size(cfg_cpl_size), .doorbell(doorbell), .doorbell_tail(doorbell_tail), .reset_done(reset_done),
        .status_active(status_active), .status_error(status_error), .status_tail(status_tail),
        .status_head(status_head), .status_cpl_head(status_cpl_head), .error_status(error_status),
        .error_index(error_index), .status_drops(status_drops), .status_busy(status_busy),
        .stat_rx_drops(stat_rx_drops), .stat_doorbell_errs(stat_doorbell_errs), .pkt_valid(pkt_valid),
        .pkt_ready(pkt_ready), .pkt_queue(pkt_queue), .pkt_cpl(pkt_cpl), .in_valid(in_valid), .in_ready(in_ready),
        .in_data(in_data), .in_count(in_count), .in_last(in_last),
        .ar_valid(ar_valid), .ar_ready(ar_ready), .ar_addr(ar_addr), .ar_len(ar_len), .ar_bytes(ar_bytes),
        .r_valid(r_valid), .r_data(r_data), .r_error(r_error),
        .aw_valid(aw_valid), .aw_ready(aw_ready), .aw_addr(aw_addr), .aw_len(aw_len), .aw_bytes(aw_bytes),
        .w_valid(w_valid), .w_ready(w_ready), .w_data(w_data), .w_strb(w_strb), .b_valid(b_valid), .b_error(b_error),
        .cpl_valid(cpl_valid), .cpl_ready(cpl_ready), .cpl_addr(cpl_addr), .cpl_record(cpl_record),
        .cpl_done(cpl_done), .cpl_error(cpl_error)
    );

    hnic_cpl_writer #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .OUTSTANDING(CPL_OUTSTANDING)) u_cpl_writer (
        .clk(clk), .rst(rst),
        .tx_valid(1'b0), .tx_ready(), .tx_addr(64'd0), .tx_record(128'd0), .tx_done(), .tx_error(),
        .rx_valid(cpl_valid), .rx_ready(cpl_ready), .rx_addr(cpl_addr), .rx_record(cpl_record),
        .rx_done(cpl_done), .rx_error(cpl_error),
        .aw_valid(cpl_aw_valid), .aw_ready(cpl_aw_ready), .aw_addr(cpl_aw_addr), .aw_len(cpl_aw_len), .aw_size(cpl_aw_size),
        .w_valid(cpl_w_valid), .w_ready(cpl_w_ready), .w_data(cpl_w_data), .w_strb(cpl_w_strb),
        .b_valid(cpl_b_valid), .b_error(b_error)
    );

    hnic_axi_write #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .ID_W(ID_W), .OUTSTANDING(OUTSTANDING)) u_axi_write (
        .clk(clk), .rst(rst), .quiesce(quiesce),
        .cpl_aw_valid(cpl_aw_valid), .cpl_aw_ready(cpl_aw_ready), .cpl_aw_addr(cpl_aw_addr), .cpl_aw_len(cpl_aw_len),
        .cpl_aw_size(cpl_aw_size),
        .cpl_w_valid(cpl_w_valid), .cpl_w_ready(cpl_w_ready), .cpl_w_data(cpl_w_data), .cpl_w_strb(cpl_w_strb),
        .cpl_b_valid(cpl_b_valid),
        .data_aw_valid(aw_valid), .data_aw_ready(aw_ready), .data_aw_addr(aw_addr), .data_aw_len(aw_len), .data_aw_bytes(aw_bytes),
        .data_w_valid(w_valid), .data_w_ready(w_ready), .data_w_data(w_data), .data_w_strb(w_strb),
        .data_b_valid(b_valid), .b_error(b_error), .status_idle(wr_idle), .stat_axi_wr_errs(),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awlock(m_axi_awlock), .m_axi_awcache(m_axi_awcache),
        .m_axi_awprot(m_axi_awprot), .m_axi_awuser(m_axi_awuser), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready), .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready)
    );

    hnic_axi_read #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .ID_W(ID_W)) u_axi_read (
        .clk(clk), .rst(rst),
        .txd_ar_valid(1'b0), .txd_ar_ready(), .txd_ar_addr({ADDR_W{1'b0}}), .txd_ar_len(8'd0), .txd_ar_bytes(13'd0), .txd_r_valid(),
        .data_ar_valid(1'b0), .data_ar_ready(), .data_ar_addr({ADDR_W{1'b0}}), .data_ar_len(8'd0), .data_ar_bytes(13'd0),
        .data_r_valid(),
        .rxd_ar_valid(ar_valid), .rxd_ar_ready(ar_ready), .rxd_ar_addr(ar_addr), .rxd_ar_len(ar_len), .rxd_ar_bytes(ar_bytes),
        .rxd_r_valid(r_valid), .r_data(r_data), .r_error(r_error), .status_idle(rd_idle), .stat_axi_rd_errs(),
        .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen), .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst), .m_axi_arlock(m_axi_arlock), .m_axi_arcache(m_axi_arcache),
        .m_axi_arprot(m_axi_arprot), .m_axi_aruser(m_axi_aruser), .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready), .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp),
        .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready)
    );

    hnic_axi_check #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .ID_W(ID_W), .WR_LIMIT(OUTSTANDING)) u_check (
        .clk(clk), .rst(rst),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready), .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready), .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_aruser(m_axi_aruser),
        .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready), .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready),
        .broken()
    );
endmodule

`resetall
