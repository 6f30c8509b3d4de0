"""What an administrator types for a running machine: `ip`, `tc`, `iptables`, `sysctl` and more."""
