// hnic_cpl_writer: writes completion records to host memory and says when their write was answered.
//
// Why: the write response is what makes a completion visible; the interrupt waits for `done`.
// A record is one AXI write of 16 bytes; on a 64-bit bus two of 8, the half with the phase bit last, so that a driver that
// polls the phase never sees half a record. Writes have one id, so their responses come in order.
// Throughput: 1 record a cycle (2 cycles on a 64-bit bus). Latency: 1 cycle to AXI.
//
// | parameter   | legal             | meaning                    |
// |-------------|-------------------|----------------------------|
// | DATA_W      | 64, 128, 256, 512 | width of write data        |
// | ADDR_W      | 32..64            | width of addresses         |
// | OUTSTANDING | power of two >= 2 | AXI writes under way       |
//
// Test: tests/hdl/test_hnic_cpl_writer.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_cpl_writer #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter OUTSTANDING = 8
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                quiesce,      // start no write
    input  wire                cpl_valid,
    output wire                cpl_ready,
    input  wire [`HNIC_TXC_COOKIE_W-1:0] cpl_cookie,
    input  wire [15:0]         cpl_next,
    input  wire [`HNIC_TXC_STATUS_W-1:0] cpl_status,
    input  wire [63:0]         cpl_timestamp,
    // the queue's place for this record
    input  wire [63:0]         place_addr,
    input  wire                place_phase,
    output wire                place_issue,
    output wire                done,         // the oldest record is in memory
    output wire                status_idle,  // no AXI write under way
    output wire                stat_axi_wr_errs,
    output wire [ADDR_W-1:0]   aw_addr,
    output wire [2:0]          aw_size,
    output wire                aw_valid,
    input  wire                aw_ready,
    output wire [DATA_W-1:0]   w_data,
    output wire [DATA_W/8-1:0] w_strb,
    output wire                w_valid,
    input  wire                w_ready,
    input  wire [1:0]          b_resp,
    input  wire                b_valid,
    output wire                b_ready
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam CPL_W = 8 * `HNIC_TXC_BYTES;
    localparam PART_W = DATA_W < CPL_W ? DATA_W : CPL_W;  // bits in one write
    localparam COUNT_W = $clog2(OUTSTANDING) + 1;
    localparam SPLIT = DATA_W < CPL_W ? 1 : 0;

    generate
        if (DATA_W != 64 && DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : gen_error_hnic_cpl_writer_data_w
            ERROR_hnic_cpl_writer_data_w u_stop ();
        end
        if (OUTSTANDING < 2 || (OUTSTANDING & (OUTSTANDING - 1)) != 0) begin : gen_error_hnic_cpl_writer_outstanding
            ERROR_hnic_cpl_writer_outstanding u_stop ();
        end
    endgenerate

    reg [COUNT_W-1:0] under_way_q;  // writes without a response
    reg               low_q;        // the next write is the lower half
    reg               half_q;       // the response of one half was seen

    wire aw_in_ready, w_in_ready;
    wire may_start = !quiesce || low_q;
    wire issue = cpl_valid && may_start && aw_in_ready && w_in_ready && !under_way_q[COUNT_W-1];
    wire final_part = SPLIT == 0 || low_q;
    wire b_fire = b_valid && b_ready;

    wire [CPL_W-1:0] record = ({{CPL_W - `HNIC_TXC_COOKIE_W{1'b0}}, cpl_cookie} << `HNIC_TXC_COOKIE_LSB)
                            | ({{CPL_W - 16{1'b0}}, cpl_next} << `HNIC_TXC_HEAD_LSB)
                            | ({{CPL_W - `HNIC_TXC_STATUS_W{1'b0}}, cpl_status} << `HNIC_TXC_STATUS_LSB)
                            | ({{CPL_W - 1{1'b0}}, place_phase} << `HNIC_TXC_PHASE_LSB)
                            | ({{CPL_W - 64{1'b0}}, cpl_timestamp} << `HNIC_TXC_TIMESTAMP_LSB);
    wire [63:0]         addr = place_addr + (final_part ? 64'd0 : 64'd8);
    wire [OFF_W-1:0]    lane = addr[OFF_W-1:0];
    wire [PART_W-1:0]   part = final_part ? record[PART_W-1:0] : record[CPL_W-1 -: PART_W];
    wire [DATA_W-1:0]   data;
    wire [NB-1:0]       strb;

    generate
        if (DATA_W > PART_W) begin : gen_lanes
            assign data = {{DATA_W - PART_W{1'b0}}, part} << {lane, 3'b000};
            assign strb = {{NB - PART_W / 8{1'b0}}, {PART_W / 8{1'b1}}} << lane;
        end else begin : gen_full
            assign data = part;
            assign strb = {NB{1'b1}};
            wire unused = &{1'b0, lane};
        end
    endgenerate

    assign cpl_ready        = issue && final_part;
    assign place_issue      = issue && final_part;
    assign b_ready          = 1'b1;
    assign done             = b_fire && (SPLIT == 0 || half_q);
    assign stat_axi_wr_errs = b_fire && b_resp[1];
    assign status_idle      = under_way_q == {COUNT_W{1'b0}} && !low_q;
    assign aw_size          = SPLIT == 0 ? 3'd4 : 3'd3;

    always @(posedge clk) begin
        if (SPLIT != 0 && issue) low_q <= !low_q;
        if (SPLIT != 0 && b_fire) half_q <= !half_q;
        if (issue != b_fire) under_way_q <= issue ? under_way_q + 1'b1 : under_way_q - 1'b1;
        if (rst) begin
            low_q       <= 1'b0;
            half_q      <= 1'b0;
            under_way_q <= {COUNT_W{1'b0}};
        end
    end

    hnic_skid #(.WIDTH(ADDR_W)) u_aw (
        .clk(clk), .rst(rst), .in_valid(issue), .in_ready(aw_in_ready), .in_data(addr[ADDR_W-1:0]),
        .out_valid(aw_valid), .out_ready(aw_ready), .out_data(aw_addr)
    );

    hnic_skid #(.WIDTH(DATA_W + NB)) u_w (
        .clk(clk), .rst(rst), .in_valid(issue), .in_ready(w_in_ready), .in_data({data, strb}),
        .out_valid(w_valid), .out_ready(w_ready), .out_data({w_data, w_strb})
    );

    wire unused = &{1'b0, b_resp[0], addr};
endmodule

`resetall
