// xgmii_player: sends frames that Python puts into `chunks` on XGMII, with preamble, FCS and the smallest gap.
//
// Why: Python must not be woken at every word. Bytes go into `chunks`, 64 to a chunk, byte 0 in the lowest bits, then `size`,
// `key` and, last, `go` (inverted): the frame is under way until `taken` equals `go`. The MAC is the card's own, as a sender;
// tests that judge the receiver send with an independent one.
`resetall
`timescale 1ps / 1ps
`default_nettype none

module xgmii_player #(
    parameter CHUNKS = 256
) (
    input  wire        clk,
    input  wire        rst,
    output wire [63:0] rxd,
    output wire [7:0]  rxc,
    output wire [31:0] rx_key,       // of the frame that starts or is under way
    output wire        status_busy
);
    reg [511:0] chunks [0:CHUNKS-1];
    reg [15:0]  size = 16'd0;
    reg [31:0]  key = 32'd0;
    reg         go = 1'b0;
    reg         taken = 1'b0;
    reg [15:0]  at_q = 16'd0;  // bytes that are through

    wire        valid = go != taken;
    wire        ready;
    wire [15:0] left = size - at_q;
    wire        last = left <= 16'd8;
    wire [511:0] chunk = chunks[at_q[13:6]];
    wire        mac_busy;

    always @(posedge clk) begin
        if (valid && ready) begin
            at_q <= last ? 16'd0 : at_q + 16'd8;
            if (last) taken <= go;
        end
        if (rst) begin
            at_q  <= 16'd0;
            taken <= go;
        end
    end

    hnic_tx_mac #(.USER_W(32)) u_mac (
        .clk(clk), .rst(rst), .cfg_ifg(8'd12), .hold(1'b0), .time_ns(64'd0),
        .in_valid(valid), .in_ready(ready), .in_data(chunk[64*at_q[5:3] +: 64]),
        .in_count(last ? left[3:0] : 4'd8), .in_last(last), .in_user(key),
        .xgmii_txd(rxd), .xgmii_txc(rxc), .wire_valid(), .wire_user(rx_key),
        .sent(), .sent_time(), .sent_bytes(), .status_busy(mac_busy)
    );
    assign status_busy = valid || mac_busy;
endmodule

`resetall
