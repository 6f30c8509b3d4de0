// hnic_tx_bucket: token bucket that limits the rate of one TX queue.
//
// Why: each frame of the queue takes its wire bytes out; `cfg_rate` flows in each cycle, up to `cfg_burst`. While there is less
// than nothing in it the queue has to wait. Frames are charged when they are planned, after their packet was let go, so the
// level goes below 0; that is a debt that is paid before the next packet, and the mean rate is exact. From the start of a
// packet to its first charge no other one may go. The bucket of a queue that does not run is full.
// While `status_full` is low the level changes with the clock, so the clock must run.
// Latency: 1 cycle from a charge to `allowed`.
//
// Test: tests/hdl/test_hnic_tx_bucket.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_tx_bucket (
    input  wire        clk,
    input  wire        rst,
    input  wire [23:0] cfg_rate,      // 1/65536 byte a cycle, 0: no limit
    input  wire [23:0] cfg_burst,     // bytes that the bucket holds
    input  wire        status_active, // of the queue
    input  wire        start,         // a packet of the queue begins
    input  wire        charge,        // charge_bytes go to the wire
    input  wire [15:0] charge_bytes,
    output wire        allowed,       // the queue may send
    output wire        status_full    // nothing flows in
);
    localparam FRACTION_W = 16;
    localparam LEVEL_W = 1 + 25 + FRACTION_W;  // signed, and room for a debt larger than any bucket

    reg  [LEVEL_W-1:0] level_q;
    reg                owed_q;  // a packet has begun and was not charged

    wire               limited = cfg_rate != 24'd0;
    wire [LEVEL_W-1:0] most = {2'd0, cfg_burst, {FRACTION_W{1'b0}}};
    wire [LEVEL_W-1:0] cost = {{LEVEL_W - 16 - FRACTION_W{1'b0}}, charge_bytes, {FRACTION_W{1'b0}}};
    wire [LEVEL_W-1:0] level_d = level_q + {{LEVEL_W - 24{1'b0}}, cfg_rate} - (charge ? cost : {LEVEL_W{1'b0}});

    assign allowed     = !limited || (!level_q[LEVEL_W-1] && !owed_q);
    assign status_full = !limited || !status_active || level_q == most;

    wire awake = rst || level_q != most || start || charge || (owed_q && !status_active);  // else nothing changes

    always @(posedge clk) begin
        if (awake) begin
            level_q <= !limited || !status_active || $signed(level_d) > $signed(most) ? most : level_d;
            owed_q  <= (start || (owed_q && !charge)) && status_active;
            if (rst) begin
                level_q <= {LEVEL_W{1'b0}};
                owed_q  <= 1'b0;
            end
`ifdef HNIC_CHECKS
            if (!rst && level_q[LEVEL_W-1 -: 2] == 2'b10) begin
                $display("CHECK %m: a debt beyond all measure");
                $finish;
            end
`endif
        end
    end
endmodule

`resetall
