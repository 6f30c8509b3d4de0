// hnic_gmii_tx: frames to GMII: padding, preamble, FCS, gap: the transmit MAC for 1 Gbit/s.
//
// Why: the ports of hnic_tx_mac with another wire. Preamble, words and FCS go through one shift register, a byte a cycle.
// Throughput: 1 Gbit/s at 125 MHz. Latency: the first byte of the preamble is on the wire 2 cycles after the first word in.
// Once a frame is taken its words must come one in 8 cycles; the packet store, which holds the whole frame, sees to that, so
// there is nothing to report with tx_er.
//
// | parameter | legal | meaning                      |
// |-----------|-------|------------------------------|
// | USER_W    | >= 1  | bits carried along to the wire |
//
// Test: tests/hdl/test_hnic_gmii_tx.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_gmii_tx #(
    parameter USER_W = 32
) (
    input  wire              clk,
    input  wire              rst,
    input  wire [7:0]        cfg_ifg,      // gap in bytes, 12..252
    input  wire              hold,         // start no frame
    input  wire [63:0]       time_ns,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [63:0]       in_data,
    input  wire [3:0]        in_count,
    input  wire              in_last,
    input  wire [USER_W-1:0] in_user,      // the frame's cookie and what else belongs to it
    output wire [7:0]        gmii_txd,
    output wire              gmii_tx_en,
    output wire              gmii_tx_er,
    output wire              wire_valid,   // with the first byte of the preamble
    output wire [USER_W-1:0] wire_user,    // until the next one, so with `sent` too
    output wire              sent,         // a frame's last byte is on the wire
    output wire [63:0]       sent_time,    // of the first byte of its preamble
    output wire [15:0]       sent_bytes,   // with padding, without FCS
    output wire              status_busy
);
    localparam [63:0] PREAMBLE = {8'hD5, {7{8'h55}}};
    localparam [31:0] CRC_INIT = 32'hFFFFFFFF;

    localparam [1:0] ST_IDLE = 2'd0;      // waits for a frame and the end of the gap
    localparam [1:0] ST_PREAMBLE = 2'd1;  // sends it
    localparam [1:0] ST_DATA = 2'd2;      // sends the frame
    localparam [1:0] ST_FCS = 2'd3;       // sends it

    wire              pad_valid, pad_ready, pad_last;
    wire [63:0]       pad_data;
    wire [3:0]        pad_count;
    wire [USER_W-1:0] pad_user;

    hnic_tx_pad #(.USER_W(USER_W)) u_pad (
        .clk(clk), .rst(rst),
        .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data), .in_count(in_count), .in_last(in_last), .in_user(in_user),
        .out_valid(pad_valid), .out_ready(pad_ready),
        .out_data(pad_data), .out_count(pad_count), .out_last(pad_last), .out_user(pad_user)
    );

    reg [1:0]        state_q;
    reg [63:0]       shift_q;       // the byte on the wire and those behind it
    reg [3:0]        left_q;        // bytes in shift_q
    reg              en_q;
    reg [7:0]        gap_q;         // cycles until a frame may start
    reg              last_q;        // shift_q has the frame's last word
    reg [31:0]       crc_q;         // up to and with that word
    reg [12:0]       words_q;       // before that word
    reg [3:0]        count_q;       // bytes of that word
    reg [63:0]       time_q;
    reg [USER_W-1:0] user_q;
    reg              wire_valid_q;

    wire start = state_q == ST_IDLE && gap_q == 8'd0 && pad_valid && !hold;
    wire turn = state_q != ST_IDLE && left_q == 4'd1;
    wire take = turn && (state_q == ST_PREAMBLE || (state_q == ST_DATA && !last_q));

    assign pad_ready   = take;
    assign gmii_txd    = shift_q[7:0];
    assign gmii_tx_en  = en_q;
    assign gmii_tx_er  = 1'b0;
    assign wire_valid  = wire_valid_q;
    assign wire_user   = user_q;
    assign sent        = turn && state_q == ST_FCS;
    assign sent_time   = time_q;
    assign sent_bytes  = {words_q, 3'd0} + {12'd0, count_q};
    assign status_busy = state_q != ST_IDLE || in_valid || pad_valid || gap_q != 8'd0;

    wire [31:0] crc_next;
    hnic_crc32 u_crc (
        .crc_in(state_q == ST_PREAMBLE ? CRC_INIT : crc_q), .data(pad_data), .count(pad_count), .crc_out(crc_next)
    );

    wire awake = rst || start || state_q != ST_IDLE || gap_q != 8'd0;

    always @(posedge clk) begin
        if (awake) begin
            case (state_q)
                ST_IDLE: if (start) state_q <= ST_PREAMBLE;
                ST_PREAMBLE: if (turn) state_q <= ST_DATA;
                ST_DATA: if (turn && last_q) state_q <= ST_FCS;
                ST_FCS: if (turn) state_q <= ST_IDLE;
                default: state_q <= ST_IDLE;
            endcase
            shift_q <= shift_q >> 8;
            left_q  <= left_q - 4'd1;
            if (start) begin
                shift_q <= PREAMBLE;
                left_q  <= 4'd8;
                en_q    <= 1'b1;
            end else if (take) begin
                shift_q <= pad_data;
                left_q  <= pad_count;
            end else if (turn && state_q == ST_DATA) begin
                shift_q <= {32'd0, ~crc_q};
                left_q  <= 4'd4;
            end else if (sent) begin
                en_q <= 1'b0;
            end
            if (sent) gap_q <= cfg_ifg - 8'd1;
            else if (gap_q != 8'd0) gap_q <= gap_q - 8'd1;
            if (rst) begin
                state_q <= ST_IDLE;
                shift_q <= 64'd0;
                en_q    <= 1'b0;
                gap_q   <= 8'd0;
            end
        end
    end

    wire frame_awake = rst || start || take || wire_valid_q;

    always @(posedge clk) begin
        if (frame_awake) begin
            if (take) begin
                crc_q   <= crc_next;
                last_q  <= pad_last;
                count_q <= pad_count;
                words_q <= state_q == ST_PREAMBLE ? 13'd0 : words_q + 13'd1;
            end
            wire_valid_q <= start;
            if (start) user_q <= pad_user;
            if (wire_valid_q) time_q <= time_ns;
            if (rst) wire_valid_q <= 1'b0;
        end
    end

`ifdef HNIC_CHECKS
    wire look = !rst && take && !pad_valid;
    always @(posedge clk) begin
        if (look) begin
            $display("CHECK %m: a word is missing within a frame");
            $finish;
        end
    end
`endif
endmodule

`resetall
