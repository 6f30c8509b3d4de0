// hnic_csum_insert: writes the two checksum bytes into the frame as it goes to the MAC.
//
// Why: the sum is known when the frame is stored, its place is near the frame's start; replacing bytes on the way out saves
// a second write into the store. The field may lie across two words.
// Throughput: one word a cycle. Latency: 1 cycle.
//
// | parameter | legal | meaning            |
// |-----------|-------|--------------------|
// | USER_W    | >= 1  | bits carried along |
//
// Test: tests/hdl/test_hnic_csum_insert.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_csum_insert #(
    parameter USER_W = 32
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [63:0]       in_data,
    input  wire [3:0]        in_count,
    input  wire              in_last,
    input  wire [USER_W-1:0] in_user,
    input  wire [12:0]       in_index,       // of this word in the frame
    input  wire              in_csum,        // there is something to insert
    input  wire [15:0]       in_csum_pos,    // its first byte in the frame
    input  wire [15:0]       in_csum_value,  // bits 7:0 are the first byte
    output wire              out_valid,
    input  wire              out_ready,
    output wire [63:0]       out_data,
    output wire [3:0]        out_count,
    output wire              out_last,
    output wire [USER_W-1:0] out_user
);
    reg              valid_q, last_q;
    reg [63:0]       data_q;
    reg [3:0]        count_q;
    reg [USER_W-1:0] user_q;

    wire [2:0] lane = in_csum_pos[2:0];
    wire       starts_here = in_csum && in_csum_pos[15:3] == in_index;
    wire       ends_here = in_csum && lane == 3'd7 && in_csum_pos[15:3] + 13'd1 == in_index;

    assign in_ready  = !valid_q || out_ready;
    assign out_valid = valid_q;
    assign out_data  = data_q;
    assign out_count = count_q;
    assign out_last  = last_q;
    assign out_user  = user_q;

    function [63:0] insert;
        input [63:0] data;
        input [15:0] value;
        input [2:0]  place;
        reg   [63:0] mask;
        begin
            mask = 64'hFFFF << {place, 3'b000};
            insert = (data & ~mask) | (({48'd0, value} << {place, 3'b000}) & mask);
        end
    endfunction

    always @(posedge clk) begin
        if (in_ready) valid_q <= in_valid;
        if (in_valid && in_ready) begin
            data_q  <= starts_here ? insert(in_data, in_csum_value, lane)
                     : ends_here ? {in_data[63:8], in_csum_value[15:8]} : in_data;
            count_q <= in_count;
            last_q  <= in_last;
            user_q  <= in_user;
        end
        if (rst) valid_q <= 1'b0;
    end
endmodule

`resetall
