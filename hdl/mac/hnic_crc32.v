// hnic_crc32: Ethernet's CRC-32 over 0 to 8 bytes at once, combinational.
//
// Why: a table a byte lane ("slicing by 8") is eight look-ups and an XOR in a simulator and a ROM or an XOR tree in hardware; a
// loop over bits would be the slowest thing in the whole card to simulate. Fewer than 8 bytes are moved to the upper lanes; the
// empty lanes below hold 0, whose table entry is 0.
// State convention: reflected CRC, starts as all ones, complemented at the end by the user. Byte 0 of `data` goes first.
//
// Test: tests/hdl/test_hnic_crc32.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_crc32 (
    input  wire [31:0] crc_in,
    input  wire [63:0] data,    // bytes from `count` on must be 0
    input  wire [3:0]  count,   // 0..8
    output wire [31:0] crc_out
);
    localparam [31:0] POLYNOMIAL = 32'hEDB88320;  // IEEE 802.3, reflected

    // entry {lane, byte}: what the byte does to the CRC when 7 - lane bytes follow it
    reg [31:0] table_mem [0:2047];

    integer lane, value, step;
    reg [31:0] crc;
    initial begin
        for (value = 0; value < 256; value = value + 1) begin
            crc = value;
            for (lane = 7; lane >= 0; lane = lane - 1) begin
                for (step = 0; step < 8; step = step + 1)
                    crc = crc[0] ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
                table_mem[256*lane+value] = crc;
            end
        end
    end

    // A function, because the simulator works through it once, and through wires once for each that changes.
    function [31:0] stepped;
        input [31:0] old;
        input [63:0] bytes;
        input [3:0]  number;
        reg   [63:0] mixed, moved;
        reg   [31:0] beyond;
        reg   [3:0]  missing;
        begin
            mixed = bytes ^ {32'd0, old};
            moved = mixed;
            beyond = 32'd0;
            if (!number[3]) begin
                missing = 4'd8 - number;
                moved = mixed << {missing, 3'b000};
                beyond = mixed[31:0] >> {number, 3'b000};  // with fewer than 4 bytes the rest of the CRC is only shifted
            end
            stepped = beyond
                ^ table_mem[{3'd0, moved[7:0]}] ^ table_mem[{3'd1, moved[15:8]}]
                ^ table_mem[{3'd2, moved[23:16]}] ^ table_mem[{3'd3, moved[31:24]}]
                ^ table_mem[{3'd4, moved[39:32]}] ^ table_mem[{3'd5, moved[47:40]}]
                ^ table_mem[{3'd6, moved[55:48]}] ^ table_mem[{3'd7, moved[63:56]}];
        end
    endfunction

    assign crc_out = stepped(crc_in, data, count);
endmodule

`resetall
