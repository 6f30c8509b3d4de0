// hnic_rx_pack: puts received frames into the packet store, packed to its width, and keeps or drops each at its end.
//
// Why: whether a frame is wanted and good is known at its end, and the wire does not wait. A frame begins at a word of its own; one
// that is dropped gives its room back at once. A frame for which there is no room, in the store or among the records, is dropped and
// counted; room that comes free within it does not save it.
// Throughput: one 64-bit word a cycle. Latency: 1 cycle from the last word to `end_`.
//
// | parameter | legal             | meaning                     |
// |-----------|-------------------|-----------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of the store          |
// | ADDR_W    | >= 2              | bits of its word addresses  |
// | RECORDS   | power of two >= 2 | frames that can be held     |
// | USER_W    | >= 1              | bits carried along          |
//
// Test: tests/hdl/test_hnic_rx_pack.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_pack #(
    parameter DATA_W = 128,
    parameter ADDR_W = 11,
    parameter RECORDS = 512,
    parameter USER_W = 96
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    input  wire [63:0]       in_data,
    input  wire              in_last,
    input  wire              in_keep,      // with in_last, as user
    input  wire [USER_W-1:0] in_user,
    output wire              ram_wr_en,
    output wire [ADDR_W-1:0] ram_wr_addr,
    output wire [DATA_W-1:0] ram_wr_data,  // what lies behind a frame's end is left from before
    input  wire [ADDR_W:0]   freed,        // free-running count of words read and done with
    input  wire              released,     // a kept frame has left the store
    output wire              end_valid,
    output wire              end_keep,
    output wire [USER_W-1:0] end_user,
    output wire              status_empty, // no kept frame in the store
    output wire              stat_rx_overflow
);
    localparam LANES = DATA_W / 64;
    localparam HELD_W = $clog2(RECORDS) + 1;

    generate
        if (RECORDS < 2 || (RECORDS & (RECORDS - 1)) != 0) begin : gen_error_hnic_rx_pack_records
            ERROR_hnic_rx_pack_records u_stop ();
        end
    endgenerate

    reg  [ADDR_W:0]   wptr_q;   // next word
    reg  [ADDR_W:0]   start_q;  // first word of this frame
    reg               lost_q;   // there was no room for a word of it
    reg  [HELD_W-1:0] held_q;   // frames kept and not released

    reg               end_valid_q, end_keep_q, overflow_q;
    reg  [USER_W-1:0] end_user_q;

    wire              lane_end;
    wire [ADDR_W:0]   used = wptr_q - freed;
    wire              full = used[ADDR_W];
    wire              write = in_valid && (lane_end || in_last);
    wire              lost = lost_q || (write && full);
    wire              finish = in_valid && in_last;
    wire              keep = in_keep && !lost && !held_q[HELD_W-1];

    generate
        if (LANES > 1) begin : gen_lanes
            localparam LANE_W = $clog2(LANES);
            reg  [LANE_W-1:0] lane_q;
            reg  [DATA_W-1:0] word_q;
            reg  [DATA_W-1:0] word;
            always @* begin
                word = word_q;
                word[64*lane_q +: 64] = in_data;
            end
            wire lane_awake = rst || in_valid;

            always @(posedge clk) begin
                if (lane_awake) begin
                    if (in_valid) begin
                        word_q <= word;
                        lane_q <= in_last ? {LANE_W{1'b0}} : lane_q + 1'b1;
                    end
                    if (rst) lane_q <= {LANE_W{1'b0}};
                end
            end
            assign lane_end    = &lane_q;
            assign ram_wr_data = word;
        end else begin : gen_lane
            assign lane_end    = 1'b1;
            assign ram_wr_data = in_data;
        end
    endgenerate

    assign ram_wr_en        = write && !lost;
    assign ram_wr_addr      = wptr_q[ADDR_W-1:0];
    assign end_valid        = end_valid_q;
    assign end_keep         = end_keep_q;
    assign end_user         = end_user_q;
    assign status_empty     = held_q == {HELD_W{1'b0}};
    assign stat_rx_overflow = overflow_q;

    wire awake = rst || in_valid || released || end_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (in_valid) lost_q <= lost && !in_last;
            if (ram_wr_en) wptr_q <= wptr_q + 1'b1;
            if (finish) begin
                if (keep) start_q <= wptr_q + 1'b1;
                else wptr_q <= start_q;
            end
            held_q      <= held_q + {{HELD_W - 1{1'b0}}, finish && keep} - {{HELD_W - 1{1'b0}}, released};
            end_valid_q <= finish;
            end_keep_q  <= keep;
            end_user_q  <= in_user;
            overflow_q  <= finish && in_keep && !keep;
            if (rst) begin
                wptr_q      <= {ADDR_W + 1{1'b0}};
                start_q     <= {ADDR_W + 1{1'b0}};
                lost_q      <= 1'b0;
                held_q      <= {HELD_W{1'b0}};
                end_valid_q <= 1'b0;
                overflow_q  <= 1'b0;
            end
        end
    end

`ifdef HNIC_CHECKS
    wire look = released && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (held_q == {HELD_W{1'b0}}) begin
                $display("CHECK %m: a frame is released that is not held");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
