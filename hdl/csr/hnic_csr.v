// hnic_csr: the registers of the whole card (not of a queue, not RSS, not the counters), and the free-running cycle counter.
//
// Latency: a write acts in the next cycle; `rd_data` answers one cycle after `rd_en` and is 0 for foreign addresses.
// Writing CTRL.RESET raises `reset_request` until `reset_done`; that pulse also clears CTRL.ENABLE and
// the receive filters; the MAC address and the link settings stay.
//
// | parameter | legal     | meaning                        |
// |-----------|-----------|--------------------------------|
// | MAX_FRAME | 60..16000 | value of the MAX_FRAME register|
// | TX_QUEUES | 1..32     | value of QUEUES.TXQ            |
// | RX_QUEUES | 1..32     | value of QUEUES.RXQ            |
// | FEATURES  | 8 bits    | value of FEATURES              |
// | SPEED     | Mbit/s    | value of LINK_STATUS.SPEED     |
//
// Test: tests/hdl/test_hnic_csr.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_csr #(
    parameter MAX_FRAME = 9600,
    parameter TX_QUEUES = 8,
    parameter RX_QUEUES = 8,
    parameter [7:0] FEATURES = 8'hFF,
    parameter SPEED = 10000
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        wr_en,
    input  wire [15:0] wr_addr,
    input  wire [31:0] wr_data,
    input  wire        rd_en,
    input  wire [15:0] rd_addr,
    output wire [31:0] rd_data,
    output wire        cfg_enable,
    output wire [`HNIC_LINK_CFG_IFG_W-1:0] cfg_ifg,
    output wire        cfg_pause,
    output wire [47:0] cfg_mac,         // octet 0 in bits 7:0
    output wire        cfg_promisc,
    output wire        cfg_allmulti,
    output wire        cfg_broadcast,
    output wire        cfg_vlan_strip,
    output wire        cfg_rss,
    output wire [63:0] cfg_mc_hash,
    output wire        reset_request,
    input  wire        reset_done,
    input  wire        status_busy,
    input  wire        status_paused,
    input  wire [63:0] time_ns,
    output wire        tick             // pulse every 64 cycles: the unit of the queues' times
);
    localparam [7:0] IFG_MIN = 8'd12;
    localparam [7:0] IFG_MAX = 8'd252;
    localparam RX_CTRL_W = `HNIC_RX_CTRL_RSS_LSB + 1;
    localparam [31:0] RX_CTRL_MASK = (32'd1 << RX_CTRL_W) - 32'd1;

    reg        enable_q;
    reg        reset_q;
    reg [7:0]  ifg_q;
    reg [31:0] mac_lo_q;
    reg [`HNIC_MAC_HI_OCTETS_W-1:0] mac_hi_q;
    reg [31:0] scratch_q;
    reg        pause_q;
    reg [31:0] rx_ctrl_q;
    reg [63:0] mc_hash_q;
    reg [63:0] cycle_q;
    reg [31:0] cycle_hi_q;
    reg [31:0] time_hi_q;
    reg [31:0] rd_data_q;

    assign cfg_enable     = enable_q;
    assign cfg_ifg        = ifg_q;
    assign reset_request  = reset_q;
    assign cfg_pause      = pause_q;
    assign cfg_mac        = {mac_hi_q, mac_lo_q};
    assign cfg_promisc    = rx_ctrl_q[`HNIC_RX_CTRL_PROMISC_LSB];
    assign cfg_allmulti   = rx_ctrl_q[`HNIC_RX_CTRL_ALLMULTI_LSB];
    assign cfg_broadcast  = rx_ctrl_q[`HNIC_RX_CTRL_BROADCAST_LSB];
    assign cfg_vlan_strip = rx_ctrl_q[`HNIC_RX_CTRL_VLAN_STRIP_LSB];
    assign cfg_rss        = rx_ctrl_q[`HNIC_RX_CTRL_RSS_LSB];
    assign cfg_mc_hash    = mc_hash_q;
    assign tick           = &cycle_q[5:0];
    assign rd_data        = rd_data_q;

    function [7:0] legal_ifg;
        input [7:0] wanted;
        legal_ifg = wanted < IFG_MIN ? IFG_MIN : wanted > IFG_MAX ? IFG_MAX : wanted;
    endfunction

    wire awake = rst || wr_en || reset_done;

    always @(posedge clk) begin
        if (awake) begin
            if (wr_en) begin
                case (wr_addr)
                    `HNIC_CTRL: begin
                        enable_q <= wr_data[`HNIC_CTRL_ENABLE_LSB];
                        if (wr_data[`HNIC_CTRL_RESET_LSB]) reset_q <= 1'b1;
                    end
                    `HNIC_LINK_CFG: begin
                        ifg_q   <= legal_ifg(wr_data[`HNIC_LINK_CFG_IFG_LSB +: `HNIC_LINK_CFG_IFG_W]);
                        pause_q <= wr_data[`HNIC_LINK_CFG_PAUSE_LSB];
                    end
                    `HNIC_MAC_LO:     mac_lo_q <= wr_data;
                    `HNIC_MAC_HI:     mac_hi_q <= wr_data[`HNIC_MAC_HI_OCTETS_LSB +: `HNIC_MAC_HI_OCTETS_W];
                    `HNIC_SCRATCH:    scratch_q <= wr_data;
                    `HNIC_RX_CTRL:    rx_ctrl_q <= wr_data & RX_CTRL_MASK;
                    `HNIC_MC_HASH_LO: mc_hash_q[31:0] <= wr_data;
                    `HNIC_MC_HASH_HI: mc_hash_q[63:32] <= wr_data;
                    default: ;
                endcase
            end
            if (reset_done) begin
                reset_q   <= 1'b0;
                enable_q  <= 1'b0;
                rx_ctrl_q <= `HNIC_RX_CTRL_RST;
                mc_hash_q <= 64'd0;
            end
            if (rst) begin
                enable_q  <= 1'b0;
                reset_q   <= 1'b0;
                ifg_q     <= `HNIC_LINK_CFG_IFG_RST;
                mac_lo_q  <= `HNIC_MAC_LO_OCTETS_RST;
                mac_hi_q  <= `HNIC_MAC_HI_OCTETS_RST;
                scratch_q <= `HNIC_SCRATCH_VALUE_RST;
                pause_q   <= `HNIC_LINK_CFG_PAUSE_RST;
                rx_ctrl_q <= `HNIC_RX_CTRL_RST;
                mc_hash_q <= 64'd0;
            end
        end
    end

    always @(posedge clk) begin
        cycle_q <= cycle_q + 1'b1;
        if (rd_en) begin
            if (rd_addr == `HNIC_CYCLE_LO) cycle_hi_q <= cycle_q[63:32];
            if (rd_addr == `HNIC_TIME_LO) time_hi_q <= time_ns[63:32];
        end
        if (rst) begin
            cycle_q    <= 64'd0;
            cycle_hi_q <= 32'd0;
            time_hi_q  <= 32'd0;
        end
    end

    always @(posedge clk) begin
        if (rd_en) begin
            case (rd_addr)
                `HNIC_ID:          rd_data_q <= `HNIC_ID_RST;
                `HNIC_VERSION:     rd_data_q <= `HNIC_VERSION_RST;
                `HNIC_FEATURES:    rd_data_q <= {24'd0, FEATURES};
                `HNIC_QUEUES:      rd_data_q <= (TX_QUEUES << `HNIC_QUEUES_TXQ_LSB) | (RX_QUEUES << `HNIC_QUEUES_RXQ_LSB);
                `HNIC_CTRL:        rd_data_q <= ({31'd0, enable_q} << `HNIC_CTRL_ENABLE_LSB)
                                              | ({31'd0, reset_q} << `HNIC_CTRL_RESET_LSB);
                `HNIC_STATUS:      rd_data_q <= {31'd0, status_busy} << `HNIC_STATUS_BUSY_LSB;
                `HNIC_LINK_CFG:    rd_data_q <= ({24'd0, ifg_q} << `HNIC_LINK_CFG_IFG_LSB)
                                              | ({31'd0, pause_q} << `HNIC_LINK_CFG_PAUSE_LSB);
                `HNIC_LINK_STATUS: rd_data_q <= ({31'd0, 1'b1} << `HNIC_LINK_STATUS_UP_LSB)
                                              | ({31'd0, status_paused} << `HNIC_LINK_STATUS_PAUSED_LSB)
                                              | (SPEED << `HNIC_LINK_STATUS_SPEED_LSB);
                `HNIC_MAC_LO:      rd_data_q <= mac_lo_q;
                `HNIC_MAC_HI:      rd_data_q <= {16'd0, mac_hi_q};
                `HNIC_MAX_FRAME:   rd_data_q <= MAX_FRAME[31:0];
                `HNIC_SCRATCH:     rd_data_q <= scratch_q;
                `HNIC_CYCLE_LO:    rd_data_q <= cycle_q[31:0];
                `HNIC_CYCLE_HI:    rd_data_q <= cycle_hi_q;
                `HNIC_RX_CTRL:     rd_data_q <= rx_ctrl_q;
                `HNIC_MC_HASH_LO:  rd_data_q <= mc_hash_q[31:0];
                `HNIC_MC_HASH_HI:  rd_data_q <= mc_hash_q[63:32];
                `HNIC_MAX_SEGS:    rd_data_q <= `HNIC_MAX_SEGS_RST;
                `HNIC_TIME_LO:     rd_data_q <= time_ns[31:0];
                `HNIC_TIME_HI:     rd_data_q <= time_hi_q;
                default:           rd_data_q <= 32'd0;
            endcase
        end
    end
endmodule

`resetall
