// pace_meter: the cycles between event `first` and event `last`, counted from 1, and what `beat` counted in between.
//
// `first_ps` is the time of event `first`. `over` rises in the cycle after event `last`, when all is settled; a write of `run` (inverted by Python) starts again.
`resetall
`timescale 1ps / 1ps
`default_nettype none

module pace_meter (
    input wire clk,
    input wire event_now,
    input wire beat
);
    reg [31:0] first = 32'd1;
    reg [31:0] last = 32'd2;
    reg        run = 1'b0;
    reg        run_q = 1'b0;
    reg [31:0] events = 32'd0;
    reg [31:0] cycles = 32'd0;
    reg [31:0] beats = 32'd0;
    reg [63:0] first_ps = 64'd0;
    reg        last_q = 1'b0;
    reg        over = 1'b0;

    wire counting = events >= first && events < last;

    always @(posedge clk) begin
        run_q <= run;
        if (event_now) events <= events + 32'd1;
        if (counting) cycles <= cycles + 32'd1;
        if (counting && beat) beats <= beats + 32'd1;
        if (event_now && events + 32'd1 == first) first_ps <= $time;
        if (event_now && events + 32'd1 == last) last_q <= 1'b1;
        if (last_q) over <= 1'b1;
        if (run != run_q) begin
            events <= 32'd0;
            cycles <= 32'd0;
            beats  <= 32'd0;
            last_q <= 1'b0;
            over   <= 1'b0;
        end
    end
endmodule

`resetall
