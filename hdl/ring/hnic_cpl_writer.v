// hnic_cpl_writer: writes the completion records of both directions to host memory and says when each write was answered.
//
// Why: the write response is what makes a completion visible; index and interrupt wait for `done`.
// A record is one INCR burst, lowest address first: 16 bytes for transmit, 32 for receive, at a multiple of its size. The
// phase bit is the record's last one, so a driver that polls it never sees half a record. All writes have one id, so answers come
// in the order of the writes; whose they are is remembered here.
// Throughput: a beat a cycle, and one cycle more a record. Latency: 1 cycle to AXI.
//
// | parameter   | legal             | meaning                 |
// |-------------|-------------------|-------------------------|
// | DATA_W      | 64, 128, 256, 512 | width of write data     |
// | ADDR_W      | 32..64            | width of addresses      |
// | OUTSTANDING | power of two >= 2 | records without answer  |
//
// Test: tests/hdl/test_hnic_cpl_writer.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_cpl_writer #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter OUTSTANDING = 64
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                tx_valid,
    output wire                tx_ready,
    input  wire [63:0]         tx_addr,
    input  wire [8*`HNIC_TXC_BYTES-1:0] tx_record,
    output wire                tx_done,     // the oldest record of this source was answered
    output wire                tx_error,    // with tx_done: its write failed
    input  wire                rx_valid,
    output wire                rx_ready,
    input  wire [63:0]         rx_addr,
    input  wire [8*`HNIC_RXC_BYTES-1:0] rx_record,
    output wire                rx_done,
    output wire                rx_error,
    output wire                aw_valid,
    input  wire                aw_ready,
    output wire [ADDR_W-1:0]   aw_addr,
    output wire [7:0]          aw_len,
    output wire [2:0]          aw_size,
    output wire                w_valid,
    input  wire                w_ready,
    output wire [DATA_W-1:0]   w_data,
    output wire [DATA_W/8-1:0] w_strb,
    input  wire                b_valid,
    input  wire                b_error
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam TX_W = 8 * `HNIC_TXC_BYTES;
    localparam RX_W = 8 * `HNIC_RXC_BYTES;
    localparam TX_PART = DATA_W < TX_W ? DATA_W : TX_W;  // bits in one beat
    localparam RX_PART = DATA_W < RX_W ? DATA_W : RX_W;
    localparam [31:0] TX_SIZE = $clog2(TX_PART / 8);
    localparam [31:0] RX_SIZE = $clog2(RX_PART / 8);
    localparam [31:0] TX_LEN = TX_W / TX_PART - 1;
    localparam [31:0] RX_LEN = RX_W / RX_PART - 1;
    localparam [RX_W/8-1:0] TX_STRB = {{(RX_W - TX_PART) / 8{1'b0}}, {TX_PART / 8{1'b1}}};

    generate
        if (DATA_W != 64 && DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : gen_error_hnic_cpl_writer_data_w
            ERROR_hnic_cpl_writer_data_w u_stop ();
        end
        if (OUTSTANDING < 2 || (OUTSTANDING & (OUTSTANDING - 1)) != 0) begin : gen_error_hnic_cpl_writer_outstanding
            ERROR_hnic_cpl_writer_outstanding u_stop ();
        end
    endgenerate

    reg              aw_valid_q;
    reg [ADDR_W-1:0] addr_q;
    reg              is_rx_q;   // of address and data alike
    reg              w_valid_q;
    reg [RX_W-1:0]   record_q;  // what is not yet written, the next beat lowest
    reg [1:0]        left_q;    // beats behind this one

    wire [1:0] grant;
    wire       whose_ready;
    wire       w_end = left_q == 2'd0;
    wire       free = (!aw_valid_q || aw_ready) && (!w_valid_q || (w_ready && w_end)) && whose_ready;
    wire       accept = (tx_valid || rx_valid) && free;
    wire       from_rx = grant[1];
    wire [63:0] addr = from_rx ? rx_addr : tx_addr;

    assign tx_ready = grant[0] && free;
    assign rx_ready = grant[1] && free;

    hnic_arb #(.N(2)) u_arb (.clk(clk), .rst(rst), .request({rx_valid, tx_valid}), .advance(free), .grant(grant));

    wire awake = rst || accept || aw_valid_q || w_valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (aw_ready) aw_valid_q <= 1'b0;
            if (w_valid_q && w_ready) begin
                w_valid_q <= !w_end;
                left_q    <= left_q - 2'd1;
                record_q  <= record_q >> RX_PART;
            end
            if (accept) begin
                aw_valid_q <= 1'b1;
                w_valid_q  <= 1'b1;
                addr_q     <= addr[ADDR_W-1:0];
                is_rx_q    <= from_rx;
                record_q   <= from_rx ? rx_record : {{RX_W - TX_W{1'b0}}, tx_record};
                left_q     <= from_rx ? RX_LEN[1:0] : TX_LEN[1:0];
            end
            if (rst) begin
                aw_valid_q <= 1'b0;
                w_valid_q  <= 1'b0;
            end
        end
    end

    wire [RX_W/8-1:0] part_strb = is_rx_q ? {RX_W / 8{1'b1}} : TX_STRB;

    assign aw_valid = aw_valid_q;
    assign aw_addr  = addr_q;
    assign aw_len   = is_rx_q ? RX_LEN[7:0] : TX_LEN[7:0];
    assign aw_size  = is_rx_q ? RX_SIZE[2:0] : TX_SIZE[2:0];
    assign w_valid  = w_valid_q;

    generate
        if (DATA_W > RX_W) begin : gen_lanes
            wire [OFF_W-1:0] lane = addr_q[OFF_W-1:0];
            assign w_data = {{DATA_W - RX_W{1'b0}}, record_q} << {lane, 3'b000};
            assign w_strb = {{NB - RX_W / 8{1'b0}}, part_strb} << lane;
        end else if (DATA_W == RX_W) begin : gen_half  // a transmit record is half a beat, a receive record a whole one
            wire [OFF_W-1:0] lane = addr_q[OFF_W-1:0];
            assign w_data = record_q << {lane, 3'b000};
            assign w_strb = part_strb << lane;
        end else begin : gen_full
            assign w_data = record_q[DATA_W-1:0];
            assign w_strb = {NB{1'b1}};
            wire unused = &{1'b0, part_strb};
        end
    endgenerate

    // ---- whose answers they are ----
    wire whose_valid, whose_rx;
    hnic_fifo #(.WIDTH(1), .DEPTH(OUTSTANDING)) u_whose (
        .clk(clk), .rst(rst),
        .wr_valid(accept), .wr_ready(whose_ready), .wr_data(from_rx),
        .rd_valid(whose_valid), .rd_ready(b_valid), .rd_data(whose_rx),
        .level()
    );

    assign tx_done  = b_valid && !whose_rx;
    assign rx_done  = b_valid && whose_rx;
    assign tx_error = b_error;
    assign rx_error = b_error;

    wire unused = &{1'b0, addr, whose_valid};

`ifdef HNIC_CHECKS
    wire look = (b_valid || aw_valid_q) && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (b_valid && !whose_valid) begin
                $display("CHECK %m: an answer that nobody waits for");
                $finish;
            end
            if (aw_valid_q && (addr_q[3:0] != 4'd0 || (is_rx_q && addr_q[4]))) begin
                $display("CHECK %m: a record is not at a multiple of its size");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
