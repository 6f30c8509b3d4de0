// hnic_gather: packs the wanted bytes of read beats into words, across bursts and segments.
//
// Why: segments start at any byte and have any length; behind this module a packet starts at byte 0 of a word and has no gaps.
// Two stages. Rotate: the beat is turned so that its first wanted byte lands behind the bytes already kept. Merge:
// kept bytes and new bytes make a word; the bytes that went round the corner are kept for the next one.
// Throughput: one beat a cycle; a packet whose last beat spills into one more word takes one cycle more. Latency: 2 cycles.
// A burst of 0 bytes takes no beat; with `last` it ends the packet (out_count may then be 0).
//
// | parameter | legal             | meaning                  |
// |-----------|-------------------|--------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of beats and words |
//
// Test: tests/hdl/test_hnic_gather.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_gather #(
    parameter DATA_W = 128,
    parameter OFF_W = $clog2(DATA_W / 8),  // derived, do not set
    parameter COUNT_W = OFF_W + 1          // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               burst_valid,
    output wire               burst_ready,
    input  wire [OFF_W-1:0]   burst_offset,  // first wanted byte in its first beat
    input  wire [12:0]        burst_bytes,
    input  wire               burst_last,    // ends the packet
    input  wire [15:0]        burst_index,   // who is to be named when a beat is in error
    input  wire               beat_valid,
    output wire               beat_ready,
    input  wire [DATA_W-1:0]  beat_data,
    input  wire               beat_error,
    output wire               out_valid,
    input  wire               out_ready,
    output wire [DATA_W-1:0]  out_data,      // bytes from out_count on mean nothing
    output wire [COUNT_W-1:0] out_count,
    output wire               out_last,
    output wire               out_error,     // with out_last: a beat of this packet was in error
    output wire [15:0]        out_error_index  // of the first of them
);
    localparam NB = DATA_W / 8;
    localparam [COUNT_W-1:0] FULL = NB[COUNT_W-1:0];
    localparam [12:0] FULL13 = NB[12:0];

    // ---- rotate ----
    reg               inside_q;  // not the first beat of the burst
    reg [12:0]        left_q;    // bytes of the burst not yet taken
    reg [OFF_W-1:0]   fill_q;    // bytes the merge stage will have kept
    reg               rot_valid_q, rot_last_q, rot_error_q;
    reg [DATA_W-1:0]  rot_data_q;
    reg [COUNT_W-1:0] rot_count_q;
    reg [OFF_W-1:0]   rot_fill_q;
    reg [15:0]        rot_index_q;

    wire               rot_ready;
    wire               empty = burst_bytes == 13'd0;
    wire [12:0]        left = inside_q ? left_q : burst_bytes;
    wire [OFF_W-1:0]   offset = inside_q ? {OFF_W{1'b0}} : burst_offset;
    wire [12:0]        here = FULL13 - {{13 - OFF_W{1'b0}}, offset};
    wire               burst_end = left <= here;
    wire [12:0]        count = burst_end ? left : here;
    wire               take = burst_valid && (empty || beat_valid) && rot_ready;
    wire               packet_end = burst_end && burst_last;
    wire [OFF_W-1:0]   turn = offset - fill_q;  // rotate right by this many bytes
    wire [2*DATA_W-1:0] turned = {beat_data, beat_data} >> {turn, 3'b000};

    assign beat_ready  = take && !empty;
    assign burst_ready = take && burst_end;

    wire awake = rst || rot_valid_q || take || out_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (rot_ready) rot_valid_q <= 1'b0;
            if (take) begin
                inside_q    <= !burst_end;
                left_q      <= left - count;
                fill_q      <= packet_end ? {OFF_W{1'b0}} : fill_q + count[OFF_W-1:0];
                rot_valid_q <= 1'b1;
                rot_data_q  <= turned[DATA_W-1:0];
                rot_count_q <= count[COUNT_W-1:0];
                rot_fill_q  <= fill_q;
                rot_last_q  <= packet_end;
                rot_error_q <= beat_error && !empty;
                rot_index_q <= burst_index;
            end
            if (rst) begin
                rot_valid_q <= 1'b0;
                inside_q    <= 1'b0;
                fill_q      <= {OFF_W{1'b0}};
            end
        end
    end

    wire unused_turned = &{1'b0, turned[2*DATA_W-1:DATA_W]};

    // ---- merge ----
    reg  [DATA_W-1:0]  kept_q;
    reg                spill_q;  // the first word of a spilling end is out, its second is next
    reg                error_q;
    reg                out_valid_q, out_last_q, out_error_q;
    reg  [DATA_W-1:0]  out_data_q;
    reg  [COUNT_W-1:0] out_count_q;
    reg  [15:0]        index_q, out_index_q;  // of the first error

    wire [COUNT_W:0]   total = {2'b00, rot_fill_q} + {1'b0, rot_count_q};
    wire               over = total > {1'b0, FULL};
    wire               word = total >= {1'b0, FULL} || rot_last_q;
    wire               spill = over && rot_last_q && !spill_q;  // two words end this packet
    wire               step = rot_valid_q && (!out_valid_q || out_ready);
    wire [15:0]        index = error_q ? index_q : rot_index_q;
    wire [COUNT_W-1:0] rest = total[COUNT_W-1:0] - FULL;

    assign rot_ready = !rot_valid_q || (step && !spill);
    assign out_valid = out_valid_q;
    assign out_data  = out_data_q;
    assign out_count = out_count_q;
    assign out_last  = out_last_q;
    assign out_error = out_error_q;
    assign out_error_index = out_index_q;

    function [DATA_W-1:0] merge;
        input [DATA_W-1:0] kept;
        input [DATA_W-1:0] fresh;
        input [OFF_W-1:0]  fill;
        reg   [DATA_W-1:0] new_bytes;
        begin
            new_bytes = {DATA_W{1'b1}} << {fill, 3'b000};
            merge = (kept & ~new_bytes) | (fresh & new_bytes);
        end
    endfunction

    always @(posedge clk) begin
        if (awake) begin
            if (out_ready) out_valid_q <= 1'b0;
            if (step) begin
                spill_q     <= spill;
                error_q     <= (error_q || rot_error_q) && (spill || !rot_last_q);
                out_valid_q <= word;
                out_last_q  <= rot_last_q && !spill;
                index_q     <= index;
                out_error_q <= error_q || rot_error_q;
                out_index_q <= index;
                out_data_q  <= spill_q ? rot_data_q : merge(kept_q, rot_data_q, rot_fill_q);
                out_count_q <= spill_q ? rest : over ? FULL : total[COUNT_W-1:0];
                kept_q      <= word ? rot_data_q : merge(kept_q, rot_data_q, rot_fill_q);
            end
            if (rst) begin
                out_valid_q <= 1'b0;
                spill_q     <= 1'b0;
                error_q     <= 1'b0;
            end
        end
    end
endmodule

`resetall
