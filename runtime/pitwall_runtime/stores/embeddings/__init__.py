"""The cache of embeddings: rows that are numbers, on the local disk and in memory."""
