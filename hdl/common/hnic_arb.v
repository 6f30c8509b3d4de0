// hnic_arb: round-robin arbiter.
//
// Why: engines share one AXI channel, and later queues share one engine; nobody may starve.
// Latency: combinational grant. The turn moves on when `advance` is high.
//
// | parameter | legal | meaning    |
// |-----------|-------|------------|
// | N         | >= 2  | requesters |
//
// Test: tests/hdl/test_hnic_arb.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_arb #(
    parameter N = 2
) (
    input  wire         clk,
    input  wire         rst,
    input  wire [N-1:0] request,
    input  wire         advance,  // the granted request was served
    output wire [N-1:0] grant     // one-hot, 0 without a request
);
    generate
        if (N < 2) begin : gen_error_hnic_arb_n
            ERROR_hnic_arb_n u_stop ();
        end
    endgenerate

    reg  [N-1:0]   turn_q;  // one-hot: who is asked first
    wire [2*N-1:0] twice = {request, request};
    wire [2*N-1:0] picked = twice & ~(twice - {{N{1'b0}}, turn_q});

    assign grant = picked[2*N-1:N] | picked[N-1:0];

    always @(posedge clk) begin
        if (rst) begin
            turn_q <= {{N - 1{1'b0}}, 1'b1};
        end else if (|request) begin
            if (advance) turn_q <= {grant[N-2:0], grant[N-1]};
`ifdef HNIC_CHECKS
            if ((grant & ~request) != 0 || (grant & (grant - 1'b1)) != 0 || !(|grant)) begin
                $display("CHECK %m: grant is not one of the requests");
                $finish;
            end
`endif
        end
    end
endmodule

`resetall
