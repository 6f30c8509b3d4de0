// hnic_axi_split: cuts a read of any address and length into AXI bursts.
//
// Why: a burst must not cross 4 KiB nor be longer than the memory likes. Bursts end at multiples of BURST_BYTES, which
// divides 4096, so the first rule follows from the second.
// Throughput: one burst a cycle. Latency: one cycle. A length of 0 passes as one burst of 0 bytes (nothing to read).
//
// | parameter   | legal                   | meaning                       |
// |-------------|-------------------------|-------------------------------|
// | ADDR_W      | 32..64                  | width of addresses            |
// | LEN_W       | >= 13                   | width of lengths              |
// | BURST_BYTES | power of two 64..4096   | bursts do not cross multiples |
// | USER_W      | >= 1                    | bits carried along            |
//
// Test: tests/hdl/test_hnic_axi_split.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_axi_split #(
    parameter ADDR_W = 64,
    parameter LEN_W = 20,
    parameter BURST_BYTES = 512,
    parameter USER_W = 1
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [ADDR_W-1:0] in_addr,
    input  wire [LEN_W-1:0]  in_len,
    input  wire              in_last,
    input  wire [USER_W-1:0] in_user,
    output wire              out_valid,
    input  wire              out_ready,
    output wire [ADDR_W-1:0] out_addr,
    output wire [12:0]       out_bytes,
    output wire              out_last,  // the last burst of a read with in_last
    output wire [USER_W-1:0] out_user
);
    localparam OFF_W = $clog2(BURST_BYTES);
    localparam [LEN_W-1:0] BURST = BURST_BYTES;

    generate
        if (BURST_BYTES < 64 || BURST_BYTES > 4096 || (BURST_BYTES & (BURST_BYTES - 1)) != 0) begin : gen_error_hnic_axi_split_burst_bytes
            ERROR_hnic_axi_split_burst_bytes u_stop ();
        end
    endgenerate

    reg              valid_q;
    reg [ADDR_W-1:0] addr_q;
    reg [LEN_W-1:0]  left_q;
    reg              last_q;
    reg [USER_W-1:0] user_q;

    wire [LEN_W-1:0] room = BURST - {{LEN_W - OFF_W{1'b0}}, addr_q[OFF_W-1:0]};
    wire             final_burst = left_q <= room;
    wire [LEN_W-1:0] bytes = final_burst ? left_q : room;

    assign in_ready  = !valid_q || (out_ready && final_burst);
    assign out_valid = valid_q;
    assign out_addr  = addr_q;
    assign out_bytes = bytes[12:0];
    assign out_last  = last_q && final_burst;
    assign out_user  = user_q;

    wire awake = rst || in_valid || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (in_valid && in_ready) begin
                valid_q <= 1'b1;
                addr_q  <= in_addr;
                left_q  <= in_len;
                last_q  <= in_last;
                user_q  <= in_user;
            end else if (valid_q && out_ready) begin
                valid_q <= !final_burst;
                addr_q  <= addr_q + {{ADDR_W - LEN_W{1'b0}}, bytes};
                left_q  <= left_q - bytes;
            end
            if (rst) valid_q <= 1'b0;
        end
    end

`ifdef HNIC_CHECKS
    wire look = valid_q && !rst;
    always @(posedge clk) begin
        if (look) begin
            if ({1'b0, out_addr[11:0]} + out_bytes > 13'd4096) begin
                $display("CHECK %m: burst crosses 4 KiB");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
