common/hnic_ram.v
rx/hnic_rx_records.v
