// hnic_csr_rss: the key and the indirection table of receive-side scaling.
//
// Why: the hash needs all of the key and any entry of the table at any time, so both are flip-flops, not a RAM behind a port.
// An entry is kept in QUEUE_W bits; hnic_rss takes one that no queue has for 0. The table starts with 0: everything to queue 0.
// Latency: a write acts in the next cycle; `rd_data` answers one cycle after `rd_en`, 0 for foreign addresses.
//
// | parameter | legal | meaning                 |
// |-----------|-------|-------------------------|
// | QUEUE_W   | 1..5  | bits of a queue's number|
//
// Test: tests/hdl/test_hnic_csr_rss.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_csr_rss #(
    parameter QUEUE_W = 3
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   wr_en,
    input  wire [15:0]            wr_addr,
    input  wire [31:0]            wr_data,
    input  wire                   rd_en,
    input  wire [15:0]            rd_addr,
    output wire [31:0]            rd_data,
    output wire [319:0]           cfg_rss_key,   // byte 0 in bits 7:0
    output wire [128*QUEUE_W-1:0] cfg_rss_table  // entry 0 in the lowest bits
);
    localparam KEY_BYTES = 4 * `HNIC_RSS_KEY_COUNT;
    localparam TABLE_BYTES = 4 * `HNIC_RSS_TABLE_COUNT;
    localparam [15:0] KEY_END = `HNIC_RSS_KEY + KEY_BYTES[15:0];
    localparam [15:0] TABLE_END = `HNIC_RSS_TABLE + TABLE_BYTES[15:0];

    reg [319:0]           key_q;
    reg [128*QUEUE_W-1:0] table_q;
    reg [31:0]            rd_data_q;

    wire        wr_key = wr_en && wr_addr >= `HNIC_RSS_KEY && wr_addr < KEY_END;
    wire        wr_table = wr_en && wr_addr >= `HNIC_RSS_TABLE && wr_addr < TABLE_END;
    wire        rd_key = rd_addr >= `HNIC_RSS_KEY && rd_addr < KEY_END;
    wire        rd_table = rd_addr >= `HNIC_RSS_TABLE && rd_addr < TABLE_END;
    wire [15:0] wr_key_at = wr_addr - `HNIC_RSS_KEY;
    wire [15:0] wr_table_at = wr_addr - `HNIC_RSS_TABLE;
    wire [15:0] rd_key_at = rd_addr - `HNIC_RSS_KEY;
    wire [15:0] rd_table_at = rd_addr - `HNIC_RSS_TABLE;

    assign cfg_rss_key   = key_q;
    assign cfg_rss_table = table_q;
    assign rd_data       = rd_data_q;

    wire awake = rst || wr_en;
    integer i, k;
    always @(posedge clk) begin
        if (awake) begin
            if (wr_key) key_q[32*wr_key_at[5:2] +: 32] <= wr_data;
            if (wr_table) begin
                for (i = 0; i < 4; i = i + 1)
                    table_q[QUEUE_W*{wr_table_at[6:2], i[1:0]} +: QUEUE_W] <= wr_data[8*i +: QUEUE_W];
            end
            if (rst) begin
                key_q   <= 320'd0;
                table_q <= {128 * QUEUE_W{1'b0}};
            end
        end
    end

    reg [31:0] entries;
    always @* begin
        entries = 32'd0;
        for (k = 0; k < 4; k = k + 1)
            entries[8*k +: QUEUE_W] = table_q[QUEUE_W*{rd_table_at[6:2], k[1:0]} +: QUEUE_W];
    end

    always @(posedge clk) begin
        if (rd_en) rd_data_q <= rd_key ? key_q[32*rd_key_at[5:2] +: 32] : rd_table ? entries : 32'd0;
    end

    wire unused = &{1'b0, wr_key_at, wr_table_at, rd_key_at, rd_table_at, wr_data};
endmodule

`resetall
