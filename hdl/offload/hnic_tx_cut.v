// hnic_tx_cut: cuts the segments of judged packets into pieces to fetch, frame by frame, and makes a record for each frame.
//
// Why: one place knows where a frame begins and ends; all behind it handle plain frames. A piece is bytes of memory, a VLAN tag, or
// the header that was kept of a super-packet's first frame. A super-packet is cut behind HDR_LEN + MSS bytes and then every MSS
// bytes; each later frame begins with the kept header. The tag goes in front of byte 12 (a frame of 12 bytes or less gets none).
// A frame's record follows its last piece: only then is its length known. PIECES holds all pieces of any one frame, so that
// the record never waits for its own frame. A packet with a fault, or of a flushed queue, ends with an empty piece.
// Throughput: a piece a cycle. Latency: 1 cycle.
//
// | parameter | legal                | meaning                                                             |
// |-----------|----------------------|---------------------------------------------------------------------|
// | QUEUES    | 1..32                | queues                                                              |
// | PIECES    | power of two >= 64   | pieces held: the segments of a packet (32) and 3 more               |
// | FRAMES    | power of two         | frames between here and the packet store                            |
//
// Test: tests/hdl/test_hnic_tx_cut.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_cut #(
    parameter QUEUES = 8,
    parameter PIECES = 64,
    parameter FRAMES = 64,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire [QUEUES-1:0]  flush,         // drop what is of this queue
    input  wire               seg_valid,
    output wire               seg_ready,
    input  wire [QUEUE_W-1:0] seg_queue,
    input  wire [63:0]        seg_addr,
    input  wire [16:0]        seg_len,
    input  wire [15:0]        seg_index,     // of the descriptor
    input  wire               seg_first,
    input  wire               seg_last,
    input  wire [8*`HNIC_TXD_BYTES-1:0] seg_sop,  // the packet's first descriptor
    input  wire [`HNIC_TXC_STATUS_W-1:0] seg_status,  // with seg_last
    input  wire [15:0]        seg_next,      // with seg_last: index behind the packet
    output wire               piece_valid,
    input  wire               piece_ready,
    output wire [1:0]         piece_kind,    // 0 memory, 1 tag, 2 header, 3 header of a super-packet's second frame
    output wire [63:0]        piece_addr,
    output wire [16:0]        piece_len,
    output wire               piece_last,    // of the frame
    output wire [15:0]        piece_index,   // descriptor; the tag itself (TCI) with kind 1
    output wire               frame_valid,
    input  wire               frame_ready,
    output wire               frame_tso,
    output wire               frame_first,
    output wire               frame_end,
    output wire               frame_ipv4,
    output wire               frame_csum,
    output wire               frame_ipcsum,
    output wire [15:0]        frame_l3,
    output wire [15:0]        frame_l4,      // where the sum begins
    output wire [15:0]        frame_csum_pos,
    output wire [15:0]        frame_len,
    output wire [15:0]        frame_number,
    output wire [16:0]        frame_before,  // payload bytes of the packet in earlier frames
    output wire [QUEUE_W-1:0] frame_queue,
    output wire [`HNIC_TXD_COOKIE_W-1:0] frame_cookie,
    output wire [15:0]        frame_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] frame_status,
    output wire [15:0]        frame_index,   // of the descriptor at fault
    output wire               charge_valid,  // a frame is planned
    output wire [QUEUE_W-1:0] charge_queue,
    output wire [15:0]        charge_bytes   // on the wire, with preamble, padding, FCS and gap
);
    localparam COOKIE_W = `HNIC_TXD_COOKIE_W;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam [1:0] KIND_MEMORY = 2'd0;
    localparam [1:0] KIND_TAG = 2'd1;
    localparam [1:0] KIND_HEADER = 2'd2;
    localparam [1:0] KIND_HEADER_WAIT = 2'd3;
    localparam [STATUS_W-1:0] FLUSHED = {STATUS_W{1'b1}};
    localparam [16:0] TAG_BYTES = 17'd4;
    localparam [16:0] TAG_PLACE = 17'd12;
    localparam [15:0] SHORTEST = 16'd60;
    localparam [15:0] AROUND = 16'd24;  // preamble 8, FCS 4, gap 12

    generate
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_tx_cut_queues
            ERROR_hnic_tx_cut_queues u_stop ();
        end
        if (PIECES < 64) begin : gen_error_hnic_tx_cut_pieces
            ERROR_hnic_tx_cut_pieces u_stop ();
        end
    endgenerate

    // ---- what the packet wants ----
    wire        tso = seg_sop[`HNIC_TXD_TSO_LSB];
    wire        vlan = seg_sop[`HNIC_TXD_VLAN_LSB];
    wire        ipv4 = seg_sop[`HNIC_TXD_IPV4_LSB];
    wire        ipcsum = seg_sop[`HNIC_TXD_IPCSUM_LSB] || (tso && ipv4);
    wire [15:0] csum_start = seg_sop[`HNIC_TXD_CSUM_START_LSB +: `HNIC_TXD_CSUM_START_W];
    wire [15:0] csum_place = csum_start + seg_sop[`HNIC_TXD_CSUM_OFFSET_LSB +: `HNIC_TXD_CSUM_OFFSET_W];
    wire [15:0] l3_start = {8'd0, seg_sop[`HNIC_TXD_L3_START_LSB +: `HNIC_TXD_L3_START_W]};
    wire [15:0] mss = seg_sop[`HNIC_TXD_MSS_LSB +: `HNIC_TXD_MSS_W];
    wire [16:0] hdr_len = {1'b0, seg_sop[`HNIC_TXD_HDR_LEN_LSB +: `HNIC_TXD_HDR_LEN_W]};

    function [15:0] shifted;  // a place in memory, as a place in the frame
        input [15:0] place;
        input        with_tag;
        shifted = with_tag && place >= TAG_PLACE[15:0] ? place + TAG_BYTES[15:0] : place;
    endfunction

    // ---- how far it is ----
    reg         inside_q;    // a packet has begun
    reg         cut_q;       // a segment has begun
    reg [63:0]  addr_q;
    reg [16:0]  left_q;      // bytes of the segment
    reg         header_q;    // the kept header is next
    reg         tagged_q;    // the tag is in
    reg [16:0]  to_tag_q;    // bytes in front of the tag
    reg [16:0]  room_q;      // bytes until a super-packet's frame is full
    reg [15:0]  len_q;       // bytes of this frame
    reg [15:0]  number_q;
    reg [16:0]  before_q;

    wire [31:0] whose = 32'd1 << seg_queue;
    wire        flushed = |(whose[QUEUES-1:0] & flush);
    wire        bad = flushed || (seg_last && seg_status != `HNIC_STATUS_OK);
    wire [63:0] addr = cut_q ? addr_q : seg_addr;
    wire [16:0] left = cut_q ? left_q : seg_len;
    wire [16:0] to_tag = inside_q ? to_tag_q : TAG_PLACE;
    wire [16:0] room = inside_q ? room_q : hdr_len + {1'b0, mss};
    wire        before_tag = vlan && !(inside_q && tagged_q);
    wire        skip = flushed && !seg_last;
    wire        header = !bad && header_q;
    wire        tag = !bad && before_tag && to_tag == 17'd0;
    wire        memory = !bad && !header && !tag;
    wire        to_room = tso && room <= left;
    wire [16:0] in_frame = to_room ? room : left;
    wire        to_border = before_tag && to_tag < in_frame;
    wire [16:0] bytes = header ? hdr_len + (vlan ? TAG_BYTES : 17'd0)
                      : tag ? TAG_BYTES
                      : bad ? 17'd0 : to_border ? to_tag : in_frame;
    wire        seg_done = bad || (memory && bytes == left);
    wire        packet_done = seg_done && seg_last;
    wire        frame_done = packet_done || (memory && to_room && !to_border);
    wire [15:0] len = len_q + bytes[15:0];

    wire        pieces_ready, frames_ready;
    wire        step = seg_valid && pieces_ready && frames_ready;
    wire        put_frame = step && frame_done && !skip;

    assign seg_ready = pieces_ready && frames_ready && seg_done;

    wire awake = rst || step;

    always @(posedge clk) begin
        if (awake) begin
            if (step) begin
                inside_q <= !packet_done;
                cut_q    <= !seg_done;
                addr_q   <= memory ? addr + {47'd0, bytes} : addr;
                left_q   <= memory ? left - bytes : left;
                header_q <= frame_done && !packet_done;
                tagged_q <= tag || (inside_q && tagged_q);
                to_tag_q <= memory ? to_tag - bytes : to_tag;
                room_q   <= frame_done ? {1'b0, mss} : memory ? room - bytes : room;
                len_q    <= frame_done ? 16'd0 : len;
                number_q <= packet_done ? 16'd0 : frame_done ? number_q + 16'd1 : number_q;
                if (packet_done) before_q <= 17'd0;
                else if (frame_done) before_q <= before_q + {1'b0, mss};
            end
            if (rst) begin
                inside_q <= 1'b0;
                cut_q    <= 1'b0;
                header_q <= 1'b0;
                len_q    <= 16'd0;
                number_q <= 16'd0;
                before_q <= 17'd0;
            end
        end
    end

    hnic_fifo #(.WIDTH(2 + 64 + 17 + 1 + 16), .DEPTH(PIECES)) u_pieces (
        .clk(clk), .rst(rst),
        .wr_valid(step && !skip), .wr_ready(pieces_ready),
        .wr_data({header ? (number_q == 16'd1 ? KIND_HEADER_WAIT : KIND_HEADER) : tag ? KIND_TAG : KIND_MEMORY,
                  header ? 64'd0 : addr, bytes, frame_done,
                  tag ? seg_sop[`HNIC_TXD_VLAN_TCI_LSB +: `HNIC_TXD_VLAN_TCI_W] : seg_index}),
        .rd_valid(piece_valid), .rd_ready(piece_ready),
        .rd_data({piece_kind, piece_addr, piece_len, piece_last, piece_index}),
        .level()
    );

    hnic_fifo #(.WIDTH(6 + 7 * 16 + 17 + QUEUE_W + COOKIE_W + STATUS_W), .DEPTH(FRAMES)) u_frames (
        .clk(clk), .rst(rst),
        .wr_valid(put_frame), .wr_ready(frames_ready),
        .wr_data({tso && !bad, number_q == 16'd0, packet_done, ipv4, seg_sop[`HNIC_TXD_CSUM_LSB] && !bad, ipcsum && !bad,
                  shifted(l3_start, vlan), shifted(csum_start, vlan), shifted(csum_place, vlan), len, number_q, before_q,
                  seg_queue, seg_sop[`HNIC_TXD_COOKIE_LSB +: COOKIE_W], seg_next,
                  flushed ? FLUSHED : seg_last ? seg_status : `HNIC_STATUS_OK, seg_index}),
        .rd_valid(frame_valid), .rd_ready(frame_ready),
        .rd_data({frame_tso, frame_first, frame_end, frame_ipv4, frame_csum, frame_ipcsum,
                  frame_l3, frame_l4, frame_csum_pos, frame_len, frame_number, frame_before,
                  frame_queue, frame_cookie, frame_next, frame_status, frame_index}),
        .level()
    );

    // ---- what the rate limit is told ----
    reg               charge_valid_q;
    reg [QUEUE_W-1:0] charge_queue_q;
    reg [15:0]        charge_bytes_q;

    assign charge_valid = charge_valid_q;
    assign charge_queue = charge_queue_q;
    assign charge_bytes = charge_bytes_q;

    wire charging = rst || put_frame || charge_valid_q;

    always @(posedge clk) begin
        if (charging) begin
            charge_valid_q <= put_frame && !bad;
            charge_queue_q <= seg_queue;
            charge_bytes_q <= (len < SHORTEST ? SHORTEST : len) + AROUND;
            if (rst) charge_valid_q <= 1'b0;
        end
    end

    wire unused = &{1'b0, seg_sop, seg_first, whose};

`ifdef HNIC_CHECKS
    wire look = seg_valid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (!cut_q && !header_q && seg_first == inside_q) begin
                $display("CHECK %m: the first segment of a packet is missing, or there are two");
                $finish;
            end
            if (step && memory && bytes == 17'd0) begin
                $display("CHECK %m: a segment or a MSS of 0 bytes");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
