// hnic_rx_parse: finds IPv4 or IPv6 and TCP or UDP in what lies behind the Ethernet header, as it comes, and judges the lengths.
//
// Why: the wire does not wait. Each word goes on with the bytes of it that belong to each sum (hnic_rx_csum), addresses and ports
// go to the flow hash (hnic_rss), and one cycle behind the last word stands what the frame is. Nothing is claimed of a frame whose
// length fields do not fit it:
// - IPv4: header length at least 20 and at most the total length, total length not beyond the frame. IPv6: payload likewise.
// - TCP and UDP: the first header (no IPv6 extension headers), not a fragment, 20 or 8 bytes there.
// - To be judged: TCP; UDP with a checksum whose length field is the datagram's length.
// Throughput: one word a cycle, any number of frames back to back. Latency: words 1 cycle, `end_` 2 cycles behind the last word.
//
// Test: tests/hdl/test_hnic_rx_parse.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_parse (
    input  wire        clk,
    input  wire        rst,
    input  wire        in_valid,
    input  wire [63:0] in_data,    // bits 63:56 are the first byte
    input  wire [3:0]  in_count,   // 0..8, 8 but in the last words
    input  wire        in_first,
    input  wire        in_last,
    input  wire [15:0] in_type,
    input  wire [16:0] in_front,
    output wire        out_valid,
    output wire [63:0] out_data,
    output wire        out_last,
    output wire [7:0]  out_raw,    // the frame's bytes; bit 7 is the first
    output wire [1:0]  out_ip,     // halves of the IPv4 header; bit 1 is the first
    output wire [7:0]  out_l4,     // bytes of addresses and datagram
    output wire        end_valid,
    output wire        end_v4,     // whole IPv4
    output wire        end_v6,     // whole IPv6
    output wire        end_l4,     // with a whole TCP or UDP header
    output wire        end_judge,  // with a checksum to be judged
    output wire [16:0] end_pseudo, // protocol and length for the pseudo header
    output wire [16:0] end_front,
    output wire        hash_valid, // for hnic_rss: `hash_data` is part `hash_step` of addresses and ports
    output wire        hash_ports, // it is the ports
    output wire [2:0]  hash_step,
    output wire [63:0] hash_data
);
    localparam [15:0] TYPE_IPV4 = 16'h0800;
    localparam [15:0] TYPE_IPV6 = 16'h86DD;
    localparam [7:0]  TCP = 8'd6;
    localparam [7:0]  UDP = 8'd17;
    localparam [3:0]  V4_WORDS = 4'd5;    // 32-bit words of the shortest IPv4 header ..
    localparam [3:0]  V6_WORDS = 4'd10;   // .. and of the IPv6 header
    localparam [16:0] V6_BYTES = 17'd40;
    localparam [16:0] TCP_BYTES = 17'd20;
    localparam [16:0] UDP_BYTES = 17'd8;
    localparam [2:0]  STEP_V4_PORTS = 3'd1;
    localparam [2:0]  STEP_V6_PORTS = 3'd4;

    // ---- this word ----
    reg  [12:0] index_q;  // of the next word, stays at its maximum
    reg         v4_q, v6_q;
    reg  [3:0]  start_q;  // the datagram's first 32-bit word
    reg  [16:0] stop_q;   // byte behind the datagram

    wire [3:0]  version = in_data[63:60];
    wire [3:0]  ihl = in_data[59:56];
    wire        first_v4 = in_type == TYPE_IPV4 && version == 4'd4 && ihl >= V4_WORDS;
    wire        first_v6 = in_type == TYPE_IPV6 && version == 4'd6;
    wire [16:0] first_stop = first_v4 ? {1'b0, in_data[47:32]} : {1'b0, in_data[31:16]} + V6_BYTES;

    wire [12:0] index = in_first ? 13'd0 : index_q;
    wire        v4 = in_first ? first_v4 : v4_q;
    wire        v6 = in_first ? first_v6 : v6_q;
    wire [3:0]  start = in_first ? (first_v4 ? ihl : V6_WORDS) : start_q;
    wire [16:0] stop = in_first ? first_stop : stop_q;

    wire [16:0] pos = {1'b0, index, 3'd0};
    wire [13:0] upper = {index, 1'b0};  // the halves' places in 32-bit words
    wire [13:0] lower = {index, 1'b1};
    wire [13:0] ports_at = {10'd0, start};
    wire [13:0] length_at = {10'd0, start} + 14'd1;
    wire        upper_l4 = (v4 && (upper == 14'd4 || upper >= ports_at)) || (v6 && upper >= 14'd2);
    wire        lower_l4 = (v4 && (lower == 14'd3 || lower >= ports_at)) || (v6 && lower >= 14'd2);
    wire        has_ports = upper == ports_at || lower == ports_at;
    wire [31:0] length_half = upper == length_at ? in_data[63:32] : in_data[31:0];

    wire [16:0] left = stop - pos;  // meaningful when stop > pos
    wire [7:0]  in_frame = ~(8'hFF >> in_count);
    wire [7:0]  in_datagram = stop <= pos ? 8'd0 : left >= 17'd8 ? 8'hFF : ~(8'hFF >> left[2:0]);

    // ---- the word with its sums, and what is known of the frame so far ----
    reg         valid_q, last_q, frag_q, checksum_q;
    reg  [63:0] data_q;
    reg  [7:0]  raw_q, l4_q, proto_q;
    reg  [1:0]  ip_q;
    reg  [15:0] udp_len_q;
    reg  [16:0] len_q, front_q;

    // ---- parts of the hash ----
    reg         addr_valid_q, ports_seen_q, ports_valid_q;
    reg  [2:0]  addr_step_q, ports_step_q;
    reg  [63:0] addr_data_q;
    reg  [31:0] source_q, ports_q, ports_data_q;

    // ---- the frame ----
    reg         end_valid_q, end_v4_q, end_v6_q, end_l4_q, end_judge_q;
    reg  [16:0] end_pseudo_q, end_front_q;

    wire [16:0] header = {11'd0, start_q, 2'd0};
    wire [16:0] l4_len = stop_q - header;
    wire        whole = stop_q >= header && stop_q <= len_q;
    wire        tcp = proto_q == TCP && l4_len >= TCP_BYTES;
    wire        udp = proto_q == UDP && l4_len >= UDP_BYTES;
    wire        l4 = (v4_q || v6_q) && whole && !frag_q && (tcp || udp);

    assign out_valid  = valid_q;
    assign out_data   = data_q;
    assign out_last   = last_q;
    assign out_raw    = raw_q;
    assign out_ip     = ip_q;
    assign out_l4     = l4_q;
    assign end_valid  = end_valid_q;
    assign end_v4     = end_v4_q;
    assign end_v6     = end_v6_q;
    assign end_l4     = end_l4_q;
    assign end_judge  = end_judge_q;
    assign end_pseudo = end_pseudo_q;
    assign end_front  = end_front_q;
    assign hash_valid = addr_valid_q || ports_valid_q;
    assign hash_ports = !addr_valid_q;
    assign hash_step  = addr_valid_q ? addr_step_q : ports_step_q;
    assign hash_data  = addr_valid_q ? addr_data_q : {ports_data_q, 32'd0};

    wire awake = rst || in_valid || valid_q || addr_valid_q || ports_seen_q || ports_valid_q || end_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            valid_q <= in_valid;
            if (in_valid) begin
                index_q <= &index ? index : index + 13'd1;
                v4_q    <= v4;
                v6_q    <= v6;
                start_q <= start;
                stop_q  <= stop;
                data_q  <= in_data;
                last_q  <= in_last;
                raw_q   <= in_frame;
                ip_q    <= {v4 && upper < ports_at, v4 && lower < ports_at};
                l4_q    <= {{4{upper_l4}}, {4{lower_l4}}} & in_datagram & in_frame;
                len_q   <= (in_first ? 17'd0 : len_q) + {13'd0, in_count};  // an empty word may follow the frame's end
                front_q <= in_front;
                if (in_first) frag_q <= first_v4 && in_data[13:0] != 14'd0;  // more fragments, or an offset
                if (in_first) proto_q <= in_data[15:8];
                else if (v4 && index == 13'd1) proto_q <= in_data[55:48];
                if (upper == length_at || lower == length_at) begin
                    udp_len_q  <= length_half[31:16];
                    checksum_q <= length_half[15:0] != 16'd0;
                end
            end
            if (rst) valid_q <= 1'b0;
        end
    end

    // Ports wait one cycle: IPv4's may come in one word with an address, and one part a cycle can be hashed.
    always @(posedge clk) begin
        if (awake) begin
            addr_valid_q  <= in_valid && ((v4 && index == 13'd2) || (v6 && index >= 13'd1 && index <= 13'd4));
            ports_seen_q  <= in_valid && (v4 || v6) && has_ports;
            ports_valid_q <= ports_seen_q;
            if (in_valid) begin
                if (index == 13'd1) source_q <= in_data[31:0];
                addr_step_q <= v4 ? 3'd0 : index[2:0] - 3'd1;
                addr_data_q <= v4 ? {source_q, in_data[63:32]} : in_data;
                ports_q     <= upper == ports_at ? in_data[63:32] : in_data[31:0];
            end
            ports_data_q <= ports_q;
            ports_step_q <= v4_q ? STEP_V4_PORTS : STEP_V6_PORTS;
            if (rst) begin
                addr_valid_q  <= 1'b0;
                ports_seen_q  <= 1'b0;
                ports_valid_q <= 1'b0;
            end
        end
    end

    always @(posedge clk) begin
        if (awake) begin
            end_valid_q  <= valid_q && last_q;
            end_v4_q     <= v4_q && whole;
            end_v6_q     <= v6_q && whole;
            end_l4_q     <= l4;
            end_judge_q  <= l4 && (tcp || ({1'b0, udp_len_q} == l4_len && checksum_q));
            end_pseudo_q <= {1'b0, l4_len[15:0]} + {9'd0, proto_q};
            end_front_q  <= front_q;
            if (rst) end_valid_q <= 1'b0;
        end
    end

`ifdef HNIC_CHECKS
    wire look = addr_valid_q && ports_valid_q && !rst;
    always @(posedge clk) begin
        if (look) begin
            $display("CHECK %m: an address and ports at once");
            $finish;
        end
    end
`endif
endmodule

`resetall
