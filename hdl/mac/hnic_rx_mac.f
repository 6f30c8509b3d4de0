mac/hnic_crc32.v
mac/hnic_rx_frame.v
mac/hnic_xgmii_decode.v
mac/hnic_rx_mac.v
