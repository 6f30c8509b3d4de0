// rules_bursts: the bursts of one id that are under way, oldest first: how many, and whether the next beat is a last one.
module rules_bursts #(
    parameter LIMIT = 4  // power of two; the owner asserts that `open` does not pass it
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       start,
    input  wire [7:0] len,    // beats less 1
    input  wire       beat,
    output wire [7:0] open,
    output wire       last
);
    localparam W = $clog2(LIMIT);

    reg  [7:0] lens [0:LIMIT-1];
    reg  [W:0] started_q, ended_q;
    reg  [7:0] beat_q;
    wire [W:0] held = started_q - ended_q;

    assign open = held;
    assign last = beat_q == lens[ended_q[W-1:0]];

    always @(posedge clk) begin
        if (start) begin
            lens[started_q[W-1:0]] <= len;
            started_q              <= started_q + 1'b1;
        end
        if (beat) begin
            beat_q <= last ? 8'd0 : beat_q + 8'd1;
            if (last) ended_q <= ended_q + 1'b1;
        end
        if (rst) begin
            started_q <= 0;
            ended_q   <= 0;
            beat_q    <= 0;
        end
    end
endmodule
