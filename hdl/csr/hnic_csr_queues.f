csr/hnic_csr_queue.v
ring/hnic_irq.v
csr/hnic_csr_queues.v
