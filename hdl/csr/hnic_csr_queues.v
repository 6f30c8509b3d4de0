// hnic_csr_queues: the register blocks and interrupts of all queues of one direction.
//
// Why: the card is told of N queues; what is known of queue q is the q-th part of each vector.
//
// | parameter | legal                   | meaning                                    |
// |-----------|-------------------------|--------------------------------------------|
// | QUEUES    | 1..32                   | queues                                     |
// | BASE      | multiple of 32 strides  | offset of the block of queue 0             |
// | VECTOR    | 0, 1                    | vector of queue 0; queue q has VECTOR + 2*q|
// | TX        | 0, 1                    | 1: there is rate and priority              |
//
// Test: tests/hdl/test_hnic_csr_queues.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_csr_queues #(
    parameter QUEUES = 8,
    parameter [15:0] BASE = `HNIC_TXQ_BASE,
    parameter [7:0]  VECTOR = 8'd0,
    parameter TX = 1
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 tick,
    input  wire                 wr_en,
    input  wire [15:0]          wr_addr,
    input  wire [31:0]          wr_data,
    input  wire                 rd_en,
    input  wire [15:0]          rd_addr,
    output reg  [31:0]          rd_data,
    output wire [QUEUES-1:0]    cfg_enable,
    output wire [QUEUES-1:0]    cfg_reset,
    output wire [QUEUES*64-1:0] cfg_base,
    output wire [QUEUES*4-1:0]  cfg_size,
    output wire [QUEUES*64-1:0] cfg_cpl_base,
    output wire [QUEUES*4-1:0]  cfg_cpl_size,
    output wire [QUEUES*24-1:0] cfg_rate,
    output wire [QUEUES*24-1:0] cfg_burst,
    output wire [QUEUES*3-1:0]  cfg_prio,
    output wire [QUEUES-1:0]    doorbell,
    output wire [15:0]          doorbell_tail,  // for all
    input  wire [QUEUES-1:0]    reset_done,
    input  wire [QUEUES-1:0]    status_active,
    input  wire [QUEUES-1:0]    status_error,
    input  wire [QUEUES*16-1:0] status_tail,
    input  wire [QUEUES*16-1:0] status_head,
    input  wire [QUEUES*16-1:0] status_cpl_head,
    input  wire [QUEUES*8-1:0]  error_status,
    input  wire [QUEUES*16-1:0] error_index,
    input  wire [QUEUES*32-1:0] status_drops,
    output wire [QUEUES-1:0]    irq,
    output wire                 status_busy
);
    generate
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_csr_queues_queues
            ERROR_hnic_csr_queues_queues u_stop ();
        end
    endgenerate

    wire [QUEUES*32-1:0] words;
    wire [QUEUES-1:0]    busy;

    assign doorbell_tail = wr_data[`HNIC_Q_DOORBELL_TAIL_LSB +: `HNIC_Q_DOORBELL_TAIL_W];
    assign status_busy   = |busy;

    integer i;
    always @* begin
        rd_data = 32'd0;
        for (i = 0; i < QUEUES; i = i + 1)
            rd_data = rd_data | words[32*i +: 32];
    end

    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : gen_queue
            localparam [31:0] BLOCK = {16'd0, BASE} + q * `HNIC_TXQ_STRIDE;
            localparam [31:0] FIRES = {24'd0, VECTOR} + 2 * q;
            wire        arm;
            wire [15:0] arm_index, cfg_time, cfg_interval, tail;
            wire [7:0]  cfg_count;

            hnic_csr_queue #(
                .BASE(BLOCK[15:0]), .VECTOR(FIRES[7:0]), .TX(TX)
            ) u_csr (
                .clk(clk), .rst(rst),
                .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data),
                .rd_en(rd_en), .rd_addr(rd_addr), .rd_data(words[32*q +: 32]),
                .cfg_enable(cfg_enable[q]), .cfg_reset(cfg_reset[q]),
                .cfg_base(cfg_base[64*q +: 64]), .cfg_size(cfg_size[4*q +: 4]),
                .cfg_cpl_base(cfg_cpl_base[64*q +: 64]), .cfg_cpl_size(cfg_cpl_size[4*q +: 4]),
                .cfg_count(cfg_count), .cfg_time(cfg_time), .cfg_interval(cfg_interval),
                .cfg_rate(cfg_rate[24*q +: 24]), .cfg_burst(cfg_burst[24*q +: 24]), .cfg_prio(cfg_prio[3*q +: 3]),
                .doorbell(doorbell[q]), .doorbell_tail(tail), .arm(arm), .arm_index(arm_index),
                .reset_done(reset_done[q]), .status_active(status_active[q]), .status_error(status_error[q]),
                .status_tail(status_tail[16*q +: 16]), .status_head(status_head[16*q +: 16]),
                .status_cpl_head(status_cpl_head[16*q +: 16]),
                .error_status(error_status[8*q +: 8]), .error_index(error_index[16*q +: 16]),
                .status_drops(status_drops[32*q +: 32])
            );

            hnic_irq u_irq (
                .clk(clk), .rst(rst), .tick(tick), .enable(cfg_enable[q]),
                .cfg_count(cfg_count), .cfg_time(cfg_time), .cfg_interval(cfg_interval),
                .arm(arm), .arm_index(arm_index), .cpl_head(status_cpl_head[16*q +: 16]), .error(status_error[q]),
                .irq(irq[q]), .status_busy(busy[q])
            );

            wire unused = &{1'b0, tail};
        end
    endgenerate
endmodule

`resetall
