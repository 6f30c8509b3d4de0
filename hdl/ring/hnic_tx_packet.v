// hnic_tx_packet: judges descriptors and turns them into the segments of packets.
//
// Why: all judging of descriptors is in one place, in front of everything that trusts them. A packet ends at EOP or at its first
// fault, then with an empty segment that carries status and index; nothing of it may reach the wire. The packet's first descriptor
// stands beside its segments. Faults, the first of this list wins:
//
// | status   | at        | reason                                                                                      |
// |----------|-----------|---------------------------------------------------------------------------------------------|
// | DESC_ERR | any       | it could not be read                                                                        |
// | BAD_DESC | any       | SOP missing or twice, length 0, a reserved bit set, no EOP and nothing behind it            |
// | TOO_MANY | any       | more than MAX_SEGS segments                                                                 |
// | TOO_LONG | any       | a segment above 65536 bytes; frame above MAX_FRAME (TSO: header + MSS); TSO payload > 65536 |
// | BAD_TSO  | SOP       | TSO without CSUM, MSS 0, header 0 or > 192, TCP header not within it, CSUM_OFFSET not that  |
// |          |           | of TCP, IP header not in front of CSUM_START                                                |
// |          | EOP       | no payload                                                                                  |
// | BAD_CSUM | EOP       | checksum field outside the frame; IPCSUM without IPV4, or its header outside the frame      |
//
// Throughput: 1 descriptor a cycle. Latency: 1 cycle.
//
// | parameter | legal     | meaning                                  |
// |-----------|-----------|------------------------------------------|
// | QUEUES    | 1..32     | queues                                   |
// | MAX_FRAME | 60..16000 | longest frame without FCS and VLAN tag   |
// | MAX_SEGS  | 1..63     | most segments of a packet                |
//
// Test: tests/hdl/test_hnic_tx_packet.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_packet #(
    parameter QUEUES = 8,
    parameter MAX_FRAME = 9600,
    parameter MAX_SEGS = 32,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               desc_valid,
    output wire               desc_ready,
    input  wire [QUEUE_W-1:0] desc_queue,
    input  wire [15:0]        desc_index,
    input  wire [8*`HNIC_TXD_BYTES-1:0] desc_data,
    input  wire               desc_error,
    input  wire               desc_final,   // no other is held behind it
    output wire               desc_eop,     // EOP, or not known
    output wire               desc_last,    // it ends its packet
    output wire               desc_fault,
    output wire               seg_valid,
    input  wire               seg_ready,
    output wire [QUEUE_W-1:0] seg_queue,
    output wire [`HNIC_TXD_ADDR_W-1:0] seg_addr,
    output wire [16:0]        seg_len,      // 0: a fault
    output wire [15:0]        seg_index,
    output wire               seg_first,
    output wire               seg_last,
    output wire [8*`HNIC_TXD_BYTES-1:0] seg_sop,  // the packet's first descriptor; 0 if it could not be read
    output wire [`HNIC_TXC_STATUS_W-1:0] seg_status,
    output wire [15:0]        seg_next,     // index behind the packet
    output wire               stat_tx_descs
);
    localparam DESC_W = 8 * `HNIC_TXD_BYTES;
    localparam LEN_W = `HNIC_TXD_LEN_W;
    localparam SUM_W = LEN_W + 1;
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam [SUM_W-1:0] LONGEST_FRAME = MAX_FRAME;
    localparam [SUM_W-1:0] LONGEST_SEG = 65536;
    localparam [SUM_W-1:0] LONGEST_PAYLOAD = 65536;
    localparam [5:0]       MOST_SEGS = MAX_SEGS;
    localparam [15:0]      HDR_MOST = 16'd192;
    localparam [15:0]      TCP_CSUM_OFFSET = 16'd16;
    localparam [SUM_W-1:0] TCP_BYTES = 20;
    localparam [SUM_W-1:0] IPV4_BYTES = 20;
    localparam [SUM_W-1:0] IPV6_BYTES = 40;
    localparam [SUM_W-1:0] CSUM_BYTES = 2;
    // reserved bits lie between these fields and at the end
    localparam FLAGS_END = `HNIC_TXD_IPCSUM_LSB + `HNIC_TXD_IPCSUM_W;
    localparam L3_END = `HNIC_TXD_L3_START_LSB + `HNIC_TXD_L3_START_W;
    localparam COOKIE_END = `HNIC_TXD_COOKIE_LSB + `HNIC_TXD_COOKIE_W;

    generate
        if (MAX_FRAME < 60 || MAX_FRAME > 16000) begin : gen_error_hnic_tx_packet_max_frame
            ERROR_hnic_tx_packet_max_frame u_stop ();
        end
        if (MAX_SEGS < 1 || MAX_SEGS > 63) begin : gen_error_hnic_tx_packet_max_segs
            ERROR_hnic_tx_packet_max_segs u_stop ();
        end
    endgenerate

    reg                inside_q;  // SOP was seen, EOP not yet
    reg [SUM_W-1:0]    total_q;   // bytes so far
    reg [5:0]          segs_q;    // segments so far
    reg                valid_q;
    reg [QUEUE_W-1:0]  queue_q;
    reg [`HNIC_TXD_ADDR_W-1:0] addr_q;
    reg [16:0]         len_q;
    reg [15:0]         index_q;
    reg                first_q;
    reg                last_q;
    reg [DESC_W-1:0]   sop_q;
    reg [STATUS_W-1:0] status_q;

    // ---- this descriptor ----
    wire [SUM_W-1:0] len = {1'b0, desc_data[`HNIC_TXD_LEN_LSB +: LEN_W]};
    wire             reserved = |{desc_data[`HNIC_TXD_CSUM_START_LSB-1:FLAGS_END],
                                  desc_data[`HNIC_TXD_COOKIE_LSB-1:L3_END], desc_data[DESC_W-1:COOKIE_END]};
    wire             eop = desc_data[`HNIC_TXD_EOP_LSB];
    wire [SUM_W-1:0] total = (inside_q ? total_q : {SUM_W{1'b0}}) + len;
    wire [5:0]       segs = inside_q ? segs_q : 6'd0;

    // ---- what the packet's first descriptor says ----
    wire [DESC_W-1:0] sop = inside_q ? sop_q : desc_data;
    wire              csum = sop[`HNIC_TXD_CSUM_LSB];
    wire              tso = sop[`HNIC_TXD_TSO_LSB];
    wire              ipv4 = sop[`HNIC_TXD_IPV4_LSB];
    wire              ipcsum = sop[`HNIC_TXD_IPCSUM_LSB];
    wire [15:0]       csum_offset = sop[`HNIC_TXD_CSUM_OFFSET_LSB +: `HNIC_TXD_CSUM_OFFSET_W];
    wire [15:0]       mss = sop[`HNIC_TXD_MSS_LSB +: `HNIC_TXD_MSS_W];
    wire [15:0]       hdr_len = sop[`HNIC_TXD_HDR_LEN_LSB +: `HNIC_TXD_HDR_LEN_W];
    wire [SUM_W-1:0]  csum_start = {{SUM_W - 16{1'b0}}, sop[`HNIC_TXD_CSUM_START_LSB +: `HNIC_TXD_CSUM_START_W]};
    wire [SUM_W-1:0]  l3_start = {{SUM_W - 8{1'b0}}, sop[`HNIC_TXD_L3_START_LSB +: `HNIC_TXD_L3_START_W]};
    wire [SUM_W-1:0]  header = {{SUM_W - 16{1'b0}}, hdr_len};

    // ---- the verdict ----
    wire bad_desc = desc_data[`HNIC_TXD_SOP_LSB] == inside_q || len == {SUM_W{1'b0}} || reserved || (!eop && desc_final);
    wire too_long = len > LONGEST_SEG || (tso ? total > header + LONGEST_PAYLOAD : total > LONGEST_FRAME)
                    || (tso && header + {{SUM_W - 16{1'b0}}, mss} > LONGEST_FRAME);
    wire bad_tso = tso && (!csum || mss == 16'd0 || hdr_len == 16'd0 || hdr_len > HDR_MOST
                           || csum_start + TCP_BYTES > header || csum_offset != TCP_CSUM_OFFSET
                           || l3_start + (ipv4 ? IPV4_BYTES : IPV6_BYTES) > csum_start
                           || (eop && total <= header));
    wire bad_csum = eop && ((csum && csum_start + {{SUM_W - 16{1'b0}}, csum_offset} + CSUM_BYTES > total)
                            || (ipcsum && (!ipv4 || l3_start + IPV4_BYTES > total)));

    reg [STATUS_W-1:0] status_d;
    always @* begin
        status_d = `HNIC_STATUS_OK;
        if (desc_error) status_d = `HNIC_STATUS_DESC_ERR;
        else if (bad_desc) status_d = `HNIC_STATUS_BAD_DESC;
        else if (segs == MOST_SEGS) status_d = `HNIC_STATUS_TOO_MANY;
        else if (too_long) status_d = `HNIC_STATUS_TOO_LONG;
        else if (bad_tso) status_d = `HNIC_STATUS_BAD_TSO;
        else if (bad_csum) status_d = `HNIC_STATUS_BAD_CSUM;
    end

    wire fire = desc_valid && desc_ready;

    assign desc_ready    = !valid_q || seg_ready;
    assign desc_eop      = eop || desc_error;
    assign desc_fault    = status_d != `HNIC_STATUS_OK;
    assign desc_last     = eop || desc_fault;
    assign seg_valid     = valid_q;
    assign seg_queue     = queue_q;
    assign seg_addr      = addr_q;
    assign seg_len       = len_q;
    assign seg_index     = index_q;
    assign seg_first     = first_q;
    assign seg_last      = last_q;
    assign seg_sop       = sop_q;
    assign seg_status    = status_q;
    assign seg_next      = index_q + 16'd1;
    assign stat_tx_descs = fire;

    // What only the data engine and the completion use.
    wire unused = &{1'b0, sop};

    wire awake = rst || desc_valid || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (desc_ready) valid_q <= desc_valid;
            if (fire) begin
                inside_q <= !desc_last;
                total_q  <= total;
                segs_q   <= segs + 6'd1;
                queue_q  <= desc_queue;
                addr_q   <= desc_data[`HNIC_TXD_ADDR_LSB +: `HNIC_TXD_ADDR_W];
                len_q    <= desc_fault ? 17'd0 : len[16:0];
                index_q  <= desc_index;
                first_q  <= !inside_q;
                last_q   <= desc_last;
                status_q <= status_d;
                if (!inside_q) sop_q <= desc_error ? {DESC_W{1'b0}} : desc_data;
            end
            if (rst) begin
                inside_q <= 1'b0;
                valid_q  <= 1'b0;
            end
        end
    end
endmodule

`resetall
