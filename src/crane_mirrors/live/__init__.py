"""The only room with a network: what servers answer, measured and judged."""
