"""How a question about a video is answered: the pipeline and its stages."""
