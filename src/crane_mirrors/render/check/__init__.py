"""Output formats that only ``check`` has."""
