// hnic_tx_sched: which queue's packet goes next, and the way of its descriptors out of the store.
//
// Why: one judge and one data engine serve all queues, a whole packet at a time. A queue is asked only when a whole packet is held
// (a descriptor that ends one), or when no more can come: the judge then names what is wrong. So nobody waits for host memory
// in the middle of another's packet. Among the queues that may go the highest priority wins, and within it turns are taken.
// The choice is made as late as possible: when the packet before has left. A fault keeps its queue from going on until the
// queue is reset.
// Throughput: 1 descriptor a cycle within a packet, 2 cycles between packets. Latency: 2 cycles from `held_valid` to `desc_valid`.
//
// | parameter | legal | meaning |
// |-----------|-------|---------|
// | QUEUES    | 1..32 | queues  |
//
// Test: tests/hdl/test_hnic_tx_sched.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_tx_sched #(
    parameter QUEUES = 8,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire [QUEUES*3-1:0]  cfg_prio,       // 7 first
    // of each queue
    input  wire [QUEUES-1:0]    status_active,
    input  wire [QUEUES-1:0]    allowed,        // by its rate limit
    input  wire [QUEUES-1:0]    held_valid,
    input  wire [QUEUES-1:0]    held_more,
    input  wire [QUEUES-1:0]    held_end,
    input  wire [QUEUES*16-1:0] take_index,
    output wire [QUEUES-1:0]    start,
    output wire [QUEUES-1:0]    take,
    // of the store: how many more that end a packet
    input  wire [QUEUES-1:0]    fetched,
    input  wire [7:0]           fetched_eops,
    output wire                 rd_en,
    output wire [QUEUE_W-1:0]   rd_queue,
    output wire [15:0]          rd_index,
    // to the judge, beside the store's data
    output wire                 desc_valid,
    input  wire                 desc_ready,
    output wire [QUEUE_W-1:0]   desc_queue,
    output wire [15:0]          desc_index,
    output wire                 desc_final,     // no other is held behind it
    input  wire                 desc_eop,       // it counts as one that ends a packet
    input  wire                 desc_last,      // the judge ends the packet with it
    input  wire                 desc_fault      // ... and this queue
);
    localparam LEVELS = 8;
    localparam ARB_N = QUEUES > 1 ? QUEUES : 2;

    generate
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_tx_sched_queues
            ERROR_hnic_tx_sched_queues u_stop ();
        end
    endgenerate

    reg                chosen_valid_q;  // a queue was chosen and has not started
    reg [QUEUES-1:0]   chosen_q;        // it, one-hot, from the choice to the packet's end
    reg [QUEUE_W-1:0]  queue_q;
    reg [15:0]         index_q;         // next descriptor to read, then the one read
    reg                run_q;           // a packet is under way, its descriptor at index_q is there
    reg [QUEUES-1:0]   stopped_q;

    // ---- who may go ----
    wire [QUEUES-1:0] may_go;
    wire              fire = desc_valid && desc_ready;

    reg  [QUEUES*8-1:0] eops_q;  // ends of packets that are held, of each queue
    wire [QUEUES-1:0]   whole;   // there is one

    genvar g, p;
    generate
        for (g = 0; g < QUEUES; g = g + 1) begin : gen_queue
            assign whole[g]  = eops_q[g*8 +: 8] != 8'd0;
            assign may_go[g] = held_valid[g] && allowed[g] && !stopped_q[g] && (whole[g] || held_end[g]);
        end
    endgenerate

    integer n;
    wire ends_move = rst || |fetched || |take || |(whole & ~status_active);

    always @(posedge clk) begin
        if (ends_move) begin
            for (n = 0; n < QUEUES; n = n + 1) begin
                if (rst || !status_active[n]) eops_q[n*8 +: 8] <= 8'd0;
                else if (fetched[n] || take[n])
                    eops_q[n*8 +: 8] <= eops_q[n*8 +: 8] + (fetched[n] ? fetched_eops : 8'd0) - {7'd0, take[n] && desc_eop};
            end
        end
    end

    // ---- the choice ----
    wire [LEVELS*ARB_N-1:0] grants;
    wire [LEVELS-1:0]       wants;  // somebody of this priority
    wire [LEVELS-1:0]       wins;
    wire                    choose = !run_q && !chosen_valid_q;

    generate
        for (p = 0; p < LEVELS; p = p + 1) begin : gen_level
            localparam [31:0] ME = p;
            wire [ARB_N-1:0]  request;
            wire [QUEUES-1:0] of_level;
            for (g = 0; g < QUEUES; g = g + 1) begin : gen_queue
                assign of_level[g] = may_go[g] && cfg_prio[g*3 +: 3] == ME[2:0];
            end
            if (QUEUES > 1) begin : gen_many
                assign request = of_level;
            end else begin : gen_one
                assign request = {1'b0, of_level};
            end
            assign wants[p] = |of_level;
            assign wins[p]  = wants[p] && (wants >> p) == 1;
            hnic_arb #(.N(ARB_N)) u_arb (
                .clk(clk), .rst(rst), .request(request), .advance(choose && wins[p]),
                .grant(grants[p*ARB_N +: ARB_N])
            );
        end
    endgenerate

    reg [ARB_N-1:0]   grant;
    reg [QUEUE_W-1:0] grant_queue;
    reg [15:0]        grant_index;
    integer i;
    always @* begin
        grant       = {ARB_N{1'b0}};
        grant_queue = {QUEUE_W{1'b0}};
        grant_index = 16'd0;
        for (i = 0; i < LEVELS; i = i + 1) if (wins[i]) grant = grant | grants[i*ARB_N +: ARB_N];
        for (i = 0; i < QUEUES; i = i + 1) begin
            if (grant[i]) begin
                grant_queue = grant_queue | i[QUEUE_W-1:0];
                grant_index = grant_index | take_index[i*16 +: 16];
            end
        end
    end

    // ---- the packet ----
    // A reset of the queue may have come between choice and start.
    wire begins = chosen_valid_q && |(chosen_q & held_valid);
    wire goes_on = fire && !desc_last;

    assign start      = begins ? chosen_q : {QUEUES{1'b0}};
    assign take       = fire ? chosen_q : {QUEUES{1'b0}};
    assign rd_en      = begins || goes_on;
    assign rd_queue   = queue_q;
    assign rd_index   = index_q + {15'd0, run_q};
    assign desc_valid = run_q;
    assign desc_queue = queue_q;
    assign desc_index = index_q;
    assign desc_final = ~|(chosen_q & held_more);

    wire stop = |(stopped_q & ~status_active);
    wire awake = rst || chosen_valid_q || run_q || |may_go || stop;

    always @(posedge clk) begin
        if (awake) begin
            if (choose) begin
                chosen_valid_q <= |may_go;
                chosen_q       <= grant[QUEUES-1:0];
                queue_q        <= grant_queue;
                index_q        <= grant_index;
            end
            if (chosen_valid_q) begin
                chosen_valid_q <= 1'b0;
                run_q          <= begins;
            end
            if (goes_on) index_q <= index_q + 1'b1;
            if (fire && desc_last) run_q <= 1'b0;
            stopped_q <= (stopped_q | (fire && desc_last && desc_fault ? chosen_q : {QUEUES{1'b0}})) & status_active;
            if (rst) begin
                chosen_valid_q <= 1'b0;
                run_q          <= 1'b0;
                stopped_q      <= {QUEUES{1'b0}};
            end
        end
    end

    wire unused = &{1'b0, grant};

`ifdef HNIC_CHECKS
    always @(posedge clk) begin
        if (goes_on) begin
            if (!rst && desc_final) begin
                $display("CHECK %m: the packet goes on with what is not there");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
