// hnic_irq: one-shot interrupt of one queue, with coalescing and moderation.
//
// Why: the driver arms with the completion index it has consumed up to; a completion that came between its last look and
// the arming fires at once, so none is missed, and firing disarms, so none comes twice.
// Coalescing: an armed interrupt waits for `cfg_count` completions or for `cfg_time` since the first of them (or since the
// arming, if that was later); with a count below 2 or a time of 0 it does not wait. A queue in error does not wait either.
// Moderation: two interrupts of the queue are at least `cfg_interval` apart. Times are in ticks.
// Latency: `irq` is a pulse one cycle after the condition.
//
// Test: tests/hdl/test_hnic_irq.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_irq (
    input  wire        clk,
    input  wire        rst,
    input  wire        tick,          // pulse: the unit of time
    input  wire        enable,        // low disarms
    input  wire [7:0]  cfg_count,
    input  wire [15:0] cfg_time,
    input  wire [15:0] cfg_interval,
    input  wire        arm,           // pulse
    input  wire [15:0] arm_index,
    input  wire [15:0] cpl_head,      // completions that are in memory
    input  wire        error,         // the queue has stopped at a fault
    output wire        irq,
    output wire        status_busy    // a pulse is out or about to be, or a time runs
);
    reg        armed_q;
    reg [15:0] index_q;
    reg [15:0] age_q;    // ticks since something is pending
    reg [15:0] pause_q;  // ticks until the next interrupt may come
    reg        irq_q;

    wire [15:0] count = cpl_head - index_q;
    wire        pending = armed_q && enable && (count != 16'd0 || error);
    wire        coalesce = cfg_count > 8'd1 && cfg_time != 16'd0 && !error;
    wire        due = !coalesce || count >= {8'd0, cfg_count} || age_q >= cfg_time;
    wire        fire = pending && due && pause_q == 16'd0;

    assign irq         = irq_q;
    assign status_busy = pending || irq_q || pause_q != 16'd0;

    wire awake = rst || status_busy || arm || (armed_q && !enable) || age_q != 16'd0;  // else nothing changes

    always @(posedge clk) begin
        if (awake) begin
            irq_q <= fire;
            if (fire || !enable) armed_q <= 1'b0;
            if (arm && enable) begin
                armed_q <= 1'b1;
                index_q <= arm_index;
            end
            if (!pending) age_q <= 16'd0;
            else if (tick && age_q != 16'hFFFF) age_q <= age_q + 16'd1;
            if (fire) pause_q <= cfg_interval;
            else if (tick && pause_q != 16'd0) pause_q <= pause_q - 16'd1;
            if (rst) begin
                armed_q <= 1'b0;
                age_q   <= 16'd0;
                pause_q <= 16'd0;
                irq_q   <= 1'b0;
            end
        end
    end
endmodule

`resetall
