"""Stores that outlive a question: decoded frames and their embeddings, shared by all processes of a machine."""
