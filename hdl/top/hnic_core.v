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
    localparam TX_QUEUE_W = TX_QUEUES > 1 ? $clog2(TX_QUEUES) : 1;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam [STATUS_W-1:0] FLUSHED = {STATUS_W{1'b1}};
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

    wire        csr_pause;
    assign mac_rst   = core_rst;
    assign cfg_pause = csr_pause && !quiesce;  // a reset does not wait for the link partner

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
        .cfg_enable(cfg_enable), .cfg_ifg(cfg_ifg), .cfg_pause(csr_pause), .cfg_mac(cfg_mac), .cfg_promisc(cfg_promisc),
        .cfg_allmulti(cfg_allmulti), .cfg_broadcast(cfg_broadcast), .cfg_vlan_strip(cfg_vlan_strip), .cfg_rss(cfg_rss),
        .cfg_mc_hash(cfg_mc_hash),
        .reset_request(reset_request), .reset_done(reset_done), .status_busy(core_busy), .status_paused(status_paused),
        .time_ns(time_ns), .tick(tick)
    );

    hnic_csr_rss #(.QUEUE_W(RX_QUEUE_W)) u_csr_rss (
        .clk(clk), .rst(core_rst),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data), .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_rss),
        .cfg_rss_key(cfg_rss_key), .cfg_rss_table(cfg_rss_table)
    );

    hnic_soft_reset u_soft_reset (
        .clk(clk), .rst(rst), .request(reset_request),
        .axi_idle(read_idle && write_idle), .mac_idle(data_idle && !tx_valid && !mac_busy),
        .quiesce(quiesce), .core_rst(core_rst), .done(reset_done)
    );

    wire [TX_QUEUES-1:0]    txq_enable, txq_reset, txq_doorbell, txq_reset_done, txq_active, txq_error, txq_irq;
    wire [TX_QUEUES*64-1:0] txq_base, txq_cpl_base;
    wire [TX_QUEUES*4-1:0]  txq_size, txq_cpl_size;
    wire [TX_QUEUES*24-1:0] txq_rate, txq_burst;
    wire [TX_QUEUES*3-1:0]  txq_prio;
    wire [TX_QUEUES*16-1:0] txq_tail, txq_head, txq_cpl_head, txq_error_index;
    wire [TX_QUEUES*8-1:0]  txq_error_status;
    wire [15:0]             txq_doorbell_tail;
    wire                    tx_irq_busy;

    hnic_csr_queues #(.QUEUES(TX_QUEUES), .BASE(`HNIC_TXQ_BASE), .VECTOR(8'd0), .TX(1)) u_csr_txq (
        .clk(clk), .rst(core_rst), .tick(tick),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data), .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_txq),
        .cfg_enable(txq_enable), .cfg_reset(txq_reset), .cfg_base(txq_base), .cfg_size(txq_size),
        .cfg_cpl_base(txq_cpl_base), .cfg_cpl_size(txq_cpl_size),
        .cfg_rate(txq_rate), .cfg_burst(txq_burst), .cfg_prio(txq_prio),
        .doorbell(txq_doorbell), .doorbell_tail(txq_doorbell_tail), .reset_done(txq_reset_done),
        .status_active(txq_active), .status_error(txq_error), .status_tail(txq_tail), .status_head(txq_head),
        .status_cpl_head(txq_cpl_head), .error_status(txq_error_status), .error_index(txq_error_index),
        .status_drops({TX_QUEUES * 32{1'b0}}), .irq(txq_irq), .status_busy(tx_irq_busy)
    );

    wire [RX_QUEUES-1:0]    rxq_enable, rxq_reset, rxq_doorbell, rxq_reset_done, rxq_active, rxq_error, rxq_irq;
    wire [RX_QUEUES*64-1:0] rxq_base, rxq_cpl_base;
    wire [RX_QUEUES*4-1:0]  rxq_size, rxq_cpl_size;
    wire [RX_QUEUES*16-1:0] rxq_tail, rxq_head, rxq_cpl_head, rxq_error_index;
    wire [RX_QUEUES*8-1:0]  rxq_error_status;
    wire [RX_QUEUES*32-1:0] rxq_drops;
    wire [15:0]             rxq_doorbell_tail;
    wire                    rx_irq_busy;
    wire [RX_QUEUES*24-1:0] rxq_rate, rxq_burst;  // receive queues have neither rate nor priority
    wire [RX_QUEUES*3-1:0]  rxq_prio;
    wire unused_shape = &{1'b0, rxq_rate, rxq_burst, rxq_prio};

    hnic_csr_queues #(.QUEUES(RX_QUEUES), .BASE(`HNIC_RXQ_BASE), .VECTOR(8'd1), .TX(0)) u_csr_rxq (
        .clk(clk), .rst(core_rst), .tick(tick),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data), .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_rxq),
        .cfg_enable(rxq_enable), .cfg_reset(rxq_reset), .cfg_base(rxq_base), .cfg_size(rxq_size),
        .cfg_cpl_base(rxq_cpl_base), .cfg_cpl_size(rxq_cpl_size), 
        .cfg_rate(rxq_rate), .cfg_burst(rxq_burst), .cfg_prio(rxq_prio),
        .doorbell(rxq_doorbell), .doorbell_tail(rxq_doorbell_tail), .reset_done(rxq_reset_done),
        .status_active(rxq_active), .status_error(rxq_error), .status_tail(rxq_tail), .status_head(rxq_head),
        .status_cpl_head(rxq_cpl_head), .error_status(rxq_error_status), .error_index(rxq_error_index),
        .status_drops(rxq_drops), .irq(rxq_irq), .status_busy(rx_irq_busy)
    );

    // Vector 2q is TX queue q, 2q + 1 RX queue q.
    genvar q;
    generate
        for (q = 0; q < IRQ_N / 2; q = q + 1) begin : gen_irq
            if (q < TX_QUEUES) begin : gen_tx
                assign irq[2*q] = txq_irq[q];
            end else begin : gen_no_tx
                assign irq[2*q] = 1'b0;
            end
            if (q < RX_QUEUES) begin : gen_rx
                assign irq[2*q+1] = rxq_irq[q];
            end else begin : gen_no_rx
                assign irq[2*q+1] = 1'b0;
            end
        end
    endgenerate

    // ---- what is counted ----
    wire stat_tx_drops, stat_tx_csums, stat_tx_descs, stat_tx_tso, stat_axi_rd_errs, stat_axi_wr_errs;
    wire stat_txq_doorbell_errs, stat_rxq_doorbell_errs;
    wire stat_rx_frames, stat_rx_filtered, stat_rx_overflow, stat_rx_field_errs, stat_rx_drops, stat_rx_csum_errs;
    wire tx_cpl_done, tx_cpl_error, rx_cpl_done, rx_cpl_error, enter_valid, enter_ready;
    wire [15:0]         stat_rx_bytes;
    wire [STATUS_W-1:0] enter_status;

    reg [6:0] irqs;
    always @* begin : count_irqs
        integer i;
        irqs = 7'd0;
        for (i = 0; i < IRQ_N; i = i + 1)
            irqs = irqs + {6'd0, irq[i]};
    end

    hnic_stats u_stats (
        .clk(clk), .rst(rst), .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_stats),
        .stat_tx_frames(sent), .stat_tx_bytes(sent_bytes), .stat_tx_drops(stat_tx_drops), .stat_tx_csums(stat_tx_csums),
        .stat_tx_descs(stat_tx_descs), .stat_cpls(tx_cpl_done || rx_cpl_done), .stat_axi_rd_errs(stat_axi_rd_errs),
        .stat_axi_wr_errs(stat_axi_wr_errs), .stat_doorbell_errs(stat_txq_doorbell_errs || stat_rxq_doorbell_errs),
        .stat_irqs(irqs), .stat_tx_tso(stat_tx_tso),
        .stat_tx_flushed(enter_valid && enter_ready && enter_status == FLUSHED),
        .stat_rx_frames(stat_rx_frames), .stat_rx_bytes(stat_rx_bytes), .stat_rx_fcs_errs(stat_rx_fcs_errs),
        .stat_rx_len_errs({1'b0, stat_rx_len_errs} + {1'b0, stat_rx_field_errs}), .stat_rx_filtered(stat_rx_filtered),
        .stat_rx_overflows(stat_rx_overflow), .stat_rx_drops(stat_rx_drops), .stat_rx_csum_errs(stat_rx_csum_errs),
        .stat_rx_pauses(stat_rx_pauses)
    );

    // ---- AXI ----
    wire                    txd_ar_valid, txd_ar_ready, txd_r_valid, data_ar_valid, data_ar_ready, data_r_valid;
    wire                    rxd_ar_valid, rxd_ar_ready, rxd_r_valid, r_error, b_error;
    wire [AXI_ADDR_W-1:0]   txd_ar_addr, data_ar_addr, rxd_ar_addr;
    wire [7:0]              txd_ar_len, data_ar_len, rxd_ar_len;
    wire [12:0]             txd_ar_bytes, data_ar_bytes, rxd_ar_bytes;
    wire [AXI_DATA_W-1:0]   r_data;

    hnic_axi_read #(.DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .ID_W(AXI_ID_W)) u_axi_read (
        .clk(clk), .rst(core_rst),
        .txd_ar_valid(txd_ar_valid), .txd_ar_ready(txd_ar_ready), .txd_ar_addr(txd_ar_addr),
        .txd_ar_len(txd_ar_len), .txd_ar_bytes(txd_ar_bytes), .txd_r_valid(txd_r_valid),
        .data_ar_valid(data_ar_valid), .data_ar_ready(data_ar_ready), .data_ar_addr(data_ar_addr),
        .data_ar_len(data_ar_len), .data_ar_bytes(data_ar_bytes), .data_r_valid(data_r_valid),
        .rxd_ar_valid(rxd_ar_valid), .rxd_ar_ready(rxd_ar_ready), .rxd_ar_addr(rxd_ar_addr),
        .rxd_ar_len(rxd_ar_len), .rxd_ar_bytes(rxd_ar_bytes), .rxd_r_valid(rxd_r_valid),
        .r_data(r_data), .r_error(r_error), .status_idle(read_idle), .stat_axi_rd_errs(stat_axi_rd_errs),
        .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_arlock(m_axi_arlock),
        .m_axi_arcache(m_axi_arcache), .m_axi_arprot(m_axi_arprot), .m_axi_aruser(m_axi_aruser),
        .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready),
        .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready)
    );

    wire                    cpl_aw_valid, cpl_aw_ready, cpl_w_valid, cpl_w_ready, cpl_b_valid;
    wire                    data_aw_valid, data_aw_ready, data_w_valid, data_w_ready, data_b_valid;
    wire [AXI_ADDR_W-1:0]   cpl_aw_addr, data_aw_addr;
    wire [7:0]              cpl_aw_len, data_aw_len;
    wire [2:0]              cpl_aw_size;
    wire [12:0]             data_aw_bytes;
    wire [AXI_DATA_W-1:0]   cpl_w_data, data_w_data;
    wire [AXI_DATA_W/8-1:0] cpl_w_strb, data_w_strb;

    hnic_axi_write #(.DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .ID_W(AXI_ID_W), .OUTSTANDING(WR_OUTSTANDING)) u_axi_write (
        .clk(clk), .rst(core_rst), .quiesce(quiesce),
        .cpl_aw_valid(cpl_aw_valid), .cpl_aw_ready(cpl_aw_ready), .cpl_aw_addr(cpl_aw_addr), .cpl_aw_len(cpl_aw_len),
        .cpl_aw_size(cpl_aw_size), .cpl_w_valid(cpl_w_valid), .cpl_w_ready(cpl_w_ready), .cpl_w_data(cpl_w_data),
        .cpl_w_strb(cpl_w_strb), .cpl_b_valid(cpl_b_valid),
        .data_aw_valid(data_aw_valid), .data_aw_ready(data_aw_ready), .data_aw_addr(data_aw_addr), .data_aw_len(data_aw_len),
        .data_aw_bytes(data_aw_bytes),
        .data_w_valid(data_w_valid), .data_w_ready(data_w_ready), .data_w_data(data_w_data), .data_w_strb(data_w_strb),
        .data_b_valid(data_b_valid), .b_error(b_error), .status_idle(write_idle), .stat_axi_wr_errs(stat_axi_wr_errs),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awlock(m_axi_awlock), .m_axi_awcache(m_axi_awcache),
        .m_axi_awprot(m_axi_awprot), .m_axi_awuser(m_axi_awuser), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast),
        .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready)
    );

    wire                tx_cpl_valid, tx_cpl_ready, rx_cpl_valid, rx_cpl_ready;
    wire [63:0]         tx_cpl_addr, rx_cpl_addr;
    wire [8*`HNIC_TXC_BYTES-1:0] tx_cpl_record;
    wire [8*`HNIC_RXC_BYTES-1:0] rx_cpl_record;

    hnic_cpl_writer #(.DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .OUTSTANDING(WR_OUTSTANDING)) u_cpl_writer (
        .clk(clk), .rst(core_rst),
        .tx_valid(tx_cpl_valid), .tx_ready(tx_cpl_ready), .tx_addr(tx_cpl_addr), .tx_record(tx_cpl_record),
        .tx_done(tx_cpl_done), .tx_error(tx_cpl_error),
        .rx_valid(rx_cpl_valid), .rx_ready(rx_cpl_ready), .rx_addr(rx_cpl_addr), .rx_record(rx_cpl_record),
        .rx_done(rx_cpl_done), .rx_error(rx_cpl_error),
        .aw_valid(cpl_aw_valid), .aw_ready(cpl_aw_ready), .aw_addr(cpl_aw_addr), .aw_len(cpl_aw_len), .aw_size(cpl_aw_size),
        .w_valid(cpl_w_valid), .w_ready(cpl_w_ready), .w_data(cpl_w_data), .w_strb(cpl_w_strb),
        .b_valid(cpl_b_valid), .b_error(b_error)
    );

    // ---- transmit ----
    wire                  seg_valid, seg_ready, seg_first, seg_last, charge_valid, rings_busy;
    wire [TX_QUEUE_W-1:0] seg_queue, charge_queue, enter_queue;
    wire [63:0]           seg_addr;
    wire [16:0]           seg_len;
    wire [15:0]           seg_index, seg_next, charge_bytes, enter_next, enter_index;
    wire [8*`HNIC_TXD_BYTES-1:0] seg_sop;
    wire [STATUS_W-1:0]   seg_status;
    wire [TX_QUEUES-1:0]  flush;
    wire [COOKIE_W-1:0]   enter_cookie;

    hnic_tx_rings #(
        .DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .QUEUES(TX_QUEUES), .DEPTH(DESC_DEPTH), .BURST(DESC_BURST), .MAX_FRAME(MAX_FRAME)
    ) u_tx_rings (
        .clk(clk), .rst(core_rst), .quiesce(quiesce), .cfg_card_enable(cfg_enable),
        .cfg_enable(txq_enable), .cfg_reset(txq_reset), .cfg_base(txq_base), .cfg_size(txq_size),
        .cfg_cpl_base(txq_cpl_base), .cfg_cpl_size(txq_cpl_size),
        .cfg_prio(txq_prio), .cfg_rate(txq_rate), .cfg_burst(txq_burst),
        .doorbell(txq_doorbell), .doorbell_tail(txq_doorbell_tail), .reset_done(txq_reset_done),
        .status_active(txq_active), .status_error(txq_error), .status_tail(txq_tail), .status_head(txq_head),
        .status_cpl_head(txq_cpl_head), .error_status(txq_error_status), .error_index(txq_error_index),
        .status_busy(rings_busy),
        .seg_valid(seg_valid), .seg_ready(seg_ready), .seg_queue(seg_queue), .seg_addr(seg_addr), .seg_len(seg_len),
        .seg_first(seg_first), .seg_last(seg_last), .seg_sop(seg_sop), .seg_status(seg_status), .seg_index(seg_index),
        .seg_next(seg_next), .flush(flush),
        .charge_valid(charge_valid), .charge_queue(charge_queue), .charge_bytes(charge_bytes),
        .enter_valid(enter_valid), .enter_ready(enter_ready), .enter_queue(enter_queue), .enter_cookie(enter_cookie),
        .enter_next(enter_next), .enter_status(enter_status), .enter_index(enter_index),
        .sent(sent && sent_end), .sent_time(sent_time),
        .cpl_valid(tx_cpl_valid), .cpl_ready(tx_cpl_ready), .cpl_addr(tx_cpl_addr), .cpl_record(tx_cpl_record),
        .cpl_done(tx_cpl_done), .cpl_error(tx_cpl_error),
        .ar_valid(txd_ar_valid), .ar_ready(txd_ar_ready), .ar_addr(txd_ar_addr), .ar_len(txd_ar_len), .ar_bytes(txd_ar_bytes),
        .r_valid(txd_r_valid), .r_data(r_data), .r_error(r_error),
        .stat_tx_drops(stat_tx_drops), .stat_tx_descs(stat_tx_descs), .stat_doorbell_errs(stat_txq_doorbell_errs)
    );

    hnic_tx_data #(
        .DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .QUEUES(TX_QUEUES), .BURST_BYTES(RD_BURST_BYTES),
        .OUTSTANDING(RD_OUTSTANDING), .FIFO_BYTES(RD_FIFO_BYTES), .STORE_BYTES(TX_STORE_BYTES), .MAX_FRAME(MAX_FRAME)
    ) u_tx_data (
        .clk(clk), .rst(core_rst), .quiesce(quiesce), .flush(flush),
        .seg_valid(seg_valid), .seg_ready(seg_ready), .seg_queue(seg_queue), .seg_addr(seg_addr), .seg_len(seg_len),
        .seg_first(seg_first), .seg_last(seg_last), .seg_sop(seg_sop), .seg_status(seg_status), .seg_index(seg_index),
        .seg_next(seg_next),
        .ar_valid(data_ar_valid), .ar_ready(data_ar_ready), .ar_addr(data_ar_addr), .ar_len(data_ar_len), .ar_bytes(data_ar_bytes),
        .r_valid(data_r_valid), .r_data(r_data), .r_error(r_error),
        .charge_valid(charge_valid), .charge_queue(charge_queue), .charge_bytes(charge_bytes),
        .enter_valid(enter_valid), .enter_ready(enter_ready), .enter_queue(enter_queue), .enter_cookie(enter_cookie),
        .enter_next(enter_next), .enter_status(enter_status), .enter_index(enter_index),
        .out_valid(tx_valid), .out_ready(tx_ready), .out_data(tx_data), .out_count(tx_count), .out_last(tx_last),
        .out_end(tx_end), .out_cookie(tx_cookie),
        .status_idle(data_idle), .stat_tx_csums(stat_tx_csums), .stat_tx_tso(stat_tx_tso)
    );

    // ---- receive ----
    wire                  pkt_valid, pkt_ready, pipe_valid, pipe_ready, pipe_last, pipe_idle, engine_busy;
    wire [RX_QUEUE_W-1:0] pkt_queue;
    wire [8*`HNIC_RXC_BYTES-1:0] pkt_cpl;
    wire [AXI_DATA_W-1:0] pipe_data;
    wire [COUNT_W-1:0]    pipe_count;

    hnic_rx_pipe #(.DATA_W(AXI_DATA_W), .QUEUES(RX_QUEUES), .BYTES(RX_STORE_BYTES)) u_rx_pipe (
        .clk(clk), .rst(core_rst),
        .in_valid(rx_valid), .in_data(rx_data), .in_count(rx_count), .in_last(rx_last), .in_good(rx_good),
        .in_time(rx_time), .in_cookie(rx_cookie),
        .cfg_enable(cfg_enable && !quiesce), .cfg_mac(cfg_mac), .cfg_promisc(cfg_promisc), .cfg_allmulti(cfg_allmulti),
        .cfg_broadcast(cfg_broadcast), .cfg_mc_hash(cfg_mc_hash), .cfg_vlan_strip(cfg_vlan_strip),
        .cfg_rss(cfg_rss), .cfg_rss_key(cfg_rss_key), .cfg_rss_table(cfg_rss_table),
        .pkt_valid(pkt_valid), .pkt_ready(pkt_ready), .pkt_queue(pkt_queue), .pkt_cpl(pkt_cpl),
        .out_valid(pipe_valid), .out_ready(pipe_ready), .out_data(pipe_data), .out_count(pipe_count), .out_last(pipe_last),
        .status_idle(pipe_idle), .stat_rx_frames(stat_rx_frames), .stat_rx_bytes(stat_rx_bytes),
        .stat_rx_filtered(stat_rx_filtered), .stat_rx_overflow(stat_rx_overflow), .stat_rx_len_errs(stat_rx_field_errs),
        .stat_rx_csum_errs(stat_rx_csum_errs)
    );

    hnic_rx_engine #(
        .DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .QUEUES(RX_QUEUES), .DEPTH(DESC_DEPTH), .DESC_BURST(DESC_BURST),
        .BURST_BYTES(WR_BURST_BYTES), .OUTSTANDING(WR_OUTSTANDING), .CPL_OUTSTANDING(WR_OUTSTANDING)
    ) u_rx_engine (
        .clk(clk), .rst(core_rst), .quiesce(quiesce), .cfg_card_enable(cfg_enable),
        .cfg_enable(rxq_enable), .cfg_reset(rxq_reset), .cfg_base(rxq_base), .cfg_size(rxq_size),
        .cfg_cpl_base(rxq_cpl_base), .cfg_cpl_size(rxq_cpl_size),
        .doorbell(rxq_doorbell), .doorbell_tail(rxq_doorbell_tail), .reset_done(rxq_reset_done),
        .status_active(rxq_active), .status_error(rxq_error), .status_tail(rxq_tail), .status_head(rxq_head),
        .status_cpl_head(rxq_cpl_head), .error_status(rxq_error_status), .error_index(rxq_error_index),
        .status_drops(rxq_drops), .status_busy(engine_busy), .stat_rx_drops(stat_rx_drops),
        .stat_doorbell_errs(stat_rxq_doorbell_errs),
        .pkt_valid(pkt_valid), .pkt_ready(pkt_ready), .pkt_queue(pkt_queue), .pkt_cpl(pkt_cpl),
        .in_valid(pipe_valid), .in_ready(pipe_ready), .in_data(pipe_data), .in_count(pipe_count), .in_last(pipe_last),
        .ar_valid(rxd_ar_valid), .ar_ready(rxd_ar_ready), .ar_addr(rxd_ar_addr), .ar_len(rxd_ar_len), .ar_bytes(rxd_ar_bytes),
        .r_valid(rxd_r_valid), .r_data(r_data), .r_error(r_error),
        .aw_valid(data_aw_valid), .aw_ready(data_aw_ready), .aw_addr(data_aw_addr), .aw_len(data_aw_len), .aw_bytes(data_aw_bytes),
        .w_valid(data_w_valid), .w_ready(data_w_ready), .w_data(data_w_data), .w_strb(data_w_strb),
        .b_valid(data_b_valid), .b_error(b_error),
        .cpl_valid(rx_cpl_valid), .cpl_ready(rx_cpl_ready), .cpl_addr(rx_cpl_addr), .cpl_record(rx_cpl_record),
        .cpl_done(rx_cpl_done), .cpl_error(rx_cpl_error)
    );

    // ---- may the clock stop? ----
    assign core_busy   = rings_busy || !data_idle || tx_valid || mac_busy || mac_rx_busy || status_paused || !pipe_idle || engine_busy
                         || !read_idle || !write_idle || tx_irq_busy || rx_irq_busy || reset_request;
    assign status_busy = core_busy || axil_busy;

`ifdef HNIC_CHECKS
    wire [8:0] axi_broken;
    wire unused_checks = &{1'b0, axi_broken};
    hnic_axi_check #(
        .DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .ID_W(AXI_ID_W), .RD_LIMIT(RD_OUTSTANDING > 32 ? RD_OUTSTANDING : 32), .WR_LIMIT(WR_OUTSTANDING)
    ) u_axi_check (
        .clk(clk), .rst(rst),
        .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen), .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast),
        .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready),
        .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen), .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst), .m_axi_aruser(m_axi_aruser), .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready),
        .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready), .broken(axi_broken)
    );
`endif
endmodule

`resetall
