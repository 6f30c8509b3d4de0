// hnic_pkt_write: puts the stream of frames into the packet store, sums them, and commits or drops each frame at its end.
//
// Why: the checksum stands in the front of the frame and is known at its end, and a frame whose read failed must never start on
// the wire. So a frame is stored whole; its record follows when the sums are known. A dropped frame gives its room back at once.
// The first fault of a packet drops its later frames, too, and is what their records say. A read that failed is named
// before the packet's own status: its descriptor came first.
// Throughput: one word a cycle. Latency: 4 cycles from the last word to the record.
//
// | parameter | legal             | meaning                         |
// |-----------|-------------------|---------------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words                  |
// | ADDR_W    | >= 4              | bits of word addresses          |
// | USER_W    | >= 1              | bits carried along with a frame |
//
// Test: tests/hdl/test_hnic_pkt_write.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_pkt_write #(
    parameter DATA_W = 128,
    parameter ADDR_W = 11,
    parameter USER_W = 1,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [DATA_W-1:0] in_data,
    input  wire [COUNT_W-1:0] in_count,
    input  wire              in_last,
    input  wire              in_error,       // with in_last, as the two that follow
    input  wire [15:0]       in_error_index,
    input  wire              in_end,         // the frame is its packet's last
    input  wire [`HNIC_TXC_STATUS_W-1:0] in_status,  // of the packet
    input  wire [15:0]       in_index,       // descriptor at fault
    input  wire              in_csum,        // a sum from in_l4 to the end, to stand at in_csum_pos
    input  wire [15:0]       in_csum_pos,
    input  wire [15:0]       in_l4,
    input  wire [15:0]       in_l4_len,      // added to that sum
    input  wire              in_ipcsum,      // a sum over the IPv4 header
    input  wire [15:0]       in_l3,
    input  wire [15:0]       in_l3_end,
    input  wire [USER_W-1:0] in_user,
    output wire              ram_wr_en,
    output wire [ADDR_W-1:0] ram_wr_addr,
    output wire [DATA_W-1:0] ram_wr_data,
    input  wire [ADDR_W:0]   freed,       // free-running count of words read and done with
    input  wire              rec_room,    // the record FIFO has room for 5 more
    output wire              rec_valid,
    output wire [15:0]       rec_len,
    output wire              rec_csum,
    output wire [15:0]       rec_csum_pos,
    output wire [15:0]       rec_csum_value,  // bits 7:0 are the first byte
    output wire              rec_ipcsum,
    output wire [15:0]       rec_ipcsum_pos,
    output wire [15:0]       rec_ipcsum_value,
    output wire              rec_end,
    output wire [`HNIC_TXC_STATUS_W-1:0] rec_status,
    output wire [15:0]       rec_index,
    output wire [USER_W-1:0] rec_user
);
    localparam NB = DATA_W / 8;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam REC_W = 16 + 1 + 16 + 1 + 16 + 1 + STATUS_W + 16 + USER_W;
    localparam [15:0] WORD = NB[15:0];
    localparam [15:0] IPCSUM_OFFSET = 16'd10;

    reg  [ADDR_W:0] wptr_q;   // next word
    reg  [ADDR_W:0] start_q;  // first word of this frame
    reg  [15:0]     len_q;    // bytes of this frame before this word
    reg  [STATUS_W-1:0] fault_q;  // of this packet, in an earlier frame
    reg  [15:0]     fault_index_q;

    wire [ADDR_W:0] used = wptr_q - freed;
    wire            fire = in_valid && in_ready;
    wire            finish = fire && in_last;
    wire [15:0]     len = len_q + {{16 - COUNT_W{1'b0}}, in_count};
    wire            faulty = fault_q != `HNIC_STATUS_OK;
    wire [STATUS_W-1:0] status = faulty ? fault_q : in_error ? `HNIC_STATUS_DMA_ERR : in_status;
    wire [15:0]     index = faulty ? fault_index_q : in_error ? in_error_index : in_index;
    wire            keep = status == `HNIC_STATUS_OK;

    assign in_ready    = !used[ADDR_W] && (!in_last || rec_room);
    assign ram_wr_en   = fire;
    assign ram_wr_addr = wptr_q[ADDR_W-1:0];
    assign ram_wr_data = in_data;

    wire awake = rst || fire;

    always @(posedge clk) begin
        if (awake) begin
            if (fire) begin
                wptr_q <= wptr_q + 1'b1;
                len_q  <= len_q + WORD;
            end
            if (finish) begin
                len_q         <= 16'd0;
                fault_q       <= in_end ? `HNIC_STATUS_OK : status;
                fault_index_q <= index;
                if (keep) start_q <= wptr_q + 1'b1;
                else wptr_q <= start_q;
            end
            if (rst) begin
                wptr_q  <= {ADDR_W + 1{1'b0}};
                start_q <= {ADDR_W + 1{1'b0}};
                len_q   <= 16'd0;
                fault_q <= `HNIC_STATUS_OK;
            end
        end
    end

    hnic_csum #(.DATA_W(DATA_W), .USER_W(REC_W)) u_csum (
        .clk(clk), .rst(rst),
        .in_valid(fire), .in_data(in_data), .in_count(in_count), .in_pos(len_q), .in_last(in_last),
        .in_start(in_l4), .in_end(16'd0), .in_to_end(1'b1), .in_add(in_l4_len),
        .in_user({len, in_csum, in_csum_pos, in_ipcsum, in_l3 + IPCSUM_OFFSET, in_end, status, index, in_user}),
        .out_valid(rec_valid), .out_csum(rec_csum_value),
        .out_user({rec_len, rec_csum, rec_csum_pos, rec_ipcsum, rec_ipcsum_pos, rec_end, rec_status, rec_index, rec_user})
    );

    // In step with the other: same words, same stages.
    wire unused_valid, unused_user;

    hnic_csum #(.DATA_W(DATA_W), .USER_W(1), .ZERO(1)) u_ipcsum (
        .clk(clk), .rst(rst),
        .in_valid(fire), .in_data(in_data), .in_count(in_count), .in_pos(len_q), .in_last(in_last),
        .in_start(in_l3), .in_end(in_l3_end), .in_to_end(1'b0), .in_add(16'd0), .in_user(1'b0),
        .out_valid(unused_valid), .out_csum(rec_ipcsum_value), .out_user(unused_user)
    );

    wire unused = &{1'b0, unused_valid, unused_user};
endmodule

`resetall
