"""What choosing costs: milliseconds and memory of every built-in sampler, by pool, budget and dimension."""
