"""Names and strings → routes; pure, without a network."""
