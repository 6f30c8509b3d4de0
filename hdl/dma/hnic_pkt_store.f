common/hnic_fifo.v
dma/hnic_pkt_read.v
offload/hnic_csum.v
dma/hnic_pkt_write.v
common/hnic_ram.v
dma/hnic_pkt_store.v
