// hnic_rx_place: finds room for each received frame: takes buffers of its queue until the frame fits.
//
// Why: where a frame goes is known before its words move. A frame at a time; its places go to the write engine and, with
// the last of them, its completion record goes on to wait for the answers. A frame without a place goes the same way, as one
// place of 0 bytes, so that frames, words and answers stay in step.
//
//     no buffer at the start, queue off or halted   dropped: no completion, counted
//     a buffer is being fetched                     the frame waits for it
//     buffers run out, or the queue is disabled     NO_DESC: what there was is filled; the queue goes on
//     descriptor of length 0                        BAD_DESC: the queue halts
//     descriptor read failed                        DESC_ERR: the queue halts
//     more than 255 buffers                         TOO_MANY: the queue halts
//
// A queue that will halt gets no further frame; it halts when the record is completed, behind the frames before it.
// Throughput: 1 cycle a frame and 2 a buffer. Latency: 2 cycles.
//
// | parameter | legal | meaning |
// |-----------|-------|---------|
// | QUEUES    | 1..32 | queues  |
//
// Test: tests/hdl/test_hnic_rx_place.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_rx_place #(
    parameter QUEUES = 8,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 quiesce,       // start no frame
    input  wire                 cfg_card_enable,
    input  wire                 pkt_valid,
    output wire                 pkt_ready,
    input  wire [QUEUE_W-1:0]   pkt_queue,     // less than QUEUES
    input  wire [8*`HNIC_RXC_BYTES-1:0] pkt_cpl,
    // the queues
    input  wire [QUEUES-1:0]    on,            // running, enabled, not halted, not in reset
    input  wire [QUEUES-1:0]    flush,         // halted or in reset
    input  wire [QUEUES-1:0]    held_valid,
    input  wire [16*QUEUES-1:0] take_index,
    input  wire [16*QUEUES-1:0] tail,
    output wire [QUEUES-1:0]    take,
    output wire [QUEUES-1:0]    start,
    // the descriptor store
    output wire                 rd_en,
    output wire [QUEUE_W-1:0]   rd_queue,
    output wire [15:0]          rd_index,
    input  wire [8*`HNIC_RXD_BYTES-1:0] rd_data,
    input  wire                 rd_error,
    // to the write engine
    output wire                 place_valid,
    input  wire                 place_ready,
    output wire [63:0]          place_addr,
    output wire [15:0]          place_bytes,
    output wire                 place_last,
    // with the last place: the frame
    output wire                 frame_valid,
    input  wire                 frame_ready,
    output wire [QUEUE_W-1:0]   frame_queue,
    output wire                 frame_drop,    // no buffer was taken: no completion
    output wire [8*`HNIC_RXC_BYTES-1:0] frame_cpl,  // all but the phase
    output wire                 status_busy
);
    localparam CPL_W = 8 * `HNIC_RXC_BYTES;
    localparam STATUS_W = `HNIC_RXC_STATUS_W;
    localparam [`HNIC_RXC_BUFS_W-1:0] MOST_BUFS = {`HNIC_RXC_BUFS_W{1'b1}};
    localparam [QUEUES-1:0] ONE = 1;

    localparam [1:0] ST_IDLE = 2'd0;   // waits for a frame
    localparam [1:0] ST_LOOK = 2'd1;   // waits for the queue's next buffer, or for the news that none comes
    localparam [1:0] ST_READ = 2'd2;   // has the descriptor; waits for the write engine to take the place
    localparam [1:0] ST_CLOSE = 2'd3;  // the frame has no further place; waits for the write engine to be told

    generate
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_rx_place_queues
            ERROR_hnic_rx_place_queues u_stop ();
        end
    endgenerate

    reg [1:0]                   state_q, state_d;
    reg [QUEUE_W-1:0]           queue_q;
    reg [CPL_W-1:0]             cpl_q;
    reg [`HNIC_RXC_LEN_W-1:0]   left_q;     // bytes without a place
    reg [`HNIC_RXC_BUFS_W-1:0]  bufs_q;     // buffers taken
    reg [15:0]                  head_q;     // index after the last of them
    reg [`HNIC_RXC_BUF_ID_W-1:0] buf_id_q;  // of the first
    reg [STATUS_W-1:0]          status_q, status_d;
    reg [QUEUES-1:0]            stopped_q;  // met a fault that is not yet known to the queue

    // ---- the queue's next buffer ----
    wire [QUEUES-1:0] me = ONE << queue_q;
    wire [15:0]       next = take_index[queue_q*16 +: 16];
    wire              given = tail[queue_q*16 +: 16] != next && cfg_card_enable;
    wire              held = held_valid[queue_q] && !stopped_q[queue_q];
    wire              may_come = on[queue_q] && !stopped_q[queue_q] && given;
    wire              first = bufs_q == {`HNIC_RXC_BUFS_W{1'b0}};
    wire              full = bufs_q == MOST_BUFS;
    wire              taken = state_q == ST_LOOK && held && !full;

    assign take     = taken ? me : {QUEUES{1'b0}};
    assign start    = taken && first ? me : {QUEUES{1'b0}};
    assign rd_en    = taken;
    assign rd_queue = queue_q;
    assign rd_index = next;

    // ---- its descriptor ----
    wire [`HNIC_RXD_LEN_W-1:0] len = rd_data[`HNIC_RXD_LEN_LSB +: `HNIC_RXD_LEN_W];
    wire                       good = !rd_error && len != {`HNIC_RXD_LEN_W{1'b0}};
    wire                       fits = left_q <= len;
    wire                       one_buf = bufs_q == {{`HNIC_RXC_BUFS_W - 1{1'b0}}, 1'b1};
    wire                       reading = state_q == ST_READ && good;
    wire                       closing = state_q == ST_CLOSE;

    assign place_valid = (reading && (!fits || frame_ready)) || (closing && frame_ready);
    assign place_addr  = rd_data[`HNIC_RXD_ADDR_LSB +: `HNIC_RXD_ADDR_W];
    assign place_bytes = closing ? 16'd0 : fits ? left_q : len;
    assign place_last  = closing || fits;

    // ---- the frame's record ----
    wire [`HNIC_RXC_BUF_ID_W-1:0] buf_id = reading && one_buf ? rd_data[`HNIC_RXD_BUF_ID_LSB +: `HNIC_RXD_BUF_ID_W] : buf_id_q;

    reg [CPL_W-1:0] record;
    always @* begin
        record = cpl_q;
        record[`HNIC_RXC_BUF_ID_LSB +: `HNIC_RXC_BUF_ID_W] = buf_id;
        record[`HNIC_RXC_BUFS_LSB +: `HNIC_RXC_BUFS_W] = bufs_q;
        record[`HNIC_RXC_HEAD_LSB +: 16] = head_q;
        record[`HNIC_RXC_STATUS_LSB +: STATUS_W] = closing ? status_q : `HNIC_STATUS_OK;
    end

    assign frame_valid = place_valid && place_ready && place_last;
    assign frame_queue = queue_q;
    assign frame_drop  = closing && first;
    assign frame_cpl   = record;
    assign pkt_ready   = state_q == ST_IDLE && !quiesce;
    assign status_busy = state_q != ST_IDLE;

    always @* begin
        state_d  = state_q;
        status_d = status_q;
        case (state_q)
            ST_IDLE: if (pkt_valid && !quiesce) state_d = ST_LOOK;
            ST_LOOK: begin
                if (taken) state_d = ST_READ;
                else if (full || !may_come) state_d = ST_CLOSE;
                status_d = full ? `HNIC_STATUS_TOO_MANY : `HNIC_STATUS_NO_DESC;
            end
            ST_READ: begin
                if (!good) state_d = ST_CLOSE;
                else if (place_valid && place_ready) state_d = fits ? ST_IDLE : ST_LOOK;
                status_d = rd_error ? `HNIC_STATUS_DESC_ERR : `HNIC_STATUS_BAD_DESC;
            end
            default: if (place_valid && place_ready) state_d = ST_IDLE;
        endcase
    end

    wire awake = rst || status_busy || pkt_valid;

    always @(posedge clk) begin
        if (awake) begin
            state_q  <= state_d;
            status_q <= status_d;
            if (pkt_valid && pkt_ready) begin
                queue_q  <= pkt_queue;
                cpl_q    <= pkt_cpl;
                left_q   <= pkt_cpl[`HNIC_RXC_LEN_LSB +: `HNIC_RXC_LEN_W];
                bufs_q   <= {`HNIC_RXC_BUFS_W{1'b0}};
                buf_id_q <= {`HNIC_RXC_BUF_ID_W{1'b0}};
            end
            if (taken) begin
                bufs_q <= bufs_q + 1'b1;
                head_q <= next + 16'd1;
            end
            if (reading && place_valid && place_ready) left_q <= left_q - len;
            if (state_q == ST_READ && one_buf && !rd_error)
                buf_id_q <= rd_data[`HNIC_RXD_BUF_ID_LSB +: `HNIC_RXD_BUF_ID_W];
            if (rst) state_q <= ST_IDLE;
        end
    end

    wire unused = &{1'b0, rd_data};

    wire fault = (state_q == ST_READ && !good) || (state_q == ST_LOOK && full);

    wire stop_moves = rst || fault || |(stopped_q & flush);

    always @(posedge clk) begin
        if (stop_moves) begin
            stopped_q <= (stopped_q | (fault ? me : {QUEUES{1'b0}})) & ~flush;
            if (rst) stopped_q <= {QUEUES{1'b0}};
        end
    end

`ifdef HNIC_CHECKS
    localparam [31:0] QUEUES_32 = QUEUES;
    wire look = pkt_valid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if ({{32 - QUEUE_W{1'b0}}, pkt_queue} >= QUEUES_32) begin
                $display("CHECK %m: a frame of a queue that is not there");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
