mac/hnic_crc32.v
mac/hnic_tx_pad.v
mac/hnic_xgmii_gap.v
mac/hnic_tx_mac.v
