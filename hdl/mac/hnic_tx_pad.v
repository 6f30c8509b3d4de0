// hnic_tx_pad: lengthens short frames to 60 bytes with zeros, and clears the bytes behind each frame's end.
//
// Why: Ethernet's 64-byte minimum with FCS; padding must not leak what lay in memory behind the packet.
// Throughput: one word a cycle. Latency: 1 cycle.
//
// | parameter | legal | meaning            |
// |-----------|-------|--------------------|
// | USER_W    | >= 1  | bits carried along |
//
// Test: tests/hdl/test_hnic_tx_pad.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_tx_pad #(
    parameter USER_W = 32
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [63:0]       in_data,
    input  wire [3:0]        in_count,  // 1..8, 8 but in the last word
    input  wire              in_last,
    input  wire [USER_W-1:0] in_user,
    output wire              out_valid,
    input  wire              out_ready,
    output wire [63:0]       out_data,
    output wire [3:0]        out_count,
    output wire              out_last,
    output wire [USER_W-1:0] out_user
);
    localparam [3:0] MIN_INDEX = 4'd7;  // 60 bytes end in word 7 ..
    localparam [3:0] MIN_COUNT = 4'd4;  // .. with 4 bytes

    reg              valid_q, last_q;
    reg [63:0]       data_q;
    reg [3:0]        count_q;
    reg [USER_W-1:0] user_q;
    reg [3:0]        index_q;    // of the next word, stays behind MIN_INDEX
    reg              padding_q;  // the frame has ended before MIN_INDEX

    wire move = !valid_q || out_ready;
    wire take = in_valid && in_ready;
    wire at_min = index_q == MIN_INDEX;
    wire early = index_q < MIN_INDEX;
    wire [3:0] index_next = index_q > MIN_INDEX ? index_q : index_q + 4'd1;
    wire [63:0] wanted = in_count[3] ? ~64'd0 : ~(~64'd0 << {in_count[2:0], 3'b000});
    wire short_end = at_min && in_last && in_count < MIN_COUNT;

    assign in_ready  = move && !padding_q;
    assign out_valid = valid_q;
    assign out_data  = data_q;
    assign out_count = count_q;
    assign out_last  = last_q;
    assign out_user  = user_q;

    wire awake = rst || in_valid || valid_q || padding_q;

    always @(posedge clk) begin
        if (awake) begin
            if (move) valid_q <= in_valid || padding_q;
            if (take) begin
                data_q    <= in_data & wanted;
                count_q   <= early ? 4'd8 : short_end ? MIN_COUNT : in_count;
                last_q    <= in_last && !early;
                user_q    <= in_user;
                padding_q <= in_last && early;
                index_q   <= in_last && !early ? 4'd0 : index_next;
            end else if (padding_q && move) begin
                data_q    <= 64'd0;
                count_q   <= at_min ? MIN_COUNT : 4'd8;
                last_q    <= at_min;
                padding_q <= !at_min;
                index_q   <= at_min ? 4'd0 : index_next;
            end
            if (rst) begin
                valid_q   <= 1'b0;
                padding_q <= 1'b0;
                index_q   <= 4'd0;
            end
        end
    end
endmodule

`resetall
