"""The swap point: which pool frames a question is answered from."""
