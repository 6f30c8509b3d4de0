// hnic_rx_frame: received words to frames without FCS, judged: the part of receiving that XGMII and GMII share.
//
// Why: a decoder in front of it knows the characters of its wire; here is what Ethernet knows. The FCS is taken out with the delay
// of one word: a last word of up to 4 bytes ends the word before it, a longer one becomes a word of its own.
// A frame that is too long ends where it is seen to be (at most 8 bytes later), so no wire can fill what stands behind.
// A bad frame counts once: as wrong in length if it is too long or ends short without an error, else as wrong in FCS (an error
// on the wire is meant to look like one).
// A frame of no more than 4 bytes gives no word, it only counts.
// Throughput: one word a cycle. Latency: a word 2 cycles; the last one 1 cycle, 2 when it keeps bytes of its own.
//
// | parameter | legal     | meaning                                                        |
// |-----------|-----------|----------------------------------------------------------------|
// | MAX_FRAME | 60..16000 | longest frame without FCS; a VLAN tag may make it 4 bytes more |
// | COOKIE_W  | >= 1      | bits of the side-band                                          |
//
// Test: tests/hdl/test_hnic_rx_frame.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_frame #(
    parameter MAX_FRAME = 9600,
    parameter COOKIE_W = 32
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                in_start,   // a frame begins; a word in the same cycle ends the one before, with in_error
    input  wire [63:0]         in_time,    // of that frame, taken in the cycle after in_start
    input  wire [COOKIE_W-1:0] in_cookie,
    input  wire                in_valid,   // a word; outside a frame it means nothing
    input  wire [63:0]         in_data,
    input  wire [3:0]          in_count,   // 0..8, 8 but with in_end
    input  wire                in_end,     // nothing of the frame comes behind this word
    input  wire                in_error,   // with in_end: it did not end as it should
    output wire                out_valid,
    output wire [63:0]         out_data,   // bytes from out_count on mean nothing
    output wire [3:0]          out_count,  // 1..8, 8 but in the last word
    output wire                out_last,
    output wire                out_good,   // with out_last
    output wire [63:0]         out_time,   // from the frame's first word to its last
    output wire [COOKIE_W-1:0] out_cookie,
    output wire                status_busy,
    output wire                stat_fcs_errs,
    output wire                stat_len_errs
);
    localparam [31:0] CRC_INIT = 32'hFFFFFFFF;
    localparam [31:0] CRC_GOOD = 32'hDEBB20E3;  // what the CRC is behind a right FCS, before complementing
    localparam [13:0] SHORTEST = 14'd64;        // with FCS
    localparam [31:0] LONGEST = MAX_FRAME + 8;  // with FCS and VLAN tag
    localparam [3:0]  FCS = 4'd4;

    generate
        if (MAX_FRAME < 60 || MAX_FRAME > 16000) begin : gen_error_hnic_rx_frame_max_frame
            ERROR_hnic_rx_frame_max_frame u_stop ();
        end
    endgenerate

    reg        active_q;      // within a frame
    reg [10:0] words_q;       // of the frame, before this one
    reg [31:0] crc_q;
    reg        held_q;        // the frame's newest word is held ..
    reg [63:0] held_data_q;   // .. here
    reg        tail_q;        // what is held is the frame's last word
    reg [3:0]  tail_count_q;
    reg        ended_q;       // the last word ended a frame ..
    reg        fine_q;        // .. and there is nothing wrong with it but maybe the FCS
    reg        wrong_length_q;

    wire        word = active_q && in_valid;
    wire [13:0] total = {words_q, 3'd0} + {10'd0, in_count};
    wire        too_long = total > LONGEST[13:0];
    wire        short_end = total < SHORTEST;
    wire        wrong_length = too_long || (short_end && !in_error);
    wire        finish = word && (in_end || too_long);
    wire        spill = finish && in_count > FCS;
    wire        ends_held = finish && in_count <= FCS;

    wire [31:0] crc_next;
    reg  [63:0] wanted;
    always @* begin
        wanted = 64'd0;  // outside frames the CRC's inputs stand still, for the simulator's sake
        if (word) wanted = in_count[3] ? in_data : in_data & ~(~64'd0 << {in_count[2:0], 3'b000});
    end
    hnic_crc32 u_crc (.crc_in(crc_q), .data(wanted), .count(in_count), .crc_out(crc_next));
    wire        good = fine_q && crc_q == CRC_GOOD;  // a cycle late, to keep the CRC's path short

    wire awake = rst || in_start || status_busy;

    always @(posedge clk) begin
        if (awake) begin
            if (word) begin
                held_q      <= !finish;
                held_data_q <= in_data;
                words_q     <= words_q + 11'd1;
                crc_q       <= crc_next;
            end
            tail_q         <= spill;
            tail_count_q   <= in_count - FCS;
            ended_q        <= finish;
            fine_q         <= finish && !too_long && !short_end && !in_error;
            wrong_length_q <= wrong_length;
            if (in_start) begin
                active_q <= 1'b1;
                words_q  <= 11'd0;
                crc_q    <= CRC_INIT;
            end else if (finish) begin
                active_q <= 1'b0;
            end
            if (rst) begin
                active_q <= 1'b0;
                held_q   <= 1'b0;
                tail_q   <= 1'b0;
                ended_q  <= 1'b0;
            end
        end
    end

    reg                start_q;
    reg                out_valid_q, out_last_q, out_tail_q, out_tail_good_q;
    reg [63:0]         out_data_q;
    reg [3:0]          out_count_q;
    reg [63:0]         out_time_q;
    reg [COOKIE_W-1:0] out_cookie_q;
    reg                stat_fcs_errs_q, stat_len_errs_q;

    assign out_valid     = out_valid_q;
    assign out_data      = out_data_q;
    assign out_count     = out_count_q;
    assign out_last      = out_last_q;
    assign out_good      = out_tail_q ? out_tail_good_q : good;
    assign out_time      = out_time_q;
    assign out_cookie    = out_cookie_q;
    assign stat_fcs_errs = stat_fcs_errs_q;
    assign stat_len_errs = stat_len_errs_q;
    assign status_busy   = active_q || ended_q || out_valid_q || stat_fcs_errs_q || stat_len_errs_q;

    always @(posedge clk) begin
        if (awake) begin
            out_valid_q     <= tail_q || (held_q && word);
            out_data_q      <= held_data_q;
            out_count_q     <= tail_q ? tail_count_q : ends_held ? in_count + FCS : 4'd8;
            out_last_q      <= tail_q || ends_held;
            out_tail_q      <= tail_q;
            out_tail_good_q <= good;
            // A cycle after the start the last word of the frame before has left.
            start_q <= in_start;
            if (start_q) begin
                out_time_q   <= in_time;
                out_cookie_q <= in_cookie;
            end
            stat_fcs_errs_q <= ended_q && !wrong_length_q && !good;
            stat_len_errs_q <= ended_q && wrong_length_q;
            if (rst) begin
                start_q         <= 1'b0;
                out_valid_q     <= 1'b0;
                stat_fcs_errs_q <= 1'b0;
                stat_len_errs_q <= 1'b0;
            end
        end
    end

`ifdef HNIC_CHECKS
    wire look = (in_start || word) && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (word && !in_end && in_count != 4'd8) begin
                $display("CHECK %m: a word within a frame is not full");
                $finish;
            end
            if (in_start && active_q && !word) begin
                $display("CHECK %m: a frame starts within another");
                $finish;
            end
            if (in_start && word && (!in_error || spill)) begin
                $display("CHECK %m: a frame ends well where another starts");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
