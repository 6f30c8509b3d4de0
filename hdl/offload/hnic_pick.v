// hnic_pick: takes the bytes of a field of a frame out of the one word, of a stream of words, that is given.
//
// Why: the counterpart of hnic_patch. A field across two words comes in two parts; bytes that are not in this word are 0,
// so the parts are joined by OR. Combinational: throughput and latency are those of its owner.
//
// | parameter | legal             | meaning             |
// |-----------|-------------------|---------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words      |
// | BYTES     | >= 1              | length of the field |
//
// Test: tests/hdl/test_hnic_pick.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_pick #(
    parameter DATA_W = 128,
    parameter BYTES = 2
) (
    input  wire [DATA_W-1:0]  in_data,
    input  wire [15:0]        in_pos,  // place of the word in the frame
    input  wire [15:0]        pos,     // place of the field in the frame
    output wire [8*BYTES-1:0] part     // bits 7:0 are the first byte
);
    localparam NB = DATA_W / 8;
    localparam [31:0] REACH = NB + BYTES - 1;  // places at which the field touches the word
    localparam [31:0] BACK = BYTES - 1;
    localparam PLACE_W = $clog2(NB + BYTES);
    localparam WIDE = DATA_W + 16 * BYTES;

    wire [15:0]     place = pos + BACK[15:0] - in_pos;  // 0: the field's last byte is the word's first
    wire            touches = place < REACH[15:0];
    reg  [WIDE-1:0] turned;

    // The wide shift only for words that the field touches: that costs the circuit nothing and the simulator little.
    always @* begin
        turned = {WIDE{1'b0}};
        if (touches) turned = ({{16 * BYTES{1'b0}}, in_data} << (8 * (BYTES - 1))) >> {place[PLACE_W-1:0], 3'b000};
    end

    assign part = turned[8*BYTES-1:0];

    wire unused = &{1'b0, turned};
endmodule

`resetall
