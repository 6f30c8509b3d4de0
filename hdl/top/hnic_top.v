// hnic_top: the card: core and MAC. Wiring only; docs/hnic.md has the picture, the parameters, the ports and the register map.
//
// Throughput: one bus word a cycle from memory, line rate on the wire, both directions.
// The wire is XGMII (10 Gbit/s, 156.25 MHz) or, with GMII 1, GMII (1 Gbit/s, 125 MHz).
//
// Test: tests/hdl/test_hnic_top.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_top #(
    parameter TX_QUEUES = 8,
    parameter RX_QUEUES = 8,
    parameter AXI_DATA_W = 128,
    parameter AXI_ADDR_W = 64,
    parameter AXI_ID_W = 4,
    parameter AXIL_ADDR_W = 16,
    parameter RD_BURST_BYTES = 512,
    parameter RD_OUTSTANDING = 64,
    parameter RD_FIFO_BYTES = 64 * AXI_DATA_W,
    parameter WR_BURST_BYTES = 512,
    parameter WR_OUTSTANDING = 64,
    parameter DESC_DEPTH = 64,
    parameter DESC_BURST = 8,
    parameter TX_STORE_BYTES = 32768,
    parameter RX_STORE_BYTES = 32768,
    parameter MAX_FRAME = 9600,
    parameter GMII = 0,
    parameter IRQ_N = 2 * (TX_QUEUES > RX_QUEUES ? TX_QUEUES : RX_QUEUES)  // derived, do not set
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire [63:0]             time_ns,
    input  wire [AXIL_ADDR_W-1:0]  s_axil_awaddr,
    input  wire [2:0]              s_axil_awprot,
    input  wire                    s_axil_awvalid,
    output wire                    s_axil_awready,
    input  wire [31:0]             s_axil_wdata,
    input  wire [3:0]              s_axil_wstrb,
    input  wire                    s_axil_wvalid,
    output wire                    s_axil_wready,
    output wire [1:0]              s_axil_bresp,
    output wire                    s_axil_bvalid,
    input  wire                    s_axil_bready,
    input  wire [AXIL_ADDR_W-1:0]  s_axil_araddr,
    input  wire [2:0]              s_axil_arprot,
    input  wire                    s_axil_arvalid,
    output wire                    s_axil_arready,
    output wire [31:0]             s_axil_rdata,
    output wire [1:0]              s_axil_rresp,
    output wire                    s_axil_rvalid,
    input  wire                    s_axil_rready,
    output wire [AXI_ID_W-1:0]     m_axi_awid,
    output wire [AXI_ADDR_W-1:0]   m_axi_awaddr,
    output wire [7:0]              m_axi_awlen,
    output wire [2:0]              m_axi_awsize,
    output wire [1:0]              m_axi_awburst,
    output wire                    m_axi_awlock,
    output wire [3:0]              m_axi_awcache,
    output wire [2:0]              m_axi_awprot,
    output wire [12:0]             m_axi_awuser,  // bytes written
    output wire                    m_axi_awvalid,
    input  wire                    m_axi_awready,
    output wire [AXI_DATA_W-1:0]   m_axi_wdata,
    output wire [AXI_DATA_W/8-1:0] m_axi_wstrb,
    output wire                    m_axi_wlast,
    output wire                    m_axi_wvalid,
    input  wire                    m_axi_wready,
    input  wire [AXI_ID_W-1:0]     m_axi_bid,
    input  wire [1:0]              m_axi_bresp,
    input  wire                    m_axi_bvalid,
    output wire                    m_axi_bready,
    output wire [AXI_ID_W-1:0]     m_axi_arid,
    output wire [AXI_ADDR_W-1:0]   m_axi_araddr,
    output wire [7:0]              m_axi_arlen,
    output wire [2:0]              m_axi_arsize,
    output wire [1:0]              m_axi_arburst,
    output wire                    m_axi_arlock,
    output wire [3:0]              m_axi_arcache,
    output wire [2:0]              m_axi_arprot,
    output wire [12:0]             m_axi_aruser,  // bytes wanted
    output wire                    m_axi_arvalid,
    input  wire                    m_axi_arready,
    input  wire [AXI_ID_W-1:0]     m_axi_rid,
    input  wire [AXI_DATA_W-1:0]   m_axi_rdata,
    input  wire [1:0]              m_axi_rresp,
    input  wire                    m_axi_rlast,
    input  wire                    m_axi_rvalid,
    output wire                    m_axi_rready,
    output wire [IRQ_N-1:0]        irq,
    output wire                    status_busy,
    output wire [63:0]             xgmii_txd,
    output wire [7:0]              xgmii_txc,
    input  wire [63:0]             xgmii_rxd,
    input  wire [7:0]              xgmii_rxc,
    output wire [7:0]              gmii_txd,
    output wire                    gmii_tx_en,
    output wire                    gmii_tx_er,
    input  wire [7:0]              gmii_rxd,
    input  wire                    gmii_rx_dv,
    input  wire                    gmii_rx_er,
    output wire                    m_wire_cookie_valid,
    output wire [31:0]             m_wire_cookie,
    input  wire [31:0]             s_wire_cookie
);
    localparam COUNT_W = $clog2(AXI_DATA_W / 8) + 1;

    wire                  tx_valid, tx_ready, tx_last, tx_end, sent, sent_end;
    wire [AXI_DATA_W-1:0] tx_data;
    wire [COUNT_W-1:0]    tx_count;
    wire [31:0]           tx_cookie, rx_cookie;
    wire [63:0]           sent_time, rx_data, rx_time;
    wire [15:0]           sent_bytes;
    wire                  rx_valid, rx_last, rx_good;
    wire [3:0]            rx_count;
    wire                  stat_rx_fcs_errs, stat_rx_len_errs, stat_rx_pauses;
    wire                  mac_rst, cfg_pause, status_paused, mac_tx_busy, mac_rx_busy;
    wire [7:0]            cfg_ifg;
    wire [47:0]           cfg_mac;

    hnic_core #(
        .TX_QUEUES(TX_QUEUES), .RX_QUEUES(RX_QUEUES), .AXI_DATA_W(AXI_DATA_W), .AXI_ADDR_W(AXI_ADDR_W),
        .AXI_ID_W(AXI_ID_W), .AXIL_ADDR_W(AXIL_ADDR_W), .RD_BURST_BYTES(RD_BURST_BYTES),
        .RD_OUTSTANDING(RD_OUTSTANDING), .RD_FIFO_BYTES(RD_FIFO_BYTES), .WR_BURST_BYTES(WR_BURST_BYTES),
        .WR_OUTSTANDING(WR_OUTSTANDING), .DESC_DEPTH(DESC_DEPTH), .DESC_BURST(DESC_BURST),
        .TX_STORE_BYTES(TX_STORE_BYTES), .RX_STORE_BYTES(RX_STORE_BYTES), .MAX_FRAME(MAX_FRAME),
        .LINK_MBIT(GMII != 0 ? 1000 : 10000)
    ) u_core (
        .clk(clk), .rst(rst), .time_ns(time_ns), .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot),
        .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready), .s_axil_wdata(s_axil_wdata),
        .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
        .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready),
        .s_axil_araddr(s_axil_araddr), .s_axil_arprot(s_axil_arprot), .s_axil_arvalid(s_axil_arvalid),
        .s_axil_arready(s_axil_arready), .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
        .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready), .m_axi_awid(m_axi_awid),
        .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awlock(m_axi_awlock), .m_axi_awcache(m_axi_awcache),
        .m_axi_awprot(m_axi_awprot), .m_axi_awuser(m_axi_awuser), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready), .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready), .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_arlock(m_axi_arlock),
        .m_axi_arcache(m_axi_arcache), .m_axi_arprot(m_axi_arprot), .m_axi_aruser(m_axi_aruser),
        .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready), .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready),
        .irq(irq), .status_busy(status_busy), .tx_valid(tx_valid), .tx_ready(tx_ready), .tx_data(tx_data),
        .tx_count(tx_count), .tx_last(tx_last), .tx_cookie(tx_cookie), .tx_end(tx_end), .sent(sent),
        .sent_end(sent_end), .sent_time(sent_time), .sent_bytes(sent_bytes), .rx_valid(rx_valid), .rx_data(rx_data),
        .rx_count(rx_count), .rx_last(rx_last), .rx_good(rx_good), .rx_time(rx_time), .rx_cookie(rx_cookie),
        .stat_rx_fcs_errs(stat_rx_fcs_errs), .stat_rx_len_errs(stat_rx_len_errs), .stat_rx_pauses(stat_rx_pauses),
        .mac_rst(mac_rst), .cfg_ifg(cfg_ifg), .cfg_pause(cfg_pause), .cfg_mac(cfg_mac), .status_paused(status_paused),
        .mac_busy(mac_tx_busy), .mac_rx_busy(mac_rx_busy)
    );

    hnic_mac #(.DATA_W(AXI_DATA_W), .GMII(GMII), .MAX_FRAME(MAX_FRAME)) u_mac (
        .clk(clk), .rst(mac_rst),
        .time_ns(time_ns), .cfg_ifg(cfg_ifg), .cfg_pause(cfg_pause), .cfg_mac(cfg_mac), .tx_valid(tx_valid),
        .tx_ready(tx_ready), .tx_data(tx_data), .tx_count(tx_count), .tx_last(tx_last), .tx_cookie(tx_cookie),
        .tx_end(tx_end), .sent(sent), .sent_end(sent_end), .sent_time(sent_time), .sent_bytes(sent_bytes),
        .rx_valid(rx_valid), .rx_data(rx_data), .rx_count(rx_count), .rx_last(rx_last), .rx_good(rx_good),
        .rx_time(rx_time), .rx_cookie(rx_cookie), .stat_rx_fcs_errs(stat_rx_fcs_errs),
        .stat_rx_len_errs(stat_rx_len_errs), .stat_rx_pauses(stat_rx_pauses), .status_paused(status_paused),
        .status_tx_busy(mac_tx_busy), .status_rx_busy(mac_rx_busy), .xgmii_txd(xgmii_txd), .xgmii_txc(xgmii_txc),
        .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc), .gmii_txd(gmii_txd), .gmii_tx_en(gmii_tx_en),
        .gmii_tx_er(gmii_tx_er), .gmii_rxd(gmii_rxd), .gmii_rx_dv(gmii_rx_dv), .gmii_rx_er(gmii_rx_er),
        .m_wire_cookie_valid(m_wire_cookie_valid), .m_wire_cookie(m_wire_cookie), .s_wire_cookie(s_wire_cookie)
    );
endmodule

`resetall
