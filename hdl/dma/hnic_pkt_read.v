// hnic_pkt_read: reads committed packets out of the packet store as 64-bit words.
//
// Why: the wire side of the store. Once a packet starts, each cycle has a word for the MAC, which cannot pause within a frame.
// Each packet, sent or dropped, is entered for its completion in order (`enter_`) when its turn comes.
// Throughput: one word a cycle, one cycle between packets. Latency: 2 cycles from record to first word.
//
// | parameter | legal             | meaning                |
// |-----------|-------------------|------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of the store     |
// | ADDR_W    | >= 4              | bits of word addresses |
//
// Test: tests/hdl/test_hnic_pkt_read.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_pkt_read #(
    parameter DATA_W = 128,
    parameter ADDR_W = 11
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              quiesce,     // start no packet
    input  wire              rec_valid,
    output wire              rec_ready,
    input  wire [15:0]       rec_len,
    input  wire              rec_csum,
    input  wire [15:0]       rec_csum_pos,
    input  wire [15:0]       rec_csum_value,
    input  wire [15:0]       rec_next,
    input  wire [`HNIC_TXC_STATUS_W-1:0] rec_status,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] rec_cookie,
    output wire              enter_valid,
    input  wire              enter_ready,
    output wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    output wire [15:0]       enter_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] enter_status,
    output wire              ram_rd_en,
    output wire [ADDR_W-1:0] ram_rd_addr,
    input  wire [DATA_W-1:0] ram_rd_data,
    output wire [ADDR_W:0]   freed,       // free-running count of words done with
    output wire              out_valid,
    input  wire              out_ready,
    output wire [63:0]       out_data,    // bytes from out_count on mean nothing
    output wire [3:0]        out_count,   // 8 but in the last word
    output wire              out_last,
    output wire [12:0]       out_index,   // of this word in the frame
    output wire [`HNIC_TXC_COOKIE_W-1:0] out_cookie,
    output wire              out_csum,
    output wire [15:0]       out_csum_pos,
    output wire [15:0]       out_csum_value,
    output wire              status_idle,   // no packet under way
    output wire              stat_tx_csums
);
    localparam LANES = DATA_W / 64;
    localparam LANE_W = LANES > 1 ? $clog2(LANES) : 1;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;

    reg                sending_q;
    reg [12:0]         index_q;   // next word of the frame
    reg [15:0]         left_q;    // bytes from that word on
    reg [ADDR_W:0]     rptr_q;
    reg [COOKIE_W-1:0] cookie_q;
    reg                csum_q;
    reg [15:0]         csum_pos_q, csum_value_q;

    // the word the RAM is giving
    reg                word_valid_q, word_last_q, word_csum_q;
    reg [3:0]          word_count_q;
    reg [12:0]         word_index_q;
    reg [LANE_W-1:0]   word_lane_q;
    reg [COOKIE_W-1:0] word_cookie_q;
    reg [15:0]         word_csum_pos_q, word_csum_value_q;

    wire               good = rec_status == `HNIC_STATUS_OK;
    wire               start = rec_ready && rec_valid;
    wire               advance = !word_valid_q || out_ready;
    wire               step = sending_q && advance;
    wire               final_word = left_q <= 16'd8;
    wire [LANE_W-1:0]  lane;
    wire               lane_end;

    generate
        if (LANES > 1) begin : gen_lanes
            assign lane     = index_q[LANE_W-1:0];
            assign lane_end = &lane;
            assign out_data = ram_rd_data[64*word_lane_q +: 64];
        end else begin : gen_lane
            assign lane     = 1'b0;
            assign lane_end = 1'b1;
            assign out_data = ram_rd_data;
        end
    endgenerate

    assign rec_ready      = !sending_q && !quiesce && enter_ready;
    assign enter_valid    = rec_valid && !sending_q && !quiesce;
    assign enter_cookie   = rec_cookie;
    assign enter_next     = rec_next;
    assign enter_status   = rec_status;
    assign ram_rd_en      = step;
    assign ram_rd_addr    = rptr_q[ADDR_W-1:0];
    assign freed          = rptr_q;
    assign out_valid      = word_valid_q;
    assign out_count      = word_count_q;
    assign out_last       = word_last_q;
    assign out_index      = word_index_q;
    assign out_cookie     = word_cookie_q;
    assign out_csum       = word_csum_q;
    assign out_csum_pos   = word_csum_pos_q;
    assign out_csum_value = word_csum_value_q;
    assign status_idle    = !sending_q && !word_valid_q;
    assign stat_tx_csums  = start && good && rec_csum;

    always @(posedge clk) begin : packet
        if (start && good) begin
            sending_q    <= 1'b1;
            index_q      <= 13'd0;
            left_q       <= rec_len;
            cookie_q     <= rec_cookie;
            csum_q       <= rec_csum;
            csum_pos_q   <= rec_csum_pos;
            csum_value_q <= rec_csum_value;
        end else if (step) begin
            sending_q <= !final_word;
            index_q   <= index_q + 13'd1;
            left_q    <= left_q - 16'd8;
            if (lane_end || final_word) rptr_q <= rptr_q + 1'b1;
        end
        if (rst) begin
            sending_q <= 1'b0;
            rptr_q    <= {ADDR_W + 1{1'b0}};
        end
    end

    always @(posedge clk) begin : word
        if (advance) word_valid_q <= sending_q;
        if (step) begin
            word_last_q       <= final_word;
            word_count_q      <= final_word ? left_q[3:0] : 4'd8;
            word_index_q      <= index_q;
            word_lane_q       <= lane;
            word_cookie_q     <= cookie_q;
            word_csum_q       <= csum_q;
            word_csum_pos_q   <= csum_pos_q;
            word_csum_value_q <= csum_value_q;
        end
        if (rst) word_valid_q <= 1'b0;
    end

    wire unused = &{1'b0, word_lane_q};
endmodule

`resetall
