// hnic_tx_edit: edits the headers of frames on their way from the gather stage to the checksums.
//
// Why: the frames of a super-packet differ in length, IPv4 id, TCP sequence number and flags, and an IPv4 header checksum counts its own
// field as 0. Fields may stand at any byte and lie across words. Each frame's record, which the cut stage makes, says what to do:
//   super-packet, IPv4   total length, id + number of the frame, header checksum 0
//   super-packet, IPv6   payload length
//   super-packet         TCP sequence number + bytes before; FIN and PSH on the last frame only, CWR on the first only
//   IPv4 checksum        header checksum 0
// Two stages: work out the values; put them into the word. What the store has to know of the frame goes along.
// Throughput: a word a cycle, no cycle between frames. Latency: 2 cycles.
//
// | parameter | legal             | meaning                                       |
// |-----------|-------------------|-----------------------------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words                                |
// | USER_W    | >= 1              | bits of the record that are only carried along |
//
// Test: tests/hdl/test_hnic_tx_edit.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_tx_edit #(
    parameter DATA_W = 128,
    parameter USER_W = 1,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    output wire               in_ready,
    input  wire [DATA_W-1:0]  in_data,
    input  wire [COUNT_W-1:0] in_count,
    input  wire               in_last,
    input  wire               in_error,        // with in_last
    input  wire [15:0]        in_error_index,  // descriptor whose read failed
    output wire [15:0]        in_pos,          // place of the word in the frame
    input  wire               frame_valid,     // the record of the frame that comes in; no word is taken without it
    output wire               frame_ready,
    input  wire               frame_tso,
    input  wire               frame_first,     // of its packet
    input  wire               frame_end,       // last of its packet
    input  wire               frame_ipv4,
    input  wire               frame_ipcsum,
    input  wire [15:0]        frame_l3,        // place of the network header
    input  wire [15:0]        frame_l4,        // place where the sum begins, with TSO the TCP header
    input  wire [15:0]        frame_len,
    input  wire [15:0]        frame_number,    // frames of this packet before it
    input  wire [16:0]        frame_before,    // payload bytes of this packet before it
    input  wire [USER_W-1:0]  frame_user,
    input  wire [31:0]        seq,             // of the first frame
    input  wire [15:0]        id,
    output wire               out_valid,
    input  wire               out_ready,
    output wire [DATA_W-1:0]  out_data,
    output wire [COUNT_W-1:0] out_count,
    output wire               out_last,
    output wire               out_error,
    output wire [15:0]        out_error_index,
    output wire [15:0]        out_l3,
    output wire [15:0]        out_l3_end,      // behind the IPv4 header; holds from the word with its first byte on
    output wire [15:0]        out_l4,
    output wire [15:0]        out_l4_len,      // what is to be added to the sum: with TSO the length from out_l4 on, else 0
    output wire [USER_W-1:0]  out_user
);
    localparam NB = DATA_W / 8;
    localparam [15:0] WORD = NB[15:0];
    localparam [15:0] IPV6_HEADER = 16'd40;
    localparam [7:0]  FIN_PSH = 8'h09;
    localparam [7:0]  CWR = 8'h80;

    function [15:0] swap;
        input [15:0] number;
        swap = {number[7:0], number[15:8]};
    endfunction

    // ---- work out: what this word's frame is to be told ----
    reg                a_valid_q, a_last_q, a_error_q, a_tso_q, a_first_q, a_end_q, a_ipv4_q, a_ipcsum_q;
    reg [DATA_W-1:0]   a_data_q;
    reg [COUNT_W-1:0]  a_count_q;
    reg [15:0]         a_error_index_q, a_pos_q, a_l3_q, a_l4_q, a_l4_len_q, a_net_len_q, a_id_q;
    reg [31:0]         a_seq_q;
    reg [7:0]          a_version_q;  // first byte of the network header
    reg [USER_W-1:0]   a_user_q;
    reg [15:0]         pos_q;

    wire               a_ready, b_ready;
    wire               accept = in_valid && in_ready;
    wire [7:0]         version_part;
    wire [15:0]        behind_l3 = frame_len - frame_l3;

    assign in_ready    = frame_valid && a_ready;
    assign in_pos      = pos_q;
    assign frame_ready = accept && in_last;
    assign a_ready     = !a_valid_q || b_ready;

    hnic_pick #(.DATA_W(DATA_W), .BYTES(1)) u_version (.in_data(in_data), .in_pos(pos_q), .pos(frame_l3), .part(version_part));

    wire awake = rst || accept || a_valid_q || b_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (a_ready) a_valid_q <= accept;
            if (accept) begin
                pos_q           <= in_last ? 16'd0 : pos_q + WORD;
                a_data_q        <= in_data;
                a_count_q       <= in_count;
                a_last_q        <= in_last;
                a_error_q       <= in_error;
                a_error_index_q <= in_error_index;
                a_pos_q         <= pos_q;
                a_version_q     <= version_part | (pos_q == 16'd0 ? 8'd0 : a_version_q);
                a_tso_q         <= frame_tso;
                a_first_q       <= frame_first;
                a_end_q         <= frame_end;
                a_ipv4_q        <= frame_ipv4;
                a_ipcsum_q      <= frame_ipcsum;
                a_l3_q          <= frame_l3;
                a_l4_q          <= frame_l4;
                a_l4_len_q      <= frame_tso ? frame_len - frame_l4 : 16'd0;
                a_net_len_q     <= frame_ipv4 ? behind_l3 : behind_l3 - IPV6_HEADER;
                a_id_q          <= id + frame_number;
                a_seq_q         <= seq + {15'd0, frame_before};
                a_user_q        <= frame_user;
            end
            if (rst) begin
                a_valid_q <= 1'b0;
                pos_q     <= 16'd0;
            end
        end
    end

    // ---- put in: first byte of a header in bits 7:0 ----
    reg                b_valid_q, b_last_q, b_error_q;
    reg [DATA_W-1:0]   b_data_q;
    reg [COUNT_W-1:0]  b_count_q;
    reg [15:0]         b_error_index_q, b_l3_q, b_l3_end_q, b_l4_q, b_l4_len_q;
    reg [USER_W-1:0]   b_user_q;

    wire               ip4 = a_tso_q && a_ipv4_q;
    wire               ip6 = a_tso_q && !a_ipv4_q;
    wire               later = a_tso_q && !a_first_q;
    wire [15:0]        on4 = {16{ip4}};
    wire [15:0]        bytes_4_5 = {16{ip6 || (ip4 && later)}};
    wire [95:0]        ip_mask = {{16{a_ipcsum_q}}, 32'd0, bytes_4_5, on4, 16'd0};
    wire [95:0]        ip_value = {48'd0, ip4 ? swap(a_id_q) : swap(a_net_len_q), swap(a_net_len_q), 16'd0};
    wire [7:0]         clear_flags = (a_tso_q && !a_end_q ? FIN_PSH : 8'd0) | (later ? CWR : 8'd0);
    wire [111:0]       tcp_mask = {clear_flags, 40'd0, {32{later}}, 32'd0};
    wire [111:0]       tcp_value = {48'd0, swap(a_seq_q[15:0]), swap(a_seq_q[31:16]), 32'd0};
    wire [DATA_W-1:0]  with_ip, with_tcp;

    hnic_patch #(.DATA_W(DATA_W), .BYTES(12)) u_ip (
        .in_data(a_data_q), .in_pos(a_pos_q), .pos(a_l3_q), .mask(ip_mask), .value(ip_value), .out_data(with_ip)
    );

    hnic_patch #(.DATA_W(DATA_W), .BYTES(14)) u_tcp (
        .in_data(with_ip), .in_pos(a_pos_q), .pos(a_l4_q), .mask(tcp_mask), .value(tcp_value), .out_data(with_tcp)
    );

    assign b_ready         = !b_valid_q || out_ready;
    assign out_valid       = b_valid_q;
    assign out_data        = b_data_q;
    assign out_count       = b_count_q;
    assign out_last        = b_last_q;
    assign out_error       = b_error_q;
    assign out_error_index = b_error_index_q;
    assign out_l3          = b_l3_q;
    assign out_l3_end      = b_l3_end_q;
    assign out_l4          = b_l4_q;
    assign out_l4_len      = b_l4_len_q;
    assign out_user        = b_user_q;

    always @(posedge clk) begin
        if (awake) begin
            if (b_ready) b_valid_q <= a_valid_q;
            if (a_valid_q && b_ready) begin
                b_data_q        <= with_tcp;
                b_count_q       <= a_count_q;
                b_last_q        <= a_last_q;
                b_error_q       <= a_error_q;
                b_error_index_q <= a_error_index_q;
                b_l3_q          <= a_l3_q;
                b_l3_end_q      <= a_l3_q + {10'd0, a_version_q[3:0], 2'b00};
                b_l4_q          <= a_l4_q;
                b_l4_len_q      <= a_l4_len_q;
                b_user_q        <= a_user_q;
            end
            if (rst) b_valid_q <= 1'b0;
        end
    end

    wire unused = &{1'b0, a_version_q[7:4]};
endmodule

`resetall
