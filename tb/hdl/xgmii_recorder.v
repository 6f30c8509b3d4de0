// xgmii_recorder: keeps the words of each frame on XGMII and says when it is over.
//
// Why: the bench must look at every frame, and Python must not be woken at every word. Words go into `chunks`, eight to a chunk,
// word 0 in the lowest bits, into one of two halves in turn. `frames` counts up in the cycle after the frame's last word: from then
// until the next frame's end `words`, `last_ctrl`, `start_ps` and `key` are those of that frame, which lies in half `half`.
`resetall
`timescale 1ps / 1ps
`default_nettype none

module xgmii_recorder #(
    parameter CHUNKS = 256
) (
    input wire        clk,
    input wire [63:0] txd,
    input wire [7:0]  txc,
    input wire        key_valid,  // with the word of the start character
    input wire [31:0] key_now
);
    // of the last frame that is over
    reg [511:0] chunks [0:2*CHUNKS-1];
    reg [15:0]  words = 16'd0;
    reg [7:0]   last_ctrl = 8'd0;
    reg [63:0]  start_ps = 64'd0;
    reg [31:0]  key = 32'd0;
    reg         half = 1'b0;
    reg [31:0]  frames = 32'd0;

    // of the frame that is recorded
    reg         recording_q = 1'b0;
    reg         over_q = 1'b0;
    reg         half_q = 1'b0;
    reg [15:0]  words_q = 16'd0;
    reg [511:0] chunk;  // the words of the newest chunk so far
    reg [63:0]  start_q;
    reg [63:0]  edge_q = 64'd0;  // the last clock edge, at which what is seen now came onto the wire
    reg [31:0]  key_q;

    wire [15:0]  at = key_valid ? 16'd0 : words_q;
    wire         over = recording_q && !key_valid && txc != 8'd0;

    always @(posedge clk) begin
        edge_q <= $time;
        over_q <= over;
        if (over_q) frames <= frames + 32'd1;
        if (key_valid || recording_q) begin
            if (at[2:0] == 3'd0) chunk = {448'd0, txd};
            else chunk[64*at[2:0] +: 64] = txd;
            chunks[{half_q, at[10:3]}] <= chunk;
            words_q                    <= at + 16'd1;
            recording_q                <= !over;
        end
        if (key_valid) begin
            start_q <= edge_q;
            key_q   <= key_now;
        end
        if (over) begin
            words     <= at + 16'd1;
            last_ctrl <= txc;
            start_ps  <= start_q;
            key       <= key_q;
            half      <= half_q;
            half_q    <= !half_q;
        end
    end
endmodule

`resetall
