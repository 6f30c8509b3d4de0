// hnic_ram: simple dual-port RAM, one clock, registered read (block RAM).
//
// Throughput: one write and one read a cycle. Latency: read data one cycle after `rd_en`, kept until the next `rd_en`.
// Reading a word in the cycle that writes it gives the old contents.
//
// | parameter | legal | meaning           |
// |-----------|-------|-------------------|
// | WIDTH     | >= 1  | bits a word       |
// | ADDR_W    | >= 1  | bits of addresses |
//
// Test: tests/hdl/test_hnic_ram.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_ram #(
    parameter WIDTH = 64,
    parameter ADDR_W = 10
) (
    input  wire              clk,
    input  wire              wr_en,
    input  wire [ADDR_W-1:0] wr_addr,
    input  wire [WIDTH-1:0]  wr_data,
    input  wire              rd_en,
    input  wire [ADDR_W-1:0] rd_addr,
    output wire [WIDTH-1:0]  rd_data
);
    reg [WIDTH-1:0] mem [0:(1<<ADDR_W)-1];
    reg [WIDTH-1:0] rd_data_q;

    assign rd_data = rd_data_q;

    always @(posedge clk) begin
        if (wr_en) mem[wr_addr] <= wr_data;
        if (rd_en) rd_data_q <= mem[rd_addr];
    end
endmodule

`resetall
