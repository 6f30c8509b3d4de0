// hnic_dma_read: fetches the pieces of frames and gives each frame as one gap-free stream of bytes.
//
// Why: the work of scatter-gather. Bursts of many pieces are under way together; each is asked for only when there is
// room for all its beats, so read data is always taken at once (`r_valid` has no ready). Pieces that are not in memory, a VLAN
// tag or the kept header of a super-packet, keep their place in the order of the bursts and are no reads.
// Throughput: one beat a cycle, and one cycle more for a frame whose tail spills. Latency: 2 cycles to the address, 3 from the beat.
//
// | parameter   | legal                                | meaning                             |
// |-------------|--------------------------------------|-------------------------------------|
// | DATA_W      | 64, 128, 256, 512                    | width of read data and of the stream|
// | ADDR_W      | 32..64                               | width of addresses                  |
// | BURST_BYTES | power of two, bus width..256 beats   | longest burst                       |
// | OUTSTANDING | power of two >= 2                    | bursts under way                    |
// | FIFO_BYTES  | power of two >= 2 * BURST_BYTES      | room for data asked for             |
//
// Test: tests/hdl/test_hnic_dma_read.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_dma_read #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter BURST_BYTES = 512,
    parameter OUTSTANDING = 16,
    parameter FIFO_BYTES = 4096,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              quiesce,   // start no read
    input  wire              piece_valid,
    output wire              piece_ready,
    input  wire [1:0]        piece_kind,   // 0 memory, 1 tag, 2 header, 3 header of a super-packet's second frame
    input  wire [63:0]       piece_addr,
    input  wire [16:0]       piece_len,    // 0: nothing to read
    input  wire              piece_last,   // of the frame
    input  wire [15:0]       piece_index,  // descriptor; the tag itself (TCI) with kind 1
    input  wire              header_valid,    // a beat of the kept header is there
    output wire              header_wait,     // it is asked for by the second frame
    output wire              header_step,     // it is taken
    output wire              header_restart,  // another beat is taken
    input  wire [DATA_W-1:0] header_data,
    output wire              frame_taken,     // the last burst of a frame is taken
    output wire              ar_valid,
    input  wire              ar_ready,
    output wire [ADDR_W-1:0] ar_addr,
    output wire [7:0]        ar_len,
    output wire [12:0]       ar_bytes,
    input  wire              r_valid,
    input  wire [DATA_W-1:0] r_data,
    input  wire              r_error,
    output wire              out_valid,
    input  wire              out_ready,
    output wire [DATA_W-1:0] out_data,
    output wire [COUNT_W-1:0] out_count,  // bytes, all but in the last word
    output wire              out_last,
    output wire              out_error,   // with out_last: a beat of this frame was in error
    output wire [15:0]       out_error_index  // descriptor of the first such beat
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam BEATS = FIFO_BYTES / NB;
    localparam [31:0] LAST = NB - 1;
    localparam [12:0] LAST_BYTE = LAST[12:0];
    localparam [15:0] ROOM = BEATS[15:0];
    localparam [1:0]  KIND_MEMORY = 2'd0;
    localparam [1:0]  KIND_TAG = 2'd1;
    localparam [1:0]  KIND_HEADER_WAIT = 2'd3;
    localparam [15:0] TPID = 16'h8100;
    localparam USER_W = 2 + 16;

    generate
        if (BURST_BYTES < NB || BURST_BYTES > 256 * NB) begin : gen_error_hnic_dma_read_burst_bytes
            ERROR_hnic_dma_read_burst_bytes u_stop ();
        end
        if (FIFO_BYTES < 2 * BURST_BYTES) begin : gen_error_hnic_dma_read_fifo_bytes
            ERROR_hnic_dma_read_fifo_bytes u_stop ();
        end
    endgenerate

    // ---- addresses ----
    wire              cut_valid, cut_ready, cut_last;
    wire [ADDR_W-1:0] cut_addr;
    wire [12:0]       cut_bytes;
    wire [1:0]        cut_kind;
    wire [15:0]       cut_index;

    hnic_axi_split #(.ADDR_W(ADDR_W), .LEN_W(17), .BURST_BYTES(BURST_BYTES), .USER_W(USER_W)) u_split (
        .clk(clk), .rst(rst),
        .in_valid(piece_valid), .in_ready(piece_ready),
        .in_addr(piece_kind == KIND_TAG ? {ADDR_W{1'b0}} : piece_addr[ADDR_W-1:0]),
        .in_len(piece_len), .in_last(piece_last), .in_user({piece_kind, piece_index}),
        .out_valid(cut_valid), .out_ready(cut_ready), .out_addr(cut_addr), .out_bytes(cut_bytes), .out_last(cut_last),
        .out_user({cut_kind, cut_index})
    );

    reg               ar_valid_q;
    reg  [ADDR_W-1:0] ar_addr_q;
    reg  [12:0]       ar_bytes_q;
    reg  [12:0]       ar_beats_q;
    reg  [15:0]       room_q;  // beats neither held nor asked for

    wire [12:0] span = cut_bytes + {{13 - OFF_W{1'b0}}, cut_addr[OFF_W-1:0]};
    wire [12:0] beats = (span + LAST_BYTE) >> OFF_W;
    wire        local_only = cut_bytes == 13'd0 || cut_kind != KIND_MEMORY;
    wire        bursts_ready;
    wire        beat_valid, beat_ready, beat_error;
    wire [DATA_W-1:0] beat_data;
    wire        beat_fire = beat_valid && beat_ready;
    wire        accept = cut_valid && cut_ready;
    wire        ask = accept && !local_only;

    assign cut_ready = bursts_ready && (local_only || (!quiesce && (!ar_valid_q || ar_ready) && room_q >= {3'd0, beats}));
    assign ar_valid  = ar_valid_q;
    assign ar_addr   = ar_addr_q;
    assign ar_bytes  = ar_bytes_q;
    assign ar_len    = ar_beats_q[7:0] - 8'd1;

    wire awake = rst || ask || ar_valid_q || beat_fire;

    always @(posedge clk) begin
        if (awake) begin
            if (ask) begin
                ar_valid_q <= 1'b1;
                ar_addr_q  <= cut_addr;
                ar_bytes_q <= cut_bytes;
                ar_beats_q <= beats;
            end else if (ar_ready) begin
                ar_valid_q <= 1'b0;
            end
            if (ask || beat_fire) room_q <= room_q - (ask ? {3'd0, beats} : 16'd0) + {15'd0, beat_fire};
            if (rst) begin
                ar_valid_q <= 1'b0;
                room_q     <= ROOM;
            end
        end
    end

    // ---- what was asked for, and what came ----
    wire             burst_valid, burst_ready, burst_last;
    wire [1:0]       burst_kind;
    wire [15:0]      burst_index;
    wire [OFF_W-1:0] burst_offset;
    wire [12:0]      burst_bytes;
    wire             beats_ready;

    hnic_fifo #(.WIDTH(1 + OFF_W + 13 + USER_W), .DEPTH(OUTSTANDING)) u_bursts (
        .clk(clk), .rst(rst),
        .wr_valid(accept), .wr_ready(bursts_ready), .wr_data({cut_last, cut_addr[OFF_W-1:0], cut_bytes, cut_kind, cut_index}),
        .rd_valid(burst_valid), .rd_ready(burst_ready), .rd_data({burst_last, burst_offset, burst_bytes, burst_kind, burst_index}),
        .level()
    );

    hnic_fifo #(.WIDTH(1 + DATA_W), .DEPTH(BEATS)) u_beats (
        .clk(clk), .rst(rst),
        .wr_valid(r_valid), .wr_ready(beats_ready), .wr_data({r_error, r_data}),
        .rd_valid(beat_valid), .rd_ready(beat_ready), .rd_data({beat_error, beat_data}),
        .level()
    );

    // ---- beats of the three kinds, as one stream ----
    wire              from_memory = burst_kind == KIND_MEMORY;
    wire              from_tag = burst_kind == KIND_TAG;
    wire              mixed_valid = from_memory ? beat_valid : from_tag || header_valid;
    wire              mixed_ready;
    wire [DATA_W-1:0] tag_data = {{DATA_W - 32{1'b0}}, burst_index[7:0], burst_index[15:8], TPID[7:0], TPID[15:8]};
    wire [DATA_W-1:0] mixed_data = from_memory ? beat_data : from_tag ? tag_data : header_data;

    assign beat_ready     = mixed_ready && from_memory;
    assign header_wait    = burst_kind == KIND_HEADER_WAIT;
    assign header_step    = mixed_ready && !from_memory && !from_tag;
    assign header_restart = burst_valid && burst_ready && (from_memory || from_tag);
    assign frame_taken    = burst_valid && burst_ready && burst_last;

    hnic_gather #(.DATA_W(DATA_W)) u_gather (
        .clk(clk), .rst(rst),
        .burst_valid(burst_valid), .burst_ready(burst_ready),
        .burst_offset(burst_offset), .burst_bytes(burst_bytes), .burst_last(burst_last), .burst_index(burst_index),
        .beat_valid(mixed_valid), .beat_ready(mixed_ready), .beat_data(mixed_data), .beat_error(from_memory && beat_error),
        .out_valid(out_valid), .out_ready(out_ready),
        .out_data(out_data), .out_count(out_count), .out_last(out_last),
        .out_error(out_error), .out_error_index(out_error_index)
    );

    wire unused = &{1'b0, beats_ready, piece_addr, ar_beats_q[12:8]};

`ifdef HNIC_CHECKS
    wire look = r_valid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (!beats_ready) begin
                $display("CHECK %m: read data without room");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
