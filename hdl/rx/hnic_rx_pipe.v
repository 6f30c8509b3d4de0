// hnic_rx_pipe: from the words of the MAC to judged packets.
//
// Why: all that can be said of a frame is said while it goes by: is it wanted (hnic_rx_filter), what is it (hnic_rx_l3, hnic_rx_parse),
// are its sums right (hnic_rx_csum), which queue (hnic_rss). The frame itself, its VLAN tag taken out (hnic_rx_vlan_strip), waits in
// the packet store; its record follows the verdict. The two ways meet in a FIFO of stored frames.
// `pkt_cpl` is the RX completion with BUF_ID, BUFS, HEAD, STATUS and PHASE left 0. CSUM is not inverted, bits 15:8 are the first byte.
// Only good, wanted, whole frames come out. Settings count from a frame's first words on,
// those of RSS at its end.
// Throughput: one word a cycle in, whatever the frames' lengths and gaps; one word a cycle out.
// Latency: 9 cycles from the last word to `pkt_valid`, 10 to the first word out.
//
// | parameter | legal                    | meaning                      |
// |-----------|--------------------------|------------------------------|
// | DATA_W    | 64, 128, 256, 512        | width of words out           |
// | QUEUES    | 1..32                    | receive queues               |
// | BYTES     | power of two >= 1024     | size of the packet store     |
//
// Test: tests/hdl/test_hnic_rx_pipe.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_rx_pipe #(
    parameter DATA_W = 128,
    parameter QUEUES = 8,
    parameter BYTES = 32768,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1,  // derived, do not set
    parameter COUNT_W = $clog2(DATA_W / 8) + 1            // derived, do not set
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   in_valid,
    input  wire [63:0]            in_data,
    input  wire [3:0]             in_count,       // 1..8, 8 but in the last word
    input  wire                   in_last,
    input  wire                   in_good,        // with in_last
    input  wire [63:0]            in_time,        // of the frame's start, with in_last
    input  wire [31:0]            in_cookie,      // with in_last
    input  wire                   cfg_enable,     // card and receive are on
    input  wire [47:0]            cfg_mac,        // octet 0 in bits 7:0
    input  wire                   cfg_promisc,
    input  wire                   cfg_allmulti,
    input  wire                   cfg_broadcast,
    input  wire [63:0]            cfg_mc_hash,
    input  wire                   cfg_vlan_strip,
    input  wire                   cfg_rss,
    input  wire [319:0]           cfg_rss_key,    // byte 0 in bits 7:0
    input  wire [128*QUEUE_W-1:0] cfg_rss_table,
    output wire                   pkt_valid,
    input  wire                   pkt_ready,
    output wire [QUEUE_W-1:0]     pkt_queue,
    output wire [8*`HNIC_RXC_BYTES-1:0] pkt_cpl,
    output wire                   out_valid,
    input  wire                   out_ready,
    output wire [DATA_W-1:0]      out_data,
    output wire [COUNT_W-1:0]     out_count,
    output wire                   out_last,
    output wire                   status_idle,    // no frame in here
    output wire                   stat_rx_frames,
    output wire [15:0]            stat_rx_bytes,  // with stat_rx_frames; as on the wire, without FCS
    output wire                   stat_rx_filtered,
    output wire                   stat_rx_overflow,
    output wire                   stat_rx_len_errs,
    output wire                   stat_rx_csum_errs
);
    localparam TIME_W = `HNIC_RXC_TIMESTAMP_W;
    localparam COOKIE_W = `HNIC_RXC_COOKIE_W;
    localparam KEY_W = TIME_W + COOKIE_W;                                 // what the MAC says of a frame
    localparam FRAME_W = KEY_W + 16 + 1 + 16;                             // and length, tag
    localparam REC_W = QUEUE_W + KEY_W + 16 + 1 + 16 + 32 + 3 + 1 + 1;    // and tag, sum, hash, verdicts

    generate
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_rx_pipe_queues
            ERROR_hnic_rx_pipe_queues u_stop ();
        end
    endgenerate

    // ---- filter ----
    wire              f_valid, f_last, f_keep;
    wire [63:0]       f_data;
    wire [3:0]        f_count;
    wire [15:0]       f_len;
    wire [KEY_W-1:0]  f_key;

    hnic_rx_filter #(.USER_W(KEY_W)) u_filter (
        .clk(clk), .rst(rst),
        .in_valid(in_valid), .in_data(in_data), .in_count(in_count), .in_last(in_last), .in_good(in_good),
        .in_user({in_time, in_cookie}),
        .cfg_enable(cfg_enable), .cfg_mac(cfg_mac), .cfg_promisc(cfg_promisc), .cfg_allmulti(cfg_allmulti),
        .cfg_broadcast(cfg_broadcast), .cfg_mc_hash(cfg_mc_hash),
        .out_valid(f_valid), .out_data(f_data), .out_count(f_count), .out_last(f_last),
        .out_keep(f_keep), .out_len(f_len), .out_user(f_key),
        .stat_rx_filtered(stat_rx_filtered), .stat_rx_len_errs(stat_rx_len_errs)
    );

    // ---- one way: the frame into the store ----
    wire              s_valid, s_last, s_keep, s_vlan;
    wire [63:0]       s_data;
    wire [3:0]        s_count;
    wire [15:0]       s_len, s_tci;
    wire [KEY_W-1:0]  s_key;

    hnic_rx_vlan_strip #(.USER_W(KEY_W)) u_strip (
        .clk(clk), .rst(rst), .cfg_vlan_strip(cfg_vlan_strip),
        .in_valid(f_valid), .in_data(f_data), .in_count(f_count), .in_last(f_last),
        .in_keep(f_keep), .in_len(f_len), .in_user(f_key),
        .out_valid(s_valid), .out_data(s_data), .out_count(s_count), .out_last(s_last),
        .out_keep(s_keep), .out_len(s_len), .out_vlan(s_vlan), .out_tci(s_tci), .out_user(s_key)
    );

    wire                end_valid, end_keep, store_empty;
    wire [FRAME_W-1:0]  end_frame;
    wire                rec_valid;
    wire [15:0]         rec_len;
    wire [REC_W-1:0]    rec_data, pkt_data;
    wire [15:0]         pkt_len;

    hnic_rx_store #(.DATA_W(DATA_W), .BYTES(BYTES), .REC_W(REC_W), .USER_W(FRAME_W)) u_store (
        .clk(clk), .rst(rst),
        .in_valid(s_valid), .in_data(s_data), .in_last(s_last), .in_keep(s_keep), .in_user({s_key, s_len, s_vlan, s_tci}),
        .end_valid(end_valid), .end_keep(end_keep), .end_user(end_frame),
        .rec_valid(rec_valid), .rec_len(rec_len), .rec_data(rec_data),
        .pkt_valid(pkt_valid), .pkt_ready(pkt_ready), .pkt_len(pkt_len), .pkt_data(pkt_data),
        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data), .out_count(out_count), .out_last(out_last),
        .status_empty(store_empty), .stat_rx_overflow(stat_rx_overflow)
    );

    // ---- the other way: what is to be said of it ----
    wire              l_valid, l_first, l_last;
    wire [63:0]       l_data;
    wire [3:0]        l_count;
    wire [15:0]       l_type;
    wire [16:0]       l_front;

    hnic_rx_l3 u_l3 (
        .clk(clk), .rst(rst), .cfg_vlan_strip(cfg_vlan_strip),
        .in_valid(f_valid), .in_data(f_data), .in_count(f_count), .in_last(f_last),
        .out_valid(l_valid), .out_data(l_data), .out_count(l_count), .out_first(l_first), .out_last(l_last),
        .out_type(l_type), .out_front(l_front)
    );

    wire              p_valid, p_last;
    wire [63:0]       p_data;
    wire [7:0]        p_raw, p_l4;
    wire [1:0]        p_ip;
    wire              v_valid, v_v4, v_v6, v_l4, v_judge;
    wire [16:0]       v_pseudo, v_front;
    wire              hash_valid, hash_ports;
    wire [2:0]        hash_step;
    wire [63:0]       hash_data;

    hnic_rx_parse u_parse (
        .clk(clk), .rst(rst),
        .in_valid(l_valid), .in_data(l_data), .in_count(l_count), .in_first(l_first), .in_last(l_last),
        .in_type(l_type), .in_front(l_front),
        .out_valid(p_valid), .out_data(p_data), .out_last(p_last), .out_raw(p_raw), .out_ip(p_ip), .out_l4(p_l4),
        .end_valid(v_valid), .end_v4(v_v4), .end_v6(v_v6), .end_l4(v_l4), .end_judge(v_judge),
        .end_pseudo(v_pseudo), .end_front(v_front),
        .hash_valid(hash_valid), .hash_ports(hash_ports), .hash_step(hash_step), .hash_data(hash_data)
    );

    wire              c_valid, c_ip_ok, c_l4_ok, c_v4, c_judge;
    wire [15:0]       c_raw;

    hnic_rx_csum #(.USER_W(2)) u_csum (
        .clk(clk), .rst(rst),
        .in_valid(p_valid), .in_data(p_data), .in_last(p_last), .in_raw(p_raw), .in_ip(p_ip), .in_l4(p_l4),
        .end_front(v_front), .end_pseudo(v_pseudo), .end_user({v_v4, v_judge}),
        .out_valid(c_valid), .out_raw(c_raw), .out_ip_ok(c_ip_ok), .out_l4_ok(c_l4_ok), .out_user({c_v4, c_judge})
    );

    wire               h_valid;
    wire [31:0]        h_hash;
    wire [2:0]         h_type;
    wire [QUEUE_W-1:0] h_queue;

    hnic_rss #(.QUEUES(QUEUES)) u_rss (
        .clk(clk), .rst(rst),
        .cfg_rss(cfg_rss), .cfg_rss_key(cfg_rss_key), .cfg_rss_table(cfg_rss_table),
        .in_valid(hash_valid), .in_ports(hash_ports), .in_step(hash_step), .in_data(hash_data),
        .end_valid(v_valid), .end_v4(v_v4), .end_v6(v_v6), .end_l4(v_l4),
        .out_valid(h_valid), .out_hash(h_hash), .out_type(h_type), .out_queue(h_queue)
    );

    // ---- both together ----
    // Between a frame's end in the store and its verdict others may end, as many as there are cycles when they have one word each.
    wire              m_valid, m_keep, m_ready, m_vlan;
    wire [KEY_W-1:0]  m_key;
    wire [15:0]       m_len, m_tci;

    hnic_fifo #(.WIDTH(1 + FRAME_W), .DEPTH(8)) u_frames (
        .clk(clk), .rst(rst),
        .wr_valid(end_valid), .wr_ready(m_ready), .wr_data({end_keep, end_frame}),
        .rd_valid(m_valid), .rd_ready(c_valid), .rd_data({m_keep, m_key, m_len, m_vlan, m_tci}),
        .level()
    );

    assign rec_valid         = c_valid && m_keep;
    assign rec_len           = m_len;
    assign rec_data          = {h_queue, m_key, c_raw, m_vlan, m_tci, h_hash, h_type, c_v4 && c_ip_ok, c_judge && c_l4_ok};
    assign stat_rx_frames    = rec_valid;
    assign stat_rx_bytes     = m_len + (m_vlan ? 16'd4 : 16'd0);
    assign stat_rx_csum_errs = rec_valid && c_judge && !c_l4_ok;

    // ---- the completion, as far as it is known ----
    wire [TIME_W-1:0]   q_time;
    wire [COOKIE_W-1:0] q_cookie;
    wire [15:0]         q_csum, q_tci;
    wire [31:0]         q_hash;
    wire [2:0]          q_type;
    wire                q_vlan, q_ip_ok, q_csum_ok;
    reg  [8*`HNIC_RXC_BYTES-1:0] cpl;

    assign {pkt_queue, q_time, q_cookie, q_csum, q_vlan, q_tci, q_hash, q_type, q_ip_ok, q_csum_ok} = pkt_data;
    assign pkt_cpl = cpl;

    always @* begin
        cpl = {8*`HNIC_RXC_BYTES{1'b0}};
        cpl[`HNIC_RXC_COOKIE_LSB +: `HNIC_RXC_COOKIE_W] = q_cookie;
        cpl[`HNIC_RXC_TIMESTAMP_LSB +: `HNIC_RXC_TIMESTAMP_W] = q_time;
        cpl[`HNIC_RXC_LEN_LSB +: `HNIC_RXC_LEN_W] = pkt_len;
        cpl[`HNIC_RXC_CSUM_LSB +: `HNIC_RXC_CSUM_W] = q_csum;
        cpl[`HNIC_RXC_HASH_LSB +: `HNIC_RXC_HASH_W] = q_hash;
        cpl[`HNIC_RXC_VLAN_TCI_LSB +: `HNIC_RXC_VLAN_TCI_W] = q_tci;
        cpl[`HNIC_RXC_HASH_TYPE_LSB +: `HNIC_RXC_HASH_TYPE_W] = q_type;
        cpl[`HNIC_RXC_VLAN_LSB +: `HNIC_RXC_VLAN_W] = q_vlan;
        cpl[`HNIC_RXC_IP_OK_LSB +: `HNIC_RXC_IP_OK_W] = q_ip_ok;
        cpl[`HNIC_RXC_CSUM_OK_LSB +: `HNIC_RXC_CSUM_OK_W] = q_csum_ok;
    end

    // ---- idle ----
    reg       open_q;    // within a frame
    reg [3:0] inside_q;  // frames that have ended and are not judged

    assign status_idle = !open_q && inside_q == 4'd0 && store_empty;

    wire awake = rst || in_valid || c_valid;

    always @(posedge clk) begin
        if (awake) begin
            if (in_valid) open_q <= !in_last;
            inside_q <= inside_q + {3'd0, in_valid && in_last} - {3'd0, c_valid};
            if (rst) begin
                open_q   <= 1'b0;
                inside_q <= 4'd0;
            end
        end
    end

    wire unused = &{1'b0, s_count, h_valid, m_valid, m_ready};

`ifdef HNIC_CHECKS
    wire look = (c_valid || h_valid || end_valid) && !rst;
    always @(posedge clk) begin
        if (look) begin
            if ((c_valid !== h_valid || (c_valid && !m_valid) || (end_valid && !m_ready))) begin
                $display("CHECK %m: verdicts and stored frames are out of step");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
