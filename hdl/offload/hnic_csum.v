// hnic_csum: one's-complement checksum (RFC 1071) over a range of bytes of a frame.
//
// Why: what Linux asks for with CHECKSUM_PARTIAL (from a start byte to the end), and the IPv4 header checksum. The sum is taken in
// byte pairs from the frame's byte 0; an odd start swaps the bytes of the result, as RFC 1071 allows. `in_add` is a number added
// as if it stood, big endian, at the start: the length that a pseudo header lacks. Unless ZERO, a result of 0 becomes 0xffff
// (UDP's "no checksum" must not appear).
// A pipeline that never stalls: mask and add a word, accumulate, fold. `in_user` of the last word comes out with the result.
// Throughput: one word a cycle, one frame a cycle. Latency: 4 cycles from the last word.
//
// | parameter | legal             | meaning                     |
// |-----------|-------------------|-----------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words              |
// | USER_W    | >= 1              | bits carried along          |
// | ZERO      | 0, 1              | 0 may be a result           |
//
// Test: tests/hdl/test_hnic_csum.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_csum #(
    parameter DATA_W = 128,
    parameter USER_W = 1,
    parameter ZERO = 0,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    input  wire [DATA_W-1:0]  in_data,
    input  wire [COUNT_W-1:0] in_count,   // bytes in this word
    input  wire [15:0]        in_pos,     // place of this word in the frame
    input  wire [15:0]        in_start,   // first byte of the sum
    input  wire [15:0]        in_end,     // behind its last byte; known from the word with in_start on
    input  wire               in_to_end,  // the frame's end, whatever in_end is
    input  wire [15:0]        in_add,     // with in_last
    input  wire               in_last,
    input  wire [USER_W-1:0]  in_user,
    output wire               out_valid,
    output wire [15:0]        out_csum,   // bits 7:0 are the first byte
    output wire [USER_W-1:0]  out_user
);
    localparam NB = DATA_W / 8;
    localparam PAIRS = DATA_W / 16;
    localparam OFF_W = $clog2(NB);
    localparam SUM_W = 16 + $clog2(PAIRS);
    localparam [15:0] WORD = NB[15:0];

    // ---- mask: only the bytes of the sum ----
    reg               mask_valid_q, mask_last_q, mask_odd_q;
    reg [DATA_W-1:0]  mask_data_q;
    reg [15:0]        mask_add_q;
    reg [USER_W-1:0]  mask_user_q;

    wire [15:0]       skip = in_start - in_pos;  // meaningful when in_start > in_pos
    wire              ahead = in_start >= in_pos + WORD;
    wire              starts = in_start > in_pos;
    wire [15:0]       upto = in_end - in_pos;    // meaningful when in_end > in_pos
    wire              behind = in_end <= in_pos;
    reg  [DATA_W-1:0] chosen;

    // Most words are whole; the wide masks are for the others only, for the simulator's sake.
    always @* begin
        chosen = in_data;
        if (starts) chosen = ahead ? {DATA_W{1'b0}} : chosen & ({DATA_W{1'b1}} << {skip[OFF_W-1:0], 3'b000});
        if (in_count != WORD[COUNT_W-1:0]) chosen = chosen & ~({DATA_W{1'b1}} << {in_count, 3'b000});
        if (!in_to_end) begin
            if (behind) chosen = {DATA_W{1'b0}};
            else if (upto < WORD) chosen = chosen & ~({DATA_W{1'b1}} << {upto[OFF_W-1:0], 3'b000});
        end
    end

    // ---- add: one word ----
    reg               add_valid_q, add_last_q, add_odd_q;
    reg [SUM_W-1:0]   add_sum_q;
    reg [15:0]        add_add_q;
    reg [USER_W-1:0]  add_user_q;

    function [SUM_W-1:0] add_pairs;
        input [DATA_W-1:0] data;
        integer i;
        begin
            add_pairs = {SUM_W{1'b0}};
            for (i = 0; i < PAIRS; i = i + 1)
                add_pairs = add_pairs + {{SUM_W - 16{1'b0}}, data[16*i +: 16]};
        end
    endfunction

    // ---- accumulate: one frame ----
    reg [31:0]        acc_q;
    reg               acc_valid_q, acc_odd_q;
    reg [31:0]        acc_sum_q;
    reg [USER_W-1:0]  acc_user_q;
    wire [31:0]       acc = acc_q + {{32 - SUM_W{1'b0}}, add_sum_q} + {16'd0, add_add_q};

    // ---- fold ----
    reg               fold_valid_q;
    reg [15:0]        fold_csum_q;
    reg [USER_W-1:0]  fold_user_q;

    function [15:0] finish;
        input [31:0] sum;
        input        odd;
        reg   [16:0] once;
        reg   [15:0] twice;
        reg   [15:0] result;
        begin
            once = {1'b0, sum[31:16]} + {1'b0, sum[15:0]};
            twice = once[15:0] + {15'd0, once[16]};
            result = ~twice;
            if (result == 16'd0 && ZERO == 0) result = 16'hFFFF;
            finish = odd ? {result[7:0], result[15:8]} : result;
        end
    endfunction

    assign out_valid = fold_valid_q;
    assign out_csum  = fold_csum_q;
    assign out_user  = fold_user_q;

    wire awake = rst || in_valid || mask_valid_q || add_valid_q || acc_valid_q || fold_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            mask_valid_q <= in_valid;
            if (in_valid) begin
                mask_data_q <= chosen;
                mask_add_q  <= !in_last ? 16'd0 : in_start[0] ? in_add : {in_add[7:0], in_add[15:8]};
                mask_last_q <= in_last;
                mask_odd_q  <= in_start[0];
                mask_user_q <= in_user;
            end
            add_valid_q <= mask_valid_q;
            if (mask_valid_q) begin
                add_sum_q  <= add_pairs(mask_data_q);
                add_add_q  <= mask_add_q;
                add_last_q <= mask_last_q;
                add_odd_q  <= mask_odd_q;
                add_user_q <= mask_user_q;
            end
            acc_valid_q <= add_valid_q && add_last_q;
            if (add_valid_q) begin
                acc_q      <= add_last_q ? 32'd0 : acc;
                acc_sum_q  <= acc;
                acc_odd_q  <= add_odd_q;
                acc_user_q <= add_user_q;
            end
            fold_valid_q <= acc_valid_q;
            if (acc_valid_q) begin
                fold_csum_q <= finish(acc_sum_q, acc_odd_q);
                fold_user_q <= acc_user_q;
            end
            if (rst) begin
                mask_valid_q <= 1'b0;
                add_valid_q  <= 1'b0;
                acc_valid_q  <= 1'b0;
                fold_valid_q <= 1'b0;
                acc_q        <= 32'd0;
            end
        end
    end

    wire unused = &{1'b0, skip, upto};
endmodule

`resetall
