offload/hnic_patch.v
offload/hnic_csum_insert.v
