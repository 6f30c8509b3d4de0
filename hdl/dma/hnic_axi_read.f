common/hnic_arb.v
common/hnic_skid.v
dma/hnic_axi_read.v
