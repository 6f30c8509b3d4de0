// hnic_xgmii_gap: when the next frame may start, with the deficit idle count of IEEE 802.3 46.3.1.4.
//
// Why: a frame starts on lane 0 or 4 only, so a gap of exactly `cfg_ifg` bytes is not always there. The count of
// bytes owed (0..3) lets one gap be up to 3 bytes short and makes a later one longer, so that the mean is `cfg_ifg`.
// The gap counts from the terminate character on. `wait_bytes` is a multiple of 4, counted from the next output word.
//
// Test: tests/hdl/test_hnic_xgmii_gap.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_xgmii_gap (
    input  wire       clk,
    input  wire       rst,
    input  wire [7:0] cfg_ifg,      // 12..252
    input  wire       frame_end,    // the word with the terminate character goes out
    input  wire [2:0] end_lane,     // its lane in a frame that starts on lane 0
    input  wire       lane4,        // the frame starts on lane 4
    input  wire       idle,         // no frame goes out and none starts
    output wire       start_lane0,  // a frame may start in this word
    output wire       start_lane4,
    output wire       status_busy   // the gap is not over
);
    reg [9:0] wait_q;
    reg [1:0] owed_q;

    wire [9:0] ideal = {2'd0, cfg_ifg} + {7'd0, end_lane};  // end of the gap, from the frame's last word on
    wire [1:0] excess = ideal[1:0];
    wire [2:0] short_owed = {1'b0, owed_q} + {1'b0, excess};
    wire       shorten = !short_owed[2];
    wire [9:0] rounded = shorten ? {ideal[9:2], 2'b00} : {ideal[9:2] + 8'd1, 2'b00};
    // Lengthening by 4 - excess takes as much from what is owed.
    wire [1:0] owed = short_owed[1:0];

    assign start_lane0 = wait_q == 10'd0;
    assign start_lane4 = wait_q == 10'd4;
    assign status_busy = wait_q != 10'd0;

    wire awake = rst || frame_end || status_busy || owed_q != 2'd0;

    always @(posedge clk) begin
        if (awake) begin
            if (frame_end) begin
                wait_q <= rounded + (lane4 ? 10'd4 : 10'd0) - 10'd8;
                owed_q <= owed;
            end else if (idle) begin
                wait_q <= wait_q >= 10'd8 ? wait_q - 10'd8 : 10'd0;
                if (wait_q == 10'd0) owed_q <= 2'd0;  // a longer gap pays everything back
            end
            if (rst) begin
                wait_q <= 10'd0;
                owed_q <= 2'd0;
            end
        end
    end
endmodule

`resetall
