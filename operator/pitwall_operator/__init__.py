"""The operator: moves a rollout by observing, weighing the evidence, deciding and carrying the decision out."""
