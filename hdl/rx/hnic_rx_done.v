// hnic_rx_done: completes received frames, in order, once all their writes were answered.
//
// Why: a completion must never be seen before its frame. What stops a queue is told to it here and nowhere else, so that a
// fault's completion is the queue's last and those before it are whole. A frame that was dropped, or whose queue stopped
// before its turn, has no completion; it is counted.
// Throughput: a frame a cycle. Latency: 1 cycle from the last answer to the record.
//
// | parameter       | legal             | meaning                            |
// |-----------------|-------------------|------------------------------------|
// | QUEUES          | 1..32             | queues                             |
// | CPL_OUTSTANDING | power of two >= 2 | records without answer             |
//
// Test: tests/hdl/test_hnic_rx_done.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_rx_done #(
    parameter QUEUES = 8,
    parameter CPL_OUTSTANDING = 64,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 frame_valid,
    output wire                 frame_ready,
    input  wire [QUEUE_W-1:0]   frame_queue,
    input  wire                 frame_drop,    // no buffer was taken
    input  wire [8*`HNIC_RXC_BYTES-1:0] frame_cpl,
    input  wire                 done_valid,    // the oldest frame's writes were answered
    output wire                 done_ready,
    input  wire                 done_error,    // one of them failed
    // the queues
    input  wire [QUEUES-1:0]    flush,
    input  wire [64*QUEUES-1:0] queue_cpl_addr,
    input  wire [QUEUES-1:0]    queue_cpl_phase,
    output wire [QUEUES-1:0]    finish,
    output wire [QUEUES-1:0]    halt,
    output wire [7:0]           halt_status,   // for all
    output wire [15:0]          halt_index,
    output wire [QUEUES-1:0]    cpl_issue,
    output wire [15:0]          cpl_issue_head,
    output wire [QUEUES-1:0]    queue_cpl_done,
    // to the completion writer
    output wire                 cpl_valid,
    input  wire                 cpl_ready,
    output wire [63:0]          cpl_addr,
    output wire [8*`HNIC_RXC_BYTES-1:0] cpl_record,
    input  wire                 cpl_done,
    output wire [32*QUEUES-1:0] status_drops,
    output wire                 status_busy,
    output wire                 stat_rx_drops
);
    localparam CPL_W = 8 * `HNIC_RXC_BYTES;
    localparam STATUS_W = `HNIC_RXC_STATUS_W;
    localparam [QUEUES-1:0] ONE = 1;

    generate
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_rx_done_queues
            ERROR_hnic_rx_done_queues u_stop ();
        end
    endgenerate

    reg              cpl_valid_q;
    reg [63:0]       cpl_addr_q;
    reg [CPL_W-1:0]  cpl_record_q;

    wire             whose_ready;
    wire [QUEUES-1:0] me = ONE << frame_queue;
    wire             drop = frame_drop || flush[frame_queue];
    wire             free = (!cpl_valid_q || cpl_ready) && whose_ready;
    wire             ready = frame_valid && done_valid && (drop || free);
    wire             complete = ready && !drop;

    // ---- its status: a fault of a descriptor is older than one of its data ----
    wire [STATUS_W-1:0] placed = frame_cpl[`HNIC_RXC_STATUS_LSB +: STATUS_W];
    wire [15:0]         head = frame_cpl[`HNIC_RXC_HEAD_LSB +: 16];
    wire [15:0]         bufs = {8'd0, frame_cpl[`HNIC_RXC_BUFS_LSB +: `HNIC_RXC_BUFS_W]};
    wire                healthy = placed == `HNIC_STATUS_OK || placed == `HNIC_STATUS_NO_DESC;
    wire                dma_err = healthy && done_error;
    wire [STATUS_W-1:0] status = dma_err ? `HNIC_STATUS_DMA_ERR : placed;

    reg [CPL_W-1:0] record;
    always @* begin
        record = frame_cpl;
        record[`HNIC_RXC_STATUS_LSB +: STATUS_W] = status;
        record[`HNIC_RXC_PHASE_LSB] = queue_cpl_phase[frame_queue];
    end

    assign frame_ready    = ready;
    assign done_ready     = ready;
    assign finish         = ready && !frame_drop ? me : {QUEUES{1'b0}};
    assign cpl_issue      = complete ? me : {QUEUES{1'b0}};
    assign cpl_issue_head = head;
    assign halt           = complete && (!healthy || done_error) ? me : {QUEUES{1'b0}};
    assign halt_status    = status;
    assign halt_index     = dma_err ? head - bufs : head - 16'd1;  // the frame's first descriptor, or the bad one
    assign cpl_valid      = cpl_valid_q;
    assign cpl_addr       = cpl_addr_q;
    assign cpl_record     = cpl_record_q;
    assign stat_rx_drops  = ready && drop;

    wire awake = rst || complete || cpl_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (cpl_ready) cpl_valid_q <= 1'b0;
            if (complete) begin
                cpl_valid_q  <= 1'b1;
                cpl_addr_q   <= queue_cpl_addr[frame_queue*64 +: 64];
                cpl_record_q <= record;
            end
            if (rst) cpl_valid_q <= 1'b0;
        end
    end

    // ---- whose record was answered ----
    wire               whose_valid;
    wire [QUEUE_W-1:0] whose;

    hnic_fifo #(.WIDTH(QUEUE_W), .DEPTH(CPL_OUTSTANDING)) u_whose (
        .clk(clk), .rst(rst),
        .wr_valid(complete), .wr_ready(whose_ready), .wr_data(frame_queue),
        .rd_valid(whose_valid), .rd_ready(cpl_done), .rd_data(whose),
        .level()
    );

    assign queue_cpl_done = cpl_done ? ONE << whose : {QUEUES{1'b0}};
    assign status_busy    = cpl_valid_q || whose_valid || frame_valid;

    // ---- what was dropped ----
    reg [32*QUEUES-1:0] drops_q;
    assign status_drops = drops_q;

    integer i;
    wire dropping = rst || stat_rx_drops;

    always @(posedge clk) begin
        if (dropping) begin
            for (i = 0; i < QUEUES; i = i + 1) begin
                if (rst) drops_q[32*i +: 32] <= 32'd0;
                else if (me[i]) drops_q[32*i +: 32] <= drops_q[32*i +: 32] + 32'd1;
            end
        end
    end

`ifdef HNIC_CHECKS
    wire look = cpl_done && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (!whose_valid) begin
                $display("CHECK %m: an answer that nobody waits for");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
