// hnic_tx_done: joins what is known of a packet with its end on the wire and makes its completion record, in order.
//
// Why: completions come in the order of the packets, though a dropped packet has no end on the wire.
// The data engine enters each packet; the MAC gives one `sent` a packet whose status is OK, with the time of its last frame.
// A packet that enters with another status is its queue's first fault: it halts the queue, and its record is the last. What enters
// while its queue is already being flushed was under way behind the fault, or is forgotten by a reset: it ends without a record.
// So it is after a completion write of the queue has failed.
// Throughput: 1 record a cycle. Latency: 2 cycles from `sent` to `cpl_valid`; the halt acts with the entry, so that the queue's
// `flush` is up in the next cycle.
//
// | parameter | legal             | meaning                                              |
// |-----------|-------------------|------------------------------------------------------|
// | QUEUES    | 1..32             | queues                                               |
// | DEPTH     | power of two >= 4 | packets between the data engine and their completion |
// | WRITES    | power of two >= 4 | completion records between here and their answer     |
//
// Test: tests/hdl/test_hnic_tx_done.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_done #(
    parameter QUEUES = 8,
    parameter DEPTH = 16,
    parameter WRITES = 16,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 enter_valid,
    output wire                 enter_ready,
    input  wire [QUEUE_W-1:0]   enter_queue,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    input  wire [15:0]          enter_next,
    input  wire [`HNIC_TXC_STATUS_W-1:0] enter_status,  // not OK: dropped, no `sent` will come
    input  wire [15:0]          enter_index,            // descriptor at fault
    input  wire                 sent,
    input  wire [63:0]          sent_time,
    // of each queue
    input  wire [QUEUES-1:0]    flush,
    input  wire [QUEUES*8-1:0]  error_status,
    output wire [QUEUES-1:0]    finish,
    output wire [QUEUES-1:0]    halt,
    output wire [`HNIC_TXC_STATUS_W-1:0] halt_status,
    output wire [15:0]          halt_index,
    input  wire [QUEUES*64-1:0] place_addr,
    input  wire [QUEUES-1:0]    place_phase,
    output wire [QUEUES-1:0]    place_issue,
    output wire [15:0]          place_issue_head,
    output wire [QUEUES-1:0]    place_done,
    // to the completion writer
    output wire                 cpl_valid,
    input  wire                 cpl_ready,
    output wire [63:0]          cpl_addr,
    output wire [8*`HNIC_TXC_BYTES-1:0] cpl_record,
    input  wire                 cpl_done,               // the oldest record's write was answered
    output wire                 stat_tx_drops
);
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam RECORD_W = 8 * `HNIC_TXC_BYTES;

    generate
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_tx_done_queues
            ERROR_hnic_tx_done_queues u_stop ();
        end
        if (DEPTH < 4) begin : gen_error_hnic_tx_done_depth
            ERROR_hnic_tx_done_depth u_stop ();
        end
        if (WRITES < 4) begin : gen_error_hnic_tx_done_writes
            ERROR_hnic_tx_done_writes u_stop ();
        end
    endgenerate

    // ---- entries ----
    wire                enter = enter_valid && enter_ready;
    wire                enter_silent = flush[enter_queue];
    wire                enter_fault = enter && enter_status != `HNIC_STATUS_OK && !enter_silent;
    wire                head_valid, head_silent;
    wire [QUEUE_W-1:0]  head_queue;
    wire [COOKIE_W-1:0] head_cookie;
    wire [15:0]         head_next, head_index;
    wire [STATUS_W-1:0] head_status;
    wire                time_valid, times_ready;
    wire [63:0]         head_time;

    wire dropped = head_status != `HNIC_STATUS_OK;
    wire ended = head_valid && (dropped || time_valid);
    wire silent = head_silent || error_status[head_queue*8 +: 8] == `HNIC_STATUS_CPL_ERR;
    wire room, routes_ready;
    wire issue = ended && !silent && room;
    wire pop = ended && (silent || room);

    assign halt_status   = enter_status;
    assign halt_index    = enter_index;
    assign stat_tx_drops = issue && dropped;

    hnic_fifo #(.WIDTH(1 + QUEUE_W + COOKIE_W + 16 + STATUS_W + 16), .DEPTH(DEPTH)) u_packets (
        .clk(clk), .rst(rst),
        .wr_valid(enter_valid), .wr_ready(enter_ready),
        .wr_data({enter_silent, enter_queue, enter_cookie, enter_next, enter_status, enter_index}),
        .rd_valid(head_valid), .rd_ready(pop),
        .rd_data({head_silent, head_queue, head_cookie, head_next, head_status, head_index}),
        .level()
    );

    // Twice as deep as u_packets: a packet may be sent while its entry still waits in the slice of the reader (two packets).
    hnic_fifo #(.WIDTH(64), .DEPTH(2 * DEPTH)) u_times (
        .clk(clk), .rst(rst),
        .wr_valid(sent), .wr_ready(times_ready), .wr_data(sent_time),
        .rd_valid(time_valid), .rd_ready(pop && !dropped), .rd_data(head_time),
        .level()
    );

    // ---- the record ----
    reg                cpl_valid_q;
    reg [63:0]         cpl_addr_q;
    reg [RECORD_W-1:0] cpl_record_q;

    wire [63:0]         timestamp = dropped ? {48'd0, head_index} : head_time;
    reg  [RECORD_W-1:0] record;
    always @* begin
        record = {RECORD_W{1'b0}};
        record[`HNIC_TXC_COOKIE_LSB +: COOKIE_W] = head_cookie;
        record[`HNIC_TXC_HEAD_LSB +: 16] = head_next;
        record[`HNIC_TXC_STATUS_LSB +: STATUS_W] = head_status;
        record[`HNIC_TXC_PHASE_LSB] = place_phase[head_queue];
        record[`HNIC_TXC_TIMESTAMP_LSB +: 64] = timestamp;
    end

    assign room             = (!cpl_valid_q || cpl_ready) && routes_ready;
    assign cpl_valid        = cpl_valid_q;
    assign cpl_addr         = cpl_addr_q;
    assign cpl_record       = cpl_record_q;
    assign place_issue_head = head_next;

    wire awake = rst || issue || cpl_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (issue) begin
                cpl_valid_q  <= 1'b1;
                cpl_addr_q   <= place_addr[head_queue*64 +: 64];
                cpl_record_q <= record;
            end else if (cpl_ready) begin
                cpl_valid_q <= 1'b0;
            end
            if (rst) cpl_valid_q <= 1'b0;
        end
    end

    // ---- whose records are being written ----
    wire               route_valid;
    wire [QUEUE_W-1:0] route_queue;
    hnic_fifo #(.WIDTH(QUEUE_W), .DEPTH(WRITES)) u_routes (
        .clk(clk), .rst(rst),
        .wr_valid(issue), .wr_ready(routes_ready), .wr_data(head_queue),
        .rd_valid(route_valid), .rd_ready(cpl_done), .rd_data(route_queue),
        .level()
    );

    genvar g;
    generate
        for (g = 0; g < QUEUES; g = g + 1) begin : gen_queue
            localparam [31:0] ME = g;
            assign finish[g]      = pop && head_queue == ME[QUEUE_W-1:0];
            assign place_issue[g] = issue && head_queue == ME[QUEUE_W-1:0];
            assign place_done[g]  = cpl_done && route_queue == ME[QUEUE_W-1:0];
            assign halt[g]        = enter_fault && enter_queue == ME[QUEUE_W-1:0];
        end
    endgenerate

    wire unused = &{1'b0, times_ready, route_valid};

`ifdef HNIC_CHECKS
    wire look = (sent || cpl_done) && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (sent && !times_ready) begin
                $display("CHECK %m: more packets sent than there is room for");
                $finish;
            end
            if (cpl_done && !route_valid) begin
                $display("CHECK %m: an answer to a record that is not there");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
