// hnic_tx_packet: turns descriptors into packets: segments to read, and what is to be known at a packet's start and end.
//
// Why: all judging of descriptors is in one place. A packet ends at EOP (or at a descriptor that could not be read),
// whatever was wrong before. From the first fault on no more data is read; an empty segment marked `last` ends the packet.
// Three FIFOs: segments for the read engine, `open` records (checksum request, cookie) for the packet's first word, `close`
// records (head index, status) for its last. A close record with a status other than OK drops the packet.
// Throughput: 1 descriptor a cycle. Latency: 1 cycle.
//
// | parameter | legal              | meaning                        |
// |-----------|--------------------|--------------------------------|
// | MAX_FRAME | 60..16000          | longest frame without FCS      |
// | DEPTH     | power of two >= 2  | segments and packets in flight |
//
// Test: tests/hdl/test_hnic_tx_packet.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_packet #(
    parameter MAX_FRAME = 9600,
    parameter DEPTH = 32
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        desc_valid,
    output wire        desc_ready,
    input  wire [8*`HNIC_TXD_BYTES-1:0] desc_data,
    input  wire        desc_error,
    input  wire [15:0] desc_next,
    output wire        seg_valid,
    input  wire        seg_ready,
    output wire [63:0] seg_addr,
    output wire [`HNIC_TXD_LEN_W-1:0] seg_len,  // 0: nothing to read
    output wire        seg_last,
    output wire        open_valid,
    input  wire        open_ready,
    output wire        open_csum,
    output wire [15:0] open_csum_start,
    output wire [15:0] open_csum_offset,
    output wire [`HNIC_TXD_COOKIE_W-1:0] open_cookie,
    output wire        close_valid,
    input  wire        close_ready,
    output wire [15:0] close_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] close_status,
    output wire        stat_tx_descs
);
    localparam LEN_W = `HNIC_TXD_LEN_W;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam COOKIE_W = `HNIC_TXD_COOKIE_W;
    localparam [LEN_W:0] LONGEST = MAX_FRAME;

    // ---- this descriptor ----
    wire [LEN_W-1:0] len = desc_data[`HNIC_TXD_LEN_LSB +: LEN_W];
    wire sop = desc_data[`HNIC_TXD_SOP_LSB];
    wire csum = desc_data[`HNIC_TXD_CSUM_LSB] && !desc_error;
    wire refused = desc_data[`HNIC_TXD_TSO_LSB] || desc_data[`HNIC_TXD_VLAN_LSB];
    wire [15:0] csum_start = desc_data[`HNIC_TXD_CSUM_START_LSB +: `HNIC_TXD_CSUM_START_W];
    wire [15:0] csum_offset = desc_data[`HNIC_TXD_CSUM_OFFSET_LSB +: `HNIC_TXD_CSUM_OFFSET_W];
    wire [COOKIE_W-1:0] cookie = desc_error ? {COOKIE_W{1'b0}} : desc_data[`HNIC_TXD_COOKIE_LSB +: COOKIE_W];
    wire last = desc_data[`HNIC_TXD_EOP_LSB] || desc_error;

    // ---- this packet so far ----
    reg                inside_q;    // SOP was seen, EOP not yet
    reg [STATUS_W-1:0] status_q;
    reg [LEN_W:0]      total_q;
    reg                csum_q;
    reg [17:0]         csum_end_q;  // first byte behind the checksum field

    wire [LEN_W:0]  total = (inside_q ? total_q : {LEN_W + 1{1'b0}}) + {1'b0, len};
    wire            csum_on = inside_q ? csum_q : csum;
    wire [17:0]     csum_end = inside_q ? csum_end_q : {2'd0, csum_start} + {2'd0, csum_offset} + 18'd2;

    reg [STATUS_W-1:0] status_d;
    always @* begin
        status_d = inside_q ? status_q : `HNIC_STATUS_OK;
        if (status_d == `HNIC_STATUS_OK) begin
            if (desc_error) status_d = `HNIC_STATUS_DESC_ERR;
            else if (sop == inside_q || len == {LEN_W{1'b0}} || (sop && refused)) status_d = `HNIC_STATUS_BAD_DESC;
            else if (total > LONGEST) status_d = `HNIC_STATUS_TOO_LONG;
            else if (last && csum_on && {{LEN_W - 17{1'b0}}, csum_end} > total) status_d = `HNIC_STATUS_BAD_CSUM;
        end
    end

    wire good = status_d == `HNIC_STATUS_OK;
    wire segs_ready, opens_ready, closes_ready;
    wire fire = desc_valid && desc_ready;

    assign desc_ready    = segs_ready && opens_ready && closes_ready;
    assign stat_tx_descs = fire;

    always @(posedge clk) begin
        if (fire) begin
            inside_q <= !last;
            status_q <= status_d;
            total_q  <= total;
            if (!inside_q) begin
                csum_q     <= csum;
                csum_end_q <= csum_end;
            end
        end
        if (rst) inside_q <= 1'b0;
    end

    hnic_fifo #(.WIDTH(1 + LEN_W + 64), .DEPTH(DEPTH)) u_segs (
        .clk(clk), .rst(rst),
        .wr_valid(fire && (good || last)), .wr_ready(segs_ready),
        .wr_data({last, good ? len : {LEN_W{1'b0}}, desc_data[`HNIC_TXD_ADDR_LSB +: `HNIC_TXD_ADDR_W]}),
        .rd_valid(seg_valid), .rd_ready(seg_ready), .rd_data({seg_last, seg_len, seg_addr}),
        .level()
    );

    hnic_fifo #(.WIDTH(1 + 16 + 16 + COOKIE_W), .DEPTH(DEPTH)) u_opens (
        .clk(clk), .rst(rst),
        .wr_valid(fire && !inside_q), .wr_ready(opens_ready), .wr_data({csum, csum_start, csum_offset, cookie}),
        .rd_valid(open_valid), .rd_ready(open_ready),
        .rd_data({open_csum, open_csum_start, open_csum_offset, open_cookie}),
        .level()
    );

    hnic_fifo #(.WIDTH(16 + STATUS_W), .DEPTH(DEPTH)) u_closes (
        .clk(clk), .rst(rst),
        .wr_valid(fire && last), .wr_ready(closes_ready), .wr_data({desc_next, status_d}),
        .rd_valid(close_valid), .rd_ready(close_ready), .rd_data({close_next, close_status}),
        .level()
    );

    // MSS, HDR_LEN, VLAN_TCI and the reserved bits have no meaning yet.
    wire unused = &{1'b0, desc_data};
endmodule

`resetall
