// hnic_csum_insert: writes up to two checksums into the frame as it leaves the packet store.
//
// Why: a sum is known when the frame is stored, its place is near the frame's start; replacing bytes on the way out saves
// a second write into the store. The fields may lie across two words.
// Throughput: one word a cycle. Latency: 1 cycle.
//
// | parameter | legal             | meaning            |
// |-----------|-------------------|--------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words     |
// | USER_W    | >= 1              | bits carried along |
//
// Test: tests/hdl/test_hnic_csum_insert.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_csum_insert #(
    parameter DATA_W = 128,
    parameter USER_W = 32,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    output wire               in_ready,
    input  wire [DATA_W-1:0]  in_data,
    input  wire [COUNT_W-1:0] in_count,
    input  wire               in_last,
    input  wire [USER_W-1:0]  in_user,
    input  wire [15:0]        in_pos,           // place of this word in the frame
    input  wire               in_csum,          // there is something to insert
    input  wire [15:0]        in_csum_pos,      // its first byte in the frame
    input  wire [15:0]        in_csum_value,    // bits 7:0 are the first byte
    input  wire               in_ipcsum,        // and a second one; they do not overlap
    input  wire [15:0]        in_ipcsum_pos,
    input  wire [15:0]        in_ipcsum_value,
    output wire               out_valid,
    input  wire               out_ready,
    output wire [DATA_W-1:0]  out_data,
    output wire [COUNT_W-1:0] out_count,
    output wire               out_last,
    output wire [USER_W-1:0]  out_user
);
    reg               valid_q, last_q;
    reg [DATA_W-1:0]  data_q;
    reg [COUNT_W-1:0] count_q;
    reg [USER_W-1:0]  user_q;

    wire [DATA_W-1:0] with_csum, with_both;

    hnic_patch #(.DATA_W(DATA_W), .BYTES(2)) u_csum (
        .in_data(in_data), .in_pos(in_pos), .pos(in_csum_pos), .mask({16{in_csum}}), .value(in_csum_value), .out_data(with_csum)
    );

    hnic_patch #(.DATA_W(DATA_W), .BYTES(2)) u_ipcsum (
        .in_data(with_csum), .in_pos(in_pos), .pos(in_ipcsum_pos), .mask({16{in_ipcsum}}), .value(in_ipcsum_value),
        .out_data(with_both)
    );

    assign in_ready  = !valid_q || out_ready;
    assign out_valid = valid_q;
    assign out_data  = data_q;
    assign out_count = count_q;
    assign out_last  = last_q;
    assign out_user  = user_q;

    wire awake = rst || in_valid || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (in_ready) valid_q <= in_valid;
            if (in_valid && in_ready) begin
                data_q  <= with_both;
                count_q <= in_count;
                last_q  <= in_last;
                user_q  <= in_user;
            end
            if (rst) valid_q <= 1'b0;
        end
    end
endmodule

`resetall
