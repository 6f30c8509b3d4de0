// hnic_stats: the 32-bit event counters of the window. Each `stat_` input is one event of the register map.
//
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
    input  wire        stat_irqs
);
    reg [31:0] tx_frames_q, tx_bytes_q, tx_drops_q, tx_csums_q, tx_descs_q;
    reg [31:0] cpls_q, axi_rd_errs_q, axi_wr_errs_q, doorbell_errs_q, irqs_q;
    reg [31:0] rd_data_q;

    assign rd_data = rd_data_q;

    always @(posedge clk) begin : count
        if (stat_tx_frames)     tx_frames_q     <= tx_frames_q + 1'b1;
        if (stat_tx_frames)     tx_bytes_q      <= tx_bytes_q + {16'd0, stat_tx_bytes};
        if (stat_tx_drops)      tx_drops_q      <= tx_drops_q + 1'b1;
        if (stat_tx_csums)      tx_csums_q      <= tx_csums_q + 1'b1;
        if (stat_tx_descs)      tx_descs_q      <= tx_descs_q + 1'b1;
        if (stat_cpls)          cpls_q          <= cpls_q + 1'b1;
        if (stat_axi_rd_errs)   axi_rd_errs_q   <= axi_rd_errs_q + 1'b1;
        if (stat_axi_wr_errs)   axi_wr_errs_q   <= axi_wr_errs_q + 1'b1;
        if (stat_doorbell_errs) doorbell_errs_q <= doorbell_errs_q + 1'b1;
        if (stat_irqs)          irqs_q          <= irqs_q + 1'b1;
        if (rst) begin
            tx_frames_q     <= 32'd0;
            tx_bytes_q      <= 32'd0;
            tx_drops_q      <= 32'd0;
            tx_csums_q      <= 32'd0;
            tx_descs_q      <= 32'd0;
            cpls_q          <= 32'd0;
            axi_rd_errs_q   <= 32'd0;
            axi_wr_errs_q   <= 32'd0;
            doorbell_errs_q <= 32'd0;
            irqs_q          <= 32'd0;
        end
    end

    always @(posedge clk) begin : read
        if (rd_en) begin
            case (rd_addr)
                `HNIC_STAT_TX_FRAMES:     rd_data_q <= tx_frames_q;
                `HNIC_STAT_TX_BYTES:      rd_data_q <= tx_bytes_q;
                `HNIC_STAT_TX_DROPS:      rd_data_q <= tx_drops_q;
                `HNIC_STAT_TX_CSUMS:      rd_data_q <= tx_csums_q;
                `HNIC_STAT_TX_DESCS:      rd_data_q <= tx_descs_q;
                `HNIC_STAT_CPLS:          rd_data_q <= cpls_q;
                `HNIC_STAT_AXI_RD_ERRS:   rd_data_q <= axi_rd_errs_q;
                `HNIC_STAT_AXI_WR_ERRS:   rd_data_q <= axi_wr_errs_q;
                `HNIC_STAT_DOORBELL_ERRS: rd_data_q <= doorbell_errs_q;
                `HNIC_STAT_IRQS:          rd_data_q <= irqs_q;
                default:                  rd_data_q <= 32'd0;
            endcase
        end
    end
endmodule

`resetall
