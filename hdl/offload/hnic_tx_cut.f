common/hnic_fifo.v
offload/hnic_tx_cut.v
