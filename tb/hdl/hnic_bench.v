// hnic_bench: the card, or its engine alone, between a memory of fixed latency and the wire, for measurements.
//
// Why: nothing here but the card may set the pace, and Python is woken once a measurement. With ENGINE 1 the frames end in a
// sink that is always ready instead of a MAC.
//
// | parameter  | default | meaning                                 |
// |------------|---------|-----------------------------------------|
// | AXI_DATA_W | 128     | data width of the host memory bus       |
// | GMII       | 0       | 1: the wire is GMII                     |
// | ENGINE     | 0       | 1: no MAC, an always ready sink         |
//
// Used by tests/bench/hw.

`resetall
`timescale 1ps / 1ps
`default_nettype none

module hnic_bench #(
    parameter AXI_DATA_W = 128,
    parameter GMII = 0,
    parameter ENGINE = 0
) ();
    localparam ADDR_W = 64;
    localparam ID_W = 4;
    localparam IRQ_N = 16;
    localparam COUNT_W = $clog2(AXI_DATA_W / 8) + 1;
    localparam [ADDR_W-1:0] RX_CPL_RING = 64'h40000;  // as in tests/bench/hw/bench_card.py
    localparam HALF_PS = GMII != 0 ? 4000 : 3200;

    reg        clk = 1'b0;
    reg        rst = 1'b1;
    reg [15:0] latency = 16'd0;
    reg [63:0] time_ns = 64'd0;

    always #(HALF_PS) clk = !clk;
    always @(negedge clk) time_ns <= ($time + HALF_PS) / 1000;

    wire [15:0]             s_axil_awaddr, s_axil_araddr;
    wire [31:0]             s_axil_wdata, s_axil_rdata;
    wire                    s_axil_awvalid, s_axil_awready, s_axil_wvalid, s_axil_wready, s_axil_bvalid;
    wire                    s_axil_arvalid, s_axil_arready, s_axil_rvalid;
    wire [ID_W-1:0]         m_axi_awid, m_axi_bid, m_axi_arid, m_axi_rid;
    wire [ADDR_W-1:0]       m_axi_awaddr, m_axi_araddr;
    wire [7:0]              m_axi_awlen, m_axi_arlen;
    wire [2:0]              m_axi_awsize;
    wire [1:0]              m_axi_bresp, m_axi_rresp;
    wire [AXI_DATA_W-1:0]   m_axi_wdata, m_axi_rdata;
    wire [AXI_DATA_W/8-1:0] m_axi_wstrb;
    wire m_axi_awvalid, m_axi_awready, m_axi_wlast, m_axi_wvalid, m_axi_wready, m_axi_bvalid, m_axi_bready;
    wire m_axi_arvalid, m_axi_arready, m_axi_rlast, m_axi_rvalid, m_axi_rready;
    wire [63:0]             xgmii_txd, xgmii_rxd;
    wire [7:0]              xgmii_txc, xgmii_rxc;
    wire                    wire_start;
    wire [IRQ_N-1:0]        irq;
    wire                    status_busy;

    axil_driver u_mmio (
        .clk(clk), .rst(rst),
        .m_axil_awaddr(s_axil_awaddr), .m_axil_awvalid(s_axil_awvalid), .m_axil_awready(s_axil_awready),
        .m_axil_wdata(s_axil_wdata), .m_axil_wvalid(s_axil_wvalid), .m_axil_wready(s_axil_wready),
        .m_axil_bvalid(s_axil_bvalid),
        .m_axil_araddr(s_axil_araddr), .m_axil_arvalid(s_axil_arvalid), .m_axil_arready(s_axil_arready),
        .m_axil_rdata(s_axil_rdata), .m_axil_rvalid(s_axil_rvalid), .status_busy()
    );

    axi_memory #(.DATA_W(AXI_DATA_W), .ADDR_W(ADDR_W), .ID_W(ID_W), .SIZE_LOG2(20)) u_memory (
        .clk(clk), .rst(rst), .latency(latency),
        .s_axi_awid(m_axi_awid), .s_axi_awaddr(m_axi_awaddr), .s_axi_awsize(m_axi_awsize),
        .s_axi_awvalid(m_axi_awvalid), .s_axi_awready(m_axi_awready),
        .s_axi_wdata(m_axi_wdata), .s_axi_wstrb(m_axi_wstrb), .s_axi_wlast(m_axi_wlast),
        .s_axi_wvalid(m_axi_wvalid), .s_axi_wready(m_axi_wready),
        .s_axi_bid(m_axi_bid), .s_axi_bresp(m_axi_bresp), .s_axi_bvalid(m_axi_bvalid), .s_axi_bready(m_axi_bready),
        .s_axi_arid(m_axi_arid), .s_axi_araddr(m_axi_araddr), .s_axi_arlen(m_axi_arlen),
        .s_axi_arvalid(m_axi_arvalid), .s_axi_arready(m_axi_arready),
        .s_axi_rid(m_axi_rid), .s_axi_rdata(m_axi_rdata), .s_axi_rresp(m_axi_rresp), .s_axi_rlast(m_axi_rlast),
        .s_axi_rvalid(m_axi_rvalid), .s_axi_rready(m_axi_rready)
    );

    frame_generator u_generator (.clk(clk), .rst(rst), .rxd(xgmii_rxd), .rxc(xgmii_rxc), .status_busy());

    // A frame's start on the wire, or its last word at the sink; a beat of data or descriptors.
    pace_meter u_tx_meter (.clk(clk), .event_now(wire_start), .beat(m_axi_rvalid && m_axi_rready));
    // The address of a receive completion, whose rings lie above RX_CPL_RING; a beat of data or completions.
    wire rx_completion = m_axi_awid == 4'd0 && m_axi_awaddr >= RX_CPL_RING;
    pace_meter u_rx_meter (
        .clk(clk), .event_now(m_axi_awvalid && m_axi_awready && rx_completion),
        .beat(m_axi_wvalid && m_axi_wready)
    );

    generate
        if (ENGINE != 0) begin : gen_engine
            wire                  tx_valid, tx_last, tx_end;
            reg                   sent_q, sent_end_q;
            always @(posedge clk) begin
                sent_q     <= tx_valid && tx_last && !rst;
                sent_end_q <= tx_end;
            end
            assign wire_start = tx_valid && tx_last;
            assign xgmii_txd  = {8{8'h07}};
            assign xgmii_txc  = 8'hFF;
            hnic_core #(.AXI_DATA_W(AXI_DATA_W), .AXI_ADDR_W(ADDR_W), .AXI_ID_W(ID_W)) dut (
                .clk(clk), .rst(rst), .time_ns(time_ns), .s_axil_awaddr(s_axil_awaddr),
                .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready), .s_axil_wdata(s_axil_wdata),
                .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready), .s_axil_bvalid(s_axil_bvalid),
                .s_axil_araddr(s_axil_araddr), .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
                .s_axil_rdata(s_axil_rdata), .s_axil_rvalid(s_axil_rvalid), .s_axil_awprot(3'd0), .s_axil_wstrb(4'hF),
                .s_axil_bready(1'b1), .s_axil_bresp(), .s_axil_arprot(3'd0), .s_axil_rresp(), .s_axil_rready(1'b1),
                .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
                .m_axi_awsize(m_axi_awsize), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
                .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast),
                .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready), .m_axi_bid(m_axi_bid),
                .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready),
                .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
                .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready), .m_axi_rid(m_axi_rid),
                .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast),
                .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready), .m_axi_awburst(), .m_axi_awlock(),
                .m_axi_awcache(), .m_axi_awprot(), .m_axi_awuser(), .m_axi_arsize(), .m_axi_arburst(), .m_axi_arlock(),
                .m_axi_arcache(), .m_axi_arprot(), .m_axi_aruser(), .irq(irq), .status_busy(status_busy),
                .tx_valid(tx_valid), .tx_ready(1'b1), .tx_data(), .tx_count(), .tx_last(tx_last), .tx_cookie(),
                .tx_end(tx_end), .sent(sent_q), .sent_end(sent_end_q), .sent_time(time_ns), .sent_bytes(16'd0),
                .rx_valid(1'b0), .rx_data(64'd0), .rx_count(4'd0), .rx_last(1'b0), .rx_good(1'b0), .rx_time(64'd0),
                .rx_cookie(32'd0), .stat_rx_fcs_errs(1'b0), .stat_rx_len_errs(1'b0), .stat_rx_pauses(1'b0), .mac_rst(),
                .cfg_ifg(), .cfg_pause(), .cfg_mac(), .status_paused(1'b0), .mac_busy(1'b0), .mac_rx_busy(1'b0)
            );
        end else begin : gen_card
            wire [7:0] gmii_d;
            wire       gmii_en;
            hnic_top #(.AXI_DATA_W(AXI_DATA_W), .AXI_ADDR_W(ADDR_W), .AXI_ID_W(ID_W), .GMII(GMII)) dut (
                .clk(clk), .rst(rst), .time_ns(time_ns), .s_axil_awaddr(s_axil_awaddr),
                .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready), .s_axil_wdata(s_axil_wdata),
                .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready), .s_axil_bvalid(s_axil_bvalid),
                .s_axil_araddr(s_axil_araddr), .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
                .s_axil_rdata(s_axil_rdata), .s_axil_rvalid(s_axil_rvalid), .s_axil_awprot(3'd0), .s_axil_wstrb(4'hF),
                .s_axil_bready(1'b1), .s_axil_bresp(), .s_axil_arprot(3'd0), .s_axil_rresp(), .s_axil_rready(1'b1),
                .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
                .m_axi_awsize(m_axi_awsize), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
                .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast),
                .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready), .m_axi_bid(m_axi_bid),
                .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready),
                .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
                .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready), .m_axi_rid(m_axi_rid),
                .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast),
                .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready), .m_axi_awburst(), .m_axi_awlock(),
                .m_axi_awcache(), .m_axi_awprot(), .m_axi_awuser(), .m_axi_arsize(), .m_axi_arburst(), .m_axi_arlock(),
                .m_axi_arcache(), .m_axi_arprot(), .m_axi_aruser(), .irq(irq), .status_busy(status_busy),
                .xgmii_txd(xgmii_txd), .xgmii_txc(xgmii_txc), .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc),
                .gmii_txd(gmii_d), .gmii_tx_en(gmii_en), .gmii_tx_er(), .gmii_rxd(gmii_d), .gmii_rx_dv(gmii_en),
                .gmii_rx_er(1'b0), .m_wire_cookie_valid(wire_start), .m_wire_cookie(), .s_wire_cookie(32'd0)
            );
        end
    endgenerate
endmodule

`resetall
