// hnic_mac: one of the two MACs with what both need: words made narrow, pause frames obeyed. Wiring only.
//
// Throughput: line rate, 10 Gbit/s with XGMII at 156.25 MHz, 1 Gbit/s with GMII at 125 MHz. Latency: that of the MAC and, with
// a DATA_W above 64, the cycle of hnic_narrow. The pins of the other MAC are idle and ignored.
//
// | parameter | legal             | meaning                       |
// |-----------|-------------------|-------------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words to send        |
// | GMII      | 0, 1              | 1: GMII, 0: XGMII             |
// | MAX_FRAME | 60..16000         | longest frame without FCS     |
//
// Test: tests/hdl/test_hnic_mac.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_mac #(
    parameter DATA_W = 128,
    parameter GMII = 0,
    parameter MAX_FRAME = 9600,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire [63:0]        time_ns,
    input  wire [7:0]         cfg_ifg,
    input  wire               cfg_pause,
    input  wire [47:0]        cfg_mac,
    input  wire               tx_valid,
    output wire               tx_ready,
    input  wire [DATA_W-1:0]  tx_data,
    input  wire [COUNT_W-1:0] tx_count,
    input  wire               tx_last,
    input  wire [31:0]        tx_cookie,
    input  wire               tx_end,         // the last frame of its packet
    output wire               sent,
    output wire               sent_end,
    output wire [63:0]        sent_time,
    output wire [15:0]        sent_bytes,
    output wire               rx_valid,
    output wire [63:0]        rx_data,
    output wire [3:0]         rx_count,
    output wire               rx_last,
    output wire               rx_good,
    output wire [63:0]        rx_time,
    output wire [31:0]        rx_cookie,
    output wire               stat_rx_fcs_errs,
    output wire               stat_rx_len_errs,
    output wire               stat_rx_pauses,
    output wire               status_paused,
    output wire               status_tx_busy,
    output wire               status_rx_busy,
    output wire [63:0]        xgmii_txd,
    output wire [7:0]         xgmii_txc,
    input  wire [63:0]        xgmii_rxd,
    input  wire [7:0]         xgmii_rxc,
    output wire [7:0]         gmii_txd,
    output wire               gmii_tx_en,
    output wire               gmii_tx_er,
    input  wire [7:0]         gmii_rxd,
    input  wire               gmii_rx_dv,
    input  wire               gmii_rx_er,
    output wire               m_wire_cookie_valid,
    output wire [31:0]        m_wire_cookie,
    input  wire [31:0]        s_wire_cookie
);
    localparam USER_W = 33;
    localparam [63:0] XGMII_IDLE = {8{8'h07}};

    wire              narrow_valid, narrow_ready, narrow_last;
    wire [63:0]       narrow_data;
    wire [3:0]        narrow_count;
    wire [USER_W-1:0] narrow_user, wire_user;
    wire              hold, mac_tx_busy;

    assign sent_end       = wire_user[32];
    assign m_wire_cookie  = wire_user[31:0];
    assign status_paused  = hold;
    assign status_tx_busy = mac_tx_busy || narrow_valid;

    hnic_narrow #(.DATA_W(DATA_W), .USER_W(USER_W)) u_narrow (
        .clk(clk), .rst(rst),
        .in_valid(tx_valid), .in_ready(tx_ready), .in_data(tx_data), .in_count(tx_count), .in_last(tx_last),
        .in_user({tx_end, tx_cookie}),
        .out_valid(narrow_valid), .out_ready(narrow_ready), .out_data(narrow_data), .out_count(narrow_count),
        .out_last(narrow_last), .out_user(narrow_user)
    );

    hnic_pause #(.BITS_A_CYCLE(GMII != 0 ? 8 : 64)) u_pause (
        .clk(clk), .rst(rst), .cfg_pause(cfg_pause), .cfg_mac(cfg_mac),
        .in_valid(rx_valid), .in_data(rx_data), .in_last(rx_last), .in_good(rx_good),
        .hold(hold), .stat_rx_pauses(stat_rx_pauses)
    );

    generate
        if (GMII != 0) begin : gen_gmii
            hnic_gmii_tx #(.USER_W(USER_W)) u_tx (
                .clk(clk), .rst(rst), .cfg_ifg(cfg_ifg), .hold(hold), .time_ns(time_ns),
                .in_valid(narrow_valid), .in_ready(narrow_ready), .in_data(narrow_data), .in_count(narrow_count),
                .in_last(narrow_last), .in_user(narrow_user),
                .gmii_txd(gmii_txd), .gmii_tx_en(gmii_tx_en), .gmii_tx_er(gmii_tx_er),
                .wire_valid(m_wire_cookie_valid), .wire_user(wire_user),
                .sent(sent), .sent_time(sent_time), .sent_bytes(sent_bytes), .status_busy(mac_tx_busy)
            );
            hnic_gmii_rx #(.MAX_FRAME(MAX_FRAME)) u_rx (
                .clk(clk), .rst(rst), .time_ns(time_ns), .s_wire_cookie(s_wire_cookie),
                .gmii_rxd(gmii_rxd), .gmii_rx_dv(gmii_rx_dv), .gmii_rx_er(gmii_rx_er),
                .out_valid(rx_valid), .out_data(rx_data), .out_count(rx_count), .out_last(rx_last), .out_good(rx_good),
                .out_time(rx_time), .out_cookie(rx_cookie), .status_busy(status_rx_busy),
                .stat_fcs_errs(stat_rx_fcs_errs), .stat_len_errs(stat_rx_len_errs)
            );
            assign xgmii_txd = XGMII_IDLE;
            assign xgmii_txc = 8'hFF;
            wire unused = &{1'b0, xgmii_rxd, xgmii_rxc};
        end else begin : gen_xgmii
            hnic_tx_mac #(.USER_W(USER_W)) u_tx (
                .clk(clk), .rst(rst), .cfg_ifg(cfg_ifg), .hold(hold), .time_ns(time_ns),
                .in_valid(narrow_valid), .in_ready(narrow_ready), .in_data(narrow_data), .in_count(narrow_count),
                .in_last(narrow_last), .in_user(narrow_user),
                .xgmii_txd(xgmii_txd), .xgmii_txc(xgmii_txc),
                .wire_valid(m_wire_cookie_valid), .wire_user(wire_user),
                .sent(sent), .sent_time(sent_time), .sent_bytes(sent_bytes), .status_busy(mac_tx_busy)
            );
            hnic_rx_mac #(.MAX_FRAME(MAX_FRAME)) u_rx (
                .clk(clk), .rst(rst), .time_ns(time_ns), .s_wire_cookie(s_wire_cookie),
                .xgmii_rxd(xgmii_rxd), .xgmii_rxc(xgmii_rxc),
                .out_valid(rx_valid), .out_data(rx_data), .out_count(rx_count), .out_last(rx_last), .out_good(rx_good),
                .out_time(rx_time), .out_cookie(rx_cookie), .status_busy(status_rx_busy),
                .stat_fcs_errs(stat_rx_fcs_errs), .stat_len_errs(stat_rx_len_errs)
            );
            assign gmii_txd   = 8'd0;
            assign gmii_tx_en = 1'b0;
            assign gmii_tx_er = 1'b0;
            wire unused = &{1'b0, gmii_rxd, gmii_rx_dv, gmii_rx_er};
        end
    endgenerate
endmodule

`resetall
