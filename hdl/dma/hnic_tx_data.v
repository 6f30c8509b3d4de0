// hnic_tx_data: the data path of the transmit side, from judged segments to frames for the MAC.
//
// Why: what a frame is made of, and that none in doubt leaves, is settled between these two borders; rings and wire know nothing of
// it. Segments are cut into frames (hnic_tx_cut), fetched and packed (hnic_dma_read), edited (hnic_tx_edit, hnic_tso_header),
// summed, stored whole and given out (hnic_pkt_store).
// A read that fails drops its frame and the rest of its packet; earlier frames of a super-packet have left.
// Throughput: a word a cycle, no cycle between frames. Latency: 16 cycles from a segment to its frame's first word, and the memory's.
//
// | parameter   | legal                                     | meaning                                  |
// |-------------|-------------------------------------------|------------------------------------------|
// | DATA_W      | 64, 128, 256, 512                         | width of read data and of the frames     |
// | ADDR_W      | 32..64                                    | width of addresses                       |
// | QUEUES      | 1..32                                     | queues                                   |
// | BURST_BYTES | power of two 64..4096, <= 256 beats       | longest burst                            |
// | OUTSTANDING | power of two 2..64                        | bursts under way                         |
// | FIFO_BYTES  | power of two >= 2 * BURST_BYTES           | room for data asked for                  |
// | STORE_BYTES | power of two >= 2 * MAX_FRAME             | packet store                             |
// | MAX_FRAME   | 60..16000                                 | longest frame without tag and FCS        |
// | PIECES      | power of two >= 64                        | pieces of frames that wait to be fetched |
//
// Test: tests/hdl/test_hnic_tx_data.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_data #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter QUEUES = 8,
    parameter BURST_BYTES = 512,
    parameter OUTSTANDING = 64,
    parameter FIFO_BYTES = DATA_W * 32,
    parameter STORE_BYTES = 32768,
    parameter MAX_FRAME = 9600,
    parameter PIECES = 64,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1,  // derived, do not set
    parameter COUNT_W = $clog2(DATA_W / 8) + 1            // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               quiesce,       // start no read and no frame
    input  wire [QUEUES-1:0]  flush,         // drop what is of this queue
    input  wire               seg_valid,
    output wire               seg_ready,
    input  wire [QUEUE_W-1:0] seg_queue,
    input  wire [63:0]        seg_addr,
    input  wire [16:0]        seg_len,
    input  wire [15:0]        seg_index,
    input  wire               seg_first,
    input  wire               seg_last,
    input  wire [8*`HNIC_TXD_BYTES-1:0] seg_sop,
    input  wire [`HNIC_TXC_STATUS_W-1:0] seg_status,  // with seg_last
    input  wire [15:0]        seg_next,               // with seg_last
    output wire               ar_valid,
    input  wire               ar_ready,
    output wire [ADDR_W-1:0]  ar_addr,
    output wire [7:0]         ar_len,
    output wire [12:0]        ar_bytes,
    input  wire               r_valid,
    input  wire [DATA_W-1:0]  r_data,
    input  wire               r_error,
    output wire               charge_valid,
    output wire [QUEUE_W-1:0] charge_queue,
    output wire [15:0]        charge_bytes,
    output wire               enter_valid,
    input  wire               enter_ready,
    output wire [QUEUE_W-1:0] enter_queue,
    output wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    output wire [15:0]        enter_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] enter_status,  // all ones: flushed
    output wire [15:0]        enter_index,
    output wire               out_valid,
    input  wire               out_ready,
    output wire [DATA_W-1:0]  out_data,
    output wire [COUNT_W-1:0] out_count,
    output wire               out_last,
    output wire               out_end,       // of the packet's last frame
    output wire [`HNIC_TXC_COOKIE_W-1:0] out_cookie,
    output wire               status_idle,   // no frame on its way out
    output wire               stat_tx_csums,
    output wire               stat_tx_tso
);
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam HEADER_BYTES = 256;
    localparam USER_W = 1 + STATUS_W + 16 + 1 + 16 + 1 + QUEUE_W + COOKIE_W + 16;
    localparam [15:0] SEQ_OFFSET = 16'd4;
    localparam [15:0] ID_OFFSET = 16'd4;

    generate
        if (MAX_FRAME < 60 || MAX_FRAME > 16000) begin : gen_error_hnic_tx_data_max_frame
            ERROR_hnic_tx_data_max_frame u_stop ();
        end
        if (STORE_BYTES < 2 * MAX_FRAME) begin : gen_error_hnic_tx_data_store_bytes
            ERROR_hnic_tx_data_store_bytes u_stop ();
        end
        if (OUTSTANDING > 64) begin : gen_error_hnic_tx_data_outstanding
            ERROR_hnic_tx_data_outstanding u_stop ();
        end
    endgenerate

    // ---- frames and their pieces ----
    wire                piece_valid, piece_ready, piece_last;
    wire [1:0]          piece_kind;
    wire [63:0]         piece_addr;
    wire [16:0]         piece_len;
    wire [15:0]         piece_index;
    wire                frame_valid, frame_ready, frame_tso, frame_first, frame_end, frame_ipv4, frame_csum, frame_ipcsum;
    wire [15:0]         frame_l3, frame_l4, frame_csum_pos, frame_len, frame_number, frame_next, frame_index;
    wire [16:0]         frame_before;
    wire [QUEUE_W-1:0]  frame_queue;
    wire [COOKIE_W-1:0] frame_cookie;
    wire [STATUS_W-1:0] frame_status;

    hnic_tx_cut #(.QUEUES(QUEUES), .PIECES(PIECES)) u_cut (
        .clk(clk), .rst(rst), .flush(flush),
        .seg_valid(seg_valid), .seg_ready(seg_ready), .seg_queue(seg_queue), .seg_addr(seg_addr), .seg_len(seg_len),
        .seg_index(seg_index), .seg_first(seg_first), .seg_last(seg_last), .seg_sop(seg_sop),
        .seg_status(seg_status), .seg_next(seg_next),
        .piece_valid(piece_valid), .piece_ready(piece_ready), .piece_kind(piece_kind), .piece_addr(piece_addr),
        .piece_len(piece_len), .piece_last(piece_last), .piece_index(piece_index),
        .frame_valid(frame_valid), .frame_ready(frame_ready), .frame_tso(frame_tso), .frame_first(frame_first),
        .frame_end(frame_end), .frame_ipv4(frame_ipv4), .frame_csum(frame_csum), .frame_ipcsum(frame_ipcsum),
        .frame_l3(frame_l3), .frame_l4(frame_l4), .frame_csum_pos(frame_csum_pos), .frame_len(frame_len),
        .frame_number(frame_number), .frame_before(frame_before), .frame_queue(frame_queue), .frame_cookie(frame_cookie),
        .frame_next(frame_next), .frame_status(frame_status), .frame_index(frame_index),
        .charge_valid(charge_valid), .charge_queue(charge_queue), .charge_bytes(charge_bytes)
    );

    // ---- their bytes ----
    wire                header_valid, header_wait, header_step, header_restart, frame_taken;
    wire [DATA_W-1:0]   header_data;
    wire                read_valid, read_ready, read_last, read_error;
    wire [DATA_W-1:0]   read_data;
    wire [COUNT_W-1:0]  read_count;
    wire [15:0]         read_error_index, read_pos;

    hnic_dma_read #(
        .DATA_W(DATA_W), .ADDR_W(ADDR_W), .BURST_BYTES(BURST_BYTES), .OUTSTANDING(OUTSTANDING), .FIFO_BYTES(FIFO_BYTES)
    ) u_dma_read (
        .clk(clk), .rst(rst), .quiesce(quiesce),
        .piece_valid(piece_valid), .piece_ready(piece_ready), .piece_kind(piece_kind), .piece_addr(piece_addr),
        .piece_len(piece_len), .piece_last(piece_last), .piece_index(piece_index),
        .header_valid(header_valid), .header_wait(header_wait), .header_step(header_step),
        .header_restart(header_restart), .header_data(header_data), .frame_taken(frame_taken),
        .ar_valid(ar_valid), .ar_ready(ar_ready), .ar_addr(ar_addr), .ar_len(ar_len), .ar_bytes(ar_bytes),
        .r_valid(r_valid), .r_data(r_data), .r_error(r_error),
        .out_valid(read_valid), .out_ready(read_ready), .out_data(read_data), .out_count(read_count), .out_last(read_last),
        .out_error(read_error), .out_error_index(read_error_index)
    );

    wire [31:0] seq;
    wire [15:0] id;

    hnic_tso_header #(.DATA_W(DATA_W), .BYTES(HEADER_BYTES)) u_tso_header (
        .clk(clk), .rst(rst), .taken(frame_taken),
        .in_fire(read_valid && read_ready), .in_data(read_data), .in_pos(read_pos), .in_last(read_last),
        .in_keep(frame_tso && frame_first), .in_seq_pos(frame_l4 + SEQ_OFFSET), .in_id_pos(frame_l3 + ID_OFFSET),
        .rd_valid(header_valid), .rd_wait(header_wait), .rd_step(header_step), .rd_restart(header_restart),
        .rd_data(header_data), .seq(seq), .id(id)
    );

    wire                edit_valid, edit_ready, edit_last, edit_error, edit_csum, edit_ipcsum, edit_end;
    wire [DATA_W-1:0]   edit_data;
    wire [COUNT_W-1:0]  edit_count;
    wire [15:0]         edit_error_index, edit_l3, edit_l3_end, edit_l4, edit_l4_len, edit_csum_pos, edit_next, edit_index;
    wire [QUEUE_W-1:0]  edit_queue;
    wire [COOKIE_W-1:0] edit_cookie;
    wire [STATUS_W-1:0] edit_status;

    hnic_tx_edit #(.DATA_W(DATA_W), .USER_W(USER_W)) u_edit (
        .clk(clk), .rst(rst),
        .in_valid(read_valid), .in_ready(read_ready), .in_data(read_data), .in_count(read_count), .in_last(read_last),
        .in_error(read_error), .in_error_index(read_error_index), .in_pos(read_pos),
        .frame_valid(frame_valid), .frame_ready(frame_ready), .frame_tso(frame_tso), .frame_first(frame_first),
        .frame_end(frame_end), .frame_ipv4(frame_ipv4), .frame_ipcsum(frame_ipcsum), .frame_l3(frame_l3), .frame_l4(frame_l4),
        .frame_len(frame_len), .frame_number(frame_number), .frame_before(frame_before),
        .frame_user({frame_end, frame_status, frame_index, frame_csum, frame_csum_pos, frame_ipcsum,
                     frame_queue, frame_cookie, frame_next}),
        .seq(seq), .id(id),
        .out_valid(edit_valid), .out_ready(edit_ready), .out_data(edit_data), .out_count(edit_count), .out_last(edit_last),
        .out_error(edit_error), .out_error_index(edit_error_index),
        .out_l3(edit_l3), .out_l3_end(edit_l3_end), .out_l4(edit_l4), .out_l4_len(edit_l4_len),
        .out_user({edit_end, edit_status, edit_index, edit_csum, edit_csum_pos, edit_ipcsum, edit_queue, edit_cookie, edit_next})
    );

    hnic_pkt_store #(.DATA_W(DATA_W), .BYTES(STORE_BYTES), .QUEUES(QUEUES)) u_store (
        .clk(clk), .rst(rst), .quiesce(quiesce), .flush(flush),
        .in_valid(edit_valid), .in_ready(edit_ready), .in_data(edit_data), .in_count(edit_count), .in_last(edit_last),
        .in_error(edit_error), .in_error_index(edit_error_index),
        .in_end(edit_end), .in_status(edit_status), .in_index(edit_index),
        .in_csum(edit_csum), .in_csum_pos(edit_csum_pos), .in_l4(edit_l4), .in_l4_len(edit_l4_len),
        .in_ipcsum(edit_ipcsum), .in_l3(edit_l3), .in_l3_end(edit_l3_end),
        .in_queue(edit_queue), .in_cookie(edit_cookie), .in_next(edit_next),
        .enter_valid(enter_valid), .enter_ready(enter_ready), .enter_queue(enter_queue), .enter_cookie(enter_cookie),
        .enter_next(enter_next), .enter_status(enter_status), .enter_index(enter_index),
        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data), .out_count(out_count), .out_last(out_last),
        .out_end(out_end), .out_cookie(out_cookie), .status_idle(status_idle), .stat_tx_csums(stat_tx_csums)
    );

    reg tso_q;
    assign stat_tx_tso = tso_q;

    always @(posedge clk) begin
        tso_q <= frame_valid && frame_ready && frame_tso && frame_end;
        if (rst) tso_q <= 1'b0;
    end
endmodule

`resetall
