offload/hnic_pick.v
offload/hnic_patch.v
offload/hnic_tx_edit.v
