// hnic_irq: one-shot interrupt of one queue.
//
// Why: the driver arms with the completion index it has consumed up to; a completion that came between its last look and
// the arming fires at once, so none is missed, and firing disarms, so none comes twice.
// Latency: `irq` is a pulse one cycle after the condition.
//
// Test: tests/hdl/test_hnic_irq.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_irq (
    input  wire        clk,
    input  wire        rst,
    input  wire        enable,       // low disarms
    input  wire        arm,          // pulse
    input  wire [15:0] arm_index,
    input  wire [15:0] cpl_head,     // completions that are in memory
    output wire        irq,
    output wire        status_busy   // a pulse is out or about to be
);
    reg        armed_q;
    reg [15:0] index_q;
    reg        irq_q;

    wire fire = armed_q && enable && cpl_head != index_q;

    assign irq         = irq_q;
    assign status_busy = fire || irq_q;

    always @(posedge clk) begin
        irq_q <= fire;
        if (fire || !enable) armed_q <= 1'b0;
        if (arm && enable) begin
            armed_q <= 1'b1;
            index_q <= arm_index;
        end
        if (rst) begin
            armed_q <= 1'b0;
            irq_q   <= 1'b0;
        end
    end
endmodule

`resetall
