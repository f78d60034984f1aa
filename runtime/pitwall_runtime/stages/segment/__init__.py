"""Segmenter: cuts the pool frames into shots."""
