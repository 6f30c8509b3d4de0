// hnic_fifo: synchronous first-word-fall-through FIFO.
//
// Why: every engine of the card works by itself; what stands between two of them is this.
// Throughput: one write and one read a cycle. Latency: a written word can be read in the next cycle.
// Storage is read asynchronously (LUT RAM), so keep DEPTH moderate.
//
// | parameter | legal            | meaning        |
// |-----------|------------------|----------------|
// | WIDTH     | >= 1             | bits a word    |
// | DEPTH     | power of two >= 2| words          |
//
// Test: tests/hdl/test_hnic_fifo.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter ADDR_W = $clog2(DEPTH)  // derived, do not set
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              wr_valid,
    output wire              wr_ready,  // not full
    input  wire [WIDTH-1:0]  wr_data,
    output wire              rd_valid,  // not empty
    input  wire              rd_ready,
    output wire [WIDTH-1:0]  rd_data,
    output wire [ADDR_W:0]   level      // words held
);
    generate
        if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0) begin : gen_error_hnic_fifo_depth
            ERROR_hnic_fifo_depth u_stop ();
        end
    endgenerate

    reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [ADDR_W:0]  wptr_q;
    reg [ADDR_W:0]  rptr_q;

    assign level    = wptr_q - rptr_q;
    assign rd_valid = wptr_q != rptr_q;
    assign wr_ready = !level[ADDR_W];
    assign rd_data  = mem[rptr_q[ADDR_W-1:0]];

    // One block and one question in front: there are many of these, and most of them are empty.
    wire awake = rst || wr_valid || rd_valid;

    always @(posedge clk) begin
        if (awake) begin
            if (wr_valid && wr_ready) begin
                mem[wptr_q[ADDR_W-1:0]] <= wr_data;
                wptr_q                  <= wptr_q + 1'b1;
            end
            if (rd_valid && rd_ready) rptr_q <= rptr_q + 1'b1;
            if (rst) begin
                wptr_q <= {ADDR_W + 1{1'b0}};
                rptr_q <= {ADDR_W + 1{1'b0}};
            end
`ifdef HNIC_CHECKS
            if (!rst && level > DEPTH[ADDR_W:0]) begin
                $display("CHECK %m: more words than DEPTH");
                $finish;
            end
`endif
        end
    end
endmodule

`resetall
