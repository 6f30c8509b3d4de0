// rules_axi4_read: an AXI4 read port with ids from 0 to IDS - 1. The master's rules are asserted, the slave's are assumed.
//
// Asserted: handshake stability, INCR bursts of full bus width within 4 KiB, beats, bytes wanted, bursts under way.
// Assumed: stability, data only for an id with a burst under way, `rlast` on its last beat and on no other.
module rules_axi4_read #(
    parameter DATA_W = 128,
    parameter ADDR_W = 64,
    parameter ID_W = 4,
    parameter IDS = 3,
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
    output wire [8*IDS-1:0] open  // bursts of each id under way
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

    wire [IDS-1:0] last, full;
    wire           ar_fire = arvalid && arready;
    wire           r_fire = rvalid && rready;
    genvar g;
    generate
        for (g = 0; g < IDS; g = g + 1) begin : ids
            rules_bursts #(.LIMIT(LIMIT)) bursts (
                .clk(clk), .rst(rst), .start(ar_fire && arid == g), .len(arlen), .beat(r_fire && rid == g),
                .open(open[8*g +: 8]), .last(last[g])
            );
            assign full[g] = open[8*g +: 8] >= LIMIT;
            always @* begin
                if (!rst && rvalid && rid == g) assume (open[8*g +: 8] != 0 && rlast == last[g]);
            end
        end
    endgenerate

    wire [15:0] first = araddr[11:0] & ~(NB - 1);  // bus word of the first beat, within its page
    wire [15:0] beats = arlen + 16'd1;
    wire [15:0] span = (araddr[11:0] & (NB - 1)) + aruser;

    always @* begin
        if (!rst && arvalid) begin
            ar_incr_of_full_width: assert (arburst == 2'b01 && arsize == OFF_W);
            ar_within_4_kib: assert (first + beats * NB <= 16'd4096);
            ar_no_longer_than_allowed: assert (beats <= MAX_BEATS);
            ar_no_more_than_there_is_room_for: assert (arid >= IDS || !full[arid]);
            ar_id_is_known: assert (arid < IDS);
            ar_bytes_need_these_beats: assert (aruser != 0 && span <= beats * NB && span + NB > beats * NB);
        end
        if (!rst && ar_wait_q) begin
            ar_stays_valid: assert (arvalid);
            ar_stays_the_same: assert (ar == ar_q);
        end
        if (!rst && r_wait_q) assume (rvalid && r == r_q);
        if (!rst && rvalid) assume (rid < IDS);
    end
endmodule
