// hnic_pkt_read: reads committed frames out of the packet store.
//
// Why: the wire side of the store. Once a frame starts, each cycle has a word for the MAC, which cannot pause within a frame; the
// next record is taken while the last word of the frame before leaves. Each packet, sent or dropped, is entered for its
// completion in order (`enter_`) when the turn of its last frame comes. Frames of a flushed queue are dropped here; behind a
// packet with a fault its queue stands still here until it was flushed, so that nothing slips through before `flush` rises.
// Throughput: one word a cycle, no cycle between frames; a dropped frame takes one. Latency: 2 cycles from record to first word.
//
// | parameter | legal             | meaning                               |
// |-----------|-------------------|---------------------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words                        |
// | ADDR_W    | >= 4              | bits of word addresses                |
// | QUEUES    | 1..32             | queues                                |
//
// Test: tests/hdl/test_hnic_pkt_read.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_pkt_read #(
    parameter DATA_W = 128,
    parameter ADDR_W = 11,
    parameter QUEUES = 8,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1,  // derived, do not set
    parameter COUNT_W = $clog2(DATA_W / 8) + 1            // derived, do not set
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              quiesce,     // start no frame
    input  wire [QUEUES-1:0] flush,       // drop what is of this queue
    input  wire              rec_valid,
    output wire              rec_ready,
    input  wire [15:0]       rec_len,
    input  wire              rec_csum,
    input  wire              rec_ipcsum,
    input  wire              rec_end,     // last frame of its packet
    input  wire [`HNIC_TXC_STATUS_W-1:0] rec_status,
    input  wire [15:0]       rec_index,
    input  wire [QUEUE_W-1:0] rec_queue,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] rec_cookie,
    input  wire [15:0]       rec_next,
    input  wire [63:0]       rec_csums,   // places and values of two sums, for the frame's words
    output wire              enter_valid,
    input  wire              enter_ready,
    output wire [QUEUE_W-1:0] enter_queue,
    output wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    output wire [15:0]       enter_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] enter_status,  // all ones: flushed
    output wire [15:0]       enter_index,
    output wire              ram_rd_en,
    output wire [ADDR_W-1:0] ram_rd_addr,
    output wire [ADDR_W:0]   freed,       // free-running count of words done with
    output wire              out_valid,   // with the word that the RAM gives
    input  wire              out_ready,
    output wire [COUNT_W-1:0] out_count,
    output wire              out_last,
    output wire              out_end,
    output wire [15:0]       out_pos,     // of this word in the frame
    output wire [`HNIC_TXC_COOKIE_W-1:0] out_cookie,
    output wire              out_csum,
    output wire              out_ipcsum,
    output wire [63:0]       out_csums,
    output wire              status_idle,   // no frame under way
    output wire              stat_tx_csums
);
    localparam NB = DATA_W / 8;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam [15:0] WORD = NB[15:0];
    localparam [STATUS_W-1:0] FLUSHED = {STATUS_W{1'b1}};
    localparam INFO_W = 1 + COOKIE_W + 1 + 1 + 64;

    // ---- records ----
    reg  [QUEUES-1:0]  stopped_q;  // a packet with a fault was entered, and flush has not come and gone
    reg  [QUEUES-1:0]  flush_q;
    reg                sending_q;
    reg  [15:0]        pos_q;      // of the next word
    reg  [15:0]        left_q;     // bytes from there on
    reg  [ADDR_W:0]    rptr_q;
    reg  [INFO_W-1:0]  info_q;

    reg                word_valid_q, word_last_q;  // the word the RAM is giving
    reg  [COUNT_W-1:0] word_count_q;
    reg  [15:0]        word_pos_q;
    reg  [INFO_W-1:0]  word_info_q;

    wire [31:0]        one_hot = 32'd1 << rec_queue;
    wire [QUEUES-1:0]  whose = one_hot[QUEUES-1:0];
    wire               dropped = |(whose & (flush | stopped_q));
    wire               faulty = rec_status != `HNIC_STATUS_OK;
    wire               good = !dropped && !faulty;
    wire               step = sending_q && (!word_valid_q || out_ready);
    wire               final_word = left_q <= WORD;
    wire               free = !sending_q || (step && final_word);
    wire               slice_ready;
    wire               take = rec_valid && rec_ready;
    wire               start = take && good;
    wire               forget = take && dropped && !faulty;  // it lies in the store, but will not be read
    wire [15:0]        words = (rec_len + WORD - 16'd1) >> $clog2(NB);
    wire               enter = rec_valid && free && !quiesce && rec_end;

    assign rec_ready     = free && !quiesce && (!rec_end || slice_ready);
    assign ram_rd_en     = step;
    assign ram_rd_addr   = rptr_q[ADDR_W-1:0];
    assign freed         = rptr_q;
    assign out_valid     = word_valid_q;
    assign out_count     = word_count_q;
    assign out_last      = word_last_q;
    assign out_pos       = word_pos_q;
    assign {out_end, out_cookie, out_csum, out_ipcsum, out_csums} = word_info_q;
    assign status_idle   = !sending_q && !word_valid_q;
    assign stat_tx_csums = start && rec_csum;

    hnic_skid #(.WIDTH(QUEUE_W + COOKIE_W + 16 + STATUS_W + 16)) u_enter (
        .clk(clk), .rst(rst),
        .in_valid(enter), .in_ready(slice_ready),
        .in_data({rec_queue, rec_cookie, rec_next, dropped ? FLUSHED : rec_status, rec_index}),
        .out_valid(enter_valid), .out_ready(enter_ready),
        .out_data({enter_queue, enter_cookie, enter_next, enter_status, enter_index})
    );

    wire awake = rst || take || flush != flush_q || step || sending_q || word_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            flush_q   <= flush;
            stopped_q <= (stopped_q & ~(flush_q & ~flush)) | (take && rec_end && !good ? whose : {QUEUES{1'b0}});
            if (rst) begin
                flush_q   <= {QUEUES{1'b0}};
                stopped_q <= {QUEUES{1'b0}};
            end
        end
    end

    always @(posedge clk) begin
        if (awake) begin
            if (step) begin
                sending_q <= !final_word;
                pos_q     <= pos_q + WORD;
                left_q    <= left_q - WORD;
            end
            if (step || forget) rptr_q <= rptr_q + {{ADDR_W{1'b0}}, step} + (forget ? words[ADDR_W:0] : {ADDR_W + 1{1'b0}});
            if (start) begin
                sending_q <= 1'b1;
                pos_q     <= 16'd0;
                left_q    <= rec_len;
                info_q    <= {rec_end, rec_cookie, rec_csum, rec_ipcsum, rec_csums};
            end
            if (rst) begin
                sending_q <= 1'b0;
                rptr_q    <= {ADDR_W + 1{1'b0}};
            end
        end
    end

    always @(posedge clk) begin
        if (awake) begin
            if (!word_valid_q || out_ready) word_valid_q <= sending_q;
            if (step) begin
                word_last_q  <= final_word;
                word_count_q <= final_word ? left_q[COUNT_W-1:0] : WORD[COUNT_W-1:0];
                word_pos_q   <= pos_q;
                word_info_q  <= info_q;
            end
            if (rst) word_valid_q <= 1'b0;
        end
    end

    wire unused = &{1'b0, one_hot, words};
endmodule

`resetall
