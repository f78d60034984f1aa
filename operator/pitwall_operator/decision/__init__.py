"""The decision core: a spec, a status and an observation give the next status and the effects. Pure."""
