mac/hnic_crc32.v
mac/hnic_tx_pad.v
mac/hnic_gmii_tx.v
