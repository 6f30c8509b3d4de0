dma/hnic_axi_split.v
common/hnic_fifo.v
dma/hnic_gather.v
dma/hnic_dma_read.v
