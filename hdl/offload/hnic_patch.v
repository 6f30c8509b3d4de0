// hnic_patch: changes bits of a field of a frame in the one word, of a stream of words, that is given.
//
// Why: header fields may stand at any byte and lie across two words; each word gets the part of the field that is in it.
// Used for header edits and for checksums. Combinational: throughput and latency are those of its owner.
//
// | parameter | legal             | meaning             |
// |-----------|-------------------|---------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words      |
// | BYTES     | >= 1              | length of the field |
//
// Test: tests/hdl/test_hnic_patch.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_patch #(
    parameter DATA_W = 128,
    parameter BYTES = 2
) (
    input  wire [DATA_W-1:0]  in_data,
    input  wire [15:0]        in_pos,    // place of the word in the frame
    input  wire [15:0]        pos,       // place of the field in the frame
    input  wire [8*BYTES-1:0] mask,      // bits that change
    input  wire [8*BYTES-1:0] value,     // bits 7:0 are the first byte
    output wire [DATA_W-1:0]  out_data
);
    localparam NB = DATA_W / 8;
    localparam [31:0] REACH = NB + BYTES - 1;  // places at which the field touches the word
    localparam [31:0] BACK = BYTES - 1;
    localparam PLACE_W = $clog2(NB + BYTES);
    localparam WIDE = DATA_W + 8 * BYTES;

    wire [15:0]      place = pos + BACK[15:0] - in_pos;  // 0: the field's last byte is the word's first
    wire             touches = place < REACH[15:0] && |mask;
    reg  [WIDE-1:0]  wide_mask, wide_value;
    reg  [DATA_W-1:0] patched;

    // The wide shifts only for words that the field touches: that costs the circuit nothing and the simulator little.
    always @* begin
        wide_mask  = {WIDE{1'b0}};
        wide_value = {WIDE{1'b0}};
        patched    = in_data;
        if (touches) begin
            wide_mask  = {{DATA_W{1'b0}}, mask} << {place[PLACE_W-1:0], 3'b000};
            wide_value = {{DATA_W{1'b0}}, value & mask} << {place[PLACE_W-1:0], 3'b000};
            patched    = (in_data & ~wide_mask[8*(BYTES-1) +: DATA_W]) | wide_value[8*(BYTES-1) +: DATA_W];
        end
    end

    assign out_data = patched;

    wire unused = &{1'b0, wide_mask, wide_value};
endmodule

`resetall
