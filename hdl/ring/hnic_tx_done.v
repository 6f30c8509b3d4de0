// hnic_tx_done: joins what is known of a packet with its end on the wire and makes its completion record, in order.
//
// Why: completions come in the order of the packets, though a dropped packet has no end on the wire.
// The packet reader enters each packet; the MAC gives one `sent` pulse a frame with the cycle of its /S/.
// Throughput: 1 record a cycle. Latency: 1 cycle after `sent`.
//
// | parameter | legal             | meaning                                      |
// |-----------|-------------------|----------------------------------------------|
// | DEPTH     | power of two >= 4 | packets between reader and completion writer |
//
// Test: tests/hdl/test_hnic_tx_done.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_done #(
    parameter DEPTH = 8
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [63:0] cycle,
    input  wire        enter_valid,
    output wire        enter_ready,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    input  wire [15:0] enter_next,
    input  wire [`HNIC_TXC_STATUS_W-1:0] enter_status,  // not OK: dropped, no `sent` will come
    input  wire        sent,
    input  wire [63:0] sent_cycle,
    output wire        cpl_valid,
    input  wire        cpl_ready,
    output wire [`HNIC_TXC_COOKIE_W-1:0] cpl_cookie,
    output wire [15:0] cpl_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] cpl_status,
    output wire [63:0] cpl_timestamp,
    output wire        stat_tx_drops
);
    wire        head_valid;
    wire        time_valid;
    wire        times_ready;
    wire [63:0] head_time;
    wire        dropped = cpl_status != `HNIC_STATUS_OK;
    wire        fire = cpl_valid && cpl_ready;

    assign cpl_valid     = head_valid && (dropped || time_valid);
    assign cpl_timestamp = dropped ? cycle : head_time;
    assign stat_tx_drops = fire && dropped;

    hnic_fifo #(.WIDTH(`HNIC_TXC_COOKIE_W + 16 + `HNIC_TXC_STATUS_W), .DEPTH(DEPTH)) u_packets (
        .clk(clk), .rst(rst),
        .wr_valid(enter_valid), .wr_ready(enter_ready), .wr_data({enter_cookie, enter_next, enter_status}),
        .rd_valid(head_valid), .rd_ready(fire), .rd_data({cpl_cookie, cpl_next, cpl_status}),
        .level()
    );

    // Never fuller than u_packets: each frame that is sent was entered there.
    hnic_fifo #(.WIDTH(64), .DEPTH(DEPTH)) u_times (
        .clk(clk), .rst(rst),
        .wr_valid(sent), .wr_ready(times_ready), .wr_data(sent_cycle),
        .rd_valid(time_valid), .rd_ready(fire && !dropped), .rd_data(head_time),
        .level()
    );

    wire unused = &{1'b0, times_ready};

`ifdef HNIC_CHECKS
    always @(posedge clk) begin
        if (!rst && sent && !times_ready) begin
            $display("CHECK %m: more frames sent than entered");
            $finish;
        end
    end
`endif
endmodule

`resetall
