// rules_axil_slave: an AXI4-Lite slave port. The slave's rules are asserted, the master's are assumed.
//
// Asserted: stability of responses, a response to each transfer and none without one, OKAY, and that the slave goes on:
// an address (with its data) is taken and answered within PATIENCE cycles in a row in which the master holds nothing up.
module rules_axil_slave #(
    parameter ADDR_W = 16,
    parameter PATIENCE = 3
) (
    input wire              clk,
    input wire              rst,
    input wire [ADDR_W-1:0] awaddr,
    input wire [2:0]        awprot,
    input wire              awvalid,
    input wire              awready,
    input wire [31:0]       wdata,
    input wire [3:0]        wstrb,
    input wire              wvalid,
    input wire              wready,
    input wire [1:0]        bresp,
    input wire              bvalid,
    input wire              bready,
    input wire [ADDR_W-1:0] araddr,
    input wire [2:0]        arprot,
    input wire              arvalid,
    input wire              arready,
    input wire [31:0]       rdata,
    input wire [1:0]        rresp,
    input wire              rvalid,
    input wire              rready,
    output wire             busy     // a transfer was taken and not answered
);
    assign busy = aw_open_q != 0 || w_open_q != 0 || ar_open_q != 0;


    reg              aw_wait_q = 1'b0;
    reg              w_wait_q = 1'b0;
    reg              b_wait_q = 1'b0;
    reg              ar_wait_q = 1'b0;
    reg              r_wait_q = 1'b0;
    reg [ADDR_W+2:0] aw_q, ar_q;
    reg [35:0]       w_q;
    reg [1:0]        b_q;
    reg [33:0]       r_q;
    reg [3:0]        aw_open_q, w_open_q, ar_open_q;  // taken and not answered
    reg [3:0]        take_wait_q, b_late_q, r_late_q, ask_wait_q;

    always @(posedge clk) begin
        aw_wait_q <= awvalid && !awready && !rst;
        w_wait_q  <= wvalid && !wready && !rst;
        b_wait_q  <= bvalid && !bready && !rst;
        ar_wait_q <= arvalid && !arready && !rst;
        r_wait_q  <= rvalid && !rready && !rst;
        aw_q      <= {awaddr, awprot};
        w_q       <= {wdata, wstrb};
        b_q       <= bresp;
        ar_q      <= {araddr, arprot};
        r_q       <= {rdata, rresp};
        aw_open_q <= aw_open_q + (awvalid && awready) - (bvalid && bready);
        w_open_q  <= w_open_q + (wvalid && wready) - (bvalid && bready);
        ar_open_q <= ar_open_q + (arvalid && arready) - (rvalid && rready);
        take_wait_q <= awvalid && wvalid && !(awready && wready) && !(bvalid && !bready) ? take_wait_q + 4'd1 : 4'd0;
        ask_wait_q  <= arvalid && !arready && !(rvalid && !rready) ? ask_wait_q + 4'd1 : 4'd0;
        b_late_q  <= aw_open_q != 0 && w_open_q != 0 && !bvalid ? b_late_q + 4'd1 : 4'd0;
        r_late_q  <= ar_open_q != 0 && !rvalid ? r_late_q + 4'd1 : 4'd0;
        if (rst) begin
            aw_open_q   <= 4'd0;
            w_open_q    <= 4'd0;
            ar_open_q   <= 4'd0;
            take_wait_q <= 4'd0;
            ask_wait_q  <= 4'd0;
            b_late_q    <= 4'd0;
            r_late_q    <= 4'd0;
        end
    end

    always @* if (!rst) begin
        if (aw_wait_q) assume (awvalid && {awaddr, awprot} == aw_q);
        if (w_wait_q) assume (wvalid && {wdata, wstrb} == w_q);
        if (ar_wait_q) assume (arvalid && {araddr, arprot} == ar_q);
        if (b_wait_q) begin
            b_stays: assert (bvalid && bresp == b_q);
        end
        if (r_wait_q) begin
            r_stays_valid: assert (rvalid);
            r_stays_the_same: assert ({rdata, rresp} == r_q);
        end
        if (bvalid) begin
            b_only_after_address_and_data: assert (aw_open_q != 0 && w_open_q != 0);
            b_is_okay: assert (bresp == 2'b00);
        end
        if (rvalid) begin
            r_only_after_address: assert (ar_open_q != 0);
            r_is_okay: assert (rresp == 2'b00);
        end
        one_write_at_a_time: assert (aw_open_q <= 1 && w_open_q == aw_open_q);
        one_read_at_a_time: assert (ar_open_q <= 1);
        writes_are_taken: assert (take_wait_q < PATIENCE);
        writes_are_answered: assert (b_late_q < PATIENCE);
        reads_are_taken: assert (ask_wait_q < PATIENCE);
        reads_are_answered: assert (r_late_q < PATIENCE);
    end
endmodule
