"""Device drivers. Linux: drivers."""
