// hnic_pkt_store: the one store-and-forward stage of the transmit side: its RAM, its writer, its reader, the records between
// them, and the checksums put into what leaves.
//
// Why: see hnic_pkt_write and hnic_pkt_read, which meet only through the RAM, the records and `freed`.
// Throughput: one word a cycle in and out, no cycle between frames. Latency: 8 cycles from the last word in to the first out.
//
// | parameter | legal                              | meaning           |
// |-----------|------------------------------------|-------------------|
// | DATA_W    | 64, 128, 256, 512                  | width of words    |
// | BYTES     | power of two, two frames or more   | size of the store |
// | QUEUES    | 1..32                              | queues            |
//
// Test: tests/hdl/test_hnic_pkt_store.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_pkt_store #(
    parameter DATA_W = 128,
    parameter BYTES = 32768,
    parameter QUEUES = 8,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1,  // derived, do not set
    parameter COUNT_W = $clog2(DATA_W / 8) + 1            // derived, do not set
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              quiesce,        // start no frame
    input  wire [QUEUES-1:0] flush,          // drop what is of this queue
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [DATA_W-1:0] in_data,
    input  wire [COUNT_W-1:0] in_count,
    input  wire              in_last,
    input  wire              in_error,       // with in_last, as all that follow
    input  wire [15:0]       in_error_index,
    input  wire              in_end,         // the frame is its packet's last
    input  wire [`HNIC_TXC_STATUS_W-1:0] in_status,
    input  wire [15:0]       in_index,
    input  wire              in_csum,        // a sum from in_l4 (with every word) to the end, to stand at in_csum_pos
    input  wire [15:0]       in_csum_pos,
    input  wire [15:0]       in_l4,
    input  wire [15:0]       in_l4_len,
    input  wire              in_ipcsum,      // a sum from in_l3 to in_l3_end (both with every word)
    input  wire [15:0]       in_l3,
    input  wire [15:0]       in_l3_end,
    input  wire [QUEUE_W-1:0] in_queue,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] in_cookie,
    input  wire [15:0]       in_next,
    output wire              enter_valid,
    input  wire              enter_ready,
    output wire [QUEUE_W-1:0] enter_queue,
    output wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    output wire [15:0]       enter_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] enter_status,  // all ones: flushed
    output wire [15:0]       enter_index,
    output wire              out_valid,
    input  wire              out_ready,
    output wire [DATA_W-1:0] out_data,
    output wire [COUNT_W-1:0] out_count,
    output wire              out_last,
    output wire              out_end,        // of the packet's last frame
    output wire [`HNIC_TXC_COOKIE_W-1:0] out_cookie,
    output wire              status_idle,    // no frame on its way out
    output wire              stat_tx_csums
);
    localparam ADDR_W = $clog2(BYTES * 8 / DATA_W);
    localparam RECORDS = 64;
    localparam LEVEL_W = $clog2(RECORDS) + 1;
    localparam [LEVEL_W-1:0] RECORDS_FULL = RECORDS - 5;  // 4 may be in the checksum pipeline
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam USER_W = QUEUE_W + COOKIE_W + 16;
    localparam REC_W = 16 + 1 + 1 + 64 + 1 + STATUS_W + 16 + USER_W;

    generate
        if (BYTES < 1024 || (BYTES & (BYTES - 1)) != 0) begin : gen_error_hnic_pkt_store_bytes
            ERROR_hnic_pkt_store_bytes u_stop ();
        end
    endgenerate

    // ---- in ----
    wire                ram_wr_en, ram_rd_en;
    wire [ADDR_W-1:0]   ram_wr_addr, ram_rd_addr;
    wire [DATA_W-1:0]   ram_wr_data, ram_rd_data;
    wire [ADDR_W:0]     freed;
    wire                w_valid, w_csum, w_ipcsum, w_end;
    wire [15:0]         w_len, w_csum_pos, w_csum_value, w_ipcsum_pos, w_ipcsum_value, w_index;
    wire [STATUS_W-1:0] w_status;
    wire [USER_W-1:0]   w_user;
    wire                recs_ready;
    wire [LEVEL_W-1:0]  level;

    hnic_pkt_write #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .USER_W(USER_W)) u_write (
        .clk(clk), .rst(rst),
        .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data), .in_count(in_count), .in_last(in_last),
        .in_error(in_error), .in_error_index(in_error_index), .in_end(in_end), .in_status(in_status), .in_index(in_index),
        .in_csum(in_csum), .in_csum_pos(in_csum_pos), .in_l4(in_l4), .in_l4_len(in_l4_len),
        .in_ipcsum(in_ipcsum), .in_l3(in_l3), .in_l3_end(in_l3_end), .in_user({in_queue, in_cookie, in_next}),
        .ram_wr_en(ram_wr_en), .ram_wr_addr(ram_wr_addr), .ram_wr_data(ram_wr_data),
        .freed(freed), .rec_room(level < RECORDS_FULL),
        .rec_valid(w_valid), .rec_len(w_len),
        .rec_csum(w_csum), .rec_csum_pos(w_csum_pos), .rec_csum_value(w_csum_value),
        .rec_ipcsum(w_ipcsum), .rec_ipcsum_pos(w_ipcsum_pos), .rec_ipcsum_value(w_ipcsum_value),
        .rec_end(w_end), .rec_status(w_status), .rec_index(w_index), .rec_user(w_user)
    );

    hnic_ram #(.WIDTH(DATA_W), .ADDR_W(ADDR_W)) u_ram (
        .clk(clk),
        .wr_en(ram_wr_en), .wr_addr(ram_wr_addr), .wr_data(ram_wr_data),
        .rd_en(ram_rd_en), .rd_addr(ram_rd_addr), .rd_data(ram_rd_data)
    );

    // ---- out ----
    wire                r_valid, r_ready, r_csum, r_ipcsum, r_end;
    wire [15:0]         r_len, r_index, r_next;
    wire [63:0]         r_csums;
    wire [STATUS_W-1:0] r_status;
    wire [QUEUE_W-1:0]  r_queue;
    wire [COOKIE_W-1:0] r_cookie;

    hnic_fifo #(.WIDTH(REC_W), .DEPTH(RECORDS)) u_records (
        .clk(clk), .rst(rst),
        .wr_valid(w_valid), .wr_ready(recs_ready),
        .wr_data({w_len, w_csum, w_ipcsum, w_csum_pos, w_csum_value, w_ipcsum_pos, w_ipcsum_value,
                  w_end, w_status, w_index, w_user}),
        .rd_valid(r_valid), .rd_ready(r_ready),
        .rd_data({r_len, r_csum, r_ipcsum, r_csums, r_end, r_status, r_index, r_queue, r_cookie, r_next}),
        .level(level)
    );

    wire                word_valid, word_ready, word_last, word_end, word_csum, word_ipcsum, read_idle;
    wire [COUNT_W-1:0]  word_count;
    wire [15:0]         word_pos, word_csum_pos, word_csum_value, word_ipcsum_pos, word_ipcsum_value;
    wire [COOKIE_W-1:0] word_cookie;

    hnic_pkt_read #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .QUEUES(QUEUES)) u_read (
        .clk(clk), .rst(rst), .quiesce(quiesce), .flush(flush),
        .rec_valid(r_valid), .rec_ready(r_ready), .rec_len(r_len), .rec_csum(r_csum), .rec_ipcsum(r_ipcsum), .rec_end(r_end),
        .rec_status(r_status), .rec_index(r_index), .rec_queue(r_queue), .rec_cookie(r_cookie), .rec_next(r_next),
        .rec_csums(r_csums),
        .enter_valid(enter_valid), .enter_ready(enter_ready), .enter_queue(enter_queue), .enter_cookie(enter_cookie),
        .enter_next(enter_next), .enter_status(enter_status), .enter_index(enter_index),
        .ram_rd_en(ram_rd_en), .ram_rd_addr(ram_rd_addr), .freed(freed),
        .out_valid(word_valid), .out_ready(word_ready), .out_count(word_count), .out_last(word_last), .out_end(word_end),
        .out_pos(word_pos), .out_cookie(word_cookie), .out_csum(word_csum), .out_ipcsum(word_ipcsum),
        .out_csums({word_csum_pos, word_csum_value, word_ipcsum_pos, word_ipcsum_value}),
        .status_idle(read_idle), .stat_tx_csums(stat_tx_csums)
    );

    hnic_csum_insert #(.DATA_W(DATA_W), .USER_W(1 + COOKIE_W)) u_insert (
        .clk(clk), .rst(rst),
        .in_valid(word_valid), .in_ready(word_ready), .in_data(ram_rd_data), .in_count(word_count), .in_last(word_last),
        .in_user({word_end, word_cookie}), .in_pos(word_pos),
        .in_csum(word_csum), .in_csum_pos(word_csum_pos), .in_csum_value(word_csum_value),
        .in_ipcsum(word_ipcsum), .in_ipcsum_pos(word_ipcsum_pos), .in_ipcsum_value(word_ipcsum_value),
        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data), .out_count(out_count), .out_last(out_last),
        .out_user({out_end, out_cookie})
    );

    assign status_idle = read_idle && !out_valid;

`ifdef HNIC_CHECKS
    wire look = w_valid && !recs_ready && !rst;
    always @(posedge clk) begin
        if (look) begin
            $display("CHECK %m: a record has no room");
            $finish;
        end
    end
`else
    wire unused = &{1'b0, recs_ready};
`endif
endmodule

`resetall
