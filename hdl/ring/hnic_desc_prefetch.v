// hnic_desc_prefetch: reads the descriptors of all queues from host memory into a store on the card, ahead of their use.
//
// Why: with 400 ns of memory latency a descriptor must be asked for long before its turn. A queue asks only for what has room
// in its part of the store, so read data is always taken at once (`r_valid` has no ready) and beats go straight into the
// store. The queues' requests are served in turn. Descriptors of a queue lie in the store at their index, modulo DEPTH.
// `fetched_eops` counts the descriptors among the fetched that end a packet: by their EOP bit, or because their read failed.
// Rings are aligned to 64 bytes, so a descriptor's place in a beat follows from its index. An error on any beat of a
// descriptor marks it.
// Throughput: a burst every 2 cycles, a beat a cycle. Latency: address one cycle after the request; `fetched` with the last beat of
// a descriptor; its data can be read in the next cycle and is there one cycle later, until the next `rd_en`.
//
// | parameter  | legal                 | meaning                                           |
// |------------|-----------------------|---------------------------------------------------|
// | DATA_W     | 64, 128, 256, 512     | width of read data                                |
// | ADDR_W     | 32..64                | width of addresses                                |
// | QUEUES     | 1..32                 | queues                                            |
// | DESC_BYTES | 16, 32                | size of a descriptor                              |
// | DEPTH      | power of two, 16..128 | descriptors held of a queue                       |
// | BURST      | power of two <= DEPTH/2 | most descriptors in a burst                     |
// | EOP_LSB    | -1, or a bit          | bit of a descriptor that ends a packet; -1: none  |
//
// Test: tests/hdl/test_hnic_desc_prefetch.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_desc_prefetch #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter QUEUES = 8,
    parameter DESC_BYTES = 32,
    parameter DEPTH = 64,
    parameter BURST = 8,
    parameter EOP_LSB = -1,
    parameter QUEUE_W = QUEUES > 1 ? $clog2(QUEUES) : 1  // derived, do not set
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    quiesce,      // start no read
    // of each queue
    input  wire [QUEUES-1:0]       fetch_valid,
    output wire [QUEUES-1:0]       fetch_ready,
    input  wire [QUEUES*64-1:0]    fetch_addr,
    input  wire [QUEUES*8-1:0]     fetch_count,
    input  wire [QUEUES*16-1:0]    fetch_index,
    output wire [QUEUES-1:0]       fetched,
    output wire [7:0]              fetched_count,
    output wire [7:0]              fetched_eops,
    // AXI reads
    output wire                    ar_valid,
    input  wire                    ar_ready,
    output wire [ADDR_W-1:0]       ar_addr,
    output wire [7:0]              ar_len,
    output wire [12:0]             ar_bytes,
    input  wire                    r_valid,
    input  wire [DATA_W-1:0]       r_data,
    input  wire                    r_error,
    // the store
    input  wire                    rd_en,
    input  wire [QUEUE_W-1:0]      rd_queue,
    input  wire [15:0]             rd_index,
    output wire [8*DESC_BYTES-1:0] rd_data,
    output wire                    rd_error
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam DESC_W = 8 * DESC_BYTES;
    localparam DESC_SHIFT = $clog2(DESC_BYTES);
    localparam SLOT_W = $clog2(DEPTH);
    localparam BURSTS = 32;                               // under way
    localparam PER = NB > DESC_BYTES ? NB / DESC_BYTES : 1;    // descriptors in a beat
    localparam PARTS = NB < DESC_BYTES ? DESC_BYTES / NB : 1;  // beats of a descriptor
    localparam PER_W = $clog2(PER);
    localparam ROW_W = SLOT_W - PER_W;                    // the store has PER banks
    localparam ARB_N = QUEUES > 1 ? QUEUES : 2;
    localparam EOP_BIT = EOP_LSB < 0 ? 0 : EOP_LSB;
    localparam [0:0]  HAS_EOP = EOP_LSB >= 0;
    localparam [31:0] LAST = NB - 1;
    localparam [12:0] LAST_BYTE = LAST[12:0];

    generate
        if (DATA_W != 64 && DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : gen_error_hnic_desc_prefetch_data_w
            ERROR_hnic_desc_prefetch_data_w u_stop ();
        end
        if (QUEUES < 1 || QUEUES > 32) begin : gen_error_hnic_desc_prefetch_queues
            ERROR_hnic_desc_prefetch_queues u_stop ();
        end
        if (DESC_BYTES != 16 && DESC_BYTES != 32) begin : gen_error_hnic_desc_prefetch_desc_bytes
            ERROR_hnic_desc_prefetch_desc_bytes u_stop ();
        end
        if (DEPTH < 16 || DEPTH > 128 || (DEPTH & (DEPTH - 1)) != 0) begin : gen_error_hnic_desc_prefetch_depth
            ERROR_hnic_desc_prefetch_depth u_stop ();
        end
        if (BURST > DEPTH / 2 || BURST * DESC_BYTES > 256 * NB) begin : gen_error_hnic_desc_prefetch_burst
            ERROR_hnic_desc_prefetch_burst u_stop ();
        end
    endgenerate

    // ---- whose turn it is ----
    wire [ARB_N-1:0] request;
    wire [ARB_N-1:0] grant;
    wire             bursts_ready;
    wire             may = !ar_valid && !quiesce && bursts_ready;
    wire             accept = may && |fetch_valid;

    generate
        if (QUEUES > 1) begin : gen_many
            assign request = fetch_valid;
        end else begin : gen_one
            assign request = {1'b0, fetch_valid};
        end
    endgenerate

    hnic_arb #(.N(ARB_N)) u_arb (
        .clk(clk), .rst(rst), .request(request), .advance(may), .grant(grant)
    );
    assign fetch_ready = may ? grant[QUEUES-1:0] : {QUEUES{1'b0}};

    reg [QUEUE_W-1:0] pick_queue;
    reg [63:0]        pick_addr;
    reg [7:0]         pick_count;
    reg [15:0]        pick_index;
    integer q;
    always @* begin
        pick_queue = {QUEUE_W{1'b0}};
        pick_addr  = 64'd0;
        pick_count = 8'd0;
        pick_index = 16'd0;
        for (q = 0; q < QUEUES; q = q + 1) begin
            if (grant[q]) begin
                pick_queue = pick_queue | q[QUEUE_W-1:0];
                pick_addr  = pick_addr | fetch_addr[q*64 +: 64];
                pick_count = pick_count | fetch_count[q*8 +: 8];
                pick_index = pick_index | fetch_index[q*16 +: 16];
            end
        end
    end

    // ---- addresses ----
    reg               ar_valid_q;
    reg  [ADDR_W-1:0] ar_addr_q;
    reg  [12:0]       ar_bytes_q;
    reg  [7:0]        ar_len_q;

    wire [12:0] bytes = {5'd0, pick_count} << DESC_SHIFT;
    wire [12:0] span = bytes + {{13 - OFF_W{1'b0}}, pick_addr[OFF_W-1:0]};
    wire [12:0] beats = (span + LAST_BYTE) >> OFF_W;

    assign ar_valid = ar_valid_q;
    assign ar_addr  = ar_addr_q;
    assign ar_len   = ar_len_q;
    assign ar_bytes = ar_bytes_q;

    wire asking = rst || accept || ar_valid_q;

    always @(posedge clk) begin
        if (asking) begin
            if (accept) begin
                ar_valid_q <= 1'b1;
                ar_addr_q  <= pick_addr[ADDR_W-1:0];
                ar_bytes_q <= bytes;
                ar_len_q   <= beats[7:0] - 8'd1;
            end else if (ar_ready) begin
                ar_valid_q <= 1'b0;
            end
            if (rst) ar_valid_q <= 1'b0;
        end
    end

    // ---- what was asked for, and what came ----
    wire               burst_valid, burst_done;
    wire [QUEUE_W-1:0] burst_queue;
    wire [7:0]         burst_count;
    wire [15:0]        burst_index;

    hnic_fifo #(.WIDTH(QUEUE_W + 8 + 16), .DEPTH(BURSTS)) u_bursts (
        .clk(clk), .rst(rst),
        .wr_valid(accept), .wr_ready(bursts_ready), .wr_data({pick_queue, pick_count, pick_index}),
        .rd_valid(burst_valid), .rd_ready(burst_done), .rd_data({burst_queue, burst_count, burst_index}),
        .level()
    );

    reg         inside_q;  // a part of the burst was there before
    reg  [15:0] index_q;   // first descriptor of the next beat
    reg  [7:0]  left_q;    // descriptors of the burst that have not come

    wire        complete;  // with this beat
    wire        error;
    wire [15:0] index = inside_q ? index_q : burst_index;
    wire [7:0]  left = inside_q ? left_q : burst_count;
    wire [7:0]  fit;       // descriptors that have their place in this beat
    wire [7:0]  came = fit < left ? fit : left;
    wire        store = r_valid && complete;

    assign burst_done    = store && came == left;
    assign fetched_count = came;

    wire storing = rst || store;

    always @(posedge clk) begin
        if (storing) begin
            if (store) begin
                inside_q <= !burst_done;
                index_q  <= index + {8'd0, came};
                left_q   <= left - came;
            end
            if (rst) inside_q <= 1'b0;
        end
    end

    genvar g;
    generate
        for (g = 0; g < QUEUES; g = g + 1) begin : gen_fetched
            localparam [31:0] ME = g;
            assign fetched[g] = store && burst_queue == ME[QUEUE_W-1:0];
        end
    endgenerate

    // ---- the store ----
    wire [PER-1:0]             mine;  // banks whose descriptor is of this burst
    wire [PER-1:0]             ends;
    wire [PER*(DESC_W+1)-1:0]  word;
    wire [PER*(DESC_W+1)-1:0]  rd_word;

    generate
        if (PARTS > 1) begin : gen_parts
            localparam [31:0] LAST_PART = PARTS - 1;
            reg  [DESC_W-DATA_W-1:0] parts_q;  // beats before the last
            wire [DESC_W-DATA_W-1:0] earlier;  // with this one
            reg  [1:0]               part_q;
            reg                      error_q;
            assign complete = part_q == LAST_PART[1:0];
            assign error    = r_error || error_q;
            assign word     = {error, r_data, parts_q};
            wire coming = rst || r_valid;

            always @(posedge clk) begin
                if (coming) begin
                    part_q  <= rst || complete ? 2'd0 : part_q + 2'd1;
                    error_q <= !rst && !complete && error;
                    if (!complete) parts_q <= earlier;
                end
            end
            if (PARTS == 2) begin : gen_two
                assign earlier = r_data;
            end else begin : gen_more
                assign earlier = {r_data, parts_q[DESC_W-DATA_W-1:DATA_W]};
            end
        end else begin : gen_whole
            assign complete = 1'b1;
            assign error    = r_error;
            for (g = 0; g < PER; g = g + 1) begin : gen_word
                assign word[g*(DESC_W+1) +: DESC_W+1] = {error, r_data[g*DESC_W +: DESC_W]};
            end
        end

        for (g = 0; g < PER; g = g + 1) begin : gen_bank
            assign ends[g] = mine[g] && (word[g*(DESC_W+1) + EOP_BIT] || error);
            hnic_ram #(.WIDTH(DESC_W + 1), .ADDR_W(QUEUE_W + ROW_W)) u_ram (
                .clk(clk),
                .wr_en(store && mine[g]), .wr_addr({burst_queue, index[SLOT_W-1:PER_W]}),
                .wr_data(word[g*(DESC_W+1) +: DESC_W+1]),
                .rd_en(rd_en), .rd_addr({rd_queue, rd_index[SLOT_W-1:PER_W]}),
                .rd_data(rd_word[g*(DESC_W+1) +: DESC_W+1])
            );
        end

        if (PER > 1) begin : gen_banks
            localparam [31:0] ALL = PER;
            wire [PER_W-1:0] first = index[PER_W-1:0];
            wire [PER-1:0]   first_on = {PER{1'b1}} << first;
            reg  [PER_W-1:0] bank_q;
            assign fit  = ALL[7:0] - {{8 - PER_W{1'b0}}, first};
            assign mine = first_on & ~(first_on << came);
            assign {rd_error, rd_data} = rd_word[bank_q*(DESC_W+1) +: DESC_W+1];
            always @(posedge clk) if (rd_en) bank_q <= rd_index[PER_W-1:0];
        end else begin : gen_single
            assign fit  = 8'd1;
            assign mine = 1'b1;
            assign {rd_error, rd_data} = rd_word;
        end
    endgenerate

    reg [7:0] eops;
    integer k;
    always @* begin
        eops = 8'd0;
        for (k = 0; k < PER; k = k + 1) eops = eops + {7'd0, ends[k]};
    end
    assign fetched_eops = HAS_EOP ? eops : 8'd0;

    wire unused = &{1'b0, burst_valid, pick_addr, beats[12:8], rd_index, grant};

`ifdef HNIC_CHECKS
    localparam [31:0] PLACE_MASK = PER - 1;
    wire look = (r_valid || accept) && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (r_valid && !burst_valid) begin
                $display("CHECK %m: read data that was not asked for");
                $finish;
            end
            if (accept && (((pick_addr[15:0] >> DESC_SHIFT) ^ pick_index) & PLACE_MASK[15:0]) != 16'd0) begin
                $display("CHECK %m: a ring that is not aligned");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
