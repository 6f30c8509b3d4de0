// rules_axi4_read: an AXI4 read port with ids 0 and 1. The master's rules are asserted, the slave's are assumed.
//
// Asserted: handshake stability, INCR bursts of full bus width within 4 KiB, beats, bytes wanted, bursts under way.
// Assumed: stability, data only for an id with a burst under way, `rlast` on its last beat and on no other.
module rules_axi4_read #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter ID_W = 4,
    parameter MAX_BEATS = 256,
    parameter LIMIT = 4  // bursts of an id under way, power of two
) (
    input wire              clk,
    input wire              rst,
    input wire [ID_W-1:0]   arid,
    input wire [ADDR_W-1:0] araddr,
    input wire [7:0]        arlen,
    input wire [2:0]        arsize,
    input wire [1:0]        arburst,
    input wire [12:0]       aruser,
    input wire              arvalid,
    input wire              arready,
    input wire [ID_W-1:0]   rid,
    input wire [DATA_W-1:0] rdata,
    input wire [1:0]        rresp,
    input wire              rlast,
    input wire              rvalid,
    input wire              rready,
    output wire [7:0]       open0,  // bursts of id 0 under way
    output wire [7:0]       open1
);
    localparam NB = DATA_W / 8;
    localparam OFF_W = $clog2(NB);
    localparam AR_W = ID_W + ADDR_W + 26;
    localparam R_W = ID_W + DATA_W + 3;

    wire [AR_W-1:0] ar = {arid, araddr, arlen, arsize, arburst, aruser};
    wire [R_W-1:0]  r = {rid, rdata, rresp, rlast};
    reg             ar_wait_q = 1'b0;
    reg             r_wait_q = 1'b0;
    reg  [AR_W-1:0] ar_q;
    reg  [R_W-1:0]  r_q;
    always @(posedge clk) begin
        ar_wait_q <= arvalid && !arready && !rst;
        r_wait_q  <= rvalid && !rready && !rst;
        ar_q      <= ar;
        r_q       <= r;
    end

    wire       last0, last1;
    wire       ar_fire = arvalid && arready;
    wire       r_fire = rvalid && rready;
    rules_bursts #(.LIMIT(LIMIT)) id0 (
        .clk(clk), .rst(rst), .start(ar_fire && arid == 0), .len(arlen), .beat(r_fire && rid == 0),
        .open(open0), .last(last0)
    );
    rules_bursts #(.LIMIT(LIMIT)) id1 (
        .clk(clk), .rst(rst), .start(ar_fire && arid == 1), .len(arlen), .beat(r_fire && rid == 1),
        .open(open1), .last(last1)
    );

    wire [15:0] first = araddr[11:0] & ~(NB - 1);  // bus word of the first beat, within its page
    wire [15:0] beats = arlen + 16'd1;
    wire [15:0] span = (araddr[11:0] & (NB - 1)) + aruser;

    always @* begin
        if (!rst && arvalid) begin
            ar_incr_of_full_width: assert (arburst == 2'b01 && arsize == OFF_W);
            ar_within_4_kib: assert (first + beats * NB <= 16'd4096);
            ar_no_longer_than_allowed: assert (beats <= MAX_BEATS);
            ar_id_is_known: assert (arid <= 1);
            ar_bytes_need_these_beats: assert (aruser != 0 && span <= beats * NB && span + NB > beats * NB);
            ar_no_more_than_there_is_room_for: assert ((arid == 0 ? open0 : open1) < LIMIT);
        end
        if (!rst && ar_wait_q) begin
            ar_stays_valid: assert (arvalid);
            ar_stays_the_same: assert (ar == ar_q);
        end
        if (!rst && r_wait_q) assume (rvalid && r == r_q);
        if (!rst && rvalid) begin
            assume (rid == 0 ? open0 != 0 && rlast == last0 : open1 != 0 && rlast == last1);
            assume (rid <= 1);
        end
    end
endmodule
