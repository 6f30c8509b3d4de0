common/hnic_arb.v
common/hnic_fifo.v
ring/hnic_cpl_writer.v
