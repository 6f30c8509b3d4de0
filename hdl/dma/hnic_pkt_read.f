common/hnic_skid.v
dma/hnic_pkt_read.v
