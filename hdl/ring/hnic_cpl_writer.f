common/hnic_skid.v
ring/hnic_cpl_writer.v
