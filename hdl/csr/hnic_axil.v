// hnic_axil: AXI4-Lite slave in front of a simple register bus.
//
// Why: the register blocks should not know the handshakes of AXI. Every address is answered with OKAY.
// Writes: taken when address and data are both there; a register has its new value in the cycle `bvalid` rises.
// Reads: `rd_en` for one cycle; each block gives its word (0 if the address is not its own) in the next cycle and the
// words are ORed. Throughput: one write in 2 cycles, one read in 3. A write without all four strobes is answered and ignored.
//
// | parameter | legal | meaning         |
// |-----------|-------|-----------------|
// | ADDR_W    | >= 2  | address width   |
//
// Test: tests/hdl/test_hnic_axil.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_axil #(
    parameter ADDR_W = 16
) (
    input  wire              clk,
    input  wire              rst,
    input  wire [ADDR_W-1:0] s_axil_awaddr,
    input  wire [2:0]        s_axil_awprot,
    input  wire              s_axil_awvalid,
    output wire              s_axil_awready,
    input  wire [31:0]       s_axil_wdata,
    input  wire [3:0]        s_axil_wstrb,
    input  wire              s_axil_wvalid,
    output wire              s_axil_wready,
    output wire [1:0]        s_axil_bresp,
    output wire              s_axil_bvalid,
    input  wire              s_axil_bready,
    input  wire [ADDR_W-1:0] s_axil_araddr,
    input  wire [2:0]        s_axil_arprot,
    input  wire              s_axil_arvalid,
    output wire              s_axil_arready,
    output wire [31:0]       s_axil_rdata,
    output wire [1:0]        s_axil_rresp,
    output wire              s_axil_rvalid,
    input  wire              s_axil_rready,
    output wire              wr_en,
    output wire [ADDR_W-1:0] wr_addr,
    output wire [31:0]       wr_data,
    output wire              rd_en,
    output wire [ADDR_W-1:0] rd_addr,
    input  wire [31:0]       rd_data,   // in the cycle after rd_en
    output wire              status_busy
);
    reg        bvalid_q;
    reg        fetch_q;  // the blocks are giving their words
    reg        rvalid_q;
    reg [31:0] rdata_q;

    wire write_fire = s_axil_awvalid && s_axil_wvalid && !bvalid_q;
    wire read_fire  = s_axil_arvalid && s_axil_arready;

    assign s_axil_awready = write_fire;
    assign s_axil_wready  = write_fire;
    assign s_axil_bresp   = 2'b00;
    assign s_axil_bvalid  = bvalid_q;
    assign s_axil_arready = !fetch_q && !rvalid_q;
    assign s_axil_rdata   = rdata_q;
    assign s_axil_rresp   = 2'b00;
    assign s_axil_rvalid  = rvalid_q;

    assign wr_en       = write_fire && (&s_axil_wstrb);
    assign wr_addr     = {s_axil_awaddr[ADDR_W-1:2], 2'b00};
    assign wr_data     = s_axil_wdata;
    assign rd_en       = read_fire;
    assign rd_addr     = {s_axil_araddr[ADDR_W-1:2], 2'b00};
    assign status_busy = bvalid_q || fetch_q || rvalid_q;

    wire awake = rst || write_fire || read_fire || status_busy;

    always @(posedge clk) begin
        if (awake) begin
            if (write_fire) bvalid_q <= 1'b1;
            else if (s_axil_bready) bvalid_q <= 1'b0;
            fetch_q <= read_fire;
            if (fetch_q) begin
                rvalid_q <= 1'b1;
                rdata_q  <= rd_data;
            end else if (s_axil_rready) begin
                rvalid_q <= 1'b0;
            end
            if (rst) begin
                bvalid_q <= 1'b0;
                fetch_q  <= 1'b0;
                rvalid_q <= 1'b0;
            end
        end
    end

    // Protection bits and the byte within a word mean nothing here.
    wire unused = &{1'b0, s_axil_awprot, s_axil_arprot, s_axil_awaddr[1:0], s_axil_araddr[1:0]};
endmodule

`resetall
