// hnic_narrow: words of DATA_W bits to words of 64 bits, for the MAC.
//
// Why: the engines work on bus words, the wire takes 64 bits. Wider than 64 a word is held and moved down 64 bits a cycle.
// Throughput: one 64-bit word a cycle, without bubbles within and between packets. Latency: 1 cycle, 0 with DATA_W = 64.
//
// | parameter | legal             | meaning                            |
// |-----------|-------------------|------------------------------------|
// | DATA_W    | 64, 128, 256, 512 | bits a word in                     |
// | USER_W    | >= 1              | bits carried along with every word |
//
// Test: tests/hdl/test_hnic_narrow.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_narrow #(
    parameter DATA_W = 128,
    parameter USER_W = 32,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    output wire               in_ready,
    input  wire [DATA_W-1:0]  in_data,
    input  wire [COUNT_W-1:0] in_count,  // 1..DATA_W/8, DATA_W/8 but in the last word
    input  wire               in_last,
    input  wire [USER_W-1:0]  in_user,
    output wire               out_valid,
    input  wire               out_ready,
    output wire [63:0]        out_data,
    output wire [3:0]         out_count,  // 1..8, 8 but in the last word
    output wire               out_last,
    output wire [USER_W-1:0]  out_user
);
    generate
        if (DATA_W != 64 && DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : gen_error_hnic_narrow_data_w
            ERROR_hnic_narrow_data_w u_stop ();
        end
    endgenerate

    generate
        if (DATA_W == 64) begin : gen_pass
            assign in_ready  = out_ready;
            assign out_valid = in_valid;
            assign out_data  = in_data;
            assign out_count = in_count;
            assign out_last  = in_last;
            assign out_user  = in_user;

            wire unused = &{1'b0, clk, rst};
        end else begin : gen_cut
            localparam [COUNT_W-1:0] PART = 8;

            reg               valid_q, last_q;
            reg [DATA_W-1:0]  data_q;
            reg [COUNT_W-1:0] left_q;  // bytes in data_q
            reg [USER_W-1:0]  user_q;

            wire final_part = left_q <= PART;

            assign in_ready  = !valid_q || (out_ready && final_part);
            assign out_valid = valid_q;
            assign out_data  = data_q[63:0];
            assign out_count = final_part ? left_q[3:0] : 4'd8;
            assign out_last  = last_q && final_part;
            assign out_user  = user_q;

            wire awake = rst || in_valid || valid_q;

            always @(posedge clk) begin
                if (awake) begin
                    if (in_ready) begin
                        valid_q <= in_valid;
                        data_q  <= in_data;
                        left_q  <= in_count;
                        last_q  <= in_last;
                        user_q  <= in_user;
                    end else if (out_ready) begin
                        data_q <= data_q >> 64;
                        left_q <= left_q - PART;
                    end
                    if (rst) valid_q <= 1'b0;
                end
            end
        end
    endgenerate

`ifdef HNIC_CHECKS
    localparam [31:0] FULL = DATA_W / 8;
    wire full = in_count == FULL[COUNT_W-1:0];
    wire none = in_count == {COUNT_W{1'b0}} || in_count > FULL[COUNT_W-1:0];
    wire look = in_valid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (none || (!in_last && !full)) begin
                $display("CHECK %m: a word has a wrong count");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
