"""What should happen, as pure functions from facts, policy and a moment to decisions; no store, no clock, no dice."""
