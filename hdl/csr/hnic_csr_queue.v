// hnic_csr_queue: the register block of one queue.
//
// Why: the blocks are alike for each queue, at a stride, so that queues are added by instances.
// Sizes outside 64..4096 entries become the nearest legal one, and read so. A queue reset clears ENABLE and RESET and leaves
// the settings. With TX 0 the registers of rate and priority read 0.
// Latency: a write acts in the next cycle; `rd_data` answers one cycle after `rd_en`, 0 for foreign addresses.
//
// | parameter | legal                      | meaning                      |
// |-----------|----------------------------|------------------------------|
// | BASE      | multiple of the stride     | offset of this block         |
// | VECTOR    | 0..255                     | value of IRQ_VECTOR          |
// | TX        | 0, 1                       | 1: there is rate and priority|
//
// Test: tests/hdl/test_hnic_csr_queue.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_csr_queue #(
    parameter [15:0] BASE = `HNIC_TXQ_BASE,
    parameter [7:0]  VECTOR = 8'd0,
    parameter        TX = 1
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
    output wire        cfg_reset,      // until reset_done
    output wire [63:0] cfg_base,
    output wire [3:0]  cfg_size,
    output wire [63:0] cfg_cpl_base,
    output wire [3:0]  cfg_cpl_size,
    output wire [7:0]  cfg_count,      // coalescing
    output wire [15:0] cfg_time,
    output wire [15:0] cfg_interval,   // moderation
    output wire [23:0] cfg_rate,
    output wire [23:0] cfg_burst,
    output wire [2:0]  cfg_prio,
    output wire        doorbell,       // pulse with doorbell_tail
    output wire [15:0] doorbell_tail,
    output wire        arm,            // pulse with arm_index
    output wire [15:0] arm_index,
    input  wire        reset_done,
    input  wire        status_active,
    input  wire        status_error,
    input  wire [15:0] status_tail,
    input  wire [15:0] status_head,
    input  wire [15:0] status_cpl_head,
    input  wire [7:0]  error_status,
    input  wire [15:0] error_index,
    input  wire [31:0] status_drops
);
    localparam OFFSET_W = $clog2(`HNIC_TXQ_STRIDE);
    localparam [15:0] OFFSET_MASK = `HNIC_TXQ_STRIDE - 16'd1;
    localparam [31:0] RING_ALIGN = ~32'd63;  // rings are aligned to 64 bytes
    localparam [31:0] COALESCE_MASK = (((32'd1 << `HNIC_Q_COALESCE_COUNT_W) - 32'd1) << `HNIC_Q_COALESCE_COUNT_LSB)
                                    | (((32'd1 << `HNIC_Q_COALESCE_TIME_W) - 32'd1) << `HNIC_Q_COALESCE_TIME_LSB);
    localparam [3:0]  SIZE_MIN = 4'd6;
    localparam [3:0]  SIZE_MAX = 4'd12;

    generate
        if ((BASE & OFFSET_MASK) != 16'd0) begin : gen_error_hnic_csr_queue_base
            ERROR_hnic_csr_queue_base u_stop ();
        end
    endgenerate

    reg        enable_q;
    reg        reset_q;
    reg [63:0] base_q;
    reg [63:0] cpl_base_q;
    reg [3:0]  size_q;
    reg [3:0]  cpl_size_q;
    reg [15:0] arm_index_q;
    reg [31:0] coalesce_q;
    reg [15:0] interval_q;
    reg [31:0] rd_data_q;

    wire        wr_mine = wr_en && wr_addr[15:OFFSET_W] == BASE[15:OFFSET_W];
    wire        rd_mine = rd_addr[15:OFFSET_W] == BASE[15:OFFSET_W];
    wire [15:0] wr_offset = {{16 - OFFSET_W{1'b0}}, wr_addr[OFFSET_W-1:0]};
    wire [15:0] rd_offset = {{16 - OFFSET_W{1'b0}}, rd_addr[OFFSET_W-1:0]};

    assign cfg_enable    = enable_q;
    assign cfg_reset     = reset_q;
    assign cfg_base      = base_q;
    assign cfg_size      = size_q;
    assign cfg_cpl_base  = cpl_base_q;
    assign cfg_cpl_size  = cpl_size_q;
    assign cfg_count     = coalesce_q[`HNIC_Q_COALESCE_COUNT_LSB +: `HNIC_Q_COALESCE_COUNT_W];
    assign cfg_time      = coalesce_q[`HNIC_Q_COALESCE_TIME_LSB +: `HNIC_Q_COALESCE_TIME_W];
    assign cfg_interval  = interval_q;
    assign doorbell      = wr_mine && wr_offset == `HNIC_Q_DOORBELL;
    assign doorbell_tail = wr_data[`HNIC_Q_DOORBELL_TAIL_LSB +: `HNIC_Q_DOORBELL_TAIL_W];
    assign arm           = wr_mine && wr_offset == `HNIC_Q_IRQ_ARM;
    assign arm_index     = wr_data[`HNIC_Q_IRQ_ARM_INDEX_LSB +: `HNIC_Q_IRQ_ARM_INDEX_W];
    assign rd_data       = rd_data_q;

    function [3:0] legal_size;
        input [3:0] wanted;
        legal_size = wanted < SIZE_MIN ? SIZE_MIN : wanted > SIZE_MAX ? SIZE_MAX : wanted;
    endfunction

    // ---- rate and priority ----
    reg [23:0] rate_q;
    reg [23:0] burst_q;
    reg [2:0]  prio_q;
    assign cfg_rate  = TX != 0 ? rate_q : 24'd0;
    assign cfg_burst = TX != 0 ? burst_q : 24'd0;
    assign cfg_prio  = TX != 0 ? prio_q : 3'd0;

    function [31:0] word;
        input [15:0] offset;
        case (offset)
            `HNIC_Q_CTRL:        word = ({31'd0, enable_q} << `HNIC_Q_CTRL_ENABLE_LSB) | ({31'd0, reset_q} << `HNIC_Q_CTRL_RESET_LSB);
            `HNIC_Q_STATUS:      word = ({31'd0, status_active} << `HNIC_Q_STATUS_ACTIVE_LSB)
                                      | ({31'd0, status_error} << `HNIC_Q_STATUS_ERROR_LSB);
            `HNIC_Q_BASE_LO:     word = base_q[31:0];
            `HNIC_Q_BASE_HI:     word = base_q[63:32];
            `HNIC_Q_SIZE:        word = {28'd0, size_q};
            `HNIC_Q_CPL_BASE_LO: word = cpl_base_q[31:0];
            `HNIC_Q_CPL_BASE_HI: word = cpl_base_q[63:32];
            `HNIC_Q_CPL_SIZE:    word = {28'd0, cpl_size_q};
            `HNIC_Q_DOORBELL:    word = {16'd0, status_tail};
            `HNIC_Q_HEAD:        word = {16'd0, status_head};
            `HNIC_Q_IRQ_ARM:     word = {16'd0, arm_index_q};
            `HNIC_Q_CPL_HEAD:    word = {16'd0, status_cpl_head};
            `HNIC_Q_IRQ_VECTOR:  word = {24'd0, VECTOR};
            `HNIC_Q_ERROR:       word = ({24'd0, error_status} << `HNIC_Q_ERROR_STATUS_LSB)
                                      | ({16'd0, error_index} << `HNIC_Q_ERROR_INDEX_LSB);
            `HNIC_Q_COALESCE:    word = coalesce_q;
            `HNIC_Q_MODERATION:  word = {16'd0, interval_q};
            `HNIC_Q_RATE:        word = {8'd0, cfg_rate};
            `HNIC_Q_BURST:       word = {8'd0, cfg_burst};
            `HNIC_Q_PRIORITY:    word = {29'd0, cfg_prio};
            `HNIC_Q_DROPS:       word = status_drops;
            default:             word = 32'd0;
        endcase
    endfunction

    // One block and one question in front: the simulator asks it of every queue in every cycle.
    wire awake = rst || wr_mine || rd_en || (reset_q && reset_done);

    always @(posedge clk) begin
        if (awake) begin
            if (wr_mine) begin
                case (wr_offset)
                    `HNIC_Q_CTRL: begin
                        enable_q <= wr_data[`HNIC_Q_CTRL_ENABLE_LSB];
                        if (wr_data[`HNIC_Q_CTRL_RESET_LSB]) reset_q <= 1'b1;
                    end
                    `HNIC_Q_BASE_LO:     base_q[31:0] <= wr_data & RING_ALIGN;
                    `HNIC_Q_BASE_HI:     base_q[63:32] <= wr_data;
                    `HNIC_Q_SIZE:        size_q <= legal_size(wr_data[`HNIC_Q_SIZE_LOG2_LSB +: `HNIC_Q_SIZE_LOG2_W]);
                    `HNIC_Q_CPL_BASE_LO: cpl_base_q[31:0] <= wr_data & RING_ALIGN;
                    `HNIC_Q_CPL_BASE_HI: cpl_base_q[63:32] <= wr_data;
                    `HNIC_Q_CPL_SIZE:    cpl_size_q <= legal_size(wr_data[`HNIC_Q_CPL_SIZE_LOG2_LSB +: `HNIC_Q_CPL_SIZE_LOG2_W]);
                    `HNIC_Q_IRQ_ARM:     arm_index_q <= arm_index;
                    `HNIC_Q_COALESCE:    coalesce_q <= wr_data & COALESCE_MASK;
                    `HNIC_Q_MODERATION:  interval_q <= wr_data[`HNIC_Q_MODERATION_INTERVAL_LSB +: `HNIC_Q_MODERATION_INTERVAL_W];
                    `HNIC_Q_RATE:        rate_q <= wr_data[`HNIC_Q_RATE_VALUE_LSB +: `HNIC_Q_RATE_VALUE_W];
                    `HNIC_Q_BURST:       burst_q <= wr_data[`HNIC_Q_BURST_BYTES_LSB +: `HNIC_Q_BURST_BYTES_W];
                    `HNIC_Q_PRIORITY:    prio_q <= wr_data[`HNIC_Q_PRIORITY_CLASS_LSB +: `HNIC_Q_PRIORITY_CLASS_W];
                    default: ;
                endcase
            end
            if (rd_en) rd_data_q <= rd_mine ? word(rd_offset) : 32'd0;
            if (reset_q && reset_done) begin
                enable_q <= 1'b0;
                reset_q  <= 1'b0;
            end
            if (rst) begin
                enable_q    <= 1'b0;
                reset_q     <= 1'b0;
                base_q      <= 64'd0;
                cpl_base_q  <= 64'd0;
                size_q      <= `HNIC_Q_SIZE_LOG2_RST;
                cpl_size_q  <= `HNIC_Q_CPL_SIZE_LOG2_RST;
                arm_index_q <= 16'd0;
                coalesce_q  <= `HNIC_Q_COALESCE_RST;
                interval_q  <= `HNIC_Q_MODERATION_INTERVAL_RST;
                rate_q      <= `HNIC_Q_RATE_VALUE_RST;
                burst_q     <= `HNIC_Q_BURST_BYTES_RST;
                prio_q      <= `HNIC_Q_PRIORITY_CLASS_RST;
            end
        end
    end
endmodule

`resetall
