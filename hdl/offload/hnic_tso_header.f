offload/hnic_pick.v
offload/hnic_tso_header.v
