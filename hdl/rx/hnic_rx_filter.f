mac/hnic_crc32.v
rx/hnic_rx_filter.v
