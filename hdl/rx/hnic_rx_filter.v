// hnic_rx_filter: says at each frame's end whether the frame is kept: good, whole, and for this card.
//
// Why: what the host does not want must cost it nothing. Every good frame that comes while receive is on is kept, counted by
// `stat_rx_filtered`, or counted by `stat_rx_len_errs`. While receive is off (at the frame's first word) nothing counts.
// - Wanted: the card's own address; broadcast when `cfg_broadcast`; another group address when `cfg_allmulti` or when its bit of
//   `cfg_mc_hash` is set; anything when `cfg_promisc`. The hash is the top six bits of the CRC register over the address.
// - Never wanted: MAC control frames (type 0x8808), and frames without a whole Ethernet header.
// - Not whole: an 802.3 length field (up to 1500, behind a VLAN tag if there is one) that says more than the frame has.
// Throughput: one word a cycle, any number of frames back to back. Latency: 1 cycle.
//
// | parameter | legal | meaning            |
// |-----------|-------|--------------------|
// | USER_W    | >= 1  | bits carried along |
//
// Test: tests/hdl/test_hnic_rx_filter.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_filter #(
    parameter USER_W = 96
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    input  wire [63:0]       in_data,
    input  wire [3:0]        in_count,  // 1..8, 8 but in the last word
    input  wire              in_last,
    input  wire              in_good,   // with in_last
    input  wire [USER_W-1:0] in_user,   // with in_last
    input  wire              cfg_enable,
    input  wire [47:0]       cfg_mac,   // octet 0 in bits 7:0
    input  wire              cfg_promisc,
    input  wire              cfg_allmulti,
    input  wire              cfg_broadcast,
    input  wire [63:0]       cfg_mc_hash,
    output wire              out_valid,
    output wire [63:0]       out_data,
    output wire [3:0]        out_count,
    output wire              out_last,
    output wire              out_keep,  // with out_last, as all that follows
    output wire [15:0]       out_len,
    output wire [USER_W-1:0] out_user,
    output wire              stat_rx_filtered,
    output wire              stat_rx_len_errs
);
    localparam [15:0] TYPE_VLAN = 16'h8100;
    localparam [15:0] TYPE_CONTROL = 16'h8808;
    localparam [15:0] LENGTH_MAX = 16'd1500;  // beyond that the field is a type
    localparam [15:0] HEADER = 16'd14;
    localparam [15:0] HEADER_VLAN = 16'd18;

    reg [12:0]       index_q;   // of the next word, stays at its maximum
    reg              enable_q, want_q, control_q, tag_q;
    reg [15:0]       type_q;

    reg              valid_q, last_q, keep_q, filtered_q, len_err_q;
    reg [63:0]       data_q;
    reg [3:0]        count_q;
    reg [15:0]       len_q;
    reg [USER_W-1:0] user_q;

    wire at_dest = index_q == 13'd0;
    wire at_type = index_q == 13'd1;
    wire at_inner = index_q == 13'd2;

    // ---- first word: destination ----
    wire [47:0] dest = in_data[47:0];
    wire        group = dest[0];
    wire        broadcast = &dest;
    wire        hashing = in_valid && at_dest && group;  // else the CRC's inputs stand still, for the simulator's sake
    wire [31:0] crc;

    hnic_crc32 u_crc (
        .crc_in(32'hFFFFFFFF), .data(hashing ? {16'd0, dest} : 64'd0), .count(4'd6), .crc_out(crc)
    );

    wire wanted = cfg_promisc
               || (broadcast ? cfg_broadcast : group ? cfg_allmulti || cfg_mc_hash[crc[31:26]] : dest == cfg_mac);

    // ---- second and third: type or length ----
    wire [15:0] outer = {in_data[39:32], in_data[47:40]};
    wire [15:0] inner = {in_data[7:0], in_data[15:8]};
    wire        has_tag = tag_q && (!at_inner || !in_last || in_count >= 4'd2);  // its inner type is there, too
    wire [15:0] field = at_type ? outer : at_inner && has_tag ? inner : type_q;

    // ---- the end ----
    wire [15:0] len = {index_q, 3'd0} + {12'd0, in_count};
    wire [15:0] payload = len - (!at_type && has_tag ? HEADER_VLAN : HEADER);
    wire        header = !at_dest && len >= HEADER;
    wire        control = at_type ? outer == TYPE_CONTROL : control_q;
    wire        want = header && want_q && !control;
    wire        len_err = &index_q || (field <= LENGTH_MAX && field > payload);
    wire        judged = in_valid && in_last && in_good && (at_dest ? cfg_enable : enable_q);

    assign out_valid        = valid_q;
    assign out_data         = data_q;
    assign out_count        = count_q;
    assign out_last         = last_q;
    assign out_keep         = keep_q;
    assign out_len          = len_q;
    assign out_user         = user_q;
    assign stat_rx_filtered = filtered_q;
    assign stat_rx_len_errs = len_err_q;

    wire awake = rst || in_valid || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            if (in_valid) begin
                index_q <= in_last ? 13'd0 : &index_q ? index_q : index_q + 13'd1;
                if (at_dest) begin
                    enable_q <= cfg_enable;
                    want_q   <= wanted;
                    tag_q    <= 1'b0;
                end
                if (at_type) begin
                    control_q <= outer == TYPE_CONTROL;
                    tag_q     <= outer == TYPE_VLAN && !in_last;
                end
                if (at_type || (at_inner && has_tag)) type_q <= field;
            end
            if (rst) index_q <= 13'd0;
        end
    end

    always @(posedge clk) begin
        if (awake) begin
            valid_q    <= in_valid;
            filtered_q <= judged && !want;
            len_err_q  <= judged && want && len_err;
            if (in_valid) begin
                data_q  <= in_data;
                count_q <= in_count;
                last_q  <= in_last;
                keep_q  <= judged && want && !len_err;
                len_q   <= len;
                user_q  <= in_user;
            end
            if (rst) begin
                valid_q    <= 1'b0;
                filtered_q <= 1'b0;
                len_err_q  <= 1'b0;
            end
        end
    end

    wire unused = &{1'b0, crc[25:0]};

`ifdef HNIC_CHECKS
    wire look = in_valid && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (in_count > 4'd8 || in_count == 4'd0 || (!in_last && !in_count[3])) begin
                $display("CHECK %m: a word that is neither full nor the last one");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
