// hnic_pause: PAUSE frames (IEEE 802.3 annex 31B) among the received ones hold the transmitter.
//
// Why: it only watches the stream of the receive MAC; the frame goes on to the filter, which drops it as a MAC control frame.
// Each good PAUSE frame replaces the time that is left, so 0 ends the pause. `hold` starts no frame; the frame under way is finished.
// Latency: `hold` 1 cycle after the frame's last word.
//
// | parameter    | legal                | meaning                                                        |
// |--------------|----------------------|----------------------------------------------------------------|
// | BITS_A_CYCLE | power of two, 1..256 | bits the wire moves a cycle: 64 (XGMII at 156.25 MHz), 8 (GMII) |
//
// Test: tests/hdl/test_hnic_pause.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_pause #(
    parameter BITS_A_CYCLE = 64
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        cfg_pause,  // PAUSE frames are obeyed
    input  wire [47:0] cfg_mac,    // octet 0 in bits 7:0
    input  wire        in_valid,   // the receive MAC's words
    input  wire [63:0] in_data,
    input  wire        in_last,
    input  wire        in_good,    // with in_last
    output wire        hold,
    output wire        stat_rx_pauses  // obeyed or not
);
    localparam QUANTUM_W = $clog2(512 / BITS_A_CYCLE);  // a quantum is 512 bit times
    localparam [47:0] MULTICAST = 48'h010000C28001;     // 01-80-C2-00-00-01
    localparam [31:0] PAUSE = 32'h01000888;             // type 0x8808, opcode 1

    generate
        if (BITS_A_CYCLE < 1 || BITS_A_CYCLE > 256 || (BITS_A_CYCLE & (BITS_A_CYCLE - 1)) != 0)
        begin : gen_error_hnic_pause_bits_a_cycle
            ERROR_hnic_pause_bits_a_cycle u_stop ();
        end
    endgenerate

    reg [1:0]              index_q;   // of the next word, stays behind the parameter's word
    reg                    match_q;   // so far it is a PAUSE frame
    reg [15:0]             quanta_q;
    reg [QUANTUM_W+15:0]   left_q;    // cycles

    wire to_us = in_data[47:0] == MULTICAST || in_data[47:0] == cfg_mac;
    wire paused = in_valid && in_last && in_good && match_q && index_q == 2'd3;

    assign hold           = left_q != {QUANTUM_W + 16{1'b0}};
    assign stat_rx_pauses = paused;

    wire awake = rst || in_valid || hold;

    always @(posedge clk) begin
        if (awake) begin
            if (in_valid) begin
                index_q <= in_last ? 2'd0 : index_q == 2'd3 ? 2'd3 : index_q + 2'd1;
                case (index_q)
                    2'd0: match_q <= to_us;
                    2'd1: match_q <= match_q && in_data[63:32] == PAUSE;
                    2'd2: quanta_q <= {in_data[7:0], in_data[15:8]};
                    default: ;
                endcase
            end
            if (!cfg_pause) left_q <= {QUANTUM_W + 16{1'b0}};
            else if (paused) left_q <= {quanta_q, {QUANTUM_W{1'b0}}};
            else if (hold) left_q <= left_q - 1'b1;
            if (rst) begin
                index_q <= 2'd0;
                left_q  <= {QUANTUM_W + 16{1'b0}};
            end
        end
    end
endmodule

`resetall
