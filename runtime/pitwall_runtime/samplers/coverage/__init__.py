"""Samplers that cover the whole video whatever the question is: evenly, by shot, by key frame."""
