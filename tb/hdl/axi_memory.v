// axi_memory: a memory on an AXI4 slave port, for measurements: a fixed latency, no reordering, no stall.
//
// Why: a memory model in Python is woken at every beat and sets the pace itself; here nothing but the card does.
// A burst's first beat comes `latency` cycles after its address was taken (0: in the next cycle), then a beat a cycle; a write is
// answered so many cycles after its last beat. Any number of bursts up to DEPTH is under way.
//
// | parameter | legal             | meaning                    |
// |-----------|-------------------|----------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of data              |
// | ADDR_W    | 32..64            | width of addresses         |
// | ID_W      | >= 1              | width of ids               |
// | SIZE_LOG2 | >= 12             | logarithm of the bytes     |
// | DEPTH     | power of two      | bursts under way           |
`resetall
`timescale 1ps / 1ps
`default_nettype none

module axi_memory #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter ID_W = 4,
    parameter SIZE_LOG2 = 20,
    parameter DEPTH = 256
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [15:0]         latency,
    input  wire [ID_W-1:0]     s_axi_awid,
    input  wire [ADDR_W-1:0]   s_axi_awaddr,
    input  wire [2:0]          s_axi_awsize,
    input  wire                s_axi_awvalid,
    output wire                s_axi_awready,
    input  wire [DATA_W-1:0]   s_axi_wdata,
    input  wire [DATA_W/8-1:0] s_axi_wstrb,
    input  wire                s_axi_wlast,
    input  wire                s_axi_wvalid,
    output wire                s_axi_wready,
    output wire [ID_W-1:0]     s_axi_bid,
    output wire [1:0]          s_axi_bresp,
    output wire                s_axi_bvalid,
    input  wire                s_axi_bready,
    input  wire [ID_W-1:0]     s_axi_arid,
    input  wire [ADDR_W-1:0]   s_axi_araddr,
    input  wire [7:0]          s_axi_arlen,
    input  wire                s_axi_arvalid,
    output wire                s_axi_arready,
    output wire [ID_W-1:0]     s_axi_rid,
    output wire [DATA_W-1:0]   s_axi_rdata,
    output wire [1:0]          s_axi_rresp,
    output wire                s_axi_rlast,
    output wire                s_axi_rvalid,
    input  wire                s_axi_rready
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam WORD_W = SIZE_LOG2 - OFF_W;
    localparam PTR_W = $clog2(DEPTH);

    reg [DATA_W-1:0] mem [0:(1<<WORD_W)-1];
    reg [31:0]       now_q;

    // ---- reads ----
    reg [ID_W-1:0]   ar_id [0:DEPTH-1];
    reg [WORD_W-1:0] ar_word [0:DEPTH-1];
    reg [7:0]        ar_len [0:DEPTH-1];
    reg [31:0]       ar_due [0:DEPTH-1];
    reg [PTR_W:0]    ar_in_q, ar_out_q;
    reg [7:0]        beat_q;

    wire [PTR_W-1:0] oldest = ar_out_q[PTR_W-1:0];
    wire [PTR_W:0]   reads = ar_in_q - ar_out_q;
    wire             due = reads != 0 && $signed(now_q - ar_due[oldest]) >= 0;
    wire             r_fire = s_axi_rvalid && s_axi_rready;

    assign s_axi_arready = !reads[PTR_W];
    assign s_axi_rvalid  = due;
    assign s_axi_rid     = ar_id[oldest];
    assign s_axi_rdata   = mem[ar_word[oldest] + {{WORD_W - 8{1'b0}}, beat_q}];
    assign s_axi_rresp   = 2'b00;
    assign s_axi_rlast   = beat_q == ar_len[oldest];

    always @(posedge clk) begin : read
        now_q <= now_q + 1'b1;
        if (s_axi_arvalid && s_axi_arready) begin
            ar_id[ar_in_q[PTR_W-1:0]]   <= s_axi_arid;
            ar_word[ar_in_q[PTR_W-1:0]] <= s_axi_araddr[SIZE_LOG2-1:OFF_W];
            ar_len[ar_in_q[PTR_W-1:0]]  <= s_axi_arlen;
            ar_due[ar_in_q[PTR_W-1:0]]  <= now_q + {16'd0, latency} + 1'b1;
            ar_in_q                     <= ar_in_q + 1'b1;
        end
        if (r_fire) begin
            beat_q <= s_axi_rlast ? 8'd0 : beat_q + 1'b1;
            if (s_axi_rlast) ar_out_q <= ar_out_q + 1'b1;
        end
        if (rst) begin
            now_q    <= 32'd0;
            ar_in_q  <= 0;
            ar_out_q <= 0;
            beat_q   <= 8'd0;
        end
    end

    // ---- writes ----
    reg [ID_W-1:0]   aw_id [0:DEPTH-1];
    reg [SIZE_LOG2-1:0] aw_addr [0:DEPTH-1];
    reg [2:0]        aw_size [0:DEPTH-1];
    reg [31:0]       b_due [0:DEPTH-1];
    reg [PTR_W:0]    aw_in_q, w_q, b_q;   // addresses taken, bursts written, bursts answered
    reg              inside_q;
    reg [SIZE_LOG2-1:0] w_addr_q;

    wire [PTR_W:0]   writes = aw_in_q - b_q;
    wire [PTR_W-1:0] w_at = w_q[PTR_W-1:0];
    wire [SIZE_LOG2-1:0] w_addr = inside_q ? w_addr_q : aw_addr[w_at];
    wire [SIZE_LOG2-1:0] w_step = {{SIZE_LOG2 - 1{1'b0}}, 1'b1} << aw_size[w_at];
    wire             w_fire = s_axi_wvalid && s_axi_wready;

    assign s_axi_awready = !writes[PTR_W];
    assign s_axi_wready  = w_q != aw_in_q;
    assign s_axi_bvalid  = b_q != w_q && $signed(now_q - b_due[b_q[PTR_W-1:0]]) >= 0;
    assign s_axi_bid     = aw_id[b_q[PTR_W-1:0]];
    assign s_axi_bresp   = 2'b00;

    always @(posedge clk) begin : write
        integer i;
        if (s_axi_awvalid && s_axi_awready) begin
            aw_id[aw_in_q[PTR_W-1:0]]   <= s_axi_awid;
            aw_addr[aw_in_q[PTR_W-1:0]] <= s_axi_awaddr[SIZE_LOG2-1:0];
            aw_size[aw_in_q[PTR_W-1:0]] <= s_axi_awsize;
            aw_in_q                     <= aw_in_q + 1'b1;
        end
        if (w_fire) begin
            for (i = 0; i < NB; i = i + 1)
                if (s_axi_wstrb[i]) mem[w_addr[SIZE_LOG2-1:OFF_W]][8*i +: 8] <= s_axi_wdata[8*i +: 8];
            inside_q <= !s_axi_wlast;
            w_addr_q <= (w_addr & ~(w_step - 1'b1)) + w_step;
            if (s_axi_wlast) begin
                b_due[w_at] <= now_q + {16'd0, latency} + 1'b1;
                w_q         <= w_q + 1'b1;
            end
        end
        if (s_axi_bvalid && s_axi_bready) b_q <= b_q + 1'b1;
        if (rst) begin
            aw_in_q  <= 0;
            w_q      <= 0;
            b_q      <= 0;
            inside_q <= 1'b0;
        end
    end
endmodule

`resetall
