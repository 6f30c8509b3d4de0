ring/hnic_desc_unpack.v
common/hnic_fifo.v
ring/hnic_desc_fetch.v
