"""Small algorithms that several parts use. Linux: lib/."""
