// hnic_queue: the indices of one queue: what was given, fetched, held, taken, completed; where the next fetch and completion go.
//
// Why: all state of a queue that outlives a packet is here; the engines are shared and carry none. TX and RX queues are alike.
// Indices are free-running 16-bit counts, so empty (tail == head) and full (tail - head == size) differ. In order:
//
//     head <= take <= held <= fetch <= tail
//
// The rings (`cfg_base`, `cfg_size` and those of the completions) are taken when the queue starts and held until it has stopped.
// A doorbell that goes beyond the ring or back, or that meets a completion ring smaller than the descriptor ring, is ignored
// and counted. A fetch covers as many descriptors as are there, up to BURST, not over the ring's end, not over 4 KiB, and is
// asked for only when all of it has room among the DEPTH descriptors that the card holds of a queue.
//
// Halt: the first fault (`halt`, or a completion write that failed) stops fetching and taking and raises `flush`. ERROR rises
// when nothing of the queue is under way any more, so that it never overtakes the last completion; only a reset clears it.
// Reset (`cfg_reset`): nothing new begins; when nothing is under way any more, all is 0 and `reset_done` says so.
// Disable: TX finishes what was given; RX finishes the frame under way and forgets the buffers that are left.
// Throughput: a fetch request every 2 cycles, a completion a cycle. Latency: doorbell to fetch request 2 cycles.
//
// | parameter  | legal                    | meaning                                    |
// |------------|--------------------------|--------------------------------------------|
// | DESC_BYTES | 16, 32                   | size of a descriptor                       |
// | CPL_BYTES  | 16, 32                   | size of a completion                       |
// | DEPTH      | power of two, 16..128    | descriptors fetched and not taken          |
// | BURST      | power of two <= DEPTH/2  | most descriptors in one fetch              |
// | RX         | 0, 1                     | 1: a receive queue (see "Disable")         |
//
// Test: tests/hdl/test_hnic_queue.py
`resetall
`timescale 1ns / 1ps
`default_nettype none
`include "hnic_regs.vh"

module hnic_queue #(
    parameter DESC_BYTES = 32,
    parameter CPL_BYTES = 16,
    parameter DEPTH = 64,
    parameter BURST = 8,
    parameter RX = 0
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        cfg_card_enable,
    input  wire        cfg_enable,
    input  wire        cfg_reset,       // level, until reset_done
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
    input  wire        fetched,         // so many more, in order, are in the store
    input  wire [7:0]  fetched_count,
    // descriptors held in the store
    output wire        held_valid,      // the one at take_index is there, and a packet may begin with it
    output wire        held_more,       // the one behind it is there too
    output wire        held_end,        // no more will come before one is taken: all that was given is there, or it is full
    output wire [15:0] take_index,
    input  wire        take,            // goes on after held_valid fell, within a packet that has begun
    // packets
    input  wire        start,           // one begins; only while held_valid
    input  wire        finish,          // one has ended for good, completed or dropped
    input  wire        halt,            // a fault; the first one counts
    input  wire [7:0]  halt_status,
    input  wire [15:0] halt_index,
    output wire        flush,           // drop what is under way
    // place of the next completion
    output wire [63:0] cpl_addr,
    output wire        cpl_phase,
    input  wire        cpl_issue,       // its write was issued
    input  wire [15:0] cpl_issue_head,  // descriptor index after its packet
    input  wire        cpl_done,        // the oldest write was answered
    input  wire        cpl_error,       // ... with an error
    output wire        reset_done,      // pulse
    output wire        status_active,
    output wire        status_error,
    output wire        status_busy,
    output wire [15:0] status_tail,
    output wire [15:0] status_head,
    output wire [15:0] status_cpl_head,
    output wire [7:0]  error_status,    // of the first fault, OK without one; at once, before status_error
    output wire [15:0] error_index,     // descriptor at fault; with CPL_ERR the completion at fault
    output wire        stat_doorbell_errs
);
    localparam DESC_SHIFT = $clog2(DESC_BYTES);
    localparam CPL_SHIFT = $clog2(CPL_BYTES);
    localparam PAGE_SHIFT = 12 - DESC_SHIFT;  // descriptors in 4 KiB
    localparam [15:0] PAGE_DESCS = 16'd1 << PAGE_SHIFT;
    localparam [15:0] MOST = BURST;
    localparam [15:0] ROOM = DEPTH;
    localparam [15:0] NEARLY_FULL = DEPTH - BURST;
    localparam [0:0]  IS_RX = RX != 0;

    generate
        if (DESC_BYTES != 16 && DESC_BYTES != 32) begin : gen_error_hnic_queue_desc_bytes
            ERROR_hnic_queue_desc_bytes u_stop ();
        end
        if (CPL_BYTES != 16 && CPL_BYTES != 32) begin : gen_error_hnic_queue_cpl_bytes
            ERROR_hnic_queue_cpl_bytes u_stop ();
        end
        if (DEPTH < 16 || DEPTH > 128 || (DEPTH & (DEPTH - 1)) != 0) begin : gen_error_hnic_queue_depth
            ERROR_hnic_queue_depth u_stop ();
        end
        if (BURST < 1 || BURST > DEPTH / 2 || (BURST & (BURST - 1)) != 0) begin : gen_error_hnic_queue_burst
            ERROR_hnic_queue_burst u_stop ();
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
    reg [15:0] held_q;       // next descriptor to come
    reg [15:0] take_q;       // next descriptor to take
    reg [15:0] head_q;       // next descriptor without a completion
    reg [15:0] cpl_q;        // completions issued
    reg [15:0] cpl_head_q;   // completions in memory
    reg [15:0] writes_q;     // completion writes without an answer
    reg [15:0] packets_q;    // packets under way
    reg        request_q;    // a fetch request stands
    reg [63:0] addr_q;
    reg [15:0] count_q;
    reg        halted_q;
    reg        cpl_lost_q;   // a completion write failed
    reg        reset_seen_q; // this reset is done
    reg [7:0]  error_status_q;
    reg [15:0] error_index_q;

    function [15:0] least;
        input [15:0] a;
        input [15:0] b;
        least = a < b ? a : b;
    endfunction

    // ---- fetch ----
    wire [15:0] size = 16'd1 << size_q;
    wire [15:0] slot = fetch_q & (size - 16'd1);
    wire [63:0] addr = base_q + ({48'd0, slot} << DESC_SHIFT);
    wire [15:0] to_tail = tail_q - fetch_q;
    wire [15:0] to_end = size - slot;
    wire [15:0] to_page = PAGE_DESCS - {{16 - PAGE_SHIFT{1'b0}}, addr[11:DESC_SHIFT]};
    wire [15:0] count = least(least(to_tail, to_end), least(to_page, MOST));
    wire [15:0] room = ROOM - (fetch_q - take_q);
    wire        going = active_q && !halted_q && !cfg_reset && !(IS_RX && !cfg_enable);  // new work may begin
    wire        may_fetch = going && cfg_card_enable && to_tail != 16'd0 && room >= count;

    // ---- what is held ----
    wire [15:0] held = held_q - take_q;
    assign held_valid = going && held != 16'd0;
    assign held_more  = held > 16'd1;
    assign held_end   = held_q == tail_q || held > NEARLY_FULL;

    // ---- completions ----
    wire [15:0] cpl_slot = cpl_q & ((16'd1 << cpl_size_q) - 16'd1);
    wire [15:0] cpl_lap = cpl_q >> cpl_size_q;

    // ---- the queue's life ----
    wire quiet = !request_q && fetch_q == held_q && packets_q == 16'd0 && writes_q == 16'd0;
    wire drained = quiet && (IS_RX || halted_q || head_q == tail_q);
    wire stop = !cfg_enable && active_q && drained;
    wire clear = stop || reset_done;
    wire doorbell_ok = active_q && cfg_enable && !cfg_reset && cpl_size_q >= size_q
                       && (doorbell_tail - tail_q) <= size - (tail_q - head_q);
    wire changing = cfg_enable ? !active_q && !halted_q : active_q;
    wire resetting = cfg_reset != reset_seen_q;
    // Nothing below changes without one of these: a queue at rest costs the simulator nothing, and the flip-flops one enable.
    wire awake = rst || request_q || may_fetch || changing || resetting || doorbell || fetched || take || start || finish || halt
                 || cpl_issue || cpl_done;

    assign fetch_valid        = request_q;
    assign fetch_addr         = addr_q;
    assign fetch_count        = count_q[7:0];
    assign fetch_index        = fetch_q;
    assign take_index         = take_q;
    assign flush              = halted_q || cfg_reset;
    assign cpl_addr           = cpl_base_q + ({48'd0, cpl_slot} << CPL_SHIFT);
    assign cpl_phase          = !cpl_lap[0];
    assign reset_done         = cfg_reset && !reset_seen_q && quiet;
    assign status_active      = active_q;
    assign status_error       = halted_q && quiet;
    assign status_tail        = tail_q;
    assign status_head        = head_q;
    assign status_cpl_head    = cpl_head_q;
    assign error_status       = error_status_q;
    assign error_index        = error_index_q;
    assign stat_doorbell_errs = doorbell && !doorbell_ok;
    assign status_busy        = !quiet || may_fetch || changing || (cfg_reset && !reset_seen_q) || (!IS_RX && held_valid);

    wire unused = &{1'b0, cpl_lap[15:1]};

    always @(posedge clk) begin
        if (awake) begin
            // rings
            if (!active_q) begin
                base_q     <= cfg_base;
                cpl_base_q <= cfg_cpl_base;
                size_q     <= cfg_size;
                cpl_size_q <= cfg_cpl_size;
            end
            // indices
            if (request_q && fetch_ready) fetch_q <= fetch_q + count_q;
            if (fetched) held_q <= held_q + {8'd0, fetched_count};
            if (take) take_q <= take_q + 1'b1;
            if (doorbell && doorbell_ok) tail_q <= doorbell_tail;
            if (cpl_issue) begin
                head_q <= cpl_issue_head;
                cpl_q  <= cpl_q + 1'b1;
            end
            if (cpl_done && !cpl_error && !cpl_lost_q) cpl_head_q <= cpl_head_q + 1'b1;
            if (rst || clear) begin
                fetch_q    <= 16'd0;
                held_q     <= 16'd0;
                take_q     <= 16'd0;
                tail_q     <= 16'd0;
                head_q     <= 16'd0;
                cpl_q      <= 16'd0;
                cpl_head_q <= 16'd0;
            end
            // what is under way
            if (request_q) request_q <= !fetch_ready;
            else if (may_fetch) begin
                request_q <= 1'b1;
                addr_q    <= addr;
                count_q   <= count;
            end
            if (cpl_issue != cpl_done) writes_q <= cpl_issue ? writes_q + 1'b1 : writes_q - 1'b1;
            if (start != finish) packets_q <= start ? packets_q + 1'b1 : packets_q - 1'b1;
            if (rst) begin
                request_q <= 1'b0;
                writes_q  <= 16'd0;
                packets_q <= 16'd0;
            end
        end
    end

    always @(posedge clk) begin
        if (awake) begin
            if (!halted_q && (halt || (cpl_done && cpl_error))) begin
                halted_q       <= 1'b1;
                error_status_q <= halt ? halt_status : `HNIC_STATUS_CPL_ERR;
                error_index_q  <= halt ? halt_index : cpl_head_q;
            end
            if (cpl_done && cpl_error) cpl_lost_q <= 1'b1;
            if (cfg_enable && !halted_q && !cfg_reset) active_q <= 1'b1;
            else if (stop) active_q <= 1'b0;
            reset_seen_q <= cfg_reset && (reset_seen_q || reset_done);
            if (rst || reset_done) begin
                active_q       <= 1'b0;
                halted_q       <= 1'b0;
                cpl_lost_q     <= 1'b0;
                error_status_q <= `HNIC_STATUS_OK;
                error_index_q  <= 16'd0;
            end
            if (rst) reset_seen_q <= 1'b0;
`ifdef HNIC_CHECKS
            if (!rst && active_q && ((tail_q - head_q) > size || (fetch_q - head_q) > (tail_q - head_q)
                    || (held_q - head_q) > (fetch_q - head_q) || (take_q - head_q) > (held_q - head_q))) begin
                $display("CHECK %m: head %0d, take %0d, held %0d, fetch %0d, tail %0d are out of order",
                         head_q, take_q, held_q, fetch_q, tail_q);
                $finish;
            end
            if (!rst && request_q && ({4'd0, addr_q[11:0]} + (count_q << DESC_SHIFT)) > 16'd4096) begin
                $display("CHECK %m: fetch crosses 4 KiB");
                $finish;
            end
            if (!rst && (fetch_q - take_q) > ROOM) begin
                $display("CHECK %m: more descriptors than room");
                $finish;
            end
            if (!rst && ((start && !held_valid) || (finish && packets_q == 16'd0) || (cpl_done && writes_q == 16'd0))) begin
                $display("CHECK %m: a packet or a completion that is not there");
                $finish;
            end
`endif
        end
    end
endmodule

`resetall
