rx/hnic_rx_pack.v
common/hnic_ram.v
rx/hnic_rx_records.v
rx/hnic_rx_unpack.v
rx/hnic_rx_store.v
