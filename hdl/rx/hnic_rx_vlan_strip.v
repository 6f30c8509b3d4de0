// hnic_rx_vlan_strip: takes the VLAN tag (four bytes at offset 12, type 0x8100) out of a frame.
//
// Why: the host gets the tag in the completion and the frame without it. Bytes behind the tag move half a word forward. Each word
// waits for its successor, so that the stream has no more gaps than it came with. A tag counts when the type behind it is in the
// frame, too; of two tags only the first is taken.
// Throughput: one word a cycle, any number of frames back to back. Latency: 2 cycles; the last word's 1 when it empties.
//
// | parameter | legal | meaning            |
// |-----------|-------|--------------------|
// | USER_W    | >= 1  | bits carried along |
//
// Test: tests/hdl/test_hnic_rx_vlan_strip.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_rx_vlan_strip #(
    parameter USER_W = 96
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              cfg_vlan_strip,
    input  wire              in_valid,
    input  wire [63:0]       in_data,
    input  wire [3:0]        in_count,  // 1..8, 8 but in the last word
    input  wire              in_last,
    input  wire              in_keep,   // with in_last, as len and user
    input  wire [15:0]       in_len,
    input  wire [USER_W-1:0] in_user,
    output wire              out_valid,
    output wire [63:0]       out_data,
    output wire [3:0]        out_count,
    output wire              out_last,
    output wire              out_keep,  // with out_last, as all that follows
    output wire [15:0]       out_len,
    output wire              out_vlan,  // a tag was taken out
    output wire [15:0]       out_tci,   // 0 when none was
    output wire [USER_W-1:0] out_user
);
    localparam [15:0] TYPE_VLAN = 16'h8100;
    localparam [3:0]  HALF = 4'd4;

    reg [1:0]        index_q;  // of the next word, stays at 3
    reg [63:0]       hold_q;   // the word before
    reg              tag_q;    // that word or one before brought a tag to be taken
    reg [15:0]       tci_q;

    // what of a frame is still in hold_q behind its last word
    reg              rest_q, rest_keep_q, rest_vlan_q;
    reg [3:0]        rest_count_q;
    reg [15:0]       rest_len_q, rest_tci_q;
    reg [USER_W-1:0] rest_user_q;

    reg              valid_q, last_q, keep_q, vlan_q;
    reg [63:0]       data_q;
    reg [3:0]        count_q;
    reg [15:0]       len_q, out_tci_q;
    reg [USER_W-1:0] user_q;

    wire at_type = index_q == 2'd1;
    wire at_inner = index_q == 2'd2;
    wire tag = at_type && {in_data[39:32], in_data[47:40]} == TYPE_VLAN && cfg_vlan_strip && !in_last;
    wire strip = index_q[1] && tag_q && !(at_inner && in_last && in_count < 4'd2);
    wire fits = strip && in_count <= HALF;  // the frame ends with the word that goes out now
    wire give = in_valid && index_q != 2'd0;

    wire [15:0] len = strip ? in_len - 16'd4 : in_len;
    wire [15:0] tci = strip ? tci_q : 16'd0;

    assign out_valid = valid_q;
    assign out_data  = data_q;
    assign out_count = count_q;
    assign out_last  = last_q;
    assign out_keep  = keep_q;
    assign out_len   = len_q;
    assign out_vlan  = vlan_q;
    assign out_tci   = out_tci_q;
    assign out_user  = user_q;

    wire awake = rst || in_valid || rest_q || give || valid_q;

    always @(posedge clk) begin
        if (awake) begin
            rest_q <= in_valid && in_last && !fits;
            if (in_valid) begin
                index_q <= in_last ? 2'd0 : index_q == 2'd3 ? index_q : index_q + 2'd1;
                // Once the tag is out, the word's upper half is what waits, at the place of the lower one.
                hold_q  <= strip ? {in_data[31:0], in_data[63:32]} : in_data;
                if (at_type) begin
                    tag_q <= tag;
                    tci_q <= {in_data[55:48], in_data[63:56]};
                end
                rest_keep_q  <= in_keep;
                rest_vlan_q  <= strip;
                rest_count_q <= strip ? in_count - HALF : in_count;
                rest_len_q   <= len;
                rest_tci_q   <= tci;
                rest_user_q  <= in_user;
            end
            if (rst) begin
                index_q <= 2'd0;
                rest_q  <= 1'b0;
            end
        end
    end

    always @(posedge clk) begin
        if (awake) begin
            valid_q <= give || rest_q;
            if (give || rest_q) begin
                data_q    <= strip && !rest_q ? {in_data[31:0], hold_q[31:0]} : hold_q;
                count_q   <= rest_q ? rest_count_q : in_last && fits ? HALF + in_count : 4'd8;
                last_q    <= rest_q || (in_last && fits);
                keep_q    <= rest_q ? rest_keep_q : in_keep;
                len_q     <= rest_q ? rest_len_q : len;
                vlan_q    <= rest_q ? rest_vlan_q : strip;
                out_tci_q <= rest_q ? rest_tci_q : tci;
                user_q    <= rest_q ? rest_user_q : in_user;
            end
            if (rst) valid_q <= 1'b0;
        end
    end

`ifdef HNIC_CHECKS
    wire look = give && rest_q && !rst;
    always @(posedge clk) begin
        if (look) begin
            $display("CHECK %m: two words want to go out at once");
            $finish;
        end
    end
`endif
endmodule

`resetall
