// hnic_dma_write: writes a frame's packed words to a list of places in host memory.
//
// Why: the work of scatter. Places are cut into bursts whose addresses run ahead of the data; bursts of many frames are
// under way together, and `done` comes when all of a frame's bursts were answered, in the order of the frames.
// The place with `last` ends the frame: what the frame has beyond it is taken and forgotten. A place of 0 bytes writes nothing, so one
// such place with `last` drops a whole frame; it gets its `done` too.
// Throughput: one beat a cycle; a place of 0 bytes costs a cycle. Latency: 2 cycles from place to address, 2 from word to beat.
//
// | parameter   | legal                                         | meaning                                  |
// |-------------|-----------------------------------------------|------------------------------------------|
// | DATA_W      | 64, 128, 256, 512                             | width of words and of write data         |
// | ADDR_W      | 32..64                                        | width of addresses                       |
// | BURST_BYTES | power of two, bus width..256 beats, 64..4096  | longest burst                            |
// | OUTSTANDING | power of two >= 2                             | bursts under way, places of 0 bytes too  |
//
// Test: tests/hdl/test_hnic_dma_write.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_dma_write #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter BURST_BYTES = 512,
    parameter OUTSTANDING = 64,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                place_valid,
    output wire                place_ready,
    input  wire [63:0]         place_addr,   // any byte
    input  wire [15:0]         place_bytes,  // not more than the frame still has
    input  wire                place_last,   // ends the frame
    input  wire                in_valid,
    output wire                in_ready,
    input  wire [DATA_W-1:0]   in_data,
    input  wire [COUNT_W-1:0]  in_count,     // bytes, all but in the last word
    input  wire                in_last,
    output wire                aw_valid,
    input  wire                aw_ready,
    output wire [ADDR_W-1:0]   aw_addr,
    output wire [7:0]          aw_len,
    output wire [12:0]         aw_bytes,     // that the burst writes
    output wire                w_valid,
    input  wire                w_ready,
    output wire [DATA_W-1:0]   w_data,
    output wire [DATA_W/8-1:0] w_strb,
    input  wire                b_valid,
    input  wire                b_error,
    output wire                done_valid,   // the oldest frame was answered
    input  wire                done_ready,
    output wire                done_error    // one of its writes failed
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam BURSTS = 8;  // bursts whose address may be ahead of their data
    localparam [31:0] LAST = NB - 1;
    localparam [12:0] LAST_BYTE = LAST[12:0];

    generate
        if (BURST_BYTES < NB || BURST_BYTES > 256 * NB) begin : gen_error_hnic_dma_write_burst_bytes
            ERROR_hnic_dma_write_burst_bytes u_stop ();
        end
    endgenerate

    // ---- addresses ----
    wire              cut_valid, cut_last;
    wire [ADDR_W-1:0] cut_addr;
    wire [12:0]       cut_bytes;

    reg               aw_valid_q;
    reg  [ADDR_W-1:0] aw_addr_q;
    reg  [12:0]       aw_beats_q;
    reg  [12:0]       aw_bytes_q;

    wire        bursts_ready, expect_ready;
    wire        cut_user;  // nothing goes along here
    wire [12:0] span = cut_bytes + {{13 - OFF_W{1'b0}}, cut_addr[OFF_W-1:0]};
    wire [12:0] beats = (span + LAST_BYTE) >> OFF_W;
    wire        empty = cut_bytes == 13'd0;
    wire        cut_ready = bursts_ready && expect_ready && (empty || !aw_valid_q || aw_ready);
    wire        accept = cut_valid && cut_ready;

    hnic_axi_split #(.ADDR_W(ADDR_W), .LEN_W(16), .BURST_BYTES(BURST_BYTES)) u_split (
        .clk(clk), .rst(rst),
        .in_valid(place_valid), .in_ready(place_ready),
        .in_addr(place_addr[ADDR_W-1:0]), .in_len(place_bytes), .in_last(place_last), .in_user(1'b0),
        .out_valid(cut_valid), .out_ready(cut_ready), .out_addr(cut_addr), .out_bytes(cut_bytes), .out_last(cut_last),
        .out_user(cut_user)
    );

    assign aw_valid = aw_valid_q;
    assign aw_addr  = aw_addr_q;
    assign aw_len   = aw_beats_q[7:0] - 8'd1;
    assign aw_bytes = aw_bytes_q;

    wire awake = rst || accept || aw_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (aw_ready) aw_valid_q <= 1'b0;
            if (accept && !empty) begin
                aw_valid_q <= 1'b1;
                aw_addr_q  <= cut_addr;
                aw_beats_q <= beats;
                aw_bytes_q <= cut_bytes;
            end
            if (rst) aw_valid_q <= 1'b0;
        end
    end

    // ---- data ----
    wire             burst_valid, burst_ready, burst_last;
    wire [OFF_W-1:0] burst_offset;
    wire [12:0]      burst_bytes;

    hnic_fifo #(.WIDTH(1 + OFF_W + 13), .DEPTH(BURSTS)) u_bursts (
        .clk(clk), .rst(rst),
        .wr_valid(accept), .wr_ready(bursts_ready), .wr_data({cut_last, cut_addr[OFF_W-1:0], cut_bytes}),
        .rd_valid(burst_valid), .rd_ready(burst_ready), .rd_data({burst_last, burst_offset, burst_bytes}),
        .level()
    );

    hnic_scatter #(.DATA_W(DATA_W)) u_scatter (
        .clk(clk), .rst(rst),
        .burst_valid(burst_valid), .burst_ready(burst_ready),
        .burst_offset(burst_offset), .burst_bytes(burst_bytes), .burst_last(burst_last),
        .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data), .in_count(in_count), .in_last(in_last),
        .out_valid(w_valid), .out_ready(w_ready), .out_data(w_data), .out_strb(w_strb)
    );

    // ---- answers: what is awaited, oldest first, and what came; there is room for the answer of all that is awaited ----
    reg  error_q;  // of the frame's bursts so far
    wire await_valid, await_last, await_empty;
    wire answer_valid, answer_error, answers_ready;
    wire known = await_valid && (await_empty || answer_valid);
    wire error = error_q || (!await_empty && answer_error);
    wire forget = known && (!await_last || done_ready);

    assign done_valid = known && await_last;
    assign done_error = error;

    wire forgetting = rst || forget;

    always @(posedge clk) begin
        if (forgetting) begin
            if (forget) error_q <= error && !await_last;
            if (rst) error_q <= 1'b0;
        end
    end

    hnic_fifo #(.WIDTH(2), .DEPTH(OUTSTANDING)) u_expect (
        .clk(clk), .rst(rst),
        .wr_valid(accept), .wr_ready(expect_ready), .wr_data({cut_last, empty}),
        .rd_valid(await_valid), .rd_ready(forget), .rd_data({await_last, await_empty}),
        .level()
    );

    hnic_fifo #(.WIDTH(1), .DEPTH(OUTSTANDING)) u_answers (
        .clk(clk), .rst(rst),
        .wr_valid(b_valid), .wr_ready(answers_ready), .wr_data(b_error),
        .rd_valid(answer_valid), .rd_ready(forget && !await_empty), .rd_data(answer_error),
        .level()
    );

    wire unused = &{1'b0, place_addr, aw_beats_q[12:8], answers_ready, cut_user};

`ifdef HNIC_CHECKS
    wire look = b_valid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (!answers_ready) begin
                $display("CHECK %m: an answer without room");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
