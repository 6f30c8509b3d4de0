common/hnic_arb.v
common/hnic_skid.v
common/hnic_fifo.v
dma/hnic_axi_write.v
