// hnic_rx_l3: what lies behind the Ethernet header, beginning at a word's first byte, in network order.
//
// Why: behind 14 or 18 bytes an IP header stands at 6 or 2 bytes into a word. Moved to a word's beginning, every field of IPv4 and IPv6 has
// one place, and all that counts in multiples of four bytes falls on half words. Network order (bits 63:56 are the first byte) lets
// fields and sums be plain numbers.
// The last word of a frame comes always two cycles behind its last word in; it may be empty. A frame without anything behind its
// Ethernet header is one empty word. A VLAN tag counts when the type behind it is in the frame, too.
// Throughput: one word a cycle, any number of frames back to back. Latency: 1 cycle from the word that fills, 2 for the last word.
//
// Test: tests/hdl/test_hnic_rx_l3.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_l3 (
    input  wire        clk,
    input  wire        rst,
    input  wire        cfg_vlan_strip,
    input  wire        in_valid,
    input  wire [63:0] in_data,    // bits 7:0 are the first byte
    input  wire [3:0]  in_count,   // 1..8, 8 but in the last word
    input  wire        in_last,
    output wire        out_valid,
    output wire [63:0] out_data,   // bits 63:56 are the first byte
    output wire [3:0]  out_count,  // 0..8, 8 but in the last two words
    output wire        out_first,
    output wire        out_last,
    output wire [15:0] out_type,   // what it is; behind a VLAN tag if there is one
    output wire [16:0] out_front   // sum of what the frame keeps between its first 14 bytes and here: the rest of a VLAN tag
);
    localparam [15:0] TYPE_VLAN = 16'h8100;

    reg [1:0]  index_q;   // of the next word, stays at 3
    reg [47:0] hold_q;    // the word before, without its first two bytes
    reg        tag_q, strip_q;
    reg [15:0] type_q, tci_q;

    reg        rest_q, rest_tag_q;  // the frame's last word is due
    reg [3:0]  rest_count_q;

    reg        valid_q, first_q, last_q;
    reg        begin_q;   // the next word out is a frame's first
    reg [63:0] data_q;
    reg [3:0]  count_q;
    reg [15:0] out_type_q;
    reg [16:0] front_q;

    wire       at_type = index_q == 2'd1;
    wire       at_inner = index_q == 2'd2;
    wire       has_tag = index_q[1] && tag_q && !(at_inner && in_last && in_count < 4'd2);
    wire       give = in_valid && (at_inner ? !has_tag : index_q == 2'd3);
    wire       shift = rest_q ? rest_tag_q : has_tag;  // 6 bytes of hold_q are wanted, else 2

    wire [4:0] have = (has_tag ? 5'd6 : 5'd2) + {1'b0, in_count};
    wire       beyond = have > 5'd8 && index_q != 2'd0;
    wire [4:0] rest = have - 5'd8;

    function [63:0] network;
        input [63:0] data;
        integer i;
        begin
            for (i = 0; i < 8; i = i + 1) network[8*i +: 8] = data[8*(7-i) +: 8];
        end
    endfunction

    assign out_valid = valid_q;
    assign out_data  = data_q;
    assign out_count = count_q;
    assign out_first = first_q;
    assign out_last  = last_q;
    assign out_type  = out_type_q;
    assign out_front = front_q;

    wire awake = rst || in_valid || rest_q || give || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            rest_q <= in_valid && in_last;
            if (in_valid) begin
                index_q      <= in_last ? 2'd0 : index_q == 2'd3 ? index_q : index_q + 2'd1;
                hold_q       <= in_data[63:16];
                rest_tag_q   <= has_tag;
                rest_count_q <= beyond ? rest[3:0] : 4'd0;
                if (index_q == 2'd0) type_q <= 16'd0;
                if (at_type) begin
                    type_q  <= {in_data[39:32], in_data[47:40]};
                    tci_q   <= {in_data[55:48], in_data[63:56]};
                    tag_q   <= {in_data[39:32], in_data[47:40]} == TYPE_VLAN && !in_last;
                    strip_q <= cfg_vlan_strip;
                end
                if (at_inner && has_tag) type_q <= {in_data[7:0], in_data[15:8]};
            end
            if (rst) begin
                index_q <= 2'd0;
                rest_q  <= 1'b0;
            end
        end
    end

    always @(posedge clk) begin
        if (awake) begin
            valid_q <= give || rest_q;
            if (give || rest_q) begin
                data_q     <= network(shift ? {in_data[15:0], hold_q} : {in_data[47:0], hold_q[47:32]});
                count_q    <= rest_q ? rest_count_q : in_last && !have[3] ? have[3:0] : 4'd8;
                first_q    <= begin_q;
                last_q     <= rest_q;
                begin_q    <= rest_q;
                out_type_q <= type_q;
                front_q    <= shift && !strip_q ? {1'b0, tci_q} + {1'b0, type_q} : 17'd0;
            end
            if (rst) begin
                valid_q <= 1'b0;
                begin_q <= 1'b1;
            end
        end
    end

    wire unused = &{1'b0, rest[4]};

`ifdef HNIC_CHECKS
    wire look = give && rest_q && !rst;
    always @(posedge clk) begin
        if (look) begin
            $display("CHECK %m: two words want to go out at once");
            $finish;
        end
    end
`endif
endmodule

`resetall
