// frame_generator: sends the same frame again and again on XGMII at line rate, for measurements of the receiver.
//
// Python puts the longest frame into `words` (8 bytes each), sets `sizes`, of which one after another is sent, and, last, `count`.
// Bytes 34 and 35, the source port of UDP over IPv4, count up, so that the frames belong to many flows. `sent` counts the frames.
`resetall
`timescale 1ps / 1ps
`default_nettype none

module frame_generator (
    input  wire        clk,
    input  wire        rst,
    output wire [63:0] rxd,
    output wire [7:0]  rxc,
    output wire        status_busy
);
    localparam [15:0] PORT_WORD = 16'd4;

    reg [63:0] words [0:2047];
    reg [15:0] sizes [0:7];
    reg [31:0] count = 32'd0;
    reg [31:0] sent = 32'd0;
    reg [15:0] at_q = 16'd0;

    wire        valid = sent != count;
    wire        ready;
    wire [15:0] left = sizes[sent[2:0]] - {at_q[12:0], 3'd0};
    wire        last = left <= 16'd8;
    wire [63:0] port = at_q == PORT_WORD ? {32'd0, sent[7:0], sent[15:8], 16'd0} : 64'd0;
    wire        mac_busy;

    always @(posedge clk) begin
        if (valid && ready) begin
            at_q <= last ? 16'd0 : at_q + 16'd1;
            if (last) sent <= sent + 32'd1;
        end
        if (rst) at_q <= 16'd0;
    end

    hnic_tx_mac #(.USER_W(1)) u_mac (
        .clk(clk), .rst(rst), .cfg_ifg(8'd12), .hold(1'b0), .time_ns(64'd0),
        .in_valid(valid), .in_ready(ready), .in_data(words[at_q[10:0]] | port),
        .in_count(last ? left[3:0] : 4'd8), .in_last(last), .in_user(1'b0),
        .xgmii_txd(rxd), .xgmii_txc(rxc), .wire_valid(), .wire_user(),
        .sent(), .sent_time(), .sent_bytes(), .status_busy(mac_busy)
    );
    assign status_busy = valid || mac_busy;
endmodule

`resetall
