// hnic_rx_engine: puts received frames into the host's buffers and completes them.
//
// Why: all that lies between the receive pipe and the memory bus. Queues keep the indices and fetch buffers ahead of their
// use; the frame at the front takes as many as it needs; its words are written; its completion follows the answers. Every part
// works by itself, so that slow memory costs latency and not throughput.
//
//     pkt ── hnic_rx_place ── places ── hnic_dma_write ── AXI writes
//               │   ▲                        │ answered
//               │   └ hnic_queue, hnic_desc_prefetch
//               └──── records ──────── hnic_rx_done ── completions
//
// The frame at the front waits only for buffers that are given and being fetched; queues that are off, empty or halted hold up nobody.
// Throughput: a beat a cycle; 1 cycle a frame and 2 a buffer. Latency: 5 cycles from
// frame to write address, 4 from the last answer to the completion's.
//
// | parameter       | legal                                        | meaning                                 |
// |-----------------|----------------------------------------------|-----------------------------------------|
// | DATA_W          | 64, 128, 256, 512                            | width of frames and of the memory bus   |
// | ADDR_W          | 32..64                                       | width of addresses                      |
// | QUEUES          | 1..32                                        | queues                                  |
// | DEPTH           | power of two, 16..128                        | descriptors held of a queue             |
// | DESC_BURST      | power of two <= DEPTH/2                      | most descriptors in one fetch           |
// | BURST_BYTES     | power of two, bus width..256 beats, 64..4096 | longest write burst                     |
// | OUTSTANDING     | power of two >= 2                            | write bursts under way                  |
// | FRAMES          | power of two >= 2                            | frames that wait for answers            |
// | CPL_OUTSTANDING | power of two >= 2                            | completions that wait for answers       |
//
// Test: tests/hdl/test_hnic_rx_engine.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_rx_engine #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter QUEUES = 8,
    parameter DEPTH = 64,
    parameter DESC_BURST = 8,
    parameter BURST_BYTES = 512,
    parameter OUTSTANDING = 64,
    parameter FRAMES = 64,
    parameter CPL_OUTSTANDING = 64,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1,  // derived, do not set
    parameter COUNT_W = $clog2(DATA_W / 8) + 1            // derived, do not set
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 quiesce,       // start no frame and no read; the writes' own is in hnic_axi_write
    input  wire                 cfg_card_enable,
    input  wire [QUEUES-1:0]    cfg_enable,
    input  wire [QUEUES-1:0]    cfg_reset,
    input  wire [64*QUEUES-1:0] cfg_base,
    input  wire [4*QUEUES-1:0]  cfg_size,
    input  wire [64*QUEUES-1:0] cfg_cpl_base,
    input  wire [4*QUEUES-1:0]  cfg_cpl_size,
    input  wire [QUEUES-1:0]    doorbell,
    input  wire [15:0]          doorbell_tail,
    output wire [QUEUES-1:0]    reset_done,
    output wire [QUEUES-1:0]    status_active,
    output wire [QUEUES-1:0]    status_error,
    output wire [16*QUEUES-1:0] status_tail,
    output wire [16*QUEUES-1:0] status_head,
    output wire [16*QUEUES-1:0] status_cpl_head,
    output wire [8*QUEUES-1:0]  error_status,
    output wire [16*QUEUES-1:0] error_index,
    output wire [32*QUEUES-1:0] status_drops,
    output wire                 status_busy,
    output wire                 stat_rx_drops,
    output wire                 stat_doorbell_errs,
    // frames: a record each, and in the same order the words
    input  wire                 pkt_valid,
    output wire                 pkt_ready,
    input  wire [QUEUE_W-1:0]   pkt_queue,
    input  wire [8*`HNIC_RXC_BYTES-1:0] pkt_cpl,
    input  wire                 in_valid,
    output wire                 in_ready,
    input  wire [DATA_W-1:0]    in_data,
    input  wire [COUNT_W-1:0]   in_count,
    input  wire                 in_last,
    // descriptor reads
    output wire                 ar_valid,
    input  wire                 ar_ready,
    output wire [ADDR_W-1:0]    ar_addr,
    output wire [7:0]           ar_len,
    output wire [12:0]          ar_bytes,
    input  wire                 r_valid,
    input  wire [DATA_W-1:0]    r_data,
    input  wire                 r_error,
    // data writes
    output wire                 aw_valid,
    input  wire                 aw_ready,
    output wire [ADDR_W-1:0]    aw_addr,
    output wire [7:0]           aw_len,
    output wire [12:0]          aw_bytes,
    output wire                 w_valid,
    input  wire                 w_ready,
    output wire [DATA_W-1:0]    w_data,
    output wire [DATA_W/8-1:0]  w_strb,
    input  wire                 b_valid,
    input  wire                 b_error,
    // completions
    output wire                 cpl_valid,
    input  wire                 cpl_ready,
    output wire [63:0]          cpl_addr,
    output wire [8*`HNIC_RXC_BYTES-1:0] cpl_record,
    input  wire                 cpl_done,
    input  wire                 cpl_error
);
    localparam CPL_W = 8 * `HNIC_RXC_BYTES;
    localparam DESC_W = 8 * `HNIC_RXD_BYTES;

    // ---- queues ----
    wire [QUEUES-1:0]    fetch_valid, fetch_ready, fetched, held_valid, take, start, finish, halt, flush;
    wire [64*QUEUES-1:0] fetch_addr, queue_cpl_addr;
    wire [8*QUEUES-1:0]  fetch_count;
    wire [16*QUEUES-1:0] fetch_index, take_index;
    wire [QUEUES-1:0]    held_more, held_end;  // of use to transmit queues only
    wire [7:0]           fetched_count, fetched_eops, halt_status;
    wire [15:0]          halt_index, cpl_issue_head;
    wire [QUEUES-1:0]    queue_cpl_phase, cpl_issue, queue_cpl_done, queue_busy, doorbell_errs;
    wire [QUEUES-1:0]    on = status_active & cfg_enable & ~flush;

    genvar i;
    generate
        for (i = 0; i < QUEUES; i = i + 1) begin : gen_queue
            hnic_queue #(
                .DESC_BYTES(`HNIC_RXD_BYTES), .CPL_BYTES(`HNIC_RXC_BYTES), .DEPTH(DEPTH), .BURST(DESC_BURST), .RX(1)
            ) u_queue (
                .clk(clk), .rst(rst), .cfg_card_enable(cfg_card_enable),
                .cfg_enable(cfg_enable[i]), .cfg_reset(cfg_reset[i]),
                .cfg_base(cfg_base[64*i +: 64]), .cfg_size(cfg_size[4*i +: 4]),
                .cfg_cpl_base(cfg_cpl_base[64*i +: 64]), .cfg_cpl_size(cfg_cpl_size[4*i +: 4]),
                .doorbell(doorbell[i]), .doorbell_tail(doorbell_tail),
                .fetch_valid(fetch_valid[i]), .fetch_ready(fetch_ready[i]), .fetch_addr(fetch_addr[64*i +: 64]),
                .fetch_count(fetch_count[8*i +: 8]), .fetch_index(fetch_index[16*i +: 16]),
                .fetched(fetched[i]), .fetched_count(fetched_count),
                .held_valid(held_valid[i]),
                .held_more(held_more[i]), .held_end(held_end[i]), .take_index(take_index[16*i +: 16]), .take(take[i]),
                .start(start[i]), .finish(finish[i]),
                .halt(halt[i]), .halt_status(halt_status), .halt_index(halt_index), .flush(flush[i]),
                .cpl_addr(queue_cpl_addr[64*i +: 64]), .cpl_phase(queue_cpl_phase[i]),
                .cpl_issue(cpl_issue[i]), .cpl_issue_head(cpl_issue_head),
                .cpl_done(queue_cpl_done[i]), .cpl_error(cpl_error),
                .reset_done(reset_done[i]), .status_active(status_active[i]), .status_error(status_error[i]),
                .status_busy(queue_busy[i]), .status_tail(status_tail[16*i +: 16]), .status_head(status_head[16*i +: 16]),
                .status_cpl_head(status_cpl_head[16*i +: 16]),
                .error_status(error_status[8*i +: 8]), .error_index(error_index[16*i +: 16]),
                .stat_doorbell_errs(doorbell_errs[i])
            );
        end
    endgenerate

    // ---- descriptors ----
    wire               rd_en, rd_error;
    wire [QUEUE_W-1:0] rd_queue;
    wire [15:0]        rd_index;
    wire [DESC_W-1:0]  rd_data;

    hnic_desc_prefetch #(
        .DATA_W(DATA_W), .ADDR_W(ADDR_W), .QUEUES(QUEUES), .DESC_BYTES(`HNIC_RXD_BYTES), .DEPTH(DEPTH), .BURST(DESC_BURST)
    ) u_prefetch (
        .clk(clk), .rst(rst), .quiesce(quiesce),
        .fetch_valid(fetch_valid), .fetch_ready(fetch_ready), .fetch_addr(fetch_addr), .fetch_count(fetch_count),
        .fetch_index(fetch_index), .fetched(fetched), .fetched_count(fetched_count), .fetched_eops(fetched_eops),
        .ar_valid(ar_valid), .ar_ready(ar_ready), .ar_addr(ar_addr), .ar_len(ar_len), .ar_bytes(ar_bytes),
        .r_valid(r_valid), .r_data(r_data), .r_error(r_error),
        .rd_en(rd_en), .rd_queue(rd_queue), .rd_index(rd_index), .rd_data(rd_data), .rd_error(rd_error)
    );

    // ---- frames ----
    wire               place_valid, place_ready, place_last;
    wire [63:0]        place_addr;
    wire [15:0]        place_bytes;
    wire               placed_valid, placed_ready, placed_drop;
    wire [QUEUE_W-1:0] placed_queue;
    wire [CPL_W-1:0]   placed_cpl;
    wire               frame_valid, frame_ready, frame_drop;
    wire [QUEUE_W-1:0] frame_queue;
    wire [CPL_W-1:0]   frame_cpl;
    wire               done_valid, done_ready, done_error;
    wire               place_busy, done_busy;

    hnic_rx_place #(.QUEUES(QUEUES)) u_place (
        .clk(clk), .rst(rst), .quiesce(quiesce), .cfg_card_enable(cfg_card_enable),
        .pkt_valid(pkt_valid), .pkt_ready(pkt_ready), .pkt_queue(pkt_queue), .pkt_cpl(pkt_cpl),
        .on(on), .flush(flush), .held_valid(held_valid), .take_index(take_index), .tail(status_tail),
        .take(take), .start(start),
        .rd_en(rd_en), .rd_queue(rd_queue), .rd_index(rd_index), .rd_data(rd_data), .rd_error(rd_error),
        .place_valid(place_valid), .place_ready(place_ready), .place_addr(place_addr), .place_bytes(place_bytes),
        .place_last(place_last),
        .frame_valid(placed_valid), .frame_ready(placed_ready), .frame_queue(placed_queue), .frame_drop(placed_drop),
        .frame_cpl(placed_cpl), .status_busy(place_busy)
    );

    hnic_dma_write #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .BURST_BYTES(BURST_BYTES), .OUTSTANDING(OUTSTANDING)) u_dma_write (
        .clk(clk), .rst(rst),
        .place_valid(place_valid), .place_ready(place_ready), .place_addr(place_addr), .place_bytes(place_bytes),
        .place_last(place_last),
        .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data), .in_count(in_count), .in_last(in_last),
        .aw_valid(aw_valid), .aw_ready(aw_ready), .aw_addr(aw_addr), .aw_len(aw_len), .aw_bytes(aw_bytes),
        .w_valid(w_valid), .w_ready(w_ready), .w_data(w_data), .w_strb(w_strb), .b_valid(b_valid), .b_error(b_error),
        .done_valid(done_valid), .done_ready(done_ready), .done_error(done_error)
    );

    hnic_fifo #(.WIDTH(QUEUE_W + 1 + CPL_W), .DEPTH(FRAMES)) u_frames (
        .clk(clk), .rst(rst),
        .wr_valid(placed_valid), .wr_ready(placed_ready), .wr_data({placed_queue, placed_drop, placed_cpl}),
        .rd_valid(frame_valid), .rd_ready(frame_ready), .rd_data({frame_queue, frame_drop, frame_cpl}),
        .level()
    );

    hnic_rx_done #(.QUEUES(QUEUES), .CPL_OUTSTANDING(CPL_OUTSTANDING)) u_done (
        .clk(clk), .rst(rst),
        .frame_valid(frame_valid), .frame_ready(frame_ready), .frame_queue(frame_queue), .frame_drop(frame_drop),
        .frame_cpl(frame_cpl),
        .done_valid(done_valid), .done_ready(done_ready), .done_error(done_error),
        .flush(flush), .queue_cpl_addr(queue_cpl_addr), .queue_cpl_phase(queue_cpl_phase),
        .finish(finish), .halt(halt), .halt_status(halt_status), .halt_index(halt_index),
        .cpl_issue(cpl_issue), .cpl_issue_head(cpl_issue_head), .queue_cpl_done(queue_cpl_done),
        .cpl_valid(cpl_valid), .cpl_ready(cpl_ready), .cpl_addr(cpl_addr), .cpl_record(cpl_record), .cpl_done(cpl_done),
        .status_drops(status_drops), .status_busy(done_busy), .stat_rx_drops(stat_rx_drops)
    );

    assign status_busy        = |queue_busy || place_busy || done_busy || pkt_valid;
    assign stat_doorbell_errs = |doorbell_errs;

    wire unused = &{1'b0, held_more, held_end, fetched_eops};
endmodule

`resetall
