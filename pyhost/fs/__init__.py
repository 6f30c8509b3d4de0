"""Files: descriptors, reading and writing, pipes, ramfs, splice, poll and epoll."""
