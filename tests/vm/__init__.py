"""The on-device virtual machine, and what runs on it."""
