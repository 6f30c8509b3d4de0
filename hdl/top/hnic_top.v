// hnic_top: the card. Wiring only; hdl/README.md has the picture, the parameters, the ports and the register map.
//
// Throughput: one bus word a cycle from memory, line rate on the wire.
// Latency: doorbell to start character of a 60-byte frame 29 cycles with memory that answers at once (128-bit bus).
//
// Test: tests/hdl/test_hnic_top.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_top #(
    parameter AXI_DATA_W = 128,
    parameter AXI_ADDR_W = 64,
    parameter AXI_ID_W = 4,
    parameter AXIL_ADDR_W = 16,
    parameter RD_BURST_BYTES = 512,
    parameter RD_OUTSTANDING = 16,
    parameter RD_FIFO_BYTES = 4096,
    parameter DESC_FIFO = 32,
    parameter DESC_BURST = 8,
    parameter STORE_BYTES = 32768,
    parameter MAX_FRAME = 9600,
    parameter CPL_OUTSTANDING = 8,
    parameter IRQ_N = 2
) (
    input  wire                    clk,
    input  wire                    rst,
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
    output wire [63:0]             xgmii_txd,
    output wire [7:0]              xgmii_txc,
    output wire                    m_wire_cookie_valid,
    output wire [`HNIC_TXC_COOKIE_W-1:0] m_wire_cookie,
    output wire [IRQ_N-1:0]        irq,
    output wire                    status_busy
);
    localparam COUNT_W = $clog2(AXI_DATA_W / 8) + 1;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam [1:0] BURST_INCR = 2'b01;
    localparam [3:0] CACHE_NORMAL = 4'b0011;  // normal, bufferable: coherence is the driver's barriers
    localparam [7:0] TXQ_VECTOR = 8'd0;

    generate
        if (AXIL_ADDR_W != 16) begin : gen_error_hnic_top_axil_addr_w
            ERROR_hnic_top_axil_addr_w u_stop ();
        end
        if (AXI_ADDR_W < 32 || AXI_ADDR_W > 64) begin : gen_error_hnic_top_axi_addr_w
            ERROR_hnic_top_axi_addr_w u_stop ();
        end
        if (MAX_FRAME < 60 || MAX_FRAME > 16000) begin : gen_error_hnic_top_max_frame
            ERROR_hnic_top_max_frame u_stop ();
        end
        if (STORE_BYTES < 2 * MAX_FRAME) begin : gen_error_hnic_top_store_bytes
            ERROR_hnic_top_store_bytes u_stop ();
        end
        if (IRQ_N != 2) begin : gen_error_hnic_top_irq_n
            ERROR_hnic_top_irq_n u_stop ();
        end
    endgenerate

    // ---- registers ----
    wire        wr_en, rd_en, axil_busy, core_busy;
    wire [15:0] wr_addr, rd_addr;
    wire [31:0] wr_data, rd_data_csr, rd_data_stats, rd_data_txq;
    wire        cfg_enable, reset_request, reset_done, quiesce, core_rst;
    wire [7:0]  cfg_ifg;
    wire [63:0] cycle;
    wire        read_idle, write_idle, store_idle, mac_busy, queue_busy, irq_busy, insert_valid;

    hnic_axil #(.ADDR_W(AXIL_ADDR_W)) u_axil (
        .clk(clk), .rst(rst),
        .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot), .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
        .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
        .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready),
        .s_axil_araddr(s_axil_araddr), .s_axil_arprot(s_axil_arprot), .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
        .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp), .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data),
        .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_data_csr | rd_data_stats | rd_data_txq),
        .status_busy(axil_busy)
    );

    hnic_csr #(.MAX_FRAME(MAX_FRAME)) u_csr (
        .clk(clk), .rst(rst),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data),
        .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_data_csr),
        .cfg_enable(cfg_enable), .cfg_ifg(cfg_ifg),
        .reset_request(reset_request), .reset_done(reset_done), .status_busy(core_busy), .cycle(cycle)
    );

    hnic_soft_reset u_soft_reset (
        .clk(clk), .rst(rst), .request(reset_request),
        .axi_idle(read_idle && write_idle), .mac_idle(store_idle && !insert_valid && !mac_busy),
        .quiesce(quiesce), .core_rst(core_rst), .done(reset_done)
    );

    wire        q_enable, q_doorbell, q_arm, q_active;
    wire [63:0] q_base, q_cpl_base;
    wire [3:0]  q_size, q_cpl_size;
    wire [15:0] q_doorbell_tail, q_arm_index, q_tail, q_head, q_cpl_head;

    hnic_csr_queue #(.BASE(`HNIC_TXQ_BASE), .VECTOR(TXQ_VECTOR)) u_csr_txq (
        .clk(clk), .rst(core_rst),
        .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data),
        .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_data_txq),
        .cfg_enable(q_enable), .cfg_base(q_base), .cfg_size(q_size), .cfg_cpl_base(q_cpl_base), .cfg_cpl_size(q_cpl_size),
        .doorbell(q_doorbell), .doorbell_tail(q_doorbell_tail), .arm(q_arm), .arm_index(q_arm_index),
        .status_active(q_active), .status_tail(q_tail), .status_head(q_head), .status_cpl_head(q_cpl_head)
    );

    wire        stat_tx_drops, stat_tx_csums, stat_tx_descs, stat_axi_rd_errs, stat_axi_wr_errs, stat_doorbell_errs;
    wire        cpl_done, sent;
    wire [15:0] sent_bytes;

    hnic_stats u_stats (
        .clk(clk), .rst(rst), .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(rd_data_stats),
        .stat_tx_frames(sent), .stat_tx_bytes(sent_bytes), .stat_tx_drops(stat_tx_drops), .stat_tx_csums(stat_tx_csums),
        .stat_tx_descs(stat_tx_descs), .stat_cpls(cpl_done), .stat_axi_rd_errs(stat_axi_rd_errs),
        .stat_axi_wr_errs(stat_axi_wr_errs), .stat_doorbell_errs(stat_doorbell_errs), .stat_irqs(|irq)
    );

    // ---- the TX queue ----
    wire        fetch_valid, fetch_ready, cpl_issue, cpl_phase;
    wire [63:0] fetch_addr, cpl_addr;
    wire [7:0]  fetch_count;
    wire [15:0] fetch_index, cpl_next;

    hnic_tx_queue #(.DESC_BURST(DESC_BURST)) u_txq (
        .clk(clk), .rst(core_rst), .cfg_card_enable(cfg_enable), .cfg_enable(q_enable),
        .cfg_base(q_base), .cfg_size(q_size), .cfg_cpl_base(q_cpl_base), .cfg_cpl_size(q_cpl_size),
        .doorbell(q_doorbell), .doorbell_tail(q_doorbell_tail),
        .fetch_valid(fetch_valid), .fetch_ready(fetch_ready),
        .fetch_addr(fetch_addr), .fetch_count(fetch_count), .fetch_index(fetch_index),
        .cpl_addr(cpl_addr), .cpl_phase(cpl_phase), .cpl_issue(cpl_issue), .cpl_issue_head(cpl_next), .cpl_done(cpl_done),
        .status_active(q_active), .status_busy(queue_busy),
        .status_tail(q_tail), .status_head(q_head), .status_cpl_head(q_cpl_head),
        .stat_doorbell_errs(stat_doorbell_errs)
    );

    hnic_irq u_irq (
        .clk(clk), .rst(core_rst), .enable(q_enable), .arm(q_arm), .arm_index(q_arm_index), .cpl_head(q_cpl_head),
        .irq(irq[0]), .status_busy(irq_busy)
    );
    assign irq[1] = 1'b0;  // RX queue 0 is served by the test bench

    // ---- AXI reads ----
    wire                  desc_ar_valid, desc_ar_ready, desc_r_valid, data_ar_valid, data_ar_ready, data_r_valid, r_error;
    wire [AXI_ADDR_W-1:0] desc_ar_addr, data_ar_addr;
    wire [7:0]            desc_ar_len, data_ar_len;
    wire [12:0]           desc_ar_bytes, data_ar_bytes;
    wire [AXI_DATA_W-1:0] r_data;

    hnic_axi_read #(.DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .ID_W(AXI_ID_W)) u_axi_read (
        .clk(clk), .rst(core_rst),
        .desc_ar_valid(desc_ar_valid), .desc_ar_ready(desc_ar_ready), .desc_ar_addr(desc_ar_addr),
        .desc_ar_len(desc_ar_len), .desc_ar_bytes(desc_ar_bytes), .desc_r_valid(desc_r_valid),
        .data_ar_valid(data_ar_valid), .data_ar_ready(data_ar_ready), .data_ar_addr(data_ar_addr),
        .data_ar_len(data_ar_len), .data_ar_bytes(data_ar_bytes), .data_r_valid(data_r_valid),
        .r_data(r_data), .r_error(r_error), .status_idle(read_idle), .stat_axi_rd_errs(stat_axi_rd_errs),
        .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_arlock(m_axi_arlock),
        .m_axi_arcache(m_axi_arcache), .m_axi_arprot(m_axi_arprot), .m_axi_aruser(m_axi_aruser),
        .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready),
        .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready)
    );

    // ---- descriptors to packets ----
    wire        desc_valid, desc_ready, desc_error;
    wire [8*`HNIC_TXD_BYTES-1:0] desc_data;
    wire [15:0] desc_next;

    hnic_desc_fetch #(.DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .DESC_FIFO(DESC_FIFO), .DESC_BURST(DESC_BURST)) u_desc_fetch (
        .clk(clk), .rst(core_rst), .quiesce(quiesce),
        .fetch_valid(fetch_valid), .fetch_ready(fetch_ready),
        .fetch_addr(fetch_addr), .fetch_count(fetch_count), .fetch_index(fetch_index),
        .ar_valid(desc_ar_valid), .ar_ready(desc_ar_ready), .ar_addr(desc_ar_addr), .ar_len(desc_ar_len), .ar_bytes(desc_ar_bytes),
        .r_valid(desc_r_valid), .r_data(r_data), .r_error(r_error),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_data(desc_data), .desc_error(desc_error), .desc_next(desc_next)
    );

    wire                       seg_valid, seg_ready, seg_last, open_valid, open_ready, open_csum, close_valid, close_ready;
    wire [63:0]                seg_addr;
    wire [`HNIC_TXD_LEN_W-1:0] seg_len;
    wire [15:0]                open_csum_start, open_csum_offset, close_next;
    wire [COOKIE_W-1:0]        open_cookie;
    wire [STATUS_W-1:0]        close_status;

    hnic_tx_packet #(.MAX_FRAME(MAX_FRAME), .DEPTH(DESC_FIFO)) u_tx_packet (
        .clk(clk), .rst(core_rst),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_data(desc_data), .desc_error(desc_error), .desc_next(desc_next),
        .seg_valid(seg_valid), .seg_ready(seg_ready), .seg_addr(seg_addr), .seg_len(seg_len), .seg_last(seg_last),
        .open_valid(open_valid), .open_ready(open_ready), .open_csum(open_csum),
        .open_csum_start(open_csum_start), .open_csum_offset(open_csum_offset), .open_cookie(open_cookie),
        .close_valid(close_valid), .close_ready(close_ready), .close_next(close_next), .close_status(close_status),
        .stat_tx_descs(stat_tx_descs)
    );

    // ---- data ----
    wire                  gather_valid, gather_ready, gather_last, gather_error;
    wire [AXI_DATA_W-1:0] gather_data;
    wire [COUNT_W-1:0]    gather_count;

    hnic_dma_read #(
        .DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .BURST_BYTES(RD_BURST_BYTES),
        .OUTSTANDING(RD_OUTSTANDING), .FIFO_BYTES(RD_FIFO_BYTES)
    ) u_dma_read (
        .clk(clk), .rst(core_rst), .quiesce(quiesce),
        .seg_valid(seg_valid), .seg_ready(seg_ready), .seg_addr(seg_addr), .seg_len(seg_len), .seg_last(seg_last),
        .ar_valid(data_ar_valid), .ar_ready(data_ar_ready), .ar_addr(data_ar_addr), .ar_len(data_ar_len), .ar_bytes(data_ar_bytes),
        .r_valid(data_r_valid), .r_data(r_data), .r_error(r_error),
        .out_valid(gather_valid), .out_ready(gather_ready),
        .out_data(gather_data), .out_count(gather_count), .out_last(gather_last), .out_error(gather_error)
    );

    wire                enter_valid, enter_ready, store_valid, store_ready, store_last, store_csum;
    wire [COOKIE_W-1:0] enter_cookie, store_cookie;
    wire [15:0]         enter_next, store_csum_pos, store_csum_value;
    wire [STATUS_W-1:0] enter_status;
    wire [63:0]         store_data;
    wire [3:0]          store_count;
    wire [12:0]         store_index;

    hnic_pkt_store #(.DATA_W(AXI_DATA_W), .BYTES(STORE_BYTES)) u_pkt_store (
        .clk(clk), .rst(core_rst), .quiesce(quiesce),
        .in_valid(gather_valid), .in_ready(gather_ready),
        .in_data(gather_data), .in_count(gather_count), .in_last(gather_last), .in_error(gather_error),
        .open_valid(open_valid), .open_ready(open_ready), .open_csum(open_csum),
        .open_csum_start(open_csum_start), .open_csum_offset(open_csum_offset), .open_cookie(open_cookie),
        .close_valid(close_valid), .close_ready(close_ready), .close_next(close_next), .close_status(close_status),
        .enter_valid(enter_valid), .enter_ready(enter_ready),
        .enter_cookie(enter_cookie), .enter_next(enter_next), .enter_status(enter_status),
        .out_valid(store_valid), .out_ready(store_ready), .out_data(store_data), .out_count(store_count), .out_last(store_last),
        .out_index(store_index), .out_cookie(store_cookie),
        .out_csum(store_csum), .out_csum_pos(store_csum_pos), .out_csum_value(store_csum_value),
        .status_idle(store_idle), .stat_tx_csums(stat_tx_csums)
    );

    // ---- to the wire ----
    wire                insert_ready, insert_last;
    wire [63:0]         insert_data, sent_cycle;
    wire [3:0]          insert_count;
    wire [COOKIE_W-1:0] insert_cookie;

    hnic_csum_insert #(.USER_W(COOKIE_W)) u_csum_insert (
        .clk(clk), .rst(core_rst),
        .in_valid(store_valid), .in_ready(store_ready), .in_data(store_data), .in_count(store_count), .in_last(store_last),
        .in_user(store_cookie), .in_index(store_index),
        .in_csum(store_csum), .in_csum_pos(store_csum_pos), .in_csum_value(store_csum_value),
        .out_valid(insert_valid), .out_ready(insert_ready),
        .out_data(insert_data), .out_count(insert_count), .out_last(insert_last), .out_user(insert_cookie)
    );

    hnic_tx_mac #(.USER_W(COOKIE_W)) u_tx_mac (
        .clk(clk), .rst(core_rst), .cfg_ifg(cfg_ifg), .cycle(cycle),
        .in_valid(insert_valid), .in_ready(insert_ready),
        .in_data(insert_data), .in_count(insert_count), .in_last(insert_last), .in_user(insert_cookie),
        .xgmii_txd(xgmii_txd), .xgmii_txc(xgmii_txc), .wire_valid(m_wire_cookie_valid), .wire_user(m_wire_cookie),
        .sent(sent), .sent_cycle(sent_cycle), .sent_bytes(sent_bytes), .status_busy(mac_busy)
    );

    // ---- completions ----
    wire                cpl_valid, cpl_ready;
    wire [COOKIE_W-1:0] cpl_cookie;
    wire [STATUS_W-1:0] cpl_status;
    wire [63:0]         cpl_timestamp;

    hnic_tx_done u_tx_done (
        .clk(clk), .rst(core_rst), .cycle(cycle),
        .enter_valid(enter_valid), .enter_ready(enter_ready),
        .enter_cookie(enter_cookie), .enter_next(enter_next), .enter_status(enter_status),
        .sent(sent), .sent_cycle(sent_cycle),
        .cpl_valid(cpl_valid), .cpl_ready(cpl_ready), .cpl_cookie(cpl_cookie), .cpl_next(cpl_next),
        .cpl_status(cpl_status), .cpl_timestamp(cpl_timestamp), .stat_tx_drops(stat_tx_drops)
    );

    hnic_cpl_writer #(.DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .OUTSTANDING(CPL_OUTSTANDING)) u_cpl_writer (
        .clk(clk), .rst(core_rst), .quiesce(quiesce),
        .cpl_valid(cpl_valid), .cpl_ready(cpl_ready), .cpl_cookie(cpl_cookie), .cpl_next(cpl_next),
        .cpl_status(cpl_status), .cpl_timestamp(cpl_timestamp),
        .place_addr(cpl_addr), .place_phase(cpl_phase), .place_issue(cpl_issue),
        .done(cpl_done), .status_idle(write_idle), .stat_axi_wr_errs(stat_axi_wr_errs),
        .aw_addr(m_axi_awaddr), .aw_size(m_axi_awsize), .aw_valid(m_axi_awvalid), .aw_ready(m_axi_awready),
        .w_data(m_axi_wdata), .w_strb(m_axi_wstrb), .w_valid(m_axi_wvalid), .w_ready(m_axi_wready),
        .b_resp(m_axi_bresp), .b_valid(m_axi_bvalid), .b_ready(m_axi_bready)
    );
    assign m_axi_awid    = {AXI_ID_W{1'b0}};
    assign m_axi_awlen   = 8'd0;
    assign m_axi_awburst = BURST_INCR;
    assign m_axi_awlock  = 1'b0;
    assign m_axi_awcache = CACHE_NORMAL;
    assign m_axi_awprot  = 3'b000;
    assign m_axi_wlast   = 1'b1;

    // ---- may the clock stop? ----
    // The queue is busy until the last completion is answered, so it speaks for the fetch, the reads, the store and the writes too.
    assign core_busy   = queue_busy || mac_busy || irq_busy || reset_request;
    assign status_busy = core_busy || axil_busy;

    wire unused = &{1'b0, m_axi_bid};

`ifdef HNIC_CHECKS
    wire [8:0] axi_broken;
    hnic_axi_check #(
        .DATA_W(AXI_DATA_W), .ADDR_W(AXI_ADDR_W), .ID_W(AXI_ID_W), .RD_LIMIT(RD_OUTSTANDING < 8 ? 8 : RD_OUTSTANDING),
        .WR_LIMIT(CPL_OUTSTANDING)
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

    // Clock gating relies on it: what is under way on the buses belongs to a busy queue or to a reset.
    always @(posedge clk) begin : gating
        if (!rst && !status_busy && !(read_idle && write_idle && store_idle && !insert_valid && !quiesce)) begin
            $display("CHECK %m: the clock may stop, but something is under way");
            $finish;
        end
    end
    wire unused_checks = &{1'b0, axi_broken};
`endif
endmodule

`resetall
