// hnic_pkt_write: puts the stream of packets into the packet store, sums it, and commits or drops each packet at its end.
//
// Why: the checksum stands in the front of the frame and is known at its end, and a frame whose read failed must never start on
// the wire. So a packet is stored whole; its record follows when the sum is known. A dropped packet gives its room back at once.
// Throughput: one word a cycle. Latency: 4 cycles from the last word to the record.
//
// | parameter | legal             | meaning                     |
// |-----------|-------------------|-----------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words              |
// | ADDR_W    | >= 4              | bits of word addresses      |
//
// Test: tests/hdl/test_hnic_pkt_write.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_pkt_write #(
    parameter DATA_W = 128,
    parameter ADDR_W = 11,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [DATA_W-1:0] in_data,
    input  wire [COUNT_W-1:0] in_count,
    input  wire              in_last,
    input  wire              in_error,
    input  wire              open_valid,
    output wire              open_ready,
    input  wire              open_csum,
    input  wire [15:0]       open_csum_start,
    input  wire [15:0]       open_csum_offset,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] open_cookie,
    input  wire              close_valid,
    output wire              close_ready,
    input  wire [15:0]       close_next,
    input  wire [`HNIC_TXC_STATUS_W-1:0] close_status,
    output wire              ram_wr_en,
    output wire [ADDR_W-1:0] ram_wr_addr,
    output wire [DATA_W-1:0] ram_wr_data,
    input  wire [ADDR_W:0]   freed,       // free-running count of words read and done with
    input  wire              rec_room,    // the record FIFO has room for 4 more
    output wire              rec_valid,
    output wire [15:0]       rec_len,
    output wire              rec_csum,
    output wire [15:0]       rec_csum_pos,
    output wire [15:0]       rec_csum_value,  // bits 7:0 are the first byte
    output wire [15:0]       rec_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] rec_status,
    output wire [`HNIC_TXC_COOKIE_W-1:0] rec_cookie
);
    localparam NB = DATA_W / 8;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam REC_W = 16 + 1 + 16 + 16 + STATUS_W + COOKIE_W;
    localparam [15:0] WORD = NB[15:0];

    reg  [ADDR_W:0] wptr_q;   // next word
    reg  [ADDR_W:0] start_q;  // first word of this packet
    reg  [15:0]     len_q;    // bytes of this packet before this word

    wire [ADDR_W:0] used = wptr_q - freed;
    wire            fire = in_valid && in_ready;
    wire            finish = fire && in_last;
    wire [15:0]     len = len_q + {{16 - COUNT_W{1'b0}}, in_count};
    wire [STATUS_W-1:0] status = close_status != `HNIC_STATUS_OK ? close_status
                               : in_error ? `HNIC_STATUS_DMA_ERR : `HNIC_STATUS_OK;
    wire            keep = status == `HNIC_STATUS_OK;

    assign in_ready    = !used[ADDR_W] && open_valid && (!in_last || (close_valid && rec_room));
    assign open_ready  = finish;
    assign close_ready = finish;
    assign ram_wr_en   = fire;
    assign ram_wr_addr = wptr_q[ADDR_W-1:0];
    assign ram_wr_data = in_data;

    always @(posedge clk) begin
        if (fire) begin
            wptr_q <= wptr_q + 1'b1;
            len_q  <= len_q + WORD;
        end
        if (finish) begin
            len_q <= 16'd0;
            if (keep) start_q <= wptr_q + 1'b1;
            else wptr_q <= start_q;
        end
        if (rst) begin
            wptr_q  <= {ADDR_W + 1{1'b0}};
            start_q <= {ADDR_W + 1{1'b0}};
            len_q   <= 16'd0;
        end
    end

    hnic_csum #(.DATA_W(DATA_W), .USER_W(REC_W)) u_csum (
        .clk(clk), .rst(rst),
        .in_valid(fire), .in_data(in_data), .in_count(in_count), .in_pos(len_q), .in_start(open_csum_start), .in_last(in_last),
        .in_user({len, open_csum, open_csum_start + open_csum_offset, close_next, status, open_cookie}),
        .out_valid(rec_valid), .out_csum(rec_csum_value),
        .out_user({rec_len, rec_csum, rec_csum_pos, rec_next, rec_status, rec_cookie})
    );
endmodule

`resetall
