// hnic_rx_mac: XGMII to frames: preamble, FCS, length, errors on the wire.
//
// Why: see hnic_xgmii_decode (characters and lanes) and hnic_rx_frame (FCS and length), which know nothing of each other.
// Byte 0 of a frame is in lane 0 of its first word; there is no ready, as the wire does not wait. A frame that has begun
// always ends with `out_last`, whatever comes on the wire, and the next right frame is received.
// Throughput: 10 Gbit/s at 156.25 MHz, frames 5 bytes apart. Latency: the last word comes out 2 cycles after the word with the
// terminate character, 3 cycles if it keeps bytes behind the FCS's removal; 1 more if a frame that started on lane 4 ends on
// lanes 4 to 7. The frame's first word comes out 4 cycles after its start character, 5 if that is on lane 4.
//
// | parameter | legal     | meaning                                                        |
// |-----------|-----------|----------------------------------------------------------------|
// | MAX_FRAME | 60..16000 | longest frame without FCS; a VLAN tag may make it 4 bytes more |
// | COOKIE_W  | >= 1      | bits of the side-band                                          |
//
// Test: tests/hdl/test_hnic_rx_mac.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_mac #(
    parameter MAX_FRAME = 9600,
    parameter COOKIE_W = 32
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         time_ns,
    input  wire [COOKIE_W-1:0] s_wire_cookie,  // taken in the cycle of the start character
    input  wire [63:0]         xgmii_rxd,
    input  wire [7:0]          xgmii_rxc,
    output wire                out_valid,
    output wire [63:0]         out_data,       // bytes from out_count on mean nothing
    output wire [3:0]          out_count,      // 1..8, 8 but in the last word
    output wire                out_last,
    output wire                out_good,       // with out_last
    output wire [63:0]         out_time,       // of the start character, from the frame's first word to its last
    output wire [COOKIE_W-1:0] out_cookie,
    output wire                status_busy,    // while it is low and the wire is idle the clock may stop
    output wire                stat_fcs_errs,  // a frame with a wrong FCS or an error inside
    output wire                stat_len_errs   // a frame shorter than 60 or longer than MAX_FRAME + 4 bytes, without FCS
);
    wire                start, stop, error, decode_busy, frame_busy;
    wire [63:0]         data, sof_time;
    wire [3:0]          count;
    wire [COOKIE_W-1:0] cookie;

    hnic_xgmii_decode #(.COOKIE_W(COOKIE_W)) u_decode (
        .clk(clk), .rst(rst), .time_ns(time_ns), .s_wire_cookie(s_wire_cookie),
        .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc),
        .out_start(start), .out_time(sof_time), .out_cookie(cookie),
        .out_data(data), .out_count(count), .out_end(stop), .out_error(error), .status_busy(decode_busy)
    );

    hnic_rx_frame #(.MAX_FRAME(MAX_FRAME), .COOKIE_W(COOKIE_W)) u_frame (
        .clk(clk), .rst(rst),
        .in_start(start), .in_time(sof_time), .in_cookie(cookie),
        .in_valid(1'b1), .in_data(data), .in_count(count), .in_end(stop), .in_error(error),
        .out_valid(out_valid), .out_data(out_data), .out_count(out_count), .out_last(out_last), .out_good(out_good),
        .out_time(out_time), .out_cookie(out_cookie),
        .status_busy(frame_busy), .stat_fcs_errs(stat_fcs_errs), .stat_len_errs(stat_len_errs)
    );

    assign status_busy = decode_busy || frame_busy;
endmodule

`resetall
