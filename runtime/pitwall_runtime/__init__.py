"""How a question about a video is answered: the pipeline, its stages, and the gateway before them."""
