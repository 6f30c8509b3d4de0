"""What an administrator types: `sysctl`, `ip`, `tc`, `ethtool` and `iptables` for a running machine."""
