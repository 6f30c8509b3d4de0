"""Memory: page frames, slabs, page fragments, user address spaces, iov_iter."""
