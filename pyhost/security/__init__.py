"""Security hooks and one small policy."""
