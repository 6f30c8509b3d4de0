common/hnic_arb.v
common/hnic_fifo.v
common/hnic_ram.v
ring/hnic_desc_prefetch.v
