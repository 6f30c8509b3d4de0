// hnic_rx_records: a FIFO in block RAM, for the records of the frames in the packet store.
//
// Why: there is a record for every shortest frame that fits into the store; that is too much for hnic_fifo's LUT RAM. The RAM's output
// register is the FIFO's output. Who writes has made sure that there is room.
// Throughput: one write and one read a cycle. Latency: a written word can be read after 2 cycles.
//
// | parameter | legal             | meaning     |
// |-----------|-------------------|-------------|
// | WIDTH     | >= 1              | bits a word |
// | DEPTH     | power of two >= 2 | words       |
//
// Test: tests/hdl/test_hnic_rx_records.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_records #(
    parameter WIDTH = 192,
    parameter DEPTH = 512
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             wr_valid,
    input  wire [WIDTH-1:0] wr_data,
    output wire             rd_valid,
    input  wire             rd_ready,
    output wire [WIDTH-1:0] rd_data
);
    localparam ADDR_W = $clog2(DEPTH);

    generate
        if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0) begin : gen_error_hnic_rx_records_depth
            ERROR_hnic_rx_records_depth u_stop ();
        end
    endgenerate

    reg  [ADDR_W:0] wptr_q;
    reg  [ADDR_W:0] rptr_q;
    reg             valid_q;

    wire [ADDR_W:0] level = wptr_q - rptr_q;
    wire            load = level != {ADDR_W + 1{1'b0}} && (!valid_q || rd_ready);

    assign rd_valid = valid_q;

    hnic_ram #(.WIDTH(WIDTH), .ADDR_W(ADDR_W)) u_ram (
        .clk(clk),
        .wr_en(wr_valid), .wr_addr(wptr_q[ADDR_W-1:0]), .wr_data(wr_data),
        .rd_en(load), .rd_addr(rptr_q[ADDR_W-1:0]), .rd_data(rd_data)
    );

    wire awake = rst || wr_valid || load || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (wr_valid) wptr_q <= wptr_q + 1'b1;
            if (load) rptr_q <= rptr_q + 1'b1;
            if (load) valid_q <= 1'b1;
            else if (rd_ready) valid_q <= 1'b0;
            if (rst) begin
                wptr_q  <= {ADDR_W + 1{1'b0}};
                rptr_q  <= {ADDR_W + 1{1'b0}};
                valid_q <= 1'b0;
            end
        end
    end

`ifdef HNIC_CHECKS
    wire look = wr_valid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (level[ADDR_W]) begin
                $display("CHECK %m: a record has no room");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
