// hnic_skid: register slice for a valid/ready channel.
//
// Why: AXI outputs must come from flip-flops and must not form a combinational way from ready to valid or back.
// Throughput: one word a cycle. Latency: one cycle. Both directions are registered.
//
// | parameter | legal | meaning     |
// |-----------|-------|-------------|
// | WIDTH     | >= 1  | bits a word |
//
// Test: tests/hdl/test_hnic_skid.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_skid #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in_data,
    output wire             out_valid,
    input  wire             out_ready,
    output wire [WIDTH-1:0] out_data
);
    reg             out_valid_q;
    reg [WIDTH-1:0] out_data_q;
    reg             hold_valid_q;  // a word that came while the output was stalled
    reg [WIDTH-1:0] hold_data_q;

    assign in_ready  = !hold_valid_q;
    assign out_valid = out_valid_q;
    assign out_data  = out_data_q;

    wire awake = rst || in_valid || out_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (!out_valid_q || out_ready) begin
                out_valid_q  <= hold_valid_q || in_valid;
                hold_valid_q <= 1'b0;
                if (hold_valid_q || in_valid) out_data_q <= hold_valid_q ? hold_data_q : in_data;
            end else if (in_valid && in_ready) begin
                hold_valid_q <= 1'b1;
                hold_data_q  <= in_data;
            end
            if (rst) begin
                out_valid_q  <= 1'b0;
                hold_valid_q <= 1'b0;
            end
        end
    end

`ifdef HNIC_CHECKS
    reg             stalled_q;
    reg [WIDTH-1:0] last_q;
    wire look = out_valid || stalled_q;
    always @(posedge clk) begin
        if (look) begin
            if (!rst && stalled_q === 1'b1 && (!out_valid || out_data !== last_q)) begin
                $display("CHECK %m: payload moved while stalled");
                $finish;
            end
            stalled_q <= out_valid && !out_ready && !rst;
            if (!out_ready) last_q <= out_data;
        end
    end
`endif
endmodule

`resetall
