// xgmii_recorder: keeps the words of one frame on XGMII and says when it is over.
//
// Why: the bench must look at every frame, and Python must not be woken at every word. Words go into `chunks`, eight to a
// chunk, word 0 in the lowest bits; `frames` counts up with the frame's last word. From then until the next frame's start the
// chunks, `words`, `last_ctrl`, `start_ps` and `key` are those of that frame.
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
    reg [511:0] chunks [0:CHUNKS-1];
    reg [511:0] chunk_q;
    reg [15:0]  words = 16'd0;
    reg [7:0]   last_ctrl;
    reg [63:0]  start_ps;
    reg [31:0]  key;
    reg [31:0]  frames = 32'd0;
    reg         recording = 1'b0;

    wire [15:0]  at = key_valid ? 16'd0 : words;
    wire [511:0] chunk = at[2:0] == 3'd0 ? {448'd0, txd} : chunk_q | ({448'd0, txd} << {at[2:0], 6'd0});
    wire         over = recording && !key_valid && txc != 8'd0;

    always @(posedge clk) begin
        if (key_valid || recording) begin
            chunk_q           <= chunk;
            chunks[at[10:3]]  <= chunk;
            words             <= at + 16'd1;
            recording            <= !over;
        end
        if (key_valid) begin
            start_ps <= $time;
            key      <= key_now;
        end
        if (over) begin
            last_ctrl <= txc;
            frames    <= frames + 32'd1;
        end
    end
endmodule

`resetall
