offload/hnic_csum.v
dma/hnic_pkt_write.v
