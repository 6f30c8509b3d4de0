// hnic_desc_fetch: reads descriptors from host memory into the card, in bursts, ahead of their use.
//
// Why: with 400 ns of memory latency a descriptor must be asked for long before its turn. A burst is asked for only
// when there is room for all its beats, so read data is always taken at once (`r_valid` has no ready).
// Throughput: up to DESC_BURST descriptors a burst; 1 descriptor a cycle out (32 bytes / bus width cycles when narrower).
// Latency: address one cycle after the request; a descriptor is out in the cycle after its last beat.
//
// | parameter  | legal                    | meaning                       |
// |------------|--------------------------|-------------------------------|
// | DATA_W     | 64, 128, 256, 512        | width of read data            |
// | ADDR_W     | 32..64                   | width of addresses            |
// | DESC_FIFO  | power of two >= 16       | descriptors held              |
// | DESC_BURST | power of two <= DESC_FIFO/2 | most descriptors in a burst |
//
// Test: tests/hdl/test_hnic_desc_fetch.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_desc_fetch #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter DESC_FIFO = 32,
    parameter DESC_BURST = 8
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              quiesce,       // start no read
    input  wire              fetch_valid,
    output wire              fetch_ready,
    input  wire [63:0]       fetch_addr,
    input  wire [7:0]        fetch_count,
    input  wire [15:0]       fetch_index,
    output wire              ar_valid,
    input  wire              ar_ready,
    output wire [ADDR_W-1:0] ar_addr,
    output wire [7:0]        ar_len,
    output wire [12:0]       ar_bytes,
    input  wire              r_valid,
    input  wire [DATA_W-1:0] r_data,
    input  wire              r_error,
    output wire              desc_valid,
    input  wire              desc_ready,
    output wire [8*`HNIC_TXD_BYTES-1:0] desc_data,
    output wire              desc_error,
    output wire [15:0]       desc_next      // index after this descriptor
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam DESC_SHIFT = $clog2(`HNIC_TXD_BYTES);
    localparam BEATS = (DESC_FIFO * `HNIC_TXD_BYTES) / NB;  // beats of room
    localparam [15:0] ROOM = BEATS[15:0];
    localparam BURSTS = 8;
    localparam [31:0] LAST = NB - 1;
    localparam [12:0] LAST_BYTE = LAST[12:0];

    generate
        if (DATA_W != 64 && DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : gen_error_hnic_desc_fetch_data_w
            ERROR_hnic_desc_fetch_data_w u_stop ();
        end
        if (DESC_FIFO < 16 || (DESC_FIFO & (DESC_FIFO - 1)) != 0) begin : gen_error_hnic_desc_fetch_desc_fifo
            ERROR_hnic_desc_fetch_desc_fifo u_stop ();
        end
        if (DESC_BURST > DESC_FIFO / 2 || DESC_BURST * `HNIC_TXD_BYTES > 256 * NB) begin : gen_error_hnic_desc_fetch_desc_burst
            ERROR_hnic_desc_fetch_desc_burst u_stop ();
        end
    endgenerate

    // ---- addresses ----
    reg               ar_valid_q;
    reg  [ADDR_W-1:0] ar_addr_q;
    reg  [12:0]       ar_bytes_q;
    reg  [12:0]       ar_beats_q;
    reg  [15:0]       room_q;  // beats neither held nor asked for

    wire [12:0] bytes = {5'd0, fetch_count} << DESC_SHIFT;
    wire [12:0] span = bytes + {{13 - OFF_W{1'b0}}, fetch_addr[OFF_W-1:0]};
    wire [12:0] beats = (span + LAST_BYTE) >> OFF_W;
    wire        bursts_ready;
    wire        beat_taken;
    wire        accept = fetch_valid && fetch_ready;

    assign fetch_ready = !ar_valid_q && !quiesce && bursts_ready && room_q >= {3'd0, beats};
    assign ar_valid = ar_valid_q;
    assign ar_addr  = ar_addr_q;
    assign ar_len   = ar_beats_q[7:0] - 8'd1;
    assign ar_bytes = ar_bytes_q;

    always @(posedge clk) begin
        if (accept) begin
            ar_valid_q <= 1'b1;
            ar_addr_q  <= fetch_addr[ADDR_W-1:0];
            ar_bytes_q <= bytes;
            ar_beats_q <= beats;
        end else if (ar_ready) begin
            ar_valid_q <= 1'b0;
        end
        if (accept || beat_taken)
            room_q <= room_q - (accept ? {3'd0, beats} : 16'd0) + {15'd0, beat_taken};
        if (rst) begin
            ar_valid_q <= 1'b0;
            room_q     <= ROOM;
        end
    end

    // ---- what was asked for, and what came ----
    wire        burst_valid, burst_done, burst_half;
    wire [7:0]  burst_count;
    wire [15:0] burst_index;
    wire        beat_valid, beat_error;
    wire [DATA_W-1:0] beat_data;

    hnic_fifo #(.WIDTH(1 + 8 + 16), .DEPTH(BURSTS)) u_bursts (
        .clk(clk), .rst(rst),
        .wr_valid(accept), .wr_ready(bursts_ready), .wr_data({fetch_addr[DESC_SHIFT], fetch_count, fetch_index}),
        .rd_valid(burst_valid), .rd_ready(burst_done), .rd_data({burst_half, burst_count, burst_index}),
        .level()
    );

    wire beats_ready;
    hnic_fifo #(.WIDTH(1 + DATA_W), .DEPTH(BEATS)) u_beats (
        .clk(clk), .rst(rst),
        .wr_valid(r_valid), .wr_ready(beats_ready), .wr_data({r_error, r_data}),
        .rd_valid(beat_valid), .rd_ready(beat_taken), .rd_data({beat_error, beat_data}),
        .level()
    );

    hnic_desc_unpack #(.DATA_W(DATA_W)) u_unpack (
        .clk(clk), .rst(rst),
        .burst_valid(burst_valid), .burst_done(burst_done),
        .burst_half(burst_half), .burst_count(burst_count), .burst_index(burst_index),
        .beat_valid(beat_valid), .beat_ready(beat_taken), .beat_data(beat_data), .beat_error(beat_error),
        .desc_valid(desc_valid), .desc_ready(desc_ready),
        .desc_data(desc_data), .desc_error(desc_error), .desc_next(desc_next)
    );

    wire unused = &{1'b0, beats_ready, fetch_addr, ar_beats_q[12:8]};

`ifdef HNIC_CHECKS
    always @(posedge clk) begin
        if (!rst && r_valid && !beats_ready) begin
            $display("CHECK %m: read data without room");
            $finish;
        end
        if (!rst && room_q > ROOM) begin
            $display("CHECK %m: more room than there is");
            $finish;
        end
    end
`endif
endmodule

`resetall
