"""What outlives a question: decoded frames and their embeddings, shared by every variant's process on a machine."""
