// hnic_xgmii_decode: XGMII to words that begin at the frame's first byte.
//
// Why: a frame starts on lane 0 or 4. One on lane 4 is made of the upper half of a word and the lower half of the next, so that
// all frames look as if they started on lane 0. Behind that a frame is the right preamble in one word, then data up to the
// first control character, which is the terminate character or an error.
// Nothing is remembered from word to word but the lane, and a start character sets that: no garbage can make it lose the
// next frame. A gap of 5 bytes and more, the terminate character included, is seen whole (IEEE 802.3 46.2.1); after a shorter one
// the frame before may count as bad, the frame behind is still right.
// Throughput: one word a cycle. Latency: 1 cycle; the upper half of a word waits for the next one if the frame starts on lane 4.
//
// | parameter | legal | meaning               |
// |-----------|-------|-----------------------|
// | COOKIE_W  | >= 1  | bits of the side-band |
//
// Test: tests/hdl/test_hnic_xgmii_decode.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_xgmii_decode #(
    parameter COOKIE_W = 32
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         time_ns,
    input  wire [COOKIE_W-1:0] s_wire_cookie,  // of the frame whose start character is on the wire
    input  wire [63:0]         xgmii_rxd,
    input  wire [7:0]          xgmii_rxc,
    output wire                out_start,      // this word is a right preamble; as a word it ends the frame before
    output wire [63:0]         out_time,       // at the last start character, for 2 cycles from out_start on at least
    output wire [COOKIE_W-1:0] out_cookie,
    output wire [63:0]         out_data,
    output wire [3:0]          out_count,      // bytes before the first control character
    output wire                out_end,        // there is one ..
    output wire                out_error,      // .. and it is not the terminate character
    output wire                status_busy
);
    localparam [7:0]  IDLE = 8'h07;
    localparam [7:0]  START = 8'hFB;
    localparam [7:0]  TERMINATE = 8'hFD;
    localparam [63:0] IDLES = {8{IDLE}};
    localparam [63:0] PREAMBLE = {8'hD5, {6{8'h55}}, START};

    reg        lane4_q;       // the last start character was on lane 4
    reg [31:0] upper_data_q;  // of the word before
    reg [3:0]  upper_ctrl_q;

    wire start_lane0 = xgmii_rxc[0] && xgmii_rxd[7:0] == START;
    wire start_lane4 = xgmii_rxc[4] && xgmii_rxd[39:32] == START;
    wire shift = lane4_q && !start_lane0;
    wire [63:0] data = shift ? {xgmii_rxd[31:0], upper_data_q} : xgmii_rxd;
    wire [7:0]  ctrl = shift ? {xgmii_rxc[3:0], upper_ctrl_q} : xgmii_rxc;

    reg [3:0] count_d;
    reg       error_d;
    integer   lane;
    always @* begin
        count_d = 4'd8;
        error_d = 1'b0;
        for (lane = 7; lane >= 0; lane = lane - 1) begin
            if (ctrl[lane]) begin
                count_d = lane[3:0];
                error_d = data[8*lane +: 8] != TERMINATE;
            end
        end
    end

    reg                start_q, error_q;
    reg [63:0]         data_q;
    reg [3:0]          count_q;
    reg [63:0]         time_q;
    reg [COOKIE_W-1:0] cookie_q;
    reg                busy_q;  // the last word was not all idle
    reg                late_q;  // nor was the one before

    wire quiet = xgmii_rxd == IDLES && xgmii_rxc == 8'hFF;

    assign out_start   = start_q;
    assign out_time    = time_q;
    assign out_cookie  = cookie_q;
    assign out_data    = data_q;
    assign out_count   = count_q;
    assign out_end     = !count_q[3];
    assign out_error   = error_q;
    assign status_busy = busy_q;

    wire awake = rst || !quiet || busy_q || late_q;

    always @(posedge clk) begin
        if (awake) begin
            upper_data_q <= xgmii_rxd[63:32];
            upper_ctrl_q <= xgmii_rxc[7:4];
            // With two start characters in a word the first one cannot be right.
            if (start_lane0 || start_lane4) begin
                lane4_q  <= start_lane4;
                time_q   <= time_ns;
                cookie_q <= s_wire_cookie;
            end
            start_q <= data == PREAMBLE && ctrl == 8'h01;
            data_q  <= data;
            count_q <= count_d;
            error_q <= error_d;
            busy_q  <= !quiet;
            late_q  <= busy_q;
            if (rst) begin
                lane4_q <= 1'b0;
                start_q <= 1'b0;
                busy_q  <= 1'b0;
                late_q  <= 1'b0;
            end
        end
    end
endmodule

`resetall
