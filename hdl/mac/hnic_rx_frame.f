mac/hnic_crc32.v
mac/hnic_rx_frame.v
