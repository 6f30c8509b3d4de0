// hnic_rss: receive side scaling: the Toeplitz hash over addresses and ports, and the queue it leads to.
//
// Why: frames of one flow go to one queue, flows spread over all. The hash is linear, so the parts of its input may come one by one:
// part `in_step` (64 bits, first byte on top) meets the key from bit 64 * in_step on. Addresses and ports are kept apart, as only the
// frame's end shows which of them count. `end_valid` comes with the last part or behind it.
// Throughput: 64 bits a cycle, one frame a cycle. Latency: 2 cycles from `end_valid`.
//
// | parameter | legal | meaning                                                     |
// |-----------|-------|-------------------------------------------------------------|
// | QUEUES    | 1..32 | receive queues; an entry that names none of them is queue 0 |
//
// Test: tests/hdl/test_hnic_rss.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rss #(
    parameter QUEUES = 8,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   cfg_rss,
    input  wire [319:0]           cfg_rss_key,    // byte 0 in bits 7:0
    input  wire [128*QUEUE_W-1:0] cfg_rss_table,  // that of hash 0 in the lowest bits
    input  wire                   in_valid,
    input  wire                   in_ports,       // ports, in the upper half
    input  wire [2:0]             in_step,        // addresses begin with 0
    input  wire [63:0]            in_data,
    input  wire                   end_valid,
    input  wire                   end_v4,         // the frame is IPv4 ..
    input  wire                   end_v6,         // .. or IPv6 ..
    input  wire                   end_l4,         // .. and its ports count
    output wire                   out_valid,
    output wire [31:0]            out_hash,
    output wire [2:0]             out_type,       // as HASH_TYPE of the completion
    output wire [QUEUE_W-1:0]     out_queue       // 0 without a hash
);
    localparam KEY_W = 352;     // the key and 32 zeros behind it, which only the empty half behind the ports meets
    localparam [QUEUE_W:0] LIMIT = QUEUES[QUEUE_W:0];
    localparam WINDOW_W = 95;   // key bits that 64 bits of input meet

    wire [KEY_W-1:0] key;
    genvar i;
    generate
        for (i = 0; i < 40; i = i + 1) begin : gen_key
            assign key[KEY_W-8-8*i +: 8] = cfg_rss_key[8*i +: 8];
        end
    endgenerate
    assign key[31:0] = 32'd0;

    wire [8:0]          place = 9'd257 - {in_step, 6'd0};  // of the window's lowest bit
    wire [WINDOW_W-1:0] window = key[place +: WINDOW_W];

    function [31:0] toeplitz;
        input [63:0]         data;
        input [WINDOW_W-1:0] bits;
        integer b;
        begin
            for (b = 0; b < 32; b = b + 1) toeplitz[b] = ^(data & bits[b +: 64]);
        end
    endfunction

    reg [31:0]        addr_q, ports_q;
    reg               end_q, end_ip_q, end_v4_q, end_l4_q;
    reg               valid_q;
    reg [31:0]        hash_q;
    reg [2:0]         type_q;
    reg [QUEUE_W-1:0] queue_q;

    wire [31:0]        hash = end_ip_q ? addr_q ^ (end_l4_q ? ports_q : 32'd0) : 32'd0;
    wire [QUEUE_W-1:0] entry = cfg_rss_table[{2'd0, hash[6:0]}*QUEUE_W +: QUEUE_W];

    assign out_valid = valid_q;
    assign out_hash  = hash_q;
    assign out_type  = type_q;
    assign out_queue = queue_q;

    wire awake = rst || in_valid || end_valid || end_q || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (in_valid) begin
                if (in_ports) ports_q <= toeplitz(in_data, window);
                else addr_q <= toeplitz(in_data, window) ^ (in_step == 3'd0 ? 32'd0 : addr_q);
            end
            end_q    <= end_valid;
            end_ip_q <= cfg_rss && (end_v4 || end_v6);
            end_v4_q <= end_v4;
            end_l4_q <= end_l4;
            valid_q  <= end_q;
            hash_q   <= hash;
            type_q   <= !end_ip_q ? 3'd0 : (end_v4_q ? 3'd1 : 3'd3) + {2'd0, end_l4_q};
            queue_q  <= end_ip_q && {1'b0, entry} < LIMIT ? entry : {QUEUE_W{1'b0}};
            if (rst) begin
                end_q   <= 1'b0;
                valid_q <= 1'b0;
            end
        end
    end
endmodule

`resetall
