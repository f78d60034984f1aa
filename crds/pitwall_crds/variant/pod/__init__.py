"""The part of a pod template that a SamplerVariant may lay over the operator's own: typed and bounded."""
