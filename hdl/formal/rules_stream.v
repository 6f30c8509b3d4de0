// rules_stream: what leaves through a valid/ready channel stays until it is taken and does not move meanwhile.
module rules_stream #(
    parameter WIDTH = 8
) (
    input wire             clk,
    input wire             rst,
    input wire             valid,
    input wire             ready,
    input wire [WIDTH-1:0] data
);
    reg             stalled_q = 1'b0;
    reg [WIDTH-1:0] data_q;

    always @(posedge clk) begin
        stalled_q <= valid && !ready && !rst;
        data_q    <= data;
    end

    always @* begin
        if (!rst && stalled_q) begin
            stays_valid: assert (valid);
            stays_the_same: assert (data == data_q);
        end
    end
endmodule
