dma/hnic_axi_split.v
common/hnic_fifo.v
dma/hnic_scatter.v
dma/hnic_dma_write.v
