// hnic_core: the card without its MAC: registers, rings, DMA, offloads. Wiring only; docs/hnic.md has the picture.
//
// Why: the same core stands behind an XGMII MAC, a GMII MAC, or a sink that is always ready, when only the engine is measured.
// Frames leave as words of AXI_DATA_W, frames come in as words of 64 bits and cannot be made to wait.
//
// Test: tests/hdl/test_hnic_core.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_core #(
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
    parameter LINK_MBIT = 10000,
    parameter COUNT_W = $clog2(AXI_DATA_W / 8) + 1,                         // derived, do not set
    parameter RX_QUEUE_W = RX_QUEUES > 1 ? $clog2(RX_QUEUES) : 1,           // derived, do not set
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
    // frames to the MAC
    output wire                    tx_valid,
    input  wire                    tx_ready,
    output wire [AXI_DATA_W-1:0]   tx_data,
    output wire [COUNT_W-1:0]      tx_count,
    output wire                    tx_last,
    output wire [`HNIC_TXC_COOKIE_W-1:0] tx_cookie,
    output wire                    tx_end,        // the last frame of its packet
    input  wire                    sent,          // a frame has left
    input  wire                    sent_end,      // it was the last of its packet
    input  wire [63:0]             sent_time,     // of its start
    input  wire [15:0]             sent_bytes,
    // frames from the MAC
    input  wire                    rx_valid,
    input  wire [63:0]             rx_data,
    input  wire [3:0]              rx_count,
    input  wire                    rx_last,
    input  wire                    rx_good,
    input  wire [63:0]             rx_time,
    input  wire [`HNIC_RXC_COOKIE_W-1:0] rx_cookie,
    input  wire                    stat_rx_fcs_errs,
    input  wire                    stat_rx_len_errs,
    input  wire                    stat_rx_pauses,
    // the MAC's settings and state
    output wire                    mac_rst,
    output wire [7:0]              cfg_ifg,
    output wire                    cfg_pause,
    output wire [47:0]             cfg_mac,
    input  wire                    status_paused,
    input  wire                    mac_busy,      // a frame goes out or its gap is not over
    input  wire                    mac_rx_busy    // a frame comes in
);
    localparam [7:0] FEATURES = 8'hFF;

    generate
        if (AXIL_ADDR_W != 16) begin : gen_error_hnic_core_axil_addr_w
            ERROR_hnic_core_axil_addr_w u_stop ();
        end
        if (AXI_ADDR_W < 32 || AXI_ADDR_W > 64) begin : gen_error_hnic_core_axi_addr_w
            ERROR_hnic_core_axi_addr_w u_stop ();
        end
        if (AXI_ID_W < 2) begin : gen_error_hnic_core_axi_id_w
            ERROR_hnic_core_axi_id_w u_stop ();
        end
        if (MAX_FRAME < 60 || MAX_FRAME > 16000) begin : gen_error_hnic_core_max_frame
            ERROR_hnic_core_max_frame u_stop ();
        end
        if (TX_STORE_BYTES < 2 * MAX_FRAME || RX_STORE_BYTES < 2 * MAX_FRAME) begin : gen_error_hnic_core_store_bytes
            ERROR_hnic_core_store_bytes u_stop ();
        end
    endgenerate

    // ---- registers ----
    wire        wr_en, rd_en, axil_busy, core_busy, tick;
    wire [15:0] wr_addr, rd_addr;
    wire [31:0] wr_data, rd_csr, rd_rss, rd_stats, rd_txq, rd_rxq;
    wire        cfg_enable, reset_request, reset_done, quiesce, core_rst;
    wire        cfg_promisc, cfg_allmulti, cfg_broadcast, cfg_vlan_strip, cfg_rss;
    wire [63:0] cfg_mc_hash;
    wire [319:0] cfg_rss_key;
    wire [128*RX_QUEUE_W-1:0] cfg_rss_table;
    wire        read_idle, write_idle, data_idle;

    assign mac_rst = core_rst;

    hnic_axil #(.ADDR_W(AXIL_ADDR_W)) u_axil (
        .clk(clk), .rst(rst),
        .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot), .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
        .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
        .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready),
        .s_axil_araddr(s_axil_araddr), .s_axil_arprot(s_axil_arprot), .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
        .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp), .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data),
        .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_csr | rd_rss | rd_stats | rd_txq | rd_rxq),
        .status_busy(axil_busy)
    );

    hnic_csr #(
        .MAX_FRAME(MAX_FRAME), .TX_QUEUES(TX_QUEUES), .RX_QUEUES(RX_QUEUES), .FEATURES(FEATURES), .SPEED(LINK_MBIT)
    ) u_csr (
        .clk(clk), .rst(rst),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data), .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_csr),
        .cfg_enable(cfg_enable), .cfg_ifg(cfg_ifg), .cfg_pause(cfg_pause), .cfg_mac(cfg_mac), .cfg_promisc(cfg_promisc),
        .cfg_allmulti(cfg_allmulti), .cfg_broadcast(cfg_broadcast), .cfg_vlan_strip(cfg_vlan_strip), .cfg_rss(cfg_rss),
        .cfg_mc_hash(cfg_mc_hash),
        .reset_request(reset_request), .reset_done(reset_done), .status_busy(core_busy), .status_paused(status_paused),
        .time_ns(time_ns), .tick(tick)
    );

    hnic_csr_rss #(.QUEUE_W(RX_QUEUE_W)) u_csr_rss (
        .clk(clk), .rst(rst),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data), .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_rss),
        .cfg_rss_key(cfg_rss_key), .cfg_rss_table(cfg_rss_table)
    );

    hnic_soft_reset u_soft_reset (
        .clk(clk), .rst(rst), .request(reset_request),
        .axi_idle(read_idle && write_idle), .mac_idle(data_idle && !tx_valid && !mac_busy),
        .quiesce(quiesce), .core_rst(core_rst), .done(reset_done)
    );

