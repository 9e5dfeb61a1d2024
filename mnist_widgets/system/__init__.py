"""What the kit needs of the machine: CPUs and threads, the host, Ctrl-C."""
