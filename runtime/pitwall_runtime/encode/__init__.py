"""Encode: pictures and questions in, vectors of one joint space out."""
