"""Which sampler finds the evidence: recall of the moments that answer a question, without any language model."""
