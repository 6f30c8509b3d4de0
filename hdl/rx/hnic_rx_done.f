common/hnic_fifo.v
rx/hnic_rx_done.v
