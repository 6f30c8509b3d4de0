// hnic_tx_mac: frames to XGMII: padding, preamble, FCS, terminate, gap.
//
// Why: the frame is made as if it started on lane 0; a frame on lane 4 goes through a delay of half a word. This keeps the
// mean gap at `cfg_ifg` (12 bytes: line rate) at a cost of one 32-bit register.
// Throughput: 10 Gbit/s at 156.25 MHz, one word a cycle within a frame. Latency: the start character is on the wire 2 cycles after
// the first word in. Once a frame is taken its words must come one a cycle; the packet store, which holds the whole frame,
// sees to that.
//
// | parameter | legal | meaning                        |
// |-----------|-------|--------------------------------|
// | USER_W    | >= 1  | bits carried along to the wire |
//
// Test: tests/hdl/test_hnic_tx_mac.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_tx_mac #(
    parameter USER_W = 32
) (
    input  wire              clk,
    input  wire              rst,
    input  wire [7:0]        cfg_ifg,      // mean gap in bytes, 12..252
    input  wire              hold,         // start no frame
    input  wire [63:0]       time_ns,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [63:0]       in_data,
    input  wire [3:0]        in_count,
    input  wire              in_last,
    input  wire [USER_W-1:0] in_user,      // the frame's cookie and what else belongs to it
    output wire [63:0]       xgmii_txd,
    output wire [7:0]        xgmii_txc,
    output wire              wire_valid,   // with the word of the start character
    output wire [USER_W-1:0] wire_user,    // until the next one, so with `sent` too
    output wire              sent,         // a frame's last word is made
    output wire [63:0]       sent_time,    // of its start character
    output wire [15:0]       sent_bytes,   // with padding, without FCS
    output wire              status_busy
);
    localparam [7:0]  IDLE = 8'h07;
    localparam [7:0]  START = 8'hFB;
    localparam [7:0]  TERMINATE = 8'hFD;
    localparam [63:0] IDLES = {8{IDLE}};
    localparam [63:0] PREAMBLE = {8'hD5, {6{8'h55}}, START};
    localparam [31:0] CRC_INIT = 32'hFFFFFFFF;

    localparam [1:0] ST_IDLE = 2'd0;  // waits for a frame and the end of the gap
    localparam [1:0] ST_DATA = 2'd1;  // a data word goes out each cycle
    localparam [1:0] ST_TAIL = 2'd2;  // the FCS or the terminate character needs one more word

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
    reg              lane4_q;      // this frame starts on lane 4
    reg [63:0]       word_q;       // the data word that goes out now
    reg [3:0]        count_q;
    reg              last_q;
    reg [31:0]       crc_q;        // up to and with word_q
    reg [63:0]       tail_data_q;
    reg [7:0]        tail_ctrl_q;
    reg [2:0]        end_lane_q;
    reg [12:0]       words_q;      // before word_q
    reg [63:0]       time_q;
    reg [USER_W-1:0] user_q;
    reg              wire_valid_q;

    wire start_lane0, start_lane4, gap_busy;
    wire start = state_q == ST_IDLE && pad_valid && !hold && (start_lane0 || start_lane4);
    wire lane4 = state_q == ST_IDLE ? start_lane4 : lane4_q;
    wire data_end = state_q == ST_DATA && last_q;
    wire spill = count_q >= 4'd4;
    wire frame_end = (data_end && !spill) || state_q == ST_TAIL;
    wire take = pad_valid && pad_ready;
    wire [2:0] data_end_lane = count_q[2:0] + 3'd4;

    assign pad_ready  = start || (state_q == ST_DATA && !last_q);
    assign sent       = frame_end;
    assign sent_time  = time_q;
    assign sent_bytes = {words_q, 3'd0} + {12'd0, count_q};
    assign wire_valid = wire_valid_q;
    assign wire_user  = user_q;

    hnic_xgmii_gap u_gap (
        .clk(clk), .rst(rst), .cfg_ifg(cfg_ifg),
        .frame_end(frame_end), .end_lane(state_q == ST_TAIL ? end_lane_q : data_end_lane), .lane4(lane4_q),
        .idle(state_q == ST_IDLE && !start),
        .start_lane0(start_lane0), .start_lane4(start_lane4), .status_busy(gap_busy)
    );

    wire [31:0] crc_next;
    hnic_crc32 u_crc (
        .crc_in(state_q == ST_IDLE ? CRC_INIT : crc_q), .data(pad_data), .count(pad_count), .crc_out(crc_next)
    );

    // The end of a frame, as two words: data, FCS, terminate, idle.
    reg  [127:0] end_data;
    reg  [15:0]  end_ctrl;
    always @* begin
        end_data = {64'd0, word_q};
        end_ctrl = 16'hFF00;
        if (last_q) begin
            end_data = end_data | ({{11{IDLE}}, TERMINATE, ~crc_q} << {count_q, 3'b000});
            end_ctrl = 16'hFFF0 << count_q;
        end
    end

    wire awake = rst || start || state_q != ST_IDLE || wire_valid_q || held || active_q;

    always @(posedge clk) begin
        if (awake) begin
            case (state_q)
                ST_IDLE: if (start) state_q <= ST_DATA;
                ST_DATA: if (last_q) state_q <= spill ? ST_TAIL : ST_IDLE;
                ST_TAIL: state_q <= ST_IDLE;
                default: state_q <= ST_IDLE;
            endcase
            if (take) begin
                word_q  <= pad_data;
                count_q <= pad_count;
                last_q  <= pad_last;
                crc_q   <= crc_next;
            end
            wire_valid_q <= start;
            if (start) begin
                lane4_q <= start_lane4;
                words_q <= 13'd0;
                user_q  <= pad_user;
            end else if (take) begin
                words_q <= words_q + 13'd1;
            end
            if (wire_valid_q) time_q <= time_ns;
            if (data_end) begin
                tail_data_q <= end_data[127:64];
                tail_ctrl_q <= end_ctrl[15:8];
                end_lane_q  <= data_end_lane;
            end
            if (rst) begin
                state_q      <= ST_IDLE;
                wire_valid_q <= 1'b0;
            end
        end
    end

    // The word as if the frame started on lane 0 ..
    reg [63:0] data_d;
    reg [7:0]  ctrl_d;
    always @* begin
        data_d = IDLES;
        ctrl_d = 8'hFF;
        case (state_q)
            ST_IDLE: if (start) begin
                data_d = PREAMBLE;
                ctrl_d = 8'h01;
            end
            ST_DATA: begin
                data_d = end_data[63:0];
                ctrl_d = end_ctrl[7:0];
            end
            ST_TAIL: begin
                data_d = tail_data_q;
                ctrl_d = tail_ctrl_q;
            end
            default: ;
        endcase
    end

    // .. and half a word later when it starts on lane 4.
    reg [63:0] txd_q;
    reg [7:0]  txc_q;
    reg [31:0] held_data_q;
    reg [3:0]  held_ctrl_q;
    reg        active_q;     // the word on the wire is not all idle

    wire shift = lane4 && (start || state_q != ST_IDLE);
    wire held = held_data_q != IDLES[31:0] || held_ctrl_q != 4'hF;

    assign xgmii_txd   = txd_q;
    assign xgmii_txc   = txc_q;
    assign status_busy = state_q != ST_IDLE || in_valid || pad_valid || gap_busy || held || active_q;

    always @(posedge clk) begin
        if (awake) begin
            txd_q       <= shift || held ? {data_d[31:0], held_data_q} : data_d;
            txc_q       <= shift || held ? {ctrl_d[3:0], held_ctrl_q} : ctrl_d;
            held_data_q <= shift ? data_d[63:32] : IDLES[31:0];
            held_ctrl_q <= shift ? ctrl_d[7:4] : 4'hF;
            active_q    <= state_q != ST_IDLE || start || held;
            if (rst) begin
                txd_q       <= IDLES;
                txc_q       <= 8'hFF;
                held_data_q <= IDLES[31:0];
                held_ctrl_q <= 4'hF;
                active_q    <= 1'b0;
            end
        end
    end

`ifdef HNIC_CHECKS
    wire look = (start || state_q != ST_IDLE) && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (state_q == ST_DATA && !last_q && !pad_valid) begin
                $display("CHECK %m: a word is missing within a frame");
                $finish;
            end
            if (start && start_lane0 && held) begin
                $display("CHECK %m: a frame starts over the end of another");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
