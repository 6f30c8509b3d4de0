// hnic_rx_csum: three one's-complement sums (RFC 1071) over chosen bytes of a frame: all, the IPv4 header, and the datagram.
//
// Why: the host wants to know whether the checksums are right, and the sum of everything for protocols that the card does not know.
// A right sum, with its own checksum field in it, is 0xffff. `end_` values belong to the frame whose last word came one cycle before;
// they are added at its end. A pipeline that never stalls: add a word, accumulate, fold.
// Throughput: one word a cycle, any number of frames back to back. Latency: 3 cycles from the last word.
//
// | parameter | legal | meaning            |
// |-----------|-------|--------------------|
// | USER_W    | >= 1  | bits carried along |
//
// Test: tests/hdl/test_hnic_rx_csum.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_csum #(
    parameter USER_W = 1
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    input  wire [63:0]       in_data,    // bits 63:56 are the first byte
    input  wire              in_last,
    input  wire [7:0]        in_raw,     // bytes of the whole sum; bit 7 is the first
    input  wire [1:0]        in_ip,      // halves of the IPv4 header; bit 1 is the first
    input  wire [7:0]        in_l4,      // bytes of addresses and datagram
    input  wire [16:0]       end_front,  // belongs to the whole sum, too
    input  wire [16:0]       end_pseudo, // belongs to the datagram's sum, too
    input  wire [USER_W-1:0] end_user,
    output wire              out_valid,
    output wire [15:0]       out_raw,    // not inverted, bits 15:8 are the first byte
    output wire              out_ip_ok,
    output wire              out_l4_ok,
    output wire [USER_W-1:0] out_user
);
    localparam SUM_W = 18;

    function [SUM_W-1:0] add;
        input [63:0] data;
        input [7:0]  bytes;
        reg   [63:0] chosen;
        integer i;
        begin
            for (i = 0; i < 8; i = i + 1) chosen[8*i +: 8] = data[8*i +: 8] & {8{bytes[i]}};
            add = {2'd0, chosen[63:48]} + {2'd0, chosen[47:32]} + {2'd0, chosen[31:16]} + {2'd0, chosen[15:0]};
        end
    endfunction

    function [15:0] fold;
        input [31:0] sum;
        reg   [16:0] once;
        begin
            once = {1'b0, sum[31:16]} + {1'b0, sum[15:0]};
            fold = once[15:0] + {15'd0, once[16]};
        end
    endfunction

    // ---- one word ----
    reg              add_valid_q, add_last_q;
    reg [SUM_W-1:0]  add_raw_q, add_ip_q, add_l4_q;

    // ---- one frame ----
    reg              sum_valid_q;
    reg [31:0]       acc_raw_q, acc_ip_q, acc_l4_q;
    reg [31:0]       sum_raw_q, sum_ip_q, sum_l4_q;
    reg [USER_W-1:0] sum_user_q;
    wire [31:0]      raw = acc_raw_q + {14'd0, add_raw_q};
    wire [31:0]      ip = acc_ip_q + {14'd0, add_ip_q};
    wire [31:0]      l4 = acc_l4_q + {14'd0, add_l4_q};

    // ---- fold ----
    reg              fold_valid_q, ip_ok_q, l4_ok_q;
    reg [15:0]       raw_q;
    reg [USER_W-1:0] user_q;

    assign out_valid = fold_valid_q;
    assign out_raw   = raw_q;
    assign out_ip_ok = ip_ok_q;
    assign out_l4_ok = l4_ok_q;
    assign out_user  = user_q;

    wire awake = rst || in_valid || add_valid_q || sum_valid_q || fold_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            add_valid_q <= in_valid;
            if (in_valid) begin
                add_raw_q  <= add(in_data, in_raw);
                add_ip_q   <= add(in_data, {{4{in_ip[1]}}, {4{in_ip[0]}}});
                add_l4_q   <= add(in_data, in_l4);
                add_last_q <= in_last;
            end
            sum_valid_q <= add_valid_q && add_last_q;
            if (add_valid_q) begin
                acc_raw_q  <= add_last_q ? 32'd0 : raw;
                acc_ip_q   <= add_last_q ? 32'd0 : ip;
                acc_l4_q   <= add_last_q ? 32'd0 : l4;
                sum_raw_q  <= raw + {15'd0, end_front};
                sum_ip_q   <= ip;
                sum_l4_q   <= l4 + {15'd0, end_pseudo};
                sum_user_q <= end_user;
            end
            fold_valid_q <= sum_valid_q;
            if (sum_valid_q) begin
                raw_q   <= fold(sum_raw_q);
                ip_ok_q <= &fold(sum_ip_q);
                l4_ok_q <= &fold(sum_l4_q);
                user_q  <= sum_user_q;
            end
            if (rst) begin
                add_valid_q  <= 1'b0;
                sum_valid_q  <= 1'b0;
                fold_valid_q <= 1'b0;
                acc_raw_q    <= 32'd0;
                acc_ip_q     <= 32'd0;
                acc_l4_q     <= 32'd0;
            end
        end
    end
endmodule

`resetall
