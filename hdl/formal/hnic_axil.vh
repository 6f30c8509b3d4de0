    wire f_busy;
    rules_axil_slave #(.ADDR_W(ADDR_W)) f_axil (
        .clk(clk), .rst(rst),
        .awaddr(s_axil_awaddr), .awprot(s_axil_awprot), .awvalid(s_axil_awvalid), .awready(s_axil_awready),
        .wdata(s_axil_wdata), .wstrb(s_axil_wstrb), .wvalid(s_axil_wvalid), .wready(s_axil_wready),
        .bresp(s_axil_bresp), .bvalid(s_axil_bvalid), .bready(s_axil_bready),
        .araddr(s_axil_araddr), .arprot(s_axil_arprot), .arvalid(s_axil_arvalid), .arready(s_axil_arready),
        .rdata(s_axil_rdata), .rresp(s_axil_rresp), .rvalid(s_axil_rvalid), .rready(s_axil_rready), .busy(f_busy)
    );

    // The register bus: each whole write once, each read once, and the word that the blocks gave.
    reg        f_gave_q;  // the blocks give their word in this cycle
    reg        f_open_q;  // the word is on its way to the bus
    reg [31:0] f_word_q;
    always @(posedge clk) begin
        f_gave_q <= rd_en && !rst;
        if (f_gave_q) f_word_q <= rd_data;
        f_open_q <= !rst && (f_gave_q || (f_open_q && !(s_axil_rvalid && s_axil_rready)));
    end

    wire f_take = s_axil_awvalid && s_axil_awready && s_axil_wvalid && s_axil_wready;
    always @* if (f_on) begin
        a_whole_write_reaches_the_registers: assert (wr_en == (f_take && s_axil_wstrb == 4'hF));
        at_its_address_with_its_word: assert (!wr_en || (wr_addr == (s_axil_awaddr & ~3) && wr_data == s_axil_wdata));
        address_and_data_go_together: assert ((s_axil_awvalid && s_axil_awready) == (s_axil_wvalid && s_axil_wready));
        a_read_asks_once: assert (rd_en == (s_axil_arvalid && s_axil_arready));
        at_its_address: assert (!rd_en || rd_addr == (s_axil_araddr & ~3));
        a_read_gets_the_word_of_the_next_cycle: assert (!s_axil_rvalid || (f_open_q && s_axil_rdata == f_word_q));
        busy_while_anything_is_open: assert (status_busy == f_busy);
        // What makes the rest inductive.
        where_a_read_is: assert (fetch_q == f_gave_q && rvalid_q == f_open_q && !(fetch_q && rvalid_q));
    end
