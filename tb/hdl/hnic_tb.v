// The bench around the card: clock and reset, and nothing that thinks.
//
// The clock is made here, because a clock made in Python would wake Python twice a cycle. It runs while the card says that
// something is in flight (status_busy) or the bench asks for it (clk_req), and HOLD cycles longer; otherwise it stands
// still, so that idle simulated time costs nothing. Buses are driven and watched from Python (tb/sim), frames frame by frame:
// a player and a recorder stand between Python and XGMII.
//
// | parameter  | default | meaning                           |
// |------------|---------|-----------------------------------|
// | AXI_DATA_W | 128     | data width of the host memory bus |
// | TX_QUEUES  | 8       | transmit queues of the card       |
// | RX_QUEUES  | 8       | receive queues of the card        |
//
// Test: every test in tests/system.

`resetall
`timescale 1ps / 1ps
`default_nettype none

module hnic_tb #(
    parameter AXI_DATA_W = 128,
    parameter TX_QUEUES = 8,
    parameter RX_QUEUES = 8
) ();

    localparam AXI_ADDR_W  = 64;
    localparam AXI_ID_W    = 4;
    localparam AXIL_ADDR_W = 16;
    localparam IRQ_N       = 2 * (TX_QUEUES > RX_QUEUES ? TX_QUEUES : RX_QUEUES);
    localparam HOLD        = 16;

    // Written by the bench before the clock is asked for.
    reg [31:0] half_period_ps = 3200;
    reg        clk_req = 1'b0;
    reg        rst = 1'b0;

    reg        clk = 1'b0;
    reg [63:0] cycles = 64'd0;
    reg [7:0]  hold_q = HOLD;
    wire       status_busy;
    wire       player_busy;
    wire       busy = clk_req | status_busy | player_busy;
    wire       run = busy | (hold_q != 8'd0);
    reg [63:0] time_ns = 64'd0;  // as it will be at the next rising edge

    always begin : clock
        wait (run);
        #(half_period_ps) clk = 1'b1;
        #(half_period_ps) clk = 1'b0;
    end

    always @(posedge clk) begin
        cycles <= cycles + 64'd1;
        if (busy) hold_q <= HOLD;
        else if (hold_q != 8'd0) hold_q <= hold_q - 8'd1;
    end

    always @(negedge clk) begin
        time_ns <= ($time + {32'd0, half_period_ps}) / 1000;
    end

    // Written by the bus models.
    wire [AXIL_ADDR_W-1:0]    s_axil_awaddr;
    wire [2:0]                s_axil_awprot;
    wire                      s_axil_awvalid;
    wire [31:0]               s_axil_wdata;
    wire [3:0]                s_axil_wstrb;
    wire                      s_axil_wvalid;
    wire                      s_axil_bready;
    wire [AXIL_ADDR_W-1:0]    s_axil_araddr;
    wire [2:0]                s_axil_arprot;
    wire                      s_axil_arvalid;
    wire                      s_axil_rready;
    wire                      m_axi_awready;
    wire                      m_axi_wready;
    wire [AXI_ID_W-1:0]       m_axi_bid;
    wire [1:0]                m_axi_bresp;
    wire                      m_axi_bvalid;
    wire                      m_axi_arready;
    wire [AXI_ID_W-1:0]       m_axi_rid;
    wire [AXI_DATA_W-1:0]     m_axi_rdata;
    wire [1:0]                m_axi_rresp;
    wire                      m_axi_rlast;
    wire                      m_axi_rvalid;

    // The card's own outputs.
    wire                      dut_s_axil_awready;
    wire                      dut_s_axil_wready;
    wire [1:0]                dut_s_axil_bresp;
    wire                      dut_s_axil_bvalid;
    wire                      dut_s_axil_arready;
    wire [31:0]               dut_s_axil_rdata;
    wire [1:0]                dut_s_axil_rresp;
    wire                      dut_s_axil_rvalid;
    wire [AXI_ID_W-1:0]       dut_m_axi_awid;
    wire [AXI_ADDR_W-1:0]     dut_m_axi_awaddr;
    wire [7:0]                dut_m_axi_awlen;
    wire [2:0]                dut_m_axi_awsize;
    wire [1:0]                dut_m_axi_awburst;
    wire                      dut_m_axi_awlock;
    wire [3:0]                dut_m_axi_awcache;
    wire [2:0]                dut_m_axi_awprot;
    wire [12:0]               dut_m_axi_awuser;
    wire                      dut_m_axi_awvalid;
    wire [AXI_DATA_W-1:0]     dut_m_axi_wdata;
    wire [AXI_DATA_W/8-1:0]   dut_m_axi_wstrb;
    wire                      dut_m_axi_wlast;
    wire                      dut_m_axi_wvalid;
    wire                      dut_m_axi_bready;
    wire [AXI_ID_W-1:0]       dut_m_axi_arid;
    wire [AXI_ADDR_W-1:0]     dut_m_axi_araddr;
    wire [7:0]                dut_m_axi_arlen;
    wire [2:0]                dut_m_axi_arsize;
    wire [1:0]                dut_m_axi_arburst;
    wire                      dut_m_axi_arlock;
    wire [3:0]                dut_m_axi_arcache;
    wire [2:0]                dut_m_axi_arprot;
    wire [12:0]               dut_m_axi_aruser;
    wire                      dut_m_axi_arvalid;
    wire                      dut_m_axi_rready;

    // What the bus models see of them. A simulator may call a model at a clock edge before or after the card has taken that
    // edge; these hold from one falling edge to the next, so a model always sees what stood on the bus at the edge.
    reg                       s_axil_awready;
    reg                       s_axil_wready;
    reg  [1:0]                s_axil_bresp;
    reg                       s_axil_bvalid;
    reg                       s_axil_arready;
    reg  [31:0]               s_axil_rdata;
    reg  [1:0]                s_axil_rresp;
    reg                       s_axil_rvalid;
    reg  [AXI_ID_W-1:0]       m_axi_awid;
    reg  [AXI_ADDR_W-1:0]     m_axi_awaddr;
    reg  [7:0]                m_axi_awlen;
    reg  [2:0]                m_axi_awsize;
    reg  [1:0]                m_axi_awburst;
    reg                       m_axi_awlock;
    reg  [3:0]                m_axi_awcache;
    reg  [2:0]                m_axi_awprot;
    reg  [12:0]               m_axi_awuser;
    reg                       m_axi_awvalid;
    reg  [AXI_DATA_W-1:0]     m_axi_wdata;
    reg  [AXI_DATA_W/8-1:0]   m_axi_wstrb;
    reg                       m_axi_wlast;
    reg                       m_axi_wvalid;
    reg                       m_axi_bready;
    reg  [AXI_ID_W-1:0]       m_axi_arid;
    reg  [AXI_ADDR_W-1:0]     m_axi_araddr;
    reg  [7:0]                m_axi_arlen;
    reg  [2:0]                m_axi_arsize;
    reg  [1:0]                m_axi_arburst;
    reg                       m_axi_arlock;
    reg  [3:0]                m_axi_arcache;
    reg  [2:0]                m_axi_arprot;
    reg  [12:0]               m_axi_aruser;
    reg                       m_axi_arvalid;
    reg                       m_axi_rready;

    always @(negedge clk) begin
        s_axil_awready <= dut_s_axil_awready;
        s_axil_wready  <= dut_s_axil_wready;
        s_axil_bvalid  <= dut_s_axil_bvalid;
        s_axil_arready <= dut_s_axil_arready;
        s_axil_rvalid  <= dut_s_axil_rvalid;
        m_axi_awvalid  <= dut_m_axi_awvalid;
        m_axi_wvalid   <= dut_m_axi_wvalid;
        m_axi_bready   <= dut_m_axi_bready;
        m_axi_arvalid  <= dut_m_axi_arvalid;
        m_axi_rready   <= dut_m_axi_rready;
        if (dut_s_axil_bvalid) begin
            s_axil_bresp   <= dut_s_axil_bresp;
        end
        if (dut_s_axil_rvalid) begin
            s_axil_rdata   <= dut_s_axil_rdata;
            s_axil_rresp   <= dut_s_axil_rresp;
        end
        if (dut_m_axi_awvalid) begin
            m_axi_awid     <= dut_m_axi_awid;
            m_axi_awaddr   <= dut_m_axi_awaddr;
            m_axi_awlen    <= dut_m_axi_awlen;
            m_axi_awsize   <= dut_m_axi_awsize;
            m_axi_awburst  <= dut_m_axi_awburst;
            m_axi_awlock   <= dut_m_axi_awlock;
            m_axi_awcache  <= dut_m_axi_awcache;
            m_axi_awprot   <= dut_m_axi_awprot;
            m_axi_awuser   <= dut_m_axi_awuser;
        end
        if (dut_m_axi_wvalid) begin
            m_axi_wdata    <= dut_m_axi_wdata;
            m_axi_wstrb    <= dut_m_axi_wstrb;
            m_axi_wlast    <= dut_m_axi_wlast;
        end
        if (dut_m_axi_arvalid) begin
            m_axi_arid     <= dut_m_axi_arid;
            m_axi_araddr   <= dut_m_axi_araddr;
            m_axi_arlen    <= dut_m_axi_arlen;
            m_axi_arsize   <= dut_m_axi_arsize;
            m_axi_arburst  <= dut_m_axi_arburst;
            m_axi_arlock   <= dut_m_axi_arlock;
            m_axi_arcache  <= dut_m_axi_arcache;
            m_axi_arprot   <= dut_m_axi_arprot;
            m_axi_aruser   <= dut_m_axi_aruser;
        end
    end

    wire [63:0]          xgmii_txd;
    wire [7:0]           xgmii_txc;
    wire [63:0]          xgmii_rxd;
    wire [7:0]           xgmii_rxc;
    wire                 m_wire_cookie_valid;
    wire [31:0]          m_wire_cookie;
    wire [31:0]          s_wire_cookie;
    wire [IRQ_N-1:0]     irq;

    hnic_top #(
        .AXI_DATA_W (AXI_DATA_W),
        .AXI_ADDR_W (AXI_ADDR_W),
        .AXI_ID_W   (AXI_ID_W),
        .AXIL_ADDR_W(AXIL_ADDR_W),
        .TX_QUEUES  (TX_QUEUES),
        .RX_QUEUES  (RX_QUEUES)
    ) dut (
        .clk                (clk),
        .rst                (rst),
        .time_ns            (time_ns),
        .s_axil_awaddr      (s_axil_awaddr),
        .s_axil_awprot      (s_axil_awprot),
        .s_axil_awvalid     (s_axil_awvalid),
        .s_axil_awready     (dut_s_axil_awready),
        .s_axil_wdata       (s_axil_wdata),
        .s_axil_wstrb       (s_axil_wstrb),
        .s_axil_wvalid      (s_axil_wvalid),
        .s_axil_wready      (dut_s_axil_wready),
        .s_axil_bresp       (dut_s_axil_bresp),
        .s_axil_bvalid      (dut_s_axil_bvalid),
        .s_axil_bready      (s_axil_bready),
        .s_axil_araddr      (s_axil_araddr),
        .s_axil_arprot      (s_axil_arprot),
        .s_axil_arvalid     (s_axil_arvalid),
        .s_axil_arready     (dut_s_axil_arready),
        .s_axil_rdata       (dut_s_axil_rdata),
        .s_axil_rresp       (dut_s_axil_rresp),
        .s_axil_rvalid      (dut_s_axil_rvalid),
        .s_axil_rready      (s_axil_rready),
        .m_axi_awid         (dut_m_axi_awid),
        .m_axi_awaddr       (dut_m_axi_awaddr),
        .m_axi_awlen        (dut_m_axi_awlen),
        .m_axi_awsize       (dut_m_axi_awsize),
        .m_axi_awburst      (dut_m_axi_awburst),
        .m_axi_awlock       (dut_m_axi_awlock),
        .m_axi_awcache      (dut_m_axi_awcache),
        .m_axi_awprot       (dut_m_axi_awprot),
        .m_axi_awuser       (dut_m_axi_awuser),
        .m_axi_awvalid      (dut_m_axi_awvalid),
        .m_axi_awready      (m_axi_awready),
        .m_axi_wdata        (dut_m_axi_wdata),
        .m_axi_wstrb        (dut_m_axi_wstrb),
        .m_axi_wlast        (dut_m_axi_wlast),
        .m_axi_wvalid       (dut_m_axi_wvalid),
        .m_axi_wready       (m_axi_wready),
        .m_axi_bid          (m_axi_bid),
        .m_axi_bresp        (m_axi_bresp),
        .m_axi_bvalid       (m_axi_bvalid),
        .m_axi_bready       (dut_m_axi_bready),
        .m_axi_arid         (dut_m_axi_arid),
        .m_axi_araddr       (dut_m_axi_araddr),
        .m_axi_arlen        (dut_m_axi_arlen),
        .m_axi_arsize       (dut_m_axi_arsize),
        .m_axi_arburst      (dut_m_axi_arburst),
        .m_axi_arlock       (dut_m_axi_arlock),
        .m_axi_arcache      (dut_m_axi_arcache),
        .m_axi_arprot       (dut_m_axi_arprot),
        .m_axi_aruser       (dut_m_axi_aruser),
        .m_axi_arvalid      (dut_m_axi_arvalid),
        .m_axi_arready      (m_axi_arready),
        .m_axi_rid          (m_axi_rid),
        .m_axi_rdata        (m_axi_rdata),
        .m_axi_rresp        (m_axi_rresp),
        .m_axi_rlast        (m_axi_rlast),
        .m_axi_rvalid       (m_axi_rvalid),
        .m_axi_rready       (dut_m_axi_rready),
        .xgmii_txd          (xgmii_txd),
        .xgmii_txc          (xgmii_txc),
        .xgmii_rxd          (xgmii_rxd),
        .xgmii_rxc          (xgmii_rxc),
        .gmii_txd           (),
        .gmii_tx_en         (),
        .gmii_tx_er         (),
        .gmii_rxd           (8'd0),
        .gmii_rx_dv         (1'b0),
        .gmii_rx_er         (1'b0),
        .m_wire_cookie_valid(m_wire_cookie_valid),
        .m_wire_cookie      (m_wire_cookie),
        .s_wire_cookie      (s_wire_cookie),
        .irq                (irq),
        .status_busy        (status_busy)
    );

    xgmii_recorder recorder (
        .clk(clk), .txd(xgmii_txd), .txc(xgmii_txc), .key_valid(m_wire_cookie_valid), .key_now(m_wire_cookie)
    );

    xgmii_player player (
        .clk(clk), .rst(rst), .rxd(xgmii_rxd), .rxc(xgmii_rxc), .rx_key(s_wire_cookie), .status_busy(player_busy)
    );

endmodule

`resetall
