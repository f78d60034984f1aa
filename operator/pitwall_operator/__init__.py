"""How a rollout moves: observe, weigh the evidence, decide, perform."""
