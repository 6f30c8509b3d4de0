// hnic_pkt_store: the one store-and-forward stage of the card: its RAM, its writer, its reader, and the records between them.
//
// Why: see hnic_pkt_write and hnic_pkt_read, which meet only through the RAM, the records and `freed`.
// Throughput: one bus word a cycle in, one 64-bit word a cycle out. Latency: 7 cycles from the last word in to the first out.
//
// | parameter | legal                              | meaning              |
// |-----------|------------------------------------|----------------------|
// | DATA_W    | 64, 128, 256, 512                  | width of words in    |
// | BYTES     | power of two, a few frames or more | size of the store    |
//
// Test: tests/hdl/test_hnic_pkt_store.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_pkt_store #(
    parameter DATA_W = 128,
    parameter BYTES = 32768,
    parameter COUNT_W = $clog2(DATA_W / 8) + 1  // derived, do not set
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              quiesce,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [DATA_W-1:0] in_data,
    input  wire [COUNT_W-1:0] in_count,
    input  wire              in_last,
    input  wire              in_error,
    input  wire              open_valid,
    output wire              open_ready,
    input  wire              open_csum,
    input  wire [15:0]       open_csum_start,
    input  wire [15:0]       open_csum_offset,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] open_cookie,
    input  wire              close_valid,
    output wire              close_ready,
    input  wire [15:0]       close_next,
    input  wire [`HNIC_TXC_STATUS_W-1:0] close_status,
    output wire              enter_valid,
    input  wire              enter_ready,
    output wire [`HNIC_TXC_COOKIE_W-1:0] enter_cookie,
    output wire [15:0]       enter_next,
    output wire [`HNIC_TXC_STATUS_W-1:0] enter_status,
    output wire              out_valid,
    input  wire              out_ready,
    output wire [63:0]       out_data,
    output wire [3:0]        out_count,
    output wire              out_last,
    output wire [12:0]       out_index,
    output wire [`HNIC_TXC_COOKIE_W-1:0] out_cookie,
    output wire              out_csum,
    output wire [15:0]       out_csum_pos,
    output wire [15:0]       out_csum_value,
    output wire              status_idle,
    output wire              stat_tx_csums
);
    localparam ADDR_W = $clog2(BYTES * 8 / DATA_W);
    localparam RECORDS = 64;
    localparam LEVEL_W = $clog2(RECORDS) + 1;
    localparam [LEVEL_W-1:0] RECORDS_FULL = RECORDS - 5;  // 4 may be in the checksum pipeline
    localparam STATUS_W = `HNIC_TXC_STATUS_W;
    localparam COOKIE_W = `HNIC_TXC_COOKIE_W;
    localparam REC_W = 16 + 1 + 16 + 16 + 16 + STATUS_W + COOKIE_W;

    generate
        if (BYTES < 1024 || (BYTES & (BYTES - 1)) != 0) begin : gen_error_hnic_pkt_store_bytes
            ERROR_hnic_pkt_store_bytes u_stop ();
        end
    endgenerate

    wire                ram_wr_en, ram_rd_en;
    wire [ADDR_W-1:0]   ram_wr_addr, ram_rd_addr;
    wire [DATA_W-1:0]   ram_wr_data, ram_rd_data;
    wire [ADDR_W:0]     freed;

    wire                w_valid, w_csum;
    wire [15:0]         w_len, w_csum_pos, w_csum_value, w_next;
    wire [STATUS_W-1:0] w_status;
    wire [COOKIE_W-1:0] w_cookie;
    wire                recs_ready;
    wire [LEVEL_W-1:0]  level;

    wire                r_valid, r_ready, r_csum;
    wire [15:0]         r_len, r_csum_pos, r_csum_value, r_next;
    wire [STATUS_W-1:0] r_status;
    wire [COOKIE_W-1:0] r_cookie;

    hnic_ram #(.WIDTH(DATA_W), .ADDR_W(ADDR_W)) u_ram (
        .clk(clk),
        .wr_en(ram_wr_en), .wr_addr(ram_wr_addr), .wr_data(ram_wr_data),
        .rd_en(ram_rd_en), .rd_addr(ram_rd_addr), .rd_data(ram_rd_data)
    );

    hnic_pkt_write #(.DATA_W(DATA_W), .ADDR_W(ADDR_W)) u_write (
        .clk(clk), .rst(rst),
        .in_valid(in_valid), .in_ready(in_ready),
        .in_data(in_data), .in_count(in_count), .in_last(in_last), .in_error(in_error),
        .open_valid(open_valid), .open_ready(open_ready), .open_csum(open_csum),
        .open_csum_start(open_csum_start), .open_csum_offset(open_csum_offset), .open_cookie(open_cookie),
        .close_valid(close_valid), .close_ready(close_ready), .close_next(close_next), .close_status(close_status),
        .ram_wr_en(ram_wr_en), .ram_wr_addr(ram_wr_addr), .ram_wr_data(ram_wr_data),
        .freed(freed), .rec_room(level < RECORDS_FULL),
        .rec_valid(w_valid), .rec_len(w_len), .rec_csum(w_csum), .rec_csum_pos(w_csum_pos), .rec_csum_value(w_csum_value),
        .rec_next(w_next), .rec_status(w_status), .rec_cookie(w_cookie)
    );

    hnic_fifo #(.WIDTH(REC_W), .DEPTH(RECORDS)) u_records (
        .clk(clk), .rst(rst),
        .wr_valid(w_valid), .wr_ready(recs_ready),
        .wr_data({w_len, w_csum, w_csum_pos, w_csum_value, w_next, w_status, w_cookie}),
        .rd_valid(r_valid), .rd_ready(r_ready),
        .rd_data({r_len, r_csum, r_csum_pos, r_csum_value, r_next, r_status, r_cookie}),
        .level(level)
    );

    hnic_pkt_read #(.DATA_W(DATA_W), .ADDR_W(ADDR_W)) u_read (
        .clk(clk), .rst(rst), .quiesce(quiesce),
        .rec_valid(r_valid), .rec_ready(r_ready), .rec_len(r_len),
        .rec_csum(r_csum), .rec_csum_pos(r_csum_pos), .rec_csum_value(r_csum_value),
        .rec_next(r_next), .rec_status(r_status), .rec_cookie(r_cookie),
        .enter_valid(enter_valid), .enter_ready(enter_ready),
        .enter_cookie(enter_cookie), .enter_next(enter_next), .enter_status(enter_status),
        .ram_rd_en(ram_rd_en), .ram_rd_addr(ram_rd_addr), .ram_rd_data(ram_rd_data), .freed(freed),
        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data), .out_count(out_count), .out_last(out_last),
        .out_index(out_index), .out_cookie(out_cookie),
        .out_csum(out_csum), .out_csum_pos(out_csum_pos), .out_csum_value(out_csum_value),
        .status_idle(status_idle), .stat_tx_csums(stat_tx_csums)
    );

`ifdef HNIC_CHECKS
    always @(posedge clk) begin
        if (!rst && w_valid && !recs_ready) begin
            $display("CHECK %m: a record has no room");
            $finish;
        end
    end
`else
    wire unused = &{1'b0, recs_ready};
`endif
endmodule

`resetall
