"""The DMA API: how a driver gives memory to a device and takes it back. Linux: kernel/dma/."""
