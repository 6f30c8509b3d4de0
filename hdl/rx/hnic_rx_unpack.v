// hnic_rx_unpack: reads frames out of the packet store: each one's record, and its words.
//
// Why: the host side of the store; it may stall for as long as it likes. Record and words are two streams in the same order: a frame's
// words do not wait for its record to be taken, the next frame's do.
// Throughput: one word a cycle, no gap between frames. Latency: record at once, 1 cycle from record to first word.
//
// | parameter | legal             | meaning                |
// |-----------|-------------------|------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of the store     |
// | ADDR_W    | >= 2              | bits of word addresses |
//
// Test: tests/hdl/test_hnic_rx_unpack.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_unpack #(
    parameter DATA_W = 128,
    parameter ADDR_W = 11,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               rec_valid,
    output wire               rec_ready,
    input  wire [15:0]        rec_len,
    output wire               pkt_valid,
    input  wire               pkt_ready,
    output wire               ram_rd_en,
    output wire [ADDR_W-1:0]  ram_rd_addr,
    input  wire [DATA_W-1:0]  ram_rd_data,
    output wire [ADDR_W:0]    freed,      // free-running count of words read
    output wire               out_valid,
    input  wire               out_ready,
    output wire [DATA_W-1:0]  out_data,
    output wire [COUNT_W-1:0] out_count,
    output wire               out_last
);
    localparam NB = DATA_W / 8;
    localparam [15:0] WORD = NB[15:0];
    localparam [COUNT_W-1:0] FULL = NB[COUNT_W-1:0];

    reg  [ADDR_W:0]    rptr_q;
    reg  [15:0]        pos_q;     // bytes of this frame read
    reg                read_q;    // all of them
    reg                taken_q;   // its record is taken

    reg                valid_q, last_q;  // the word that the RAM is giving
    reg  [COUNT_W-1:0] count_q;

    wire [15:0]        left = rec_len - pos_q;
    wire               final_word = left <= WORD;
    wire               step = rec_valid && !read_q && (!valid_q || out_ready);
    wire               read = read_q || (step && final_word);
    wire               taken = taken_q || pkt_ready;

    assign pkt_valid   = rec_valid && !taken_q;
    assign rec_ready   = read && taken;
    assign ram_rd_en   = step;
    assign ram_rd_addr = rptr_q[ADDR_W-1:0];
    assign freed       = rptr_q;
    assign out_valid   = valid_q;
    assign out_data    = ram_rd_data;
    assign out_count   = count_q;
    assign out_last    = last_q;

    wire awake = rst || rec_valid || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (!valid_q || out_ready) valid_q <= step;
            if (step) begin
                rptr_q  <= rptr_q + 1'b1;
                pos_q   <= pos_q + WORD;
                last_q  <= final_word;
                count_q <= final_word ? left[COUNT_W-1:0] : FULL;
            end
            if (rec_valid) begin
                read_q  <= read && !taken;
                taken_q <= taken && !read;
                if (rec_ready) pos_q <= 16'd0;
            end
            if (rst) begin
                rptr_q  <= {ADDR_W + 1{1'b0}};
                pos_q   <= 16'd0;
                read_q  <= 1'b0;
                taken_q <= 1'b0;
                valid_q <= 1'b0;
            end
        end
    end
endmodule

`resetall
