// hnic_desc_unpack: takes descriptors out of the beats of a descriptor burst.
//
// Why: a descriptor is 4, 2 or 1 beats, or half a beat; only this module knows.
// Throughput: 1 beat a cycle (1 descriptor a cycle when a beat holds two). Latency: combinational from the last beat.
// An error on any beat of a descriptor marks it.
//
// | parameter | legal             | meaning       |
// |-----------|-------------------|---------------|
// | DATA_W    | 64, 128, 256, 512 | width of beats|
//
// Test: tests/hdl/test_hnic_desc_unpack.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_desc_unpack #(
    parameter DATA_W = 128
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              burst_valid,
    output wire              burst_done,   // the burst's last descriptor leaves
    input  wire              burst_half,   // the burst starts in the upper half of 64 bytes
    input  wire [7:0]        burst_count,  // descriptors in it
    input  wire [15:0]       burst_index,  // index of the first
    input  wire              beat_valid,
    output wire              beat_ready,   // the beat is used up
    input  wire [DATA_W-1:0] beat_data,
    input  wire              beat_error,
    output wire              desc_valid,
    input  wire              desc_ready,
    output wire [8*`HNIC_TXD_BYTES-1:0] desc_data,
    output wire              desc_error,
    output wire [15:0]       desc_next
);
    localparam DESC_W = 8 * `HNIC_TXD_BYTES;

    reg  [7:0] taken_q;  // descriptors of this burst that have left
    wire       desc_fire = desc_valid && desc_ready;
    wire       last = taken_q + 8'd1 == burst_count;

    assign burst_done = desc_fire && last;
    assign desc_next  = burst_index + {8'd0, taken_q} + 16'd1;

    always @(posedge clk) begin
        if (desc_fire) taken_q <= last ? 8'd0 : taken_q + 8'd1;
        if (rst) taken_q <= 8'd0;
    end

    generate
        if (DATA_W > DESC_W) begin : gen_half
            reg  toggle_q;  // the lower half of this beat has left
            wire upper = taken_q == 8'd0 ? burst_half : toggle_q;
            always @(posedge clk) begin
                if (desc_fire) toggle_q <= !upper;
                if (rst) toggle_q <= 1'b0;
            end
            assign desc_valid = burst_valid && beat_valid;
            assign desc_data  = upper ? beat_data[DATA_W-1 -: DESC_W] : beat_data[DESC_W-1:0];
            assign desc_error = beat_error;
            assign beat_ready = desc_fire && (upper || last);
        end else if (DATA_W == DESC_W) begin : gen_whole
            assign desc_valid = burst_valid && beat_valid;
            assign desc_data  = beat_data;
            assign desc_error = beat_error;
            assign beat_ready = desc_fire;
        end else begin : gen_parts
            localparam PARTS = DESC_W / DATA_W;
            localparam [1:0] LAST_PART = PARTS[1:0] - 2'd1;
            reg [DESC_W-DATA_W-1:0] parts_q;
            reg                     error_q;
            reg [1:0]               part_q;
            wire                    complete = part_q == LAST_PART;
            always @(posedge clk) begin
                if (beat_valid && beat_ready) begin
                    part_q  <= complete ? 2'd0 : part_q + 2'd1;
                    error_q <= !complete && (error_q || beat_error);
                end
                if (rst) begin
                    part_q  <= 2'd0;
                    error_q <= 1'b0;
                end
            end
            if (PARTS == 2) begin : gen_two
                always @(posedge clk) if (beat_valid && !complete) parts_q <= beat_data;
            end else begin : gen_more
                always @(posedge clk)
                    if (beat_valid && !complete) parts_q <= {beat_data, parts_q[DESC_W-DATA_W-1:DATA_W]};
            end
            assign desc_valid = burst_valid && beat_valid && complete;
            assign desc_data  = {beat_data, parts_q};
            assign desc_error = beat_error || error_q;
            assign beat_ready = complete ? desc_fire : burst_valid && beat_valid;
        end
    endgenerate

    // Only a bus wider than a descriptor has halves.
    wire unused = &{1'b0, burst_half};
endmodule

`resetall
