common/hnic_arb.v
ring/hnic_tx_sched.v
