// hnic_gmii_rx: GMII to frames: the receive MAC for 1 Gbit/s.
//
// Why: the ports of hnic_rx_mac with another wire. Bytes are gathered to words; hnic_rx_frame does the rest.
// A PHY may eat preamble, so any number of its bytes is right before the start-of-frame delimiter. What begins otherwise is skipped
// to its end, as is what is under way after a reset.
// Throughput: 1 Gbit/s at 125 MHz, frames one byte apart. Latency: the last word comes out 2 cycles after the cycle in which
// rx_dv falls, 3 cycles if it keeps bytes behind the FCS's removal.
//
// | parameter | legal     | meaning                                                        |
// |-----------|-----------|----------------------------------------------------------------|
// | MAX_FRAME | 60..16000 | longest frame without FCS; a VLAN tag may make it 4 bytes more |
// | COOKIE_W  | >= 1      | bits of the side-band                                          |
//
// Test: tests/hdl/test_hnic_gmii_rx.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_gmii_rx #(
    parameter MAX_FRAME = 9600,
    parameter COOKIE_W = 32
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         time_ns,
    input  wire [COOKIE_W-1:0] s_wire_cookie,  // taken in the first cycle of rx_dv
    input  wire [7:0]          gmii_rxd,
    input  wire                gmii_rx_dv,
    input  wire                gmii_rx_er,
    output wire                out_valid,
    output wire [63:0]         out_data,       // bytes from out_count on mean nothing
    output wire [3:0]          out_count,      // 1..8, 8 but in the last word
    output wire                out_last,
    output wire                out_good,       // with out_last
    output wire [63:0]         out_time,       // of the first cycle of rx_dv, from the frame's first word to its last
    output wire [COOKIE_W-1:0] out_cookie,
    output wire                status_busy,    // while it is low and the wire is idle the clock may stop
    output wire                stat_fcs_errs,  // a frame with a wrong FCS or an error inside
    output wire                stat_len_errs   // a frame shorter than 60 or longer than MAX_FRAME + 4 bytes, without FCS
);
    localparam [7:0] PREAMBLE = 8'h55;
    localparam [7:0] DELIMITER = 8'hD5;

    localparam [1:0] ST_HUNT = 2'd0;  // waits for the delimiter, through gap and preamble
    localparam [1:0] ST_DATA = 2'd1;  // waits for the end of the frame
    localparam [1:0] ST_SKIP = 2'd2;  // waits for the end of something that is no frame

    reg [1:0]          state_q;
    reg                dv_q;
    reg [63:0]         time_q;
    reg [COOKIE_W-1:0] cookie_q;
    reg [63:0]         word_q;
    reg [2:0]          lane_q;    // of the next byte
    reg                error_q;   // there was one in this frame
    reg                start_q, valid_q, end_q;
    reg [3:0]          count_q;

    wire begins = state_q == ST_HUNT && gmii_rx_dv && !gmii_rx_er && gmii_rxd == DELIMITER;
    wire wrong = gmii_rx_er || gmii_rxd != PREAMBLE;
    wire data = state_q == ST_DATA;

    always @(posedge clk) begin
        case (state_q)
            ST_HUNT: if (gmii_rx_dv) state_q <= begins ? ST_DATA : wrong ? ST_SKIP : ST_HUNT;
            ST_DATA: if (!gmii_rx_dv) state_q <= ST_HUNT;
            ST_SKIP: if (!gmii_rx_dv) state_q <= ST_HUNT;
            default: state_q <= ST_SKIP;
        endcase
        dv_q <= gmii_rx_dv;
        if (gmii_rx_dv && !dv_q) begin
            time_q   <= time_ns;
            cookie_q <= s_wire_cookie;
        end
        if (begins) begin
            lane_q  <= 3'd0;
            error_q <= 1'b0;
        end else if (data && gmii_rx_dv) begin
            word_q[8*lane_q +: 8] <= gmii_rxd;
            lane_q                <= lane_q + 3'd1;
            error_q               <= error_q || gmii_rx_er;
        end
        start_q <= begins;
        valid_q <= data && (!gmii_rx_dv || lane_q == 3'd7);
        end_q   <= !gmii_rx_dv;
        count_q <= gmii_rx_dv ? 4'd8 : {1'b0, lane_q};
        if (rst) begin
            state_q <= ST_SKIP;
            dv_q    <= 1'b0;
            start_q <= 1'b0;
            valid_q <= 1'b0;
        end
    end

    wire frame_busy;
    hnic_rx_frame #(.MAX_FRAME(MAX_FRAME), .COOKIE_W(COOKIE_W)) u_frame (
        .clk(clk), .rst(rst),
        .in_start(start_q), .in_time(time_q), .in_cookie(cookie_q),
        .in_valid(valid_q), .in_data(word_q), .in_count(count_q), .in_end(end_q), .in_error(error_q),
        .out_valid(out_valid), .out_data(out_data), .out_count(out_count), .out_last(out_last), .out_good(out_good),
        .out_time(out_time), .out_cookie(out_cookie),
        .status_busy(frame_busy), .stat_fcs_errs(stat_fcs_errs), .stat_len_errs(stat_len_errs)
    );

    assign status_busy = dv_q || frame_busy;
endmodule

`resetall
