"""SamplerVariant: what users write of a sampler and of the runtime that answers with it."""
