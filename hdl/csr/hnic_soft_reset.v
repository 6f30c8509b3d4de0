// hnic_soft_reset: turns CTRL.RESET into a reset that no bus and no wire can see as a broken transfer.
//
// First `quiesce` keeps the engines from starting AXI transfers and frames; when those under way have ended
// (`axi_idle`, `mac_idle`, both high for a cycle), `core_rst` resets the engines for one cycle and `done` ends the request.
//
// Test: tests/hdl/test_hnic_soft_reset.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_soft_reset (
    input  wire clk,
    input  wire rst,
    input  wire request,   // stays high until done
    input  wire axi_idle,
    input  wire mac_idle,
    output wire quiesce,
    output wire core_rst,  // includes rst
    output wire done
);
    localparam [1:0] ST_RUN = 2'd0;    // waits for a request
    localparam [1:0] ST_DRAIN = 2'd1;  // waits for transfers and frame to end
    localparam [1:0] ST_RESET = 2'd2;  // the one cycle of reset

    reg [1:0] state_q;
    reg       idle_q;  // idle was seen after the engines had a cycle to stop

    assign quiesce  = state_q != ST_RUN;
    assign done     = state_q == ST_RESET;
    assign core_rst = rst || done;

    wire awake = rst || request || quiesce || idle_q;

    always @(posedge clk) begin
        if (awake) begin
            idle_q <= state_q == ST_DRAIN && axi_idle && mac_idle;
            case (state_q)
                ST_RUN:   if (request) state_q <= ST_DRAIN;
                ST_DRAIN: if (idle_q && axi_idle && mac_idle) state_q <= ST_RESET;
                ST_RESET: state_q <= ST_RUN;
                default:  state_q <= ST_RUN;
            endcase
            if (rst) begin
                state_q <= ST_RUN;
                idle_q  <= 1'b0;
            end
        end
    end
endmodule

`resetall
