// hnic_stats: the 32-bit event counters of the window.
//
// Why: each `stat_` pulse of the card is one event of the register map, so each input has the name of its register.
// Latency: an event of this cycle is counted in the next; `rd_data` answers one cycle after `rd_en`, 0 for foreign addresses.
// Counters wrap and are cleared by `rst` only, so a soft reset of the card leaves its history readable.
//
// Test: tests/hdl/test_hnic_stats.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_stats (
    input  wire        clk,
    input  wire        rst,
    input  wire        rd_en,
    input  wire [15:0] rd_addr,
    output wire [31:0] rd_data,
    input  wire        stat_tx_frames,
    input  wire [15:0] stat_tx_bytes,      // bytes of the frame, with stat_tx_frames
    input  wire        stat_tx_drops,
    input  wire        stat_tx_csums,
    input  wire        stat_tx_descs,
    input  wire        stat_cpls,
    input  wire        stat_axi_rd_errs,
    input  wire        stat_axi_wr_errs,
    input  wire        stat_doorbell_errs,
    input  wire [6:0]  stat_irqs,          // how many fire
    input  wire        stat_tx_tso,
    input  wire        stat_tx_flushed,
    input  wire        stat_rx_frames,
    input  wire [15:0] stat_rx_bytes,      // bytes of the frame, with stat_rx_frames
    input  wire        stat_rx_fcs_errs,
    input  wire [1:0]  stat_rx_len_errs,   // how many: MAC and length field
    input  wire        stat_rx_filtered,
    input  wire        stat_rx_overflows,
    input  wire        stat_rx_drops,
    input  wire        stat_rx_csum_errs,
    input  wire        stat_rx_pauses
);
    localparam [15:0] FIRST = `HNIC_STAT_TX_FRAMES;
    localparam [15:0] LAST = `HNIC_STAT_RX_PAUSES;
    localparam [15:0] SPAN = LAST - FIRST;
    localparam COUNTERS = SPAN / 4 + 1;

    // The counter at `address` grows by `step`.
    task grow;
        input [15:0] address;
        input [15:0] step;
        reg   [10:0] unused;
        reg   [4:0]  at;
        begin
            {unused, at} = (address - FIRST) >> 2;
            if (step != 16'd0) counters[at] <= counters[at] + {16'd0, step};
        end
    endtask

    reg [31:0] counters [0:COUNTERS-1];
    reg [31:0] rd_data_q;

    wire [15:0] rd_at = (rd_addr - FIRST) >> 2;

    assign rd_data = rd_data_q;

    wire counts = stat_tx_frames || stat_tx_drops || stat_tx_csums || stat_tx_descs || stat_cpls || stat_axi_rd_errs
                  || stat_axi_wr_errs || stat_doorbell_errs || stat_irqs != 7'd0 || stat_tx_tso || stat_tx_flushed
                  || stat_rx_frames || stat_rx_fcs_errs || stat_rx_len_errs != 2'd0 || stat_rx_filtered || stat_rx_overflows
                  || stat_rx_drops || stat_rx_csum_errs || stat_rx_pauses;
    wire awake = rst || counts || rd_en;

    integer i;
    always @(posedge clk) begin
        if (awake) begin
            if (counts) begin
                grow(`HNIC_STAT_TX_FRAMES, {15'd0, stat_tx_frames});
                grow(`HNIC_STAT_TX_BYTES, stat_tx_frames ? stat_tx_bytes : 16'd0);
                grow(`HNIC_STAT_TX_DROPS, {15'd0, stat_tx_drops});
                grow(`HNIC_STAT_TX_CSUMS, {15'd0, stat_tx_csums});
                grow(`HNIC_STAT_TX_DESCS, {15'd0, stat_tx_descs});
                grow(`HNIC_STAT_CPLS, {15'd0, stat_cpls});
                grow(`HNIC_STAT_AXI_RD_ERRS, {15'd0, stat_axi_rd_errs});
                grow(`HNIC_STAT_AXI_WR_ERRS, {15'd0, stat_axi_wr_errs});
                grow(`HNIC_STAT_DOORBELL_ERRS, {15'd0, stat_doorbell_errs});
                grow(`HNIC_STAT_IRQS, {9'd0, stat_irqs});
                grow(`HNIC_STAT_TX_TSO, {15'd0, stat_tx_tso});
                grow(`HNIC_STAT_TX_FLUSHED, {15'd0, stat_tx_flushed});
                grow(`HNIC_STAT_RX_FRAMES, {15'd0, stat_rx_frames});
                grow(`HNIC_STAT_RX_BYTES, stat_rx_frames ? stat_rx_bytes : 16'd0);
                grow(`HNIC_STAT_RX_FCS_ERRS, {15'd0, stat_rx_fcs_errs});
                grow(`HNIC_STAT_RX_LEN_ERRS, {14'd0, stat_rx_len_errs});
                grow(`HNIC_STAT_RX_FILTERED, {15'd0, stat_rx_filtered});
                grow(`HNIC_STAT_RX_OVERFLOWS, {15'd0, stat_rx_overflows});
                grow(`HNIC_STAT_RX_DROPS, {15'd0, stat_rx_drops});
                grow(`HNIC_STAT_RX_CSUM_ERRS, {15'd0, stat_rx_csum_errs});
                grow(`HNIC_STAT_RX_PAUSES, {15'd0, stat_rx_pauses});
            end
            if (rd_en) rd_data_q <= rd_addr >= FIRST && rd_addr <= LAST ? counters[rd_at[4:0]] : 32'd0;
            if (rst) begin
                for (i = 0; i < COUNTERS; i = i + 1) counters[i] <= 32'd0;
            end
        end
    end

    wire unused = &{1'b0, rd_at};
endmodule

`resetall
