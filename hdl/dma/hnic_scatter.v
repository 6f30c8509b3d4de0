// hnic_scatter: turns a frame's packed words into the beats of write bursts, each byte in the lane of its address.
//
// Why: the opposite of hnic_gather. A frame starts at byte 0 of a word and has no gaps; bursts start at any byte and have any
// length. A beat needs bytes of at most two words: the kept one and the next. Two stages. Mix: no two bytes of a beat
// have the same place in their words, so both words are laid over each other. Rotate: the mixed word is turned to the beat's lanes.
// The burst with `last` ends the frame: words that it leaves over are taken and forgotten. A burst of 0 bytes makes no beat.
// Throughput: one beat a cycle. Latency: 2 cycles.
//
// | parameter | legal             | meaning                  |
// |-----------|-------------------|--------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words and beats |
//
// Test: tests/hdl/test_hnic_scatter.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_scatter #(
    parameter DATA_W = 128,
    parameter OFF_W = $clog2(DATA_W / 8),  // derived, do not set
    parameter COUNT_W = OFF_W + 1          // derived, do not set
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                burst_valid,
    output wire                burst_ready,
    input  wire [OFF_W-1:0]    burst_offset,  // lane of its first byte
    input  wire [12:0]         burst_bytes,   // not more than the frame still has
    input  wire                burst_last,    // ends the frame
    input  wire                in_valid,
    output wire                in_ready,
    input  wire [DATA_W-1:0]   in_data,
    input  wire [COUNT_W-1:0]  in_count,      // bytes, all but in the last word
    input  wire                in_last,
    output wire                out_valid,
    input  wire                out_ready,
    output wire [DATA_W-1:0]   out_data,
    output wire [DATA_W/8-1:0] out_strb
);
    localparam NB = DATA_W / 8;
    localparam [COUNT_W-1:0] FULL = NB[COUNT_W-1:0];
    localparam [12:0] FULL13 = NB[12:0];

    // ---- mix ----
    reg  [DATA_W-1:0]  kept_q;       // the last word taken
    reg                kept_last_q;  // it is the frame's last
    reg  [COUNT_W-1:0] pos_q;        // its first byte that is not written; FULL: none
    reg                inside_q;     // not the first beat of the burst
    reg  [12:0]        left_q;       // bytes of the burst not yet taken
    reg                drain_q;      // the frame is written, words of it are left over
    reg                mix_valid_q;
    reg  [DATA_W-1:0]  mix_data_q;
    reg  [NB-1:0]      mix_strb_q;
    reg  [OFF_W-1:0]   mix_turn_q;   // rotate right by this many bytes

    wire               mix_ready;
    wire               empty = burst_bytes == 13'd0;
    wire [12:0]        left = inside_q ? left_q : burst_bytes;
    wire [OFF_W-1:0]   offset = inside_q ? {OFF_W{1'b0}} : burst_offset;
    wire [12:0]        here = FULL13 - {{13 - OFF_W{1'b0}}, offset};
    wire               burst_end = left <= here;
    wire [12:0]        count = burst_end ? left : here;
    wire [COUNT_W:0]   next_pos = {1'b0, pos_q} + count[COUNT_W:0];
    wire               need = next_pos > {1'b0, FULL};  // bytes of the next word
    wire [COUNT_W:0]   wrapped = next_pos - {1'b0, FULL};
    wire               open = burst_valid && !drain_q;
    wire               beat = open && !empty && (in_valid || !need) && mix_ready;
    wire               skip = open && empty;
    wire               frame_end = (beat && burst_end && burst_last) || (skip && burst_last);
    wire               all_taken = beat && need ? in_last : kept_last_q;
    wire               drained = drain_q && in_valid && in_last;
    wire [NB-1:0]      strb = ~({NB{1'b1}} << count) << offset;
    wire [NB-1:0]      from_kept = {NB{1'b1}} << pos_q;
    wire [DATA_W-1:0]  from_kept_bits;

    generate
        genvar i;
        for (i = 0; i < NB; i = i + 1) begin : gen_mask
            assign from_kept_bits[8*i +: 8] = {8{from_kept[i]}};
        end
    endgenerate

    assign burst_ready = (beat && burst_end) || skip;
    assign in_ready    = (beat && need) || drain_q;

    wire awake = rst || burst_valid || drain_q || mix_valid_q || out_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (mix_ready) mix_valid_q <= 1'b0;
            if (beat) begin
                inside_q    <= !burst_end;
                left_q      <= left - count;
                pos_q       <= need ? wrapped[COUNT_W-1:0] : next_pos[COUNT_W-1:0];
                mix_valid_q <= 1'b1;
                mix_data_q  <= (kept_q & from_kept_bits) | (in_data & ~from_kept_bits);
                mix_strb_q  <= strb;
                mix_turn_q  <= pos_q[OFF_W-1:0] - offset;
            end
            if (beat && need) begin
                kept_q      <= in_data;
                kept_last_q <= in_last;
            end
            if (frame_end) drain_q <= !all_taken;
            if (drained) drain_q <= 1'b0;
            if ((frame_end && all_taken) || drained) begin
                pos_q       <= FULL;
                kept_last_q <= 1'b0;
            end
            if (rst) begin
                mix_valid_q <= 1'b0;
                inside_q    <= 1'b0;
                drain_q     <= 1'b0;
                kept_last_q <= 1'b0;
                pos_q       <= FULL;
            end
        end
    end

    // ---- rotate ----
    reg                 out_valid_q;
    reg  [DATA_W-1:0]   out_data_q;
    reg  [NB-1:0]       out_strb_q;
    wire [2*DATA_W-1:0] turned = {mix_data_q, mix_data_q} >> {mix_turn_q, 3'b000};
    wire                step = mix_valid_q && (!out_valid_q || out_ready);

    assign mix_ready = !mix_valid_q || step;
    assign out_valid = out_valid_q;
    assign out_data  = out_data_q;
    assign out_strb  = out_strb_q;

    always @(posedge clk) begin
        if (awake) begin
            if (out_ready) out_valid_q <= 1'b0;
            if (step) begin
                out_valid_q <= 1'b1;
                out_data_q  <= turned[DATA_W-1:0];
                out_strb_q  <= mix_strb_q;
            end
            if (rst) out_valid_q <= 1'b0;
        end
    end

    wire unused = &{1'b0, turned[2*DATA_W-1:DATA_W], wrapped[COUNT_W], in_count};

`ifdef HNIC_CHECKS
    reg [COUNT_W-1:0] kept_count_q;
    always @(posedge clk) begin
        if (beat) begin
            if (need) kept_count_q <= in_count;
            if (!rst && (need ? wrapped > {1'b0, in_count} : next_pos > {1'b0, kept_count_q})) begin
                $display("CHECK %m: the bursts have more bytes than the frame");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
