common/hnic_fifo.v
ring/hnic_tx_done.v
