"""What an administrator types for a running machine: `sysctl`, `ip`, `tc`, `ethtool`, `iptables`."""
