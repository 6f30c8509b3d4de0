// axil_driver: one register access at a time on AXI4-Lite, asked for by Python.
//
// Why: a bus model in Python is woken at every cycle; this one once an access. Python sets `addr`, `wdata`, `write` and, last,
// inverts `go`; the access is over when `done` equals `go`, and `rdata`, settled a cycle before, is the word that was read.
// `word_ps` is the time at which the word of a write was on the bus.
`resetall
`timescale 1ps / 1ps
`default_nettype none

module axil_driver (
    input  wire        clk,
    input  wire        rst,
    output wire [15:0] m_axil_awaddr,
    output reg         m_axil_awvalid,
    input  wire        m_axil_awready,
    output wire [31:0] m_axil_wdata,
    output reg         m_axil_wvalid,
    input  wire        m_axil_wready,
    input  wire        m_axil_bvalid,
    output wire [15:0] m_axil_araddr,
    output reg         m_axil_arvalid,
    input  wire        m_axil_arready,
    input  wire [31:0] m_axil_rdata,
    input  wire        m_axil_rvalid,
    output wire        status_busy
);
    reg [15:0] addr = 16'd0;
    reg [31:0] wdata = 32'd0;
    reg [31:0] rdata = 32'd0;
    reg        write = 1'b0;
    reg        go = 1'b0;
    reg        done = 1'b0;
    reg        begun_q = 1'b0;
    reg        answered_q = 1'b0;
    reg [63:0] word_ps = 64'd0;

    assign m_axil_awaddr = addr;
    assign m_axil_wdata  = wdata;
    assign m_axil_araddr = addr;
    assign status_busy   = go != done;

    always @(posedge clk) begin
        if (m_axil_awready) m_axil_awvalid <= 1'b0;
        if (m_axil_wready) m_axil_wvalid <= 1'b0;
        if (m_axil_wvalid && m_axil_wready) word_ps <= $time;
        if (m_axil_arready) m_axil_arvalid <= 1'b0;
        if (go != done && !begun_q && !answered_q) begin
            begun_q        <= 1'b1;
            m_axil_awvalid <= write;
            m_axil_wvalid  <= write;
            m_axil_arvalid <= !write;
        end
        if (begun_q && (m_axil_bvalid || m_axil_rvalid)) begin
            begun_q    <= 1'b0;
            answered_q <= 1'b1;
            if (!write) rdata <= m_axil_rdata;
        end
        if (answered_q) begin
            answered_q <= 1'b0;
            done       <= go;
        end
        if (rst) begin
            m_axil_awvalid <= 1'b0;
            m_axil_wvalid  <= 1'b0;
            m_axil_arvalid <= 1'b0;
            begun_q        <= 1'b0;
            answered_q     <= 1'b0;
            done           <= go;
        end
    end
endmodule

`resetall
