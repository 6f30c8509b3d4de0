// hnic_rx_store: the one store-and-forward stage of the receive side: its RAM, its writer, its reader, and the records between them.
//
// Why: see hnic_rx_pack, hnic_rx_records and hnic_rx_unpack. A frame that is kept comes out when its record is written, some cycles
// behind its end: what is said of it needs them. Records come in the order of `end_keep`, one for each. There is room for one record
// in 64 bytes of the store.
// Throughput: one 64-bit word a cycle in, one word a cycle out, no gap between frames.
// Latency: 1 cycle from the last word to `end_`, 2 from a record in to `pkt_valid`, 3 to the first word.
//
// | parameter | legal                     | meaning              |
// |-----------|---------------------------|----------------------|
// | DATA_W    | 64, 128, 256, 512         | width of words out   |
// | BYTES     | power of two >= 1024      | size of the store    |
// | REC_W     | >= 1                      | bits of a record     |
// | USER_W    | >= 1                      | bits carried along   |
//
// Test: tests/hdl/test_hnic_rx_store.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_store #(
    parameter DATA_W = 128,
    parameter BYTES = 32768,
    parameter REC_W = 192,
    parameter USER_W = 96,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    input  wire [63:0]        in_data,
    input  wire               in_last,
    input  wire               in_keep,    // with in_last, as user
    input  wire [USER_W-1:0]  in_user,
    output wire               end_valid,
    output wire               end_keep,
    output wire [USER_W-1:0]  end_user,
    input  wire               rec_valid,  // one for each end_keep
    input  wire [15:0]        rec_len,
    input  wire [REC_W-1:0]   rec_data,
    output wire               pkt_valid,
    input  wire               pkt_ready,
    output wire [15:0]        pkt_len,
    output wire [REC_W-1:0]   pkt_data,
    output wire               out_valid,
    input  wire               out_ready,
    output wire [DATA_W-1:0]  out_data,
    output wire [COUNT_W-1:0] out_count,
    output wire               out_last,
    output wire               status_empty,
    output wire               stat_rx_overflow
);
    localparam ADDR_W = $clog2(BYTES * 8 / DATA_W);
    localparam RECORDS = BYTES / 64;
    localparam ALL_W = 16 + REC_W;

    generate
        if (BYTES < 1024 || (BYTES & (BYTES - 1)) != 0) begin : gen_error_hnic_rx_store_bytes
            ERROR_hnic_rx_store_bytes u_stop ();
        end
        if (DATA_W != 64 && DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : gen_error_hnic_rx_store_data_w
            ERROR_hnic_rx_store_data_w u_stop ();
        end
    endgenerate

    wire              ram_wr_en, ram_rd_en;
    wire [ADDR_W-1:0] ram_wr_addr, ram_rd_addr;
    wire [DATA_W-1:0] ram_wr_data, ram_rd_data;
    wire [ADDR_W:0]   freed;
    wire              held_valid, held_ready, all_read;

    assign status_empty = all_read && !out_valid;

    hnic_rx_pack #(.DATA_W(DATA_W), .ADDR_W(ADDR_W), .RECORDS(RECORDS), .USER_W(USER_W)) u_pack (
        .clk(clk), .rst(rst),
        .in_valid(in_valid), .in_data(in_data), .in_last(in_last), .in_keep(in_keep), .in_user(in_user),
        .ram_wr_en(ram_wr_en), .ram_wr_addr(ram_wr_addr), .ram_wr_data(ram_wr_data),
        .freed(freed), .released(held_valid && held_ready),
        .end_valid(end_valid), .end_keep(end_keep), .end_user(end_user),
        .status_empty(all_read), .stat_rx_overflow(stat_rx_overflow)
    );

    hnic_ram #(.WIDTH(DATA_W), .ADDR_W(ADDR_W)) u_ram (
        .clk(clk),
        .wr_en(ram_wr_en), .wr_addr(ram_wr_addr), .wr_data(ram_wr_data),
        .rd_en(ram_rd_en), .rd_addr(ram_rd_addr), .rd_data(ram_rd_data)
    );

    hnic_rx_records #(.WIDTH(ALL_W), .DEPTH(RECORDS)) u_records (
        .clk(clk), .rst(rst),
        .wr_valid(rec_valid), .wr_data({rec_len, rec_data}),
        .rd_valid(held_valid), .rd_ready(held_ready), .rd_data({pkt_len, pkt_data})
    );

    hnic_rx_unpack #(.DATA_W(DATA_W), .ADDR_W(ADDR_W)) u_unpack (
        .clk(clk), .rst(rst),
        .rec_valid(held_valid), .rec_ready(held_ready), .rec_len(pkt_len),
        .pkt_valid(pkt_valid), .pkt_ready(pkt_ready),
        .ram_rd_en(ram_rd_en), .ram_rd_addr(ram_rd_addr), .ram_rd_data(ram_rd_data), .freed(freed),
        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data), .out_count(out_count), .out_last(out_last)
    );
endmodule

`resetall
