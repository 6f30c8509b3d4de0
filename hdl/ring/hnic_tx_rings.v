// hnic_tx_rings: the TX queues: from doorbells to segments of judged packets, and from frames on the wire to completions.
//
// Why: wiring only. A packet's way:
//
//     doorbell - hnic_queue - hnic_desc_prefetch (AXI reads) - hnic_tx_sched - hnic_tx_packet - seg_* (data engine)
//     enter_* (data engine), sent (MAC) - hnic_tx_done - cpl_* (completion writer) - cpl_done - hnic_queue
//
// The data engine drops the frames of a queue whose `flush` is up, and enters such a packet with a status other than OK. `flush` is up
// in the cycle after a packet entered with a fault. A packet's segments stay with one queue; `seg_sop` holds still for all of them.
// Throughput: a packet of one descriptor every 3 cycles, more descriptors of it 1 a cycle.
// Latency: doorbell to `ar_valid` 3 cycles; last beat of a descriptor to `seg_valid` 4 cycles.
//
// | parameter | legal                   | meaning                                       |
// |-----------|-------------------------|-----------------------------------------------|
// | DATA_W    | 64, 128, 256, 512       | width of read data                            |
// | ADDR_W    | 32..64                  | width of addresses                            |
// | QUEUES    | 1..32                   | queues                                        |
// | DEPTH     | 64, 128                 | descriptors held of a queue                   |
// | BURST     | power of two <= DEPTH/2 | most descriptors in one fetch                 |
// | MAX_FRAME | 60..16000               | longest frame without FCS and VLAN tag        |
// | DONE      | power of two >= 4       | packets between data engine and completion    |
// | WRITES    | power of two >= 4       | completions between here and their answer     |
//
// Test: tests/hdl/test_hnic_tx_rings.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_rings #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter QUEUES = 8,
    parameter DEPTH = 64,
    parameter BURST = 8,
    parameter MAX_FRAME = 9600,
    parameter DONE = 16,
    parameter WRITES = 32,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire                 clk, rst, quiesce,
    input  wire                 cfg_card_enable,
    input  wire [QUEUES-1:0]    cfg_enable, cfg_reset,
    input  wire [QUEUES*64-1:0] cfg_base, cfg_cpl_base,
    input  wire [QUEUES*4-1:0]  cfg_size, cfg_cpl_size,
    input  wire [QUEUES*3-1:0]  cfg_prio,             // 7 first
    input  wire [QUEUES*24-1:0] cfg_rate, cfg_burst,  // 1/65536 byte a cycle, bytes
    input  wire [QUEUES-1:0]    doorbell,
    input  wire [15:0]          doorbell_tail,
    output wire [QUEUES-1:0]    reset_done, status_active, status_error,
    output wire [QUEUES*16-1:0] status_tail, status_head, status_cpl_head, error_index,
    output wire [QUEUES*8-1:0]  error_status,
    output wire                 status_busy,
    // segments
    output wire                 seg_valid, seg_first, seg_last,
    input  wire                 seg_ready,
    output wire [QUEUE_W-1:0]   seg_queue,
    output wire [63:0]          seg_addr,
    output wire [16:0]          seg_len,
    output wire [8*`HNIC_TXD_BYTES-1:0] seg_sop,
    output wire [`HNIC_TXC_STATUS_W-1:0] seg_status,
    output wire [15:0]          seg_index, seg_next,
    output wire [QUEUES-1:0]    flush,
    // wire bytes of a planned frame, for the rate limits
    input  wire                 charge_valid,
    input  wire [QUEUE_W-1:0]   charge_queue,
    input  wire [15:0]          charge_bytes,
    // packets that leave the data engine
    input  wire                 enter_valid, sent,
    output wire                 enter_ready,
    input  wire [QUEUE_W-1:0]   enter_queue,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    input  wire [`HNIC_TXC_STATUS_W-1:0] enter_status,
    input  wire [15:0]          enter_next, enter_index,
    input  wire [63:0]          sent_time,
    // completions
    output wire                 cpl_valid,
    input  wire                 cpl_ready,
    output wire [63:0]          cpl_addr,
    output wire [8*`HNIC_TXC_BYTES-1:0] cpl_record,
    input  wire                 cpl_done, cpl_error,  // the oldest one's write was answered [with an error]
    // descriptor reads
    output wire                 ar_valid,
    input  wire                 ar_ready,
    output wire [ADDR_W-1:0]    ar_addr,
    output wire [7:0]           ar_len,
    output wire [12:0]          ar_bytes,
    input  wire                 r_valid, r_error,
    input  wire [DATA_W-1:0]    r_data,
    output wire                 stat_tx_drops, stat_tx_descs, stat_doorbell_errs
);
    localparam DESC_W = 8 * `HNIC_TXD_BYTES;

    generate
        // A packet of too many segments must fit, so that it is found out.
        if (DEPTH < 64) begin : gen_error_hnic_tx_rings_depth
            ERROR_hnic_tx_rings_depth u_stop ();
        end
    endgenerate

    wire [QUEUES-1:0]    fetch_valid, fetch_ready, fetched;
    wire [QUEUES*64-1:0] fetch_addr;
    wire [QUEUES*8-1:0]  fetch_count;
    wire [QUEUES*16-1:0] fetch_index;
    wire [7:0]           fetched_count, fetched_eops;
    wire [QUEUES-1:0]    held_valid, held_more, held_end, start, take, finish, halt, allowed;
    wire [QUEUES*16-1:0] take_index;
    wire [`HNIC_TXC_STATUS_W-1:0] halt_status;
    wire [15:0]          halt_index;
    wire [QUEUES*64-1:0] place_addr;
    wire [QUEUES-1:0]    place_phase, place_issue, place_done;
    wire [15:0]          place_issue_head;
    wire [QUEUES-1:0]    queue_busy, doorbell_errs, bucket_full;
    wire                 rd_en;
    wire [QUEUE_W-1:0]   rd_queue;
    wire [15:0]          rd_index;
    wire                 desc_valid, desc_ready, desc_final, desc_eop, desc_last, desc_fault, desc_error;
    wire [QUEUE_W-1:0]   desc_queue;
    wire [15:0]          desc_index;
    wire [DESC_W-1:0]    desc_data;

    // A bucket that is not full depends on the clock as much as a queue that waits for it.
    assign status_busy        = |queue_busy || !(&bucket_full);
    assign stat_doorbell_errs = |doorbell_errs;

    genvar g;
    generate
        for (g = 0; g < QUEUES; g = g + 1) begin : gen_queue
            localparam [31:0] ME = g;

            hnic_queue #(
                .DESC_BYTES(`HNIC_TXD_BYTES), .CPL_BYTES(`HNIC_TXC_BYTES), .DEPTH(DEPTH), .BURST(BURST), .RX(0)
            ) u_queue (
                .clk(clk), .rst(rst),
                .cfg_card_enable(cfg_card_enable), .cfg_enable(cfg_enable[g]), .cfg_reset(cfg_reset[g]),
                .cfg_base(cfg_base[g*64 +: 64]), .cfg_size(cfg_size[g*4 +: 4]),
                .cfg_cpl_base(cfg_cpl_base[g*64 +: 64]), .cfg_cpl_size(cfg_cpl_size[g*4 +: 4]),
                .doorbell(doorbell[g]), .doorbell_tail(doorbell_tail),
                .fetch_valid(fetch_valid[g]), .fetch_ready(fetch_ready[g]), .fetch_addr(fetch_addr[g*64 +: 64]),
                .fetch_count(fetch_count[g*8 +: 8]), .fetch_index(fetch_index[g*16 +: 16]),
                .fetched(fetched[g]), .fetched_count(fetched_count),
                .held_valid(held_valid[g]), .held_more(held_more[g]), .held_end(held_end[g]),
                .take_index(take_index[g*16 +: 16]), .take(take[g]), .start(start[g]), .finish(finish[g]),
                .halt(halt[g]), .halt_status(halt_status), .halt_index(halt_index), .flush(flush[g]),
                .cpl_addr(place_addr[g*64 +: 64]), .cpl_phase(place_phase[g]), .cpl_issue(place_issue[g]),
                .cpl_issue_head(place_issue_head), .cpl_done(place_done[g]), .cpl_error(cpl_error),
                .reset_done(reset_done[g]),
                .status_active(status_active[g]), .status_error(status_error[g]), .status_busy(queue_busy[g]),
                .status_tail(status_tail[g*16 +: 16]), .status_head(status_head[g*16 +: 16]),
                .status_cpl_head(status_cpl_head[g*16 +: 16]),
                .error_status(error_status[g*8 +: 8]), .error_index(error_index[g*16 +: 16]),
                .stat_doorbell_errs(doorbell_errs[g])
            );

            hnic_tx_bucket u_bucket (
                .clk(clk), .rst(rst), .cfg_rate(cfg_rate[g*24 +: 24]), .cfg_burst(cfg_burst[g*24 +: 24]),
                .status_active(status_active[g]), .start(start[g]),
                .charge(charge_valid && charge_queue == ME[QUEUE_W-1:0]), .charge_bytes(charge_bytes),
                .allowed(allowed[g]), .status_full(bucket_full[g])
            );
        end
    endgenerate

    hnic_desc_prefetch #(
        .DATA_W(DATA_W), .ADDR_W(ADDR_W), .QUEUES(QUEUES), .DESC_BYTES(`HNIC_TXD_BYTES), .DEPTH(DEPTH), .BURST(BURST),
        .EOP_LSB(`HNIC_TXD_EOP_LSB)
    ) u_prefetch (
        .clk(clk), .rst(rst), .quiesce(quiesce),
        .fetch_valid(fetch_valid), .fetch_ready(fetch_ready), .fetch_addr(fetch_addr), .fetch_count(fetch_count),
        .fetch_index(fetch_index), .fetched(fetched), .fetched_count(fetched_count), .fetched_eops(fetched_eops),
        .ar_valid(ar_valid), .ar_ready(ar_ready), .ar_addr(ar_addr), .ar_len(ar_len), .ar_bytes(ar_bytes),
        .r_valid(r_valid), .r_data(r_data), .r_error(r_error),
        .rd_en(rd_en), .rd_queue(rd_queue), .rd_index(rd_index), .rd_data(desc_data), .rd_error(desc_error)
    );

    hnic_tx_sched #(.QUEUES(QUEUES)) u_sched (
        .clk(clk), .rst(rst), .cfg_prio(cfg_prio), .status_active(status_active), .allowed(allowed),
        .held_valid(held_valid), .held_more(held_more), .held_end(held_end), .take_index(take_index),
        .start(start), .take(take), .fetched(fetched), .fetched_eops(fetched_eops),
        .rd_en(rd_en), .rd_queue(rd_queue), .rd_index(rd_index),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_queue(desc_queue), .desc_index(desc_index),
        .desc_final(desc_final), .desc_eop(desc_eop), .desc_last(desc_last), .desc_fault(desc_fault)
    );

    hnic_tx_packet #(.QUEUES(QUEUES), .MAX_FRAME(MAX_FRAME)) u_packet (
        .clk(clk), .rst(rst),
        .desc_valid(desc_valid), .desc_ready(desc_ready), .desc_queue(desc_queue), .desc_index(desc_index),
        .desc_data(desc_data), .desc_error(desc_error), .desc_final(desc_final),
        .desc_eop(desc_eop), .desc_last(desc_last), .desc_fault(desc_fault),
        .seg_valid(seg_valid), .seg_ready(seg_ready), .seg_queue(seg_queue), .seg_addr(seg_addr), .seg_len(seg_len),
        .seg_index(seg_index), .seg_first(seg_first), .seg_last(seg_last), .seg_sop(seg_sop),
        .seg_status(seg_status), .seg_next(seg_next), .stat_tx_descs(stat_tx_descs)
    );

    hnic_tx_done #(.QUEUES(QUEUES), .DEPTH(DONE), .WRITES(WRITES)) u_done (
        .clk(clk), .rst(rst),
        .enter_valid(enter_valid), .enter_ready(enter_ready), .enter_queue(enter_queue), .enter_cookie(enter_cookie),
        .enter_next(enter_next), .enter_status(enter_status), .enter_index(enter_index),
        .sent(sent), .sent_time(sent_time),
        .flush(flush), .error_status(error_status), .finish(finish),
        .halt(halt), .halt_status(halt_status), .halt_index(halt_index),
        .place_addr(place_addr), .place_phase(place_phase), .place_issue(place_issue),
        .place_issue_head(place_issue_head), .place_done(place_done),
        .cpl_valid(cpl_valid), .cpl_ready(cpl_ready), .cpl_addr(cpl_addr), .cpl_record(cpl_record),
        .cpl_done(cpl_done), .stat_tx_drops(stat_tx_drops)
    );
endmodule

`resetall
