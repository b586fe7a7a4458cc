"""Values and decisions: pure functions of what was observed, without clock, I/O, client or framework."""
