// hnic_tso_header: keeps the header of a super-packet's first frame and gives it back for the later frames.
//
// Why: only the first frame's header lies in memory. It is kept as it leaves the gather stage, as packed words with the VLAN tag in
// it and before any edit; with it the TCP sequence number and the IPv4 id that the later frames count up from.
// The first header burst of a super-packet waits until all frames before it have passed; the others find the header here.
// One copy is enough: the next super-packet's first frame passes when all headers of this one were taken.
// Throughput: a word in and a beat out each cycle. Latency: the beats are there when frame 0 has passed.
//
// | parameter | legal             | meaning                  |
// |-----------|-------------------|--------------------------|
// | DATA_W    | 64, 128, 256, 512 | width of words           |
// | BYTES     | power of two      | longest header, with tag |
//
// Test: tests/hdl/test_hnic_tso_header.py
`resetall
`timescale 1ns / 1ps
`default_nettype none

module hnic_tso_header #(
    parameter DATA_W = 128,
    parameter BYTES = 256
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              taken,       // the gather stage takes the last burst of a frame
    input  wire              in_fire,     // a packed word passes
    input  wire [DATA_W-1:0] in_data,
    input  wire [15:0]       in_pos,      // its place in the frame
    input  wire              in_last,
    input  wire              in_keep,     // it is of a super-packet's first frame
    input  wire [15:0]       in_seq_pos,  // place of the TCP sequence number
    input  wire [15:0]       in_id_pos,   // place of the IPv4 id
    output wire              rd_valid,
    input  wire              rd_wait,     // the first header burst of its super-packet
    input  wire              rd_step,     // a header beat is taken
    input  wire              rd_restart,  // another beat is taken
    output wire [DATA_W-1:0] rd_data,
    output wire [31:0]       seq,         // numbers, not bytes
    output wire [15:0]       id
);
    localparam WORDS = BYTES * 8 / DATA_W;
    localparam ADDR_W = $clog2(WORDS);
    localparam OFF_W = $clog2(DATA_W / 8);

    reg [DATA_W-1:0] mem [0:WORDS-1];
    reg [ADDR_W-1:0] rd_index_q;
    reg [2:0]        under_way_q;  // frames within the gather stage, their last burst taken
    reg [31:0]       seq_q;        // bits 7:0 are the first byte
    reg [15:0]       id_q;

    wire [31:0]      seq_part;
    wire [15:0]      id_part;
    wire             starts = in_pos == 16'd0;
    wire             passed = in_fire && in_last;
    wire             keep = in_fire && in_keep;

    assign rd_valid = !rd_wait || under_way_q == 3'd0;
    assign rd_data  = mem[rd_index_q];
    assign seq      = {seq_q[7:0], seq_q[15:8], seq_q[23:16], seq_q[31:24]};
    assign id       = {id_q[7:0], id_q[15:8]};

    hnic_pick #(.DATA_W(DATA_W), .BYTES(4)) u_seq (.in_data(in_data), .in_pos(in_pos), .pos(in_seq_pos), .part(seq_part));
    hnic_pick #(.DATA_W(DATA_W), .BYTES(2)) u_id (.in_data(in_data), .in_pos(in_pos), .pos(in_id_pos), .part(id_part));

    wire awake = rst || keep || rd_step || rd_restart || taken || passed;

    always @(posedge clk) begin
        if (awake) begin
            if (keep && in_pos[15:OFF_W+ADDR_W] == {16 - OFF_W - ADDR_W{1'b0}}) mem[in_pos[OFF_W +: ADDR_W]] <= in_data;
            if (keep) begin
                seq_q <= seq_part | (starts ? 32'd0 : seq_q);
                id_q  <= id_part | (starts ? 16'd0 : id_q);
            end
            if (rd_step) rd_index_q <= rd_index_q + 1'b1;
            else if (rd_restart) rd_index_q <= {ADDR_W{1'b0}};
            if (taken != passed) under_way_q <= taken ? under_way_q + 3'd1 : under_way_q - 3'd1;
            if (rst) begin
                rd_index_q  <= {ADDR_W{1'b0}};
                under_way_q <= 3'd0;
            end
        end
    end

`ifdef HNIC_CHECKS
    wire look = taken != passed && !rst;
    always @(posedge clk) begin
        if (look) begin
            if (under_way_q == (taken ? 3'd7 : 3'd0)) begin
                $display("CHECK %m: more or fewer frames passed than were taken");
                $finish;
            end
        end
    end
`endif
endmodule

`resetall
