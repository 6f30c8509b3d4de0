// hnic_tx_queue: the indices of one TX queue: what was given, fetched, completed; where the next fetch and completion go.
//
// Why: everything that must exist once a queue is here; the engines are shared and carry no queue state.
// Indices are free-running 16-bit counts, so empty (tail == head) and full (tail - head == size) differ.
// The rings (`cfg_base`, `cfg_size` and those of the completions) are taken when the queue starts and held until it has stopped.
// A doorbell that goes beyond the ring, or that meets a completion ring smaller than the descriptor ring, is ignored and counted.
// A fetch request covers as many descriptors as are there, up to DESC_BURST, not over the ring's end, not over 4 KiB.
// Throughput: a fetch request every 2 cycles, a completion a cycle.
//
// | parameter  | legal             | meaning                       |
// |------------|-------------------|-------------------------------|
// | DESC_BURST | power of two <=128| most descriptors in one fetch |
//
// Test: tests/hdl/test_hnic_tx_queue.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_tx_queue #(
    parameter DESC_BURST = 8
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        cfg_card_enable,
    input  wire        cfg_enable,
    input  wire [63:0] cfg_base,
    input  wire [3:0]  cfg_size,
    input  wire [63:0] cfg_cpl_base,
    input  wire [3:0]  cfg_cpl_size,
    input  wire        doorbell,
    input  wire [15:0] doorbell_tail,
    // next descriptors to fetch
    output wire        fetch_valid,
    input  wire        fetch_ready,
    output wire [63:0] fetch_addr,
    output wire [7:0]  fetch_count,
    output wire [15:0] fetch_index,
    // place of the next completion
    output wire [63:0] cpl_addr,
    output wire        cpl_phase,
    input  wire        cpl_issue,       // its write was issued
    input  wire [15:0] cpl_issue_head,  // descriptor index after its packet
    input  wire        cpl_done,        // the oldest write was answered
    output wire        status_active,
    output wire        status_busy,
    output wire [15:0] status_tail,
    output wire [15:0] status_head,
    output wire [15:0] status_cpl_head,
    output wire        stat_doorbell_errs
);
    localparam DESC_SHIFT = $clog2(`HNIC_TXD_BYTES);
    localparam CPL_SHIFT = $clog2(`HNIC_TXC_BYTES);
    localparam PAGE_SHIFT = 12 - DESC_SHIFT;  // descriptors in 4 KiB
    localparam [15:0] PAGE_DESCS = 16'd1 << PAGE_SHIFT;
    localparam [15:0] BURST = DESC_BURST;

    generate
        if (DESC_BURST < 1 || DESC_BURST > 128 || (DESC_BURST & (DESC_BURST - 1)) != 0) begin : gen_error_hnic_tx_queue_desc_burst
            ERROR_hnic_tx_queue_desc_burst u_stop ();
        end
    endgenerate

    // the rings of the running queue
    reg [63:0] base_q;
    reg [63:0] cpl_base_q;
    reg [3:0]  size_q;
    reg [3:0]  cpl_size_q;

    reg        active_q;
    reg [15:0] tail_q;
    reg [15:0] fetch_q;      // next descriptor to fetch
    reg [15:0] head_q;       // next descriptor without a completion
    reg [15:0] cpl_q;        // completions issued
    reg [15:0] cpl_head_q;   // completions answered
    reg        request_q;    // a fetch request stands
    reg [63:0] addr_q;
    reg [15:0] count_q;

    wire [15:0] size = 16'd1 << size_q;
    wire [15:0] slot = fetch_q & (size - 16'd1);
    wire [15:0] cpl_slot = cpl_q & ((16'd1 << cpl_size_q) - 16'd1);
    wire [15:0] cpl_lap = cpl_q >> cpl_size_q;
    wire [63:0] addr = base_q + ({48'd0, slot} << DESC_SHIFT);
    wire [15:0] to_tail = tail_q - fetch_q;
    wire [15:0] to_end = size - slot;
    wire [15:0] to_page = PAGE_DESCS - {{16 - PAGE_SHIFT{1'b0}}, addr[11:DESC_SHIFT]};

    wire drained = fetch_q == tail_q && head_q == tail_q && cpl_q == cpl_head_q;
    wire doorbell_ok = active_q && cfg_enable && (doorbell_tail - head_q) <= size && cpl_size_q >= size_q;

    assign fetch_valid        = request_q;
    assign fetch_addr         = addr_q;
    assign fetch_count        = count_q[7:0];
    assign fetch_index        = fetch_q;
    assign cpl_addr           = cpl_base_q + ({48'd0, cpl_slot} << CPL_SHIFT);
    assign cpl_phase          = !cpl_lap[0];
    assign status_active      = active_q;
    assign status_tail        = tail_q;
    assign status_head        = head_q;
    assign status_cpl_head    = cpl_head_q;
    assign stat_doorbell_errs = doorbell && !doorbell_ok;
    assign status_busy        = active_q != cfg_enable || cpl_q != cpl_head_q || head_q != fetch_q
                                || request_q || (cfg_card_enable && fetch_q != tail_q);

    wire unused = &{1'b0, cpl_lap[15:1]};

    function [15:0] least;
        input [15:0] a;
        input [15:0] b;
        least = a < b ? a : b;
    endfunction

    always @(posedge clk) begin : rings
        if (!active_q) begin
            base_q     <= cfg_base;
            cpl_base_q <= cfg_cpl_base;
            size_q     <= cfg_size;
            cpl_size_q <= cfg_cpl_size;
        end
    end

    always @(posedge clk) begin : fetch
        if (request_q) begin
            if (fetch_ready) begin
                request_q <= 1'b0;
                fetch_q   <= fetch_q + count_q;
            end
        end else if (active_q && cfg_card_enable && fetch_q != tail_q) begin
            request_q <= 1'b1;
            addr_q    <= addr;
            count_q   <= least(least(to_tail, to_end), least(to_page, BURST));
        end
        if (!active_q) fetch_q <= 16'd0;
        if (rst) begin
            request_q <= 1'b0;
            fetch_q   <= 16'd0;
        end
    end

    always @(posedge clk) begin : indices
        if (doorbell && doorbell_ok) tail_q <= doorbell_tail;
        if (cpl_issue) begin
            head_q <= cpl_issue_head;
            cpl_q  <= cpl_q + 1'b1;
        end
        if (cpl_done) cpl_head_q <= cpl_head_q + 1'b1;
        if (cfg_enable) active_q <= 1'b1;
        else if (drained) active_q <= 1'b0;
        if (rst || !active_q) begin
            tail_q     <= 16'd0;
            head_q     <= 16'd0;
            cpl_q      <= 16'd0;
            cpl_head_q <= 16'd0;
        end
        if (rst) active_q <= 1'b0;
    end

`ifdef HNIC_CHECKS
    always @(posedge clk) begin
        if (!rst && active_q && ((tail_q - head_q) > size || (fetch_q - head_q) > (tail_q - head_q))) begin
            $display("CHECK %m: head %0d, fetch %0d, tail %0d are out of order", head_q, fetch_q, tail_q);
            $finish;
        end
        if (!rst && request_q && ({4'd0, addr_q[11:0]} + (count_q << DESC_SHIFT)) > 16'd4096) begin
            $display("CHECK %m: fetch crosses 4 KiB");
            $finish;
        end
    end
`endif
endmodule

`resetall
